//! The telescopes whose calibration references CRDS keeps.

pub mod hst;
pub(crate) mod hst_rules;

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use storage::hint::Hint;

/// A telescope with CRDS rules of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Observatory {
    /// The Hubble Space Telescope.
    Hst,
    /// The James Webb Space Telescope.
    Jwst,
    /// The Nancy Grace Roman Space Telescope.
    Roman,
}

impl Observatory {
    /// All of them, in the order of the alphabet.
    pub const ALL: [Self; 3] = [Self::Hst, Self::Jwst, Self::Roman];

    /// The name in file and folder names: `hst`, `jwst` or `roman`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hst => "hst",
            Self::Jwst => "jwst",
            Self::Roman => "roman",
        }
    }

    /// The header keys that every table of the observatory needs besides its own.
    pub(crate) fn extra_keys(self) -> &'static [&'static str] {
        match self {
            Self::Jwst => &["META.VISIT.TSOVISIT", "META.INSTRUMENT.LAMP_STATE"],
            Self::Hst | Self::Roman => &[],
        }
    }

    /// A key of Roman's rules as the archive's headers have it, without the first part; nothing for
    /// other keys. Source: CRDS 14 `crds.roman.locate.dataset_to_ref_header`.
    pub fn archive_key(key: &str) -> Option<&str> {
        let short = key.strip_prefix("ROMAN.")?;
        short.starts_with("META.").then_some(short)
    }

    /// The observatory a CRDS file or context name begins with, as in `hst_0729.pmap`,
    /// `hst-operational` or `hst.pmap`.
    pub fn of_name(name: &str) -> Option<Self> {
        let end = name.find(['_', '-', '.']).unwrap_or(name.len());
        name.get(..end)?.parse().ok()
    }
}

impl fmt::Display for Observatory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text is not the name of an observatory.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an observatory")]
pub struct UnknownObservatory(String);

impl Hint for UnknownObservatory {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some("these are hst, jwst and roman".into())
    }
}

impl FromStr for Observatory {
    type Err = UnknownObservatory;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let same = |observatory: &Self| observatory.name().eq_ignore_ascii_case(text);
        let found = Self::ALL.into_iter().find(same);
        found.ok_or_else(|| UnknownObservatory(text.to_owned()))
    }
}
