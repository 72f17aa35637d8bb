//! Where files come from, as the `CRDS_*_URI` settings say it.

use std::borrow::Cow;
use std::path::PathBuf;
use std::str::FromStr;

use storage::hint::Hint;
use storage::uri::UriError;

use super::S3Uri;

/// A folder of files, local or remote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileUri {
    /// Object storage.
    S3(S3Uri),
    /// A web server; the URL ends with a slash.
    Http(String),
    /// A local folder.
    Dir(PathBuf),
}

impl FileUri {
    /// Where the file of this plain name is, as text.
    pub fn file(&self, name: &str) -> String {
        match self {
            Self::S3(folder) => format!("{folder}/{name}"),
            Self::Http(folder) => format!("{folder}{name}"),
            Self::Dir(folder) => folder.join(name).display().to_string(),
        }
    }
}

/// A text does not say where files are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileUriError {
    /// It is no bucket or prefix.
    #[error(transparent)]
    S3(#[from] UriError),
    /// It is no address on the web.
    #[error("{0}")]
    Http(String),
    /// Files are not read that way.
    #[error("nothing is read over {0}://")]
    Scheme(String),
}

impl Hint for FileUriError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::S3(error) => error.hint(),
            Self::Http(_) | Self::Scheme(_) => None,
        }
    }
}

impl FromStr for FileUri {
    type Err = FileUriError;

    fn from_str(text: &str) -> Result<Self, FileUriError> {
        if text.starts_with("s3://") {
            return Ok(Self::S3(text.parse()?));
        }
        if text.starts_with("http://") || text.starts_with("https://") {
            let parsed =
                reqwest::Url::parse(text).map_err(|error| FileUriError::Http(error.to_string()))?;
            let slash = if parsed.path().ends_with('/') {
                ""
            } else {
                "/"
            };
            return Ok(Self::Http(format!("{text}{slash}")));
        }
        match text.split_once("://") {
            Some(("file", path)) => Ok(Self::Dir(path.into())),
            Some((scheme, _)) => Err(FileUriError::Scheme(scheme.to_owned())),
            None => Ok(Self::Dir(text.into())),
        }
    }
}
