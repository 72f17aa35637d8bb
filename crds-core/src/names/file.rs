//! Names of files in a cache.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use storage::hint::Hint;

/// The plain name of a rules or reference file, as the server's catalogue lists them.
///
/// It has no folder and nothing that could lead out of one, so it can be joined to folders and
/// URIs.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileName(Box<str>);

/// A text is not the plain name of a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the name of a file in the cache")]
pub struct FileNameError(String);

impl Hint for FileNameError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some("these names have letters, digits, `_`, `-`, `.` and `+`".into())
    }
}

impl FileName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for FileName {
    type Err = FileNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_-.+".contains(c);
        let plain = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        // Room is left for what is put around the name while the file is written.
        if plain && text.len() <= 200 && text.chars().all(allowed) {
            Ok(Self(text.into()))
        } else {
            Err(FileNameError(text.chars().take(80).collect()))
        }
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
