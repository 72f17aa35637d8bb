//! Names of files as MAST and poller files give them. They reach paths, addresses and object
//! keys, so a text becomes a [`FileName`] only when it is harmless in all three.

use std::fmt;

/// Longer names are refused; the longest of the HST archive have about 80 characters.
const MAX_BYTES: usize = 128;

/// The name of one file: ASCII letters, digits, `_`, `-` and single dots, beginning with a letter
/// or digit. It has no directory and hides nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileName(String);

/// Why a text is not the name of a file that may be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{quoted} is not accepted as a file name: {reason}")]
pub struct FileNameError {
    quoted: String,
    reason: &'static str,
}

impl FileName {
    /// Checks a name.
    ///
    /// # Errors
    /// [`FileNameError`] for anything that is not plainly one file's name.
    pub fn parse(text: &str) -> Result<Self, FileNameError> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        let reason = if text.is_empty() {
            "it is empty"
        } else if text.len() > MAX_BYTES {
            "it is too long"
        } else if text.contains(['/', '\\']) {
            "it has a directory"
        } else if text.contains("..") {
            "it has two dots side by side"
        } else if !text.bytes().all(plain) {
            "it has characters other than letters, digits, '.', '_' and '-'"
        } else if !text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            "it does not begin with a letter or digit"
        } else {
            return Ok(Self(text.to_owned()));
        };
        Err(FileNameError {
            quoted: quoted(text),
            reason,
        })
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of the file that differs from this one in its suffix only: `x_flt.fits` for
    /// `x_flc.fits` and `flt`. None when this one has another suffix than `from`.
    pub fn with_suffix(&self, from: &str, to: &str) -> Option<Self> {
        let stem = self
            .0
            .strip_suffix(".fits")?
            .strip_suffix(from)?
            .strip_suffix('_')?;
        Self::parse(&format!("{stem}_{to}.fits")).ok()
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl AsRef<std::path::Path> for FileName {
    fn as_ref(&self) -> &std::path::Path {
        self.0.as_ref()
    }
}

/// What stands before the first `_` of a file's name: the exposure or association it is of.
pub(crate) fn root(file: &str) -> &str {
    file.split('_').next().unwrap_or(file)
}

/// The suffix of `<root>_<suffix>.fits`.
pub(crate) fn suffix(file: &str) -> Option<&str> {
    let (_, suffix) = file.strip_suffix(".fits")?.split_once('_')?;
    Some(suffix)
}

/// A foreign text as it may stand in a message: escaped and cut.
pub(crate) fn quoted(text: &str) -> String {
    const SHOWN: usize = 60;
    let mut shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    format!("{shown:?}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_of_the_archive_are_accepted() {
        for name in [
            "j8cb010b0_asn.fits",
            "lcxv13f1q_rawtag_a.fits",
            "hst_13773_20_wfc3_uvis_f657n_icnk20a8_flc.fits",
        ] {
            assert_eq!(FileName::parse(name).unwrap().as_str(), name);
        }
    }

    #[test]
    fn names_that_could_do_harm_are_refused() {
        let long = "a".repeat(129);
        for name in [
            "",
            ".",
            "..",
            "../x_raw.fits",
            "a/b_raw.fits",
            "/etc/passwd",
            "a\\b_raw.fits",
            "a..fits",
            ".hidden_raw.fits",
            "-rf_raw.fits",
            "a\n_raw.fits",
            "a\0_raw.fits",
            "a b_raw.fits",
            "é_raw.fits",
            "a?uri=b_raw.fits",
            &long,
        ] {
            let error = FileName::parse(name).unwrap_err().to_string();
            assert!(!error.contains(['\n', '\0']), "{error}");
        }
    }

    #[test]
    fn a_suffix_is_exchanged_and_only_the_one_named() {
        let name = FileName::parse("j8ph01g0q_flc.fits").unwrap();
        let other = name.with_suffix("flc", "flt").unwrap();
        assert_eq!(other.as_str(), "j8ph01g0q_flt.fits");
        assert_eq!(other.with_suffix("flc", "flt"), None);
    }

    proptest! {
        #[test]
        fn an_accepted_name_is_one_path_component(text in "[a-z._/-]{0,12}|.{0,12}") {
            if let Ok(name) = FileName::parse(&text) {
                let path = std::path::Path::new("d").join(&name);
                prop_assert_eq!(path.parent(), Some(std::path::Path::new("d")));
                prop_assert_eq!(path.file_name().unwrap().to_str(), Some(name.as_str()));
            }
        }
    }
}
