//! One rule file, checked and typed, not yet compiled.

use std::path::PathBuf;

use super::{LoadError, RuleHeader, checksum};

use crate::literal::{self, Literal};
use crate::names::{MappingKind, MappingName};
use crate::selector::tree::Selector;

/// Whether the checksum inside a rule file has to be right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Checksums {
    /// A missing or wrong one is an error.
    #[default]
    Verify,
    /// Load the file all the same, as `CRDS_IGNORE_MAPPING_CHECKSUM` asks for.
    Ignore,
}

/// A rule file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Mapping {
    pub(crate) name: MappingName,
    pub(crate) header: RuleHeader,
    pub(crate) body: Body,
}

/// What a rule file selects.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Body {
    /// Instruments or reference types, lower-case, in file order.
    Targets(Vec<(Box<str>, Target)>),
    Table(Selector),
}

/// What an instrument or a reference type leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    Mapping(MappingName),
    NotApplicable,
    Omitted,
}

/// What a special value means, if the text is one.
pub(crate) fn special(text: &str) -> Option<Target> {
    match text {
        "N/A" | "TEMP_N/A" | "n/a" | "temp_n/a" => Some(Target::NotApplicable),
        // `temp_omit` is not among them: Python CRDS takes it for a file name.
        "OMIT" | "TEMP_OMIT" | "omit" => Some(Target::Omitted),
        _ => None,
    }
}

impl Mapping {
    pub(crate) fn read(
        name: &MappingName,
        bytes: &[u8],
        checksums: Checksums,
    ) -> Result<Self, LoadError> {
        let text = std::str::from_utf8(bytes).map_err(|error| LoadError::NotText {
            name: name.clone(),
            at: error.valid_up_to(),
        })?;
        let rules = literal::parse_rules(name.as_str(), text)?;
        let invalid = |problem| LoadError::Invalid {
            name: name.clone(),
            problem,
        };
        let header = RuleHeader::new(&rules.header).map_err(invalid)?;
        if checksums == Checksums::Verify {
            verify(name, &header, text)?;
        }
        let body = match name.kind() {
            MappingKind::Reference => Selector::new(&rules.selector).map(Body::Table),
            _ => targets(&rules.selector).map(Body::Targets),
        };
        let body = body.map_err(invalid)?;
        Self::new(name.clone(), header, body)
    }

    /// Puts the parts together after checking that they fit.
    pub(crate) fn new(
        name: MappingName,
        header: RuleHeader,
        body: Body,
    ) -> Result<Self, LoadError> {
        let expected = match name.kind() {
            MappingKind::Pipeline => "pipeline",
            MappingKind::Instrument => "instrument",
            MappingKind::Reference => "reference",
        };
        let check = || {
            let stated = header.required("mapping")?;
            if stated != expected {
                return Err(format!(
                    "its header says it is a mapping of kind {stated:?}, its name says {expected:?}"
                ));
            }
            header.required("observatory")?;
            if name.kind() != MappingKind::Pipeline {
                header.required("instrument")?;
            }
            if name.kind() == MappingKind::Reference {
                header.required("filekind")?;
            }
            Ok(())
        };
        match check() {
            Ok(()) => Ok(Self { name, header, body }),
            Err(problem) => Err(LoadError::Invalid { name, problem }),
        }
    }

    /// The mappings this one leads to, in file order; a table leads to none.
    pub(crate) fn targets(&self) -> &[(Box<str>, Target)] {
        match &self.body {
            Body::Targets(targets) => targets,
            Body::Table(_) => &[],
        }
    }

    /// The rule files this one leads to, each with its instrument or type, in file order.
    pub(crate) fn leads_to(&self) -> impl Iterator<Item = (&str, &MappingName)> {
        self.targets()
            .iter()
            .filter_map(|(key, target)| match target {
                Target::Mapping(name) => Some((&**key, name)),
                Target::NotApplicable | Target::Omitted => None,
            })
    }
}

fn verify(name: &MappingName, header: &RuleHeader, text: &str) -> Result<(), LoadError> {
    let Some(stated) = header.checksum() else {
        return Err(LoadError::NoChecksum { name: name.clone() });
    };
    let actual = checksum::of_text(text);
    if stated == actual {
        return Ok(());
    }
    Err(LoadError::WrongChecksum {
        name: name.clone(),
        stated: stated.into(),
        actual,
    })
}

/// The plain name of a rule file that may be named by its path, as tests and drafts of rules do.
fn plain(text: &str) -> &str {
    text.rsplit('/').next().unwrap_or(text)
}

/// The rule files that a pipeline or instrument map names by their paths.
pub(crate) fn named_by_path(
    name: &MappingName,
    bytes: &[u8],
) -> Option<Vec<(MappingName, PathBuf)>> {
    let rules = literal::parse_rules(name.as_str(), std::str::from_utf8(bytes).ok()?).ok()?;
    let paths = rules.selector.as_dict()?.iter().filter_map(|(_, value)| {
        let path = value.as_str().filter(|text| text.contains('/'))?;
        Some((plain(path).parse().ok()?, PathBuf::from(path)))
    });
    Some(paths.collect())
}

/// The selector of a pmap or imap. Keys are lower-cased; of equal ones the last wins. A path counts
/// as the name at its end: where its file is, is for whoever reads the files.
pub(crate) fn targets(selector: &Literal<'_>) -> Result<Vec<(Box<str>, Target)>, String> {
    let pairs = selector.as_dict().ok_or_else(|| {
        format!(
            "its `selector` is {}, not a dictionary of names",
            selector.kind()
        )
    })?;
    let mut targets: Vec<(Box<str>, Target)> = Vec::with_capacity(pairs.len());
    for (key, value) in pairs {
        let (Some(key), Some(text)) = (key.as_str(), value.as_str()) else {
            return Err(format!("its entry {key}: {value} is not a pair of names"));
        };
        let target = match special(text) {
            Some(special) => special,
            None => Target::Mapping(
                plain(text)
                    .parse()
                    .map_err(|error: crate::names::MappingNameError| error.to_string())?,
            ),
        };
        let key = key.to_lowercase().into_boxed_str();
        match targets.iter_mut().find(|(known, _)| *known == key) {
            Some((_, old)) => *old = target,
            None => targets.push((key, target)),
        }
    }
    Ok(targets)
}
