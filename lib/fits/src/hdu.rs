//! From one header-data unit to the next: reads blocks of cards up to `END` and skips the data.
//! Source: FITS standard 4.0, sections 3 and 4.4.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use crate::bytes::ReadAt;
use crate::card::Card;
use crate::error::{FitsError, FitsProblem};
use crate::header::Header;
use crate::value::CARD_LENGTH;

/// Headers and data come in blocks of this many bytes.
pub const BLOCK: usize = 2880;
/// Real files have headers of some hundred kB at most, all extensions together some MB.
const MAX_HEADER_BYTES: usize = 64 << 20;

/// A header-data unit: its header, and where its data lie.
#[derive(Debug, Clone)]
pub struct Hdu {
    /// 0 is the primary one.
    pub index: usize,
    /// What it says.
    pub header: Header,
    /// The offset of its data in the file.
    pub data_start: u64,
    /// Bytes of data, without what fills the last block.
    pub data_length: u64,
}

/// The units of a file, one after another, until the end of the file, or until something that is
/// not an extension: the standard allows anything there. Ends after the first error. Data are
/// skipped, but must be there.
#[derive(Debug)]
pub struct Hdus<'a, B: ?Sized> {
    bytes: &'a B,
    path: &'a Path,
    index: usize,
    /// Where the next header would begin.
    next: u64,
    read: usize,
    finished: bool,
}

/// The header-data units of these bytes; `path` only appears in errors.
pub fn hdus<'a, B: ReadAt + ?Sized>(bytes: &'a B, path: &'a Path) -> Hdus<'a, B> {
    Hdus {
        bytes,
        path,
        index: 0,
        next: 0,
        read: 0,
        finished: false,
    }
}

/// The header of HDU number `index` (0 is the primary one) of a file.
pub fn read_header(path: &Path, index: usize) -> Result<Header, FitsError> {
    Ok(find(&open(path)?, path, index)?.header)
}

/// Whether a file is complete, with all its headers and data; gives how many units it has. What
/// fills the last block may be missing, and there may be anything behind the last unit: the standard
/// calls it special records (section 3.5), and every reader passes over it.
pub fn check(path: &Path) -> Result<usize, FitsError> {
    let file = open(path)?;
    let mut units = hdus(&file, path);
    for unit in &mut units {
        unit?;
    }
    Ok(units.count_read())
}

/// Fills the last block of a file as the standard wants it, where that is missing; gives whether it
/// was. Programs that read in blocks fail without it.
pub fn fill(path: &Path) -> Result<bool, FitsError> {
    let file = open(path)?;
    let mut units = hdus(&file, path);
    let mut with = 0;
    for unit in &mut units {
        let unit = unit?;
        let text = unit.data_length == 0 || unit.header.text("XTENSION") == Some("TABLE");
        with = if text { b' ' } else { 0 };
    }
    let write = |error| FitsProblem::Write(error).at(path, units.count_read());
    let size = file.size().map_err(write)?;
    let missing = usize::try_from(units.next.saturating_sub(size)).unwrap_or_default();
    if missing > 0 {
        let mut file = OpenOptions::new().append(true).open(path).map_err(write)?;
        file.write_all(&vec![with; missing]).map_err(write)?;
    }
    Ok(missing > 0)
}

pub(crate) fn open(path: &Path) -> Result<File, FitsError> {
    File::open(path).map_err(|error| FitsProblem::Read(error).at(path, 0))
}

/// Unit number `index`.
pub(crate) fn find(
    bytes: &(impl ReadAt + ?Sized),
    path: &Path,
    index: usize,
) -> Result<Hdu, FitsError> {
    let mut units = hdus(bytes, path);
    for unit in &mut units {
        let unit = unit?;
        if unit.index == index {
            return Ok(unit);
        }
    }
    let count = units.count_read();
    Err(FitsProblem::NoHdu { count }.at(path, index))
}

