//! What can be wrong with a FITS file, told so that a user can act on it.

use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};

use storage::hint::Hint;

/// A FITS file could not be read or updated.
#[derive(Debug, thiserror::Error)]
#[error("{}{}: {problem}", path.display(), hdu_text(*hdu))]
pub struct FitsError {
    /// The file.
    pub path: PathBuf,
    /// The header-data unit, 0 for the primary one.
    pub hdu: usize,
    /// What is wrong.
    #[source]
    pub problem: FitsProblem,
}

/// What is wrong with a FITS file.
#[derive(Debug, thiserror::Error)]
pub enum FitsProblem {
    /// The operating system refused to read it.
    #[error("cannot be read: {0}")]
    Read(#[source] io::Error),
    /// The operating system refused to replace it.
    #[error("cannot be updated: {0}")]
    Write(#[source] io::Error),
    /// It does not begin as the standard says.
    #[error("not a FITS file: it does not begin with `SIMPLE  =`")]
    NotFits,
    /// It is compressed as a whole.
    #[error("compressed with {0}: headers are only read from, and written to, plain FITS files")]
    Compressed(&'static str),
    /// The file ends inside a header.
    #[error("the header has no END card: the file is truncated or damaged")]
    MissingEnd,
    /// The file ends inside data that its header announces.
    #[error("truncated: the header announces data up to byte {needed}, the file has {size} bytes")]
    Truncated {
        /// Bytes the file should have at least.
        needed: u64,
        /// Bytes it has.
        size: u64,
    },
    /// The keywords that give the size of the data are missing or absurd.
    #[error("the size of the data is unknown: {0}")]
    Geometry(String),
    /// More header than any real file has.
    #[error("the headers take more than {0} bytes: not a file this program should read")]
    TooLarge(usize),
    /// The file has no such unit.
    #[error("there is no such extension: the file has {}", extensions(*.count))]
    NoHdu {
        /// How many units it has, the primary one included.
        count: usize,
    },
    /// It is no table, or not the table that was asked for.
    #[error("{0}")]
    Table(String),
    /// It is no image.
    #[error("there is no image")]
    NoImage,
    /// The new card cannot be written.
    #[error("keyword {keyword:?} cannot be written: {reason}")]
    Unwritable {
        /// The keyword asked for.
        keyword: String,
        /// Why not.
        reason: String,
    },
    /// The file changed while it was being copied.
    #[error("the file changed while it was being updated; it was left as it is")]
    Changed,
}

impl FitsProblem {
    /// The error for this problem in HDU `hdu` of `path`.
    pub fn at(self, path: &Path, hdu: usize) -> FitsError {
        FitsError {
            path: path.to_owned(),
            hdu,
            problem: self,
        }
    }
}

impl Hint for FitsError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        self.problem.hint()
    }
}

impl Hint for FitsProblem {
    fn hint(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Write(_) => {
                Some("the folder must be writable, with room for a second copy of the file".into())
            }
            Self::Compressed(_) => Some("uncompress it first".into()),
            _ => None,
        }
    }
}

fn extensions(count: usize) -> String {
    match count.saturating_sub(1) {
        0 => "none".to_owned(),
        count => count.to_string(),
    }
}

fn hdu_text(hdu: usize) -> String {
    match hdu {
        0 => String::new(),
        hdu => format!(", extension {hdu}"),
    }
}
