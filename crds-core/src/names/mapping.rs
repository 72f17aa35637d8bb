//! Names of rule files.

use std::borrow::Cow;
use std::fmt;
use storage::hint::Hint;

use super::FileName;

/// The three kinds of rule files, by extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MappingKind {
    /// `.pmap`: which instrument map an instrument uses.
    Pipeline,
    /// `.imap`: which table a reference type of one instrument uses.
    Instrument,
    /// `.rmap`: the table of one reference type.
    Reference,
}

/// The plain file name of a rule file, such as `hst_acs_darkfile_0405.rmap`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MappingName(FileName);

/// A text is not the name of a rule file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the name of a rule file")]
pub struct MappingNameError(String);

impl Hint for MappingNameError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some("rule files are plain names ending in .pmap, .imap or .rmap".into())
    }
}

impl MappingName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The name as that of any file in a cache.
    pub fn as_file(&self) -> &FileName {
        &self.0
    }

    /// The kind the extension says.
    pub fn kind(&self) -> MappingKind {
        match self.as_str().as_bytes().iter().nth_back(3) {
            Some(b'p') => MappingKind::Pipeline,
            Some(b'i') => MappingKind::Instrument,
            _ => MappingKind::Reference,
        }
    }
}

impl std::str::FromStr for MappingName {
    type Err = MappingNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut extensions = [".pmap", ".imap", ".rmap"].iter();
        let has_extension = extensions.any(|e| text.strip_suffix(e).is_some_and(|s| !s.is_empty()));
        match text.parse() {
            Ok(name) if has_extension => Ok(Self(name)),
            _ => Err(MappingNameError(text.chars().take(80).collect())),
        }
    }
}

impl fmt::Display for MappingName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn only_plain_names_are_names() {
        let name: MappingName = "hst_acs_0421.imap".parse().unwrap();
        assert_eq!(name.kind(), MappingKind::Instrument);
        for text in [
            "x.fits",
            ".pmap",
            "../a.pmap",
            "a/b.rmap",
            "a b.rmap",
            "",
            "..imap",
        ] {
            assert!(text.parse::<MappingName>().is_err(), "{text}");
        }
    }
}
