//! Reads the FITS headers and binary tables that the worker itself looks into: association
//! tables, calibration switches and extracted spectra. The bytes are hostile: sizes are checked
//! before anything is allocated and no value is trusted. Changing headers is left to
//! `crds-core`, pictures to fitscut.
//!
//! References are to the FITS standard, version 4.0.

mod header;
mod image;
mod table;

pub use header::{Header, Value};
pub use image::Image;
pub use table::{Numbers, Table};

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// The size of a FITS block in bytes (section 3.1).
const BLOCK: u64 = 2880;
/// A header longer than this many blocks (36 cards each) is refused.
const MOST_HEADER_BLOCKS: u64 = 2000;
/// More HDUs than this are refused.
const MOST_HDUS: usize = 5000;

/// A file that is not FITS, or not the FITS that was asked for.
#[derive(Debug, thiserror::Error)]
pub enum FitsError {
    /// The operating system would not read it.
    #[error("{path}: cannot be read: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It breaks the standard, or a limit of this reader.
    #[error("{path}: {reason}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, where.
        reason: String,
    },
}

/// Why a file cannot be used, before its name is known.
#[derive(Debug)]
enum Problem {
    Read(io::Error),
    Malformed(String),
}

impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Malformed("the file is cut short".to_owned()),
            _ => Self::Read(error),
        }
    }
}

impl Problem {
    fn malformed<T>(reason: impl Into<String>) -> Result<T, Self> {
        Err(Self::Malformed(reason.into()))
    }

    fn in_file(self, path: &Path) -> FitsError {
        let path = path.to_owned();
        match self {
            Self::Read(source) => FitsError::Read { path, source },
            Self::Malformed(reason) => FitsError::Malformed { path, reason },
        }
    }
}

/// Bytes that can be read at an offset: a file, or memory in tests.
trait ReadAt {
    fn length(&self) -> io::Result<u64>;
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
}

impl ReadAt for File {
    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(self, buffer, offset)
    }
}

impl ReadAt for [u8] {
    fn length(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let cut = || io::Error::from(io::ErrorKind::UnexpectedEof);
        let start = usize::try_from(offset).map_err(|_| cut())?;
        let end = start.checked_add(buffer.len()).ok_or_else(cut)?;
        buffer.copy_from_slice(self.get(start..end).ok_or_else(cut)?);
        Ok(())
    }
}

/// One header and where its data lie.
#[derive(Debug)]
struct Hdu {
    header: Header,
    data_start: u64,
    /// Without padding.
    data_length: u64,
}

impl Hdu {
    fn read(bytes: &(impl ReadAt + ?Sized), start: u64) -> Result<Self, Problem> {
        let mut header = Header::default();
        for block in 0..MOST_HEADER_BLOCKS {
            let mut buffer = [0; 2880];
            let offset = start + block * BLOCK;
            bytes.read_exact_at(&mut buffer, offset)?;
            if block == 0 && !buffer.starts_with(b"SIMPLE  =") && !buffer.starts_with(b"XTENSION=")
            {
                return Problem::malformed(format!("no FITS header at byte {start}"));
            }
            if header.take(&buffer) {
                let data_length = data_length(&header)?;
                let data_start = offset + BLOCK;
                return Ok(Self {
                    header,
                    data_start,
                    data_length,
                });
            }
        }
        Problem::malformed(format!(
            "the header at byte {start} is longer than {MOST_HEADER_BLOCKS} blocks"
        ))
    }

    /// Where the next HDU starts.
    fn next(&self) -> Result<u64, Problem> {
        self.data_length
            .div_ceil(BLOCK)
            .checked_mul(BLOCK)
            .and_then(|padded| padded.checked_add(self.data_start))
            .ok_or_else(|| Problem::Malformed("an HDU is larger than any file".to_owned()))
    }
}

/// `|BITPIX|/8 * GCOUNT * (PCOUNT + NAXIS1*...*NAXISm)` (equation 2).
fn data_length(header: &Header) -> Result<u64, Problem> {
    let size = || {
        let natural = |key: &str| u64::try_from(header.integer(key)?).ok();
        let axes = natural("NAXIS")?;
        if axes == 0 {
            return Some(0);
        }
        if axes > 999 {
            return None;
        }
        // Random groups (NAXIS1 = 0) have GCOUNT and PCOUNT too; no file here has them.
        let mut values: u64 = 1;
        for axis in 1..=axes {
            values = values.checked_mul(natural(&format!("NAXIS{axis}"))?)?;
        }
        let extra = header
            .integer("PCOUNT")
            .map_or(Some(0), |n| n.try_into().ok())?;
        let groups = header
            .integer("GCOUNT")
            .map_or(Some(1), |n| n.try_into().ok())?;
        let width = header.integer("BITPIX")?.unsigned_abs() / 8;
        values
            .checked_add(extra)?
            .checked_mul(groups)?
            .checked_mul(width)
    };
    size().ok_or_else(|| {
        Problem::Malformed(
            "a header's BITPIX, NAXIS, PCOUNT and GCOUNT make no sensible size".to_owned(),
        )
    })
}

/// The header of HDU number `index` (0 is the primary one).
pub fn read_header(path: &Path, index: usize) -> Result<Header, FitsError> {
    let read = || -> Result<Header, Problem> {
        let file = File::open(path)?;
        Ok(find(&file, index)?.header)
    };
    read().map_err(|problem| problem.in_file(path))
}

/// Whether a file is complete, with all its headers and data; says how many HDUs it has.
pub fn check(path: &Path) -> Result<usize, FitsError> {
    let check = || -> Result<usize, Problem> {
        let mut count = 0;
        walk(&File::open(path)?, |_| {
            count += 1;
            true
        })?;
        Ok(count)
    };
    check().map_err(|problem| problem.in_file(path))
}

fn find(bytes: &(impl ReadAt + ?Sized), index: usize) -> Result<Hdu, Problem> {
    let mut found = None;
    let mut number = 0;
    walk(bytes, |hdu| {
        if number == index {
            found = Some(hdu);
        }
        number += 1;
        number <= index
    })?;
    found.ok_or_else(|| {
        Problem::Malformed(format!(
            "there is no HDU {index}; the file has {number} (0 is the primary one)"
        ))
    })
}

/// Calls `visit` for each HDU until it says no.
fn walk(bytes: &(impl ReadAt + ?Sized), mut visit: impl FnMut(Hdu) -> bool) -> Result<(), Problem> {
    let length = bytes.length()?;
    let mut start = 0;
    for number in 0..MOST_HDUS {
        if number > 0 && start >= length {
            return Ok(());
        }
        let hdu = Hdu::read(bytes, start)?;
        start = hdu.next()?;
        if hdu.data_start.saturating_add(hdu.data_length) > length {
            return Problem::malformed(format!(
                "the data of HDU {number} are cut short: {} bytes of {} are there",
                length.saturating_sub(hdu.data_start),
                hdu.data_length
            ));
        }
        if !visit(hdu) {
            return Ok(());
        }
    }
    Problem::malformed(format!("it has more than {MOST_HDUS} HDUs"))
}

#[cfg(test)]
pub(crate) mod sample;

#[cfg(test)]
mod tests;
