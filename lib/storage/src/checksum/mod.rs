//! Whether a file is what it should be: its size, and a sum of it, for finding damage, not attacks.

mod crc64;
mod sha1;

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

pub use crc64::{Crc64, Crc64Sum, NotACrc64};
pub use sha1::{NotASum, Sha1, Sha1Sum};

/// How much of a file is read at a time.
const READ_SIZE: usize = 256 * 1024;

/// What is known of a file before it is there. What is not known is not checked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Expected {
    /// Its size in bytes.
    pub size: Option<u64>,
    /// Its SHA-1 sum. Where none is expected, none is computed.
    pub sha1: Option<Sha1Sum>,
    /// Its CRC-64 sum. Where one is expected, it is compared instead of the SHA-1, which costs more.
    pub crc64: Option<Crc64Sum>,
}

/// A sum of one of the kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sum {
    /// SHA-1.
    Sha1(Sha1Sum),
    /// CRC-64/NVME.
    Crc64(Crc64Sum),
}

impl Sum {
    /// What kind it is, as people call it.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Sha1(_) => "SHA-1",
            Self::Crc64(_) => "CRC-64",
        }
    }

    /// The SHA-1, if it is one.
    pub const fn sha1(self) -> Option<Sha1Sum> {
        match self {
            Self::Sha1(sum) => Some(sum),
            Self::Crc64(_) => None,
        }
    }
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sha1(sum) => sum.fmt(f),
            Self::Crc64(sum) => sum.fmt(f),
        }
    }
}

/// A sum of what arrives, of the kind that is compared.
#[derive(Debug, Clone)]
pub(crate) enum Summing {
    /// SHA-1.
    Sha1(Sha1),
    /// CRC-64/NVME.
    Crc64(Box<Crc64>),
}

impl Summing {
    /// The sum of nothing, of the kind that `expected` asks for; none when it asks for none.
    pub(crate) fn begin(expected: &Expected) -> Option<Self> {
        match (expected.crc64, expected.sha1) {
            (Some(_), _) => Some(Self::Crc64(Box::default())),
            (None, Some(_)) => Some(Self::Sha1(Sha1::new())),
            (None, None) => None,
        }
    }

    /// Adds bytes.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha1(sum) => sum.update(bytes),
            Self::Crc64(sum) => sum.update(bytes),
        }
    }

    /// The sum of everything added.
    pub(crate) fn finish(self) -> Sum {
        match self {
            Self::Sha1(sum) => Sum::Sha1(sum.finish()),
            Self::Crc64(sum) => Sum::Crc64(sum.finish()),
        }
    }
}

/// A file is not what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// The size is wrong.
    #[error("it has {found} bytes, it should have {expected}")]
    Size {
        /// As it should be.
        expected: u64,
        /// As it is; at least, if it was too long.
        found: u64,
    },
    /// The sum is wrong.
    #[error("its {} is {found}, it should be {expected}", .expected.kind())]
    Sum {
        /// As it should be.
        expected: Sum,
        /// As it is.
        found: Sum,
    },
}

impl Expected {
    /// Whether a sum is expected, of any kind.
    pub const fn has_sum(&self) -> bool {
        self.sha1.is_some() || self.crc64.is_some()
    }

    /// Compares with what was found; a sum that is not known yet is not compared.
    ///
    /// # Errors
    /// [`Mismatch`], of the size before the sum.
    pub fn check(&self, size: u64, sum: Option<Sum>) -> Result<(), Mismatch> {
        if let Some(expected) = self.size
            && expected != size
        {
            return Err(Mismatch::Size {
                expected,
                found: size,
            });
        }
        let expected = match sum {
            Some(Sum::Sha1(_)) => self.sha1.map(Sum::Sha1),
            Some(Sum::Crc64(_)) => self.crc64.map(Sum::Crc64),
            None => None,
        };
        match (expected, sum) {
            (Some(expected), Some(found)) if expected != found => {
                Err(Mismatch::Sum { expected, found })
            }
            _ => Ok(()),
        }
    }

    /// Compares with a file, which is read only if a sum is expected. Blocks.
    ///
    /// # Errors
    /// When the file cannot be read, and what is wrong with it otherwise.
    pub fn check_file(&self, path: &Path) -> io::Result<Result<(), Mismatch>> {
        let size = std::fs::metadata(path)?.len();
        if let Err(mismatch) = self.check(size, None) {
            return Ok(Err(mismatch));
        }
        let mut summing = Summing::begin(self);
        if let Some(summing) = &mut summing {
            read_all(path, |bytes| summing.update(bytes))?;
        }
        Ok(self.check(size, summing.map(Summing::finish)))
    }
}

/// Both sums of a file, as records have them, read once in bounded memory. Blocks.
///
/// # Errors
/// When the file cannot be read.
pub fn sums_of_file(path: &Path) -> io::Result<(Sha1Sum, Crc64Sum)> {
    let (mut sha1, mut crc64) = (Sha1::new(), Crc64::new());
    read_all(path, |bytes| {
        sha1.update(bytes);
        crc64.update(bytes);
    })?;
    Ok((sha1.finish(), crc64.finish()))
}

/// Gives all of a file, piece by piece.
fn read_all(path: &Path, mut each: impl FnMut(&[u8])) -> io::Result<()> {
    let mut file = File::open(path)?;
    let mut buffer = vec![0; READ_SIZE];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(()),
            read => each(buffer.get(..read).unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn the_cheaper_sum_is_compared_where_both_are_expected() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "abc").unwrap();
        let (sha1, crc64) = sums_of_file(file.path()).unwrap();
        assert_eq!((sha1, crc64), (Sha1Sum::of(b"abc"), Crc64Sum::of(b"abc")));
        let both = |sha1, crc64| Expected {
            size: Some(3),
            sha1: Some(sha1),
            crc64: Some(crc64),
        };
        let right = both(sha1, crc64);
        assert_eq!(right.check_file(file.path()).unwrap(), Ok(()));
        assert!(right.check(3, Some(Sum::Sha1(Sha1Sum::of(b"x")))).is_err());
        let wrong = both(sha1, Crc64Sum::of(b"x"));
        let found = wrong.check_file(file.path()).unwrap();
        assert!(matches!(found, Err(Mismatch::Sum { .. })));
    }
}
