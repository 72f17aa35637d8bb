//! Puts a file into the cache: complete, with the size and SHA-1 sum it should have, or not at all.
//!
//! The bytes come from anywhere; they are counted and summed as they pass.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use storage::atomic::{Existing, Pending};
use storage::checksum::{Sha1, Sha1Sum};

use crate::config::Config;

/// What is known about a file before it is there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Expected {
    /// Its size in bytes.
    pub size: Option<u64>,
    /// Its SHA-1 sum.
    pub sha1: Option<Sha1Sum>,
}

impl Expected {
    /// What the settings want checked of this: `CRDS_DOWNLOAD_LENGTHS`, `CRDS_DOWNLOAD_CHECKSUMS`.
    #[must_use]
    pub fn as_configured(self, config: &Config) -> Self {
        Self {
            size: self.size.filter(|_| config.verify_lengths),
            sha1: self.sha1.filter(|_| config.verify_checksums),
        }
    }
}

/// A file could not be put into the cache, or is not what it should be.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// The operating system refused.
    #[error("{path}: {source}")]
    Io {
        /// The file's final place.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The size is wrong.
    #[error("{path}: has {found} bytes, should have {expected}\n  hint: {HINT}")]
    Size {
        /// The file's final place.
        path: PathBuf,
        /// As the catalogue says.
        expected: u64,
        /// As it is; at least, if it was too long.
        found: u64,
    },
    /// The sum is wrong.
    #[error("{path}: has SHA-1 {found}, should have {expected}\n  hint: {HINT}")]
    Sum {
        /// The file's final place.
        path: PathBuf,
        /// As the catalogue says.
        expected: Sha1Sum,
        /// As it is.
        found: Sha1Sum,
    },
}

const HINT: &str = "the file, or the catalogue in server_config, is damaged or of another date; \
                    `crds sync --check-sha1sum --repair-files` fetches both anew";

impl PlaceError {
    /// Whether the bytes were wrong, as opposed to the operating system being unwilling.
    pub fn is_mismatch(&self) -> bool {
        !matches!(self, Self::Io { .. })
    }
}

/// A file on its way into the cache. Dropped without [`Placement::finish`], it was never there.
#[derive(Debug)]
pub struct Placement {
    pending: Pending,
    target: PathBuf,
    expected: Expected,
    sha1: Sha1,
    written: u64,
}

impl Placement {
    /// Begins to put a file to `target`, whose folder is made if need be.
    pub fn begin(target: &Path, expected: Expected) -> Result<Self, PlaceError> {
        let io = |source| PlaceError::Io {
            path: target.to_owned(),
            source,
        };
        Ok(Self {
            pending: Pending::create(target).map_err(io)?,
            target: target.to_owned(),
            expected,
            sha1: Sha1::new(),
            written: 0,
        })
    }

    /// The next bytes. More than expected is an error at once.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), PlaceError> {
        self.written = self.written.saturating_add(bytes.len() as u64);
        match self.expected.size {
            Some(expected) if self.written > expected => Err(PlaceError::Size {
                path: self.target.clone(),
                expected,
                found: self.written,
            }),
            _ => {
                self.sha1.update(bytes);
                let written = self.pending.file().write_all(bytes);
                written.map_err(|source| PlaceError::Io {
                    path: self.target.clone(),
                    source,
                })
            }
        }
    }

    /// Checks what was written with [`Placement::write`] and gives the file its name.
    pub fn finish(self) -> Result<(), PlaceError> {
        let sum = self.sha1.finish();
        compare(&self.target, &self.expected, self.written, || Ok(sum))?;
        self.pending
            .commit(Existing::Replace)
            .map_err(|source| PlaceError::Io {
                path: self.target,
                source,
            })
    }
}

/// Puts everything `source` gives to `target`, if it is what it should be.
pub fn place(target: &Path, expected: Expected, source: &mut impl Read) -> Result<(), PlaceError> {
    let mut placement = Placement::begin(target, expected)?;
    let mut piece = vec![0; 1 << 20];
    loop {
        match source.read(&mut piece) {
            Ok(0) => return placement.finish(),
            Ok(read) => placement.write(piece.get(..read).unwrap_or_default())?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(source) => {
                return Err(PlaceError::Io {
                    path: target.to_owned(),
                    source,
                });
            }
        }
    }
}

/// Checks a file that is there.
pub fn check(path: &Path, expected: &Expected) -> Result<(), PlaceError> {
    let io = |source| PlaceError::Io {
        path: path.to_owned(),
        source,
    };
    let size = fs::metadata(path).map_err(io)?.len();
    compare(path, expected, size, || Sha1Sum::of_file(path).map_err(io))
}

fn compare(
    path: &Path,
    expected: &Expected,
    found: u64,
    sum: impl FnOnce() -> Result<Sha1Sum, PlaceError>,
) -> Result<(), PlaceError> {
    if let Some(expected) = expected.size.filter(|expected| *expected != found) {
        return Err(PlaceError::Size {
            path: path.to_owned(),
            expected,
            found,
        });
    }
    let Some(expected) = expected.sha1 else {
        return Ok(());
    };
    let found = sum()?;
    if found == expected {
        return Ok(());
    }
    Err(PlaceError::Sum {
        path: path.to_owned(),
        expected,
        found,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const ABC: &str = "a9993e364706816aba3e25717850c26c9cd0d89d";

    fn expected(size: u64, sum: &str) -> Expected {
        Expected {
            size: Some(size),
            sha1: sum.parse().ok(),
        }
    }

    #[test]
    fn sums_are_read_and_written() {
        assert_eq!(ABC.parse::<Sha1Sum>().unwrap().to_string(), ABC);
        for text in [
            "",
            "none",
            "abc",
            &ABC[1..],
            &format!("{ABC}0"),
            &"+1".repeat(20),
        ] {
            assert!(text.parse::<Sha1Sum>().is_err(), "{text}");
        }
    }

    #[test]
    fn only_what_was_expected_gets_in() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("new/x.fits");
        let put = |expected, bytes: &[u8]| place(&target, expected, &mut &*bytes);
        let left = || fs::read_dir(folder.path().join("new")).unwrap().count();
        assert!(matches!(
            put(expected(3, ABC), b"ab"),
            Err(PlaceError::Size { found: 2, .. })
        ));
        assert!(matches!(
            put(expected(3, ABC), b"abcd"),
            Err(PlaceError::Size { .. })
        ));
        assert!(matches!(
            put(expected(3, ABC), b"abd"),
            Err(PlaceError::Sum { .. })
        ));
        assert_eq!(left(), 0);
        put(expected(3, ABC), b"abc").unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"abc");
        put(Expected::default(), b"other").unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"other");
        assert!(check(&target, &expected(5, ABC)).is_err());
        assert_eq!(left(), 1);
    }
}
