//! Where the raw files of a dataset come from, as the command line says it.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use storage::hint::Hint;
use storage::home;
use storage::uri::{Location, S3Uri, UriError};

/// Where the raw files come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// `file:<directory>`: an archive or loose files there.
    Dir(PathBuf),
    /// `s3://bucket/prefix`: an archive or loose objects below it.
    S3(S3Uri),
    /// `astroquery:[<where the poller files are>]`: the MAST archive.
    Mast(Option<Location>),
    /// `stpubdata:`: MAST's public bucket.
    PublicBucket,
}

/// Why a text names no source of inputs.
#[derive(Debug, thiserror::Error)]
#[error("{text:?} is not a place inputs come from: {reason}")]
pub struct SourceError {
    text: String,
    reason: String,
}

impl Hint for SourceError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some("use file:<directory>, s3://bucket/prefix, astroquery: or stpubdata:".into())
    }
}

impl FromStr for Source {
    type Err = SourceError;

    fn from_str(text: &str) -> Result<Self, SourceError> {
        let wrong = |reason: String| SourceError {
            text: text.to_owned(),
            reason,
        };
        let location = |error: UriError| wrong(error.to_string());
        if text == "stpubdata:" {
            return Ok(Self::PublicBucket);
        }
        if let Some(pollers) = text.strip_prefix("astroquery:") {
            return match pollers {
                "" => Ok(Self::Mast(None)),
                s3 if s3.starts_with("s3://") => {
                    s3.parse().map(|l| Self::Mast(Some(l))).map_err(location)
                }
                directory => match home::path(directory) {
                    Ok(directory) => Ok(Self::Mast(Some(Location::Dir(directory)))),
                    Err(problem) => Err(wrong(problem.to_string())),
                },
            };
        }
        if !text.starts_with("file:") && !text.starts_with("s3://") {
            return Err(wrong("it starts with no known scheme".to_owned()));
        }
        Ok(match text.parse().map_err(location)? {
            Location::Dir(directory) => Self::Dir(directory),
            Location::S3(uri) => Self::S3(uri),
        })
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dir(directory) => write!(f, "file:{}", directory.display()),
            Self::S3(uri) => uri.fmt(f),
            Self::Mast(None) => f.write_str("astroquery:"),
            Self::Mast(Some(Location::Dir(directory))) => {
                write!(f, "astroquery:{}", directory.display())
            }
            Self::Mast(Some(Location::S3(uri))) => write!(f, "astroquery:{uri}"),
            Self::PublicBucket => f.write_str("stpubdata:"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn every_form_reads_back_as_it_was_written() {
        for text in [
            "file:.",
            "file:/data/raw",
            "s3://bucket/inputs/batch-1",
            "astroquery:",
            "astroquery:pollers",
            "astroquery:s3://bucket/pollers",
            "stpubdata:",
        ] {
            assert_eq!(text.parse::<Source>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn other_texts_are_refused_by_name() {
        for text in [
            "",
            ".",
            "http://x/y",
            "s3://",
            "stpubdata",
            "astroquery:s3://B",
        ] {
            let error = text.parse::<Source>().unwrap_err();
            assert!(error.hint().unwrap().contains("use file:"), "{error}");
        }
    }
}
