//! Files of the cache are complete, with the size and SHA-1 sum they should have, or not there.
//!
//! Writing and checking is left to `storage`; here is which checks the settings want, and what a
//! failed one means to a user of a cache.

use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};
use storage::hint::Hint;

use storage::atomic::{CheckedFile, CheckedFileError};
pub use storage::checksum::{Expected, Sha1Sum, Sum};

use crate::config::Config;

/// What the settings want checked of this: `CRDS_DOWNLOAD_LENGTHS`, `CRDS_DOWNLOAD_CHECKSUMS`.
pub(crate) fn as_configured(expected: Expected, config: &Config) -> Expected {
    Expected {
        size: expected.size.filter(|_| config.verify_lengths),
        sha1: expected.sha1.filter(|_| config.verify_checksums),
        ..Expected::default()
    }
}

/// A file could not be put into the cache, or is not what it should be.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The operating system refused.
    #[error("{path} cannot be read or written")]
    Io {
        /// The file's final place.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The size is wrong.
    #[error("{path}: has {found} bytes, should have {expected}")]
    Size {
        /// The file's final place.
        path: PathBuf,
        /// As the catalogue says.
        expected: u64,
        /// As it is; at least, if it was too long.
        found: u64,
    },
    /// The sum is wrong.
    #[error("{path}: has {} {found}, should have {expected}", .expected.kind())]
    Sum {
        /// The file's final place.
        path: PathBuf,
        /// As the catalogue says.
        expected: Sum,
        /// As it is.
        found: Sum,
    },
}

impl Hint for VerifyError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        let hint = "the file, or the catalogue in server_config, is damaged or of another date; \
                    `crds sync --check-sha1sum --repair-files` fetches both anew";
        self.is_mismatch().then(|| hint.into())
    }
}

impl VerifyError {
    pub(crate) fn new(path: &Path, error: impl Into<CheckedFileError>) -> Self {
        use storage::checksum::Mismatch;
        let path = path.to_owned();
        match error.into() {
            CheckedFileError::Io(source) => Self::Io { path, source },
            CheckedFileError::Mismatch(Mismatch::Size { expected, found }) => Self::Size {
                path,
                expected,
                found,
            },
            CheckedFileError::Mismatch(Mismatch::Sum { expected, found }) => Self::Sum {
                path,
                expected,
                found,
            },
        }
    }

    /// Whether the bytes were wrong, as opposed to the operating system being unwilling.
    pub fn is_mismatch(&self) -> bool {
        !matches!(self, Self::Io { .. })
    }
}

/// Puts a file to `path`, whose folder is made if need be, if it is what it should be.
pub(crate) fn write(path: &Path, expected: Expected, bytes: &[u8]) -> Result<(), VerifyError> {
    let write = || {
        let mut file = CheckedFile::create(path, expected)?;
        file.write(bytes)?;
        file.commit()
    };
    write()
        .map(drop)
        .map_err(|error| VerifyError::new(path, error))
}

/// Checks a file that is there.
pub(crate) fn check(path: &Path, expected: &Expected) -> Result<(), VerifyError> {
    let checked = expected.check_file(path);
    checked
        .map_err(CheckedFileError::from)
        .and_then(|right| Ok(right?))
        .map_err(|error| VerifyError::new(path, error))
}