impl<B: ReadAt + ?Sized> Hdus<'_, B> {
    /// How many units there were, once there are no more.
    fn count_read(&self) -> usize {
        self.index - usize::from(self.finished)
    }

    fn advance(&mut self) -> Result<Option<Hdu>, FitsProblem> {
        let size = self.bytes.size().map_err(FitsProblem::Read)?;
        if self.index > 0 && self.next >= size {
            return Ok(None);
        }
        let Some(header) = self.header()? else {
            return Ok(None);
        };
        let data_start = self.next.saturating_add(header.length as u64);
        let data_length = header.data_length()?;
        let overflow = || FitsProblem::Geometry("more bytes than a file can have".into());
        let needed = data_start.checked_add(data_length).ok_or_else(overflow)?;
        // A header is complete with its END, whatever fills its block.
        if data_length > 0 && needed > size {
            return Err(FitsProblem::Truncated { needed, size });
        }
        self.next = needed
            .checked_next_multiple_of(BLOCK as u64)
            .ok_or_else(overflow)?;
        Ok(Some(Hdu {
            index: self.index,
            header,
            data_start,
            data_length,
        }))
    }

    /// Reads one header; `None` if there is no extension here.
    fn header(&mut self) -> Result<Option<Header>, FitsProblem> {
        let mut header = Header::default();
        let mut block = [0; BLOCK];
        loop {
            let offset = self.next.saturating_add(header.length as u64);
            let filled = self
                .bytes
                .read_at(&mut block, offset)
                .map_err(FitsProblem::Read)?;
            let read = block.get(..filled).unwrap_or_default();
            if header.length == 0 && self.index > 0 && !read.starts_with(b"XTENSION") {
                return Ok(None);
            }
            if header.length == 0 && self.index == 0 {
                check_beginning(read)?;
            }
            let (records, _) = read.as_chunks::<CARD_LENGTH>();
            let end = records.iter().position(is_end);
            for record in records.iter().take(end.unwrap_or(records.len())) {
                match header.cards.last_mut() {
                    Some(card) if record.starts_with(b"CONTINUE") => card.extend(record),
                    _ => header.cards.push(Card::from_record(record)),
                }
            }
            header.length += BLOCK;
            self.read += BLOCK;
            if end.is_some() {
                return Ok(Some(header));
            }
            if filled < BLOCK {
                return Err(FitsProblem::MissingEnd);
            }
            if self.read > MAX_HEADER_BYTES {
                return Err(FitsProblem::TooLarge(MAX_HEADER_BYTES));
            }
        }
    }
}

impl<B: ReadAt + ?Sized> Iterator for Hdus<'_, B> {
    type Item = Result<Hdu, FitsError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.finished {
            return None;
        }
        let result = self.advance();
        self.finished = !matches!(result, Ok(Some(_)));
        let index = self.index;
        self.index += 1;
        result
            .map_err(|problem| problem.at(self.path, index))
            .transpose()
    }
}

fn is_end(record: &[u8; CARD_LENGTH]) -> bool {
    record
        .strip_prefix(b"END")
        .is_some_and(|rest| rest.iter().all(|byte| matches!(byte, b' ' | 0)))
}

fn check_beginning(read: &[u8]) -> Result<(), FitsProblem> {
    if read.starts_with(b"SIMPLE  =") {
        return Ok(());
    }
    let compressors: [(&[u8], _); 4] = [
        (b"\x1f\x8b", "gzip"),
        (b"\x1f\x9d", "compress"),
        (b"BZh", "bzip2"),
        (b"\xfd7zXZ", "xz"),
    ];
    match compressors
        .iter()
        .find(|(magic, _)| read.starts_with(magic))
    {
        Some((_, name)) => Err(FitsProblem::Compressed(name)),
        None => Err(FitsProblem::NotFits),
    }
}

#[cfg(test)]
#[path = "hdu_tests.rs"]
mod tests;
