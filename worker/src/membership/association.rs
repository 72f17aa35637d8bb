//! Association tables (`_asn.fits`): which exposures belong together and what is made of them.

use fits::{FitsError, Table};
use std::path::Path;

/// An association table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Association {
    /// The rows, in file order.
    pub members: Vec<Member>,
}

/// One row of an association table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The member's root name, lower case.
    pub name: String,
    /// What it is.
    pub role: Role,
    /// What it is part of: the text after the dash of `MEMTYPE`, such as `CRJ`, `CR1`, `DTH`, `FP`.
    pub group: String,
    /// Whether the table says that it is there.
    pub present: bool,
}

/// The first half of `MEMTYPE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// `EXP`: an exposure, an input.
    Exposure,
    /// `PROD`: a product.
    Product,
    /// Anything else.
    Other,
}

impl Association {
    /// Reads the table in the first extension.
    pub fn read(path: &Path) -> Result<Self, FitsError> {
        let table = Table::open(path, 1)?;
        let names = table.texts("MEMNAME")?;
        let types = table.texts("MEMTYPE")?;
        let present = table.logicals("MEMPRSNT")?;
        let members = names
            .iter()
            .zip(&types)
            .zip(present)
            .map(|((name, kind), present)| Member::new(name, kind, present != Some(false)))
            .collect();
        Ok(Self { members })
    }

    /// The exposures that the table says are there.
    pub fn exposures(&self) -> impl Iterator<Item = &Member> {
        self.members
            .iter()
            .filter(|member| member.role == Role::Exposure && member.present)
    }

    /// The exposures that should be there and of which `files` hold no raw file.
    pub fn without_raw_files<'a>(&'a self, files: &[&str]) -> Vec<&'a str> {
        let has_raw = |member: &str| {
            files.iter().any(|file| {
                file.strip_prefix(member)
                    .is_some_and(|rest| rest.starts_with("_raw"))
            })
        };
        self.exposures()
            .map(|member| member.name.as_str())
            .filter(|member| !has_raw(member))
            .collect()
    }

    /// The products. Whether they are marked present says nothing: they are still to be made.
    pub fn products(&self) -> impl Iterator<Item = &Member> {
        self.members
            .iter()
            .filter(|member| member.role == Role::Product)
    }
}

impl Member {
    fn new(name: &str, kind: &str, present: bool) -> Self {
        let kind = kind.to_ascii_uppercase();
        let (role, group) = kind.split_once(['-', '_']).unwrap_or((&kind, ""));
        Self {
            name: name.to_ascii_lowercase(),
            role: match role {
                "EXP" => Role::Exposure,
                "PROD" => Role::Product,
                _ => Role::Other,
            },
            group: group.to_owned(),
            present,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_without_a_raw_file_is_missing() {
        let files = [
            "lcxv13f1q_rawtag_a.fits",
            "lcxv13f2q_spt.fits",
            "lcxv13f3q.raw.fits",
        ];
        let members = ["LCXV13F1Q", "LCXV13F2Q", "LCXV13F3Q"];
        let association = Association {
            members: members.map(|name| Member::new(name, "EXP-FP", true)).into(),
        };
        assert_eq!(
            association.without_raw_files(&files),
            ["lcxv13f2q", "lcxv13f3q"]
        );
    }
}
