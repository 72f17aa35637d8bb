//! From one header to the next: reads blocks of cards up to `END` and skips the data.
//! Source: FITS standard 4.0, sections 3 and 4.4.

use std::collections::HashMap;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use super::card::{CARD_LENGTH, Card};
use super::error::{FitsError, FitsProblem};
use super::value::Value;

/// Headers and data come in blocks of this many bytes.
pub(super) const BLOCK: usize = 2880;
/// Real files have headers of some hundred kB at most, all extensions together some MB.
const MAX_HEADER_BYTES: usize = 64 << 20;

/// The cards of one header-data unit, without `END`.
#[derive(Debug)]
pub(super) struct RawHeader {
    pub(super) cards: Vec<Card>,
    /// Bytes the header takes in the file, a multiple of the block size.
    pub(super) length: usize,
}

impl RawHeader {
    /// Bytes of data that follow the header, without what fills the last block.
    pub(super) fn data_length(&self) -> Result<u64, FitsProblem> {
        let geometry = Geometry::of(&self.cards);
        let axes = geometry.count("NAXIS", Some(0))?;
        if axes > 999 {
            return Err(FitsProblem::Geometry(format!("NAXIS is {axes}")));
        }
        if axes == 0 {
            return Ok(0);
        }
        let bits = match geometry.integer("BITPIX")? {
            Some(bits @ (8 | 16 | 32 | 64 | -32 | -64)) => bits.unsigned_abs(),
            Some(bits) => return Err(FitsProblem::Geometry(format!("BITPIX is {bits}"))),
            None => return Err(FitsProblem::Geometry("BITPIX is missing".into())),
        };
        let huge = || FitsProblem::Geometry("more bytes than a file can have".into());
        let mut elements = 1_u64;
        for axis in 1..=axes {
            let length = geometry.count(&format!("NAXIS{axis}"), None)?;
            // A first axis of zero announces random groups, where the others still count.
            if !(axis == 1 && length == 0 && geometry.has_groups()) {
                elements = elements.checked_mul(length).ok_or_else(huge)?;
            }
        }
        let groups = geometry.count("GCOUNT", Some(1))?;
        elements
            .checked_add(geometry.count("PCOUNT", Some(0))?)
            .and_then(|all| all.checked_mul(groups))
            .and_then(|all| all.checked_mul(bits / 8))
            .ok_or_else(huge)
    }
}

/// The keywords that say how much data there is, the first of each.
struct Geometry(HashMap<String, Value>);

impl Geometry {
    fn of(cards: &[Card]) -> Self {
        let names: [&[u8]; 5] = [b"BITPIX", b"NAXIS", b"PCOUNT", b"GCOUNT", b"GROUPS"];
        let relevant = |card: &&Card| names.iter().any(|name| card.image().starts_with(name));
        let mut found = HashMap::new();
        for parsed in cards.iter().filter(relevant).map(Card::parse) {
            found.entry(parsed.keyword).or_insert(parsed.value);
        }
        Self(found)
    }

    /// The value of a whole-number keyword.
    fn integer(&self, keyword: &str) -> Result<Option<i64>, FitsProblem> {
        let wrong = |text: &str| FitsProblem::Geometry(format!("{keyword} is {text:?}"));
        match self.0.get(keyword) {
            None => Ok(None),
            Some(Value::Integer(digits)) => digits.parse().map(Some).map_err(|_| wrong(digits)),
            Some(other) => Err(wrong(&other.clone().python_text())),
        }
    }

    fn count(&self, keyword: &str, absent: Option<u64>) -> Result<u64, FitsProblem> {
        match (self.integer(keyword)?, absent) {
            (Some(number), _) => u64::try_from(number)
                .map_err(|_| FitsProblem::Geometry(format!("{keyword} is {number}"))),
            (None, Some(absent)) => Ok(absent),
            (None, None) => Err(FitsProblem::Geometry(format!("{keyword} is missing"))),
        }
    }

    fn has_groups(&self) -> bool {
        self.0.get("GROUPS") == Some(&Value::Logical(true))
    }
}

/// The headers of a file, one after another, until the end of the file, or until something that
/// is not an extension: the standard allows anything there. Ends after the first error.
pub(super) struct Headers<'a, R> {
    source: R,
    path: &'a Path,
    hdu: usize,
    /// Where the next header would begin.
    next: u64,
    read: usize,
    finished: bool,
}

impl<'a, R: Read + Seek> Headers<'a, R> {
    pub(super) fn new(source: R, path: &'a Path) -> Self {
        Self {
            source,
            path,
            hdu: 0,
            next: 0,
            read: 0,
            finished: false,
        }
    }

    /// Gives the source back, wherever it stands.
    pub(super) fn into_source(self) -> R {
        self.source
    }

    fn advance(&mut self) -> Result<Option<RawHeader>, FitsProblem> {
        let size = self
            .source
            .seek(SeekFrom::End(0))
            .map_err(FitsProblem::Read)?;
        if self.hdu > 0 && self.next >= size {
            return Ok(None);
        }
        self.source
            .seek(SeekFrom::Start(self.next))
            .map_err(FitsProblem::Read)?;
        let Some(header) = self.header()? else {
            return Ok(None);
        };
        let start = self.next.saturating_add(header.length as u64);
        let length = header.data_length()?;
        let overflow = || FitsProblem::Geometry("more bytes than a file can have".into());
        let needed = start.checked_add(length).ok_or_else(overflow)?;
        if needed > size {
            return Err(FitsProblem::Truncated { needed, size });
        }
        self.next = needed
            .checked_next_multiple_of(BLOCK as u64)
            .ok_or_else(overflow)?;
        Ok(Some(header))
    }

    /// Reads one header; `None` if there is no extension here.
    fn header(&mut self) -> Result<Option<RawHeader>, FitsProblem> {
        let mut header = RawHeader {
            cards: Vec::new(),
            length: 0,
        };
        let mut block = [0; BLOCK];
        loop {
            let filled = fill(&mut self.source, &mut block).map_err(FitsProblem::Read)?;
            let read = block.get(..filled).unwrap_or_default();
            if header.length == 0 && self.hdu > 0 && !read.starts_with(b"XTENSION") {
                return Ok(None);
            }
            if header.length == 0 && self.hdu == 0 {
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

impl<R: Read + Seek> Iterator for Headers<'_, R> {
    type Item = Result<RawHeader, FitsError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.finished {
            return None;
        }
        let result = self.advance();
        self.finished = !matches!(result, Ok(Some(_)));
        let hdu = self.hdu;
        self.hdu += 1;
        result
            .map_err(|problem| problem.at(self.path, hdu))
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

/// Reads until the buffer is full or the source ends; how many bytes there were.
fn fill(source: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..)
        && !rest.is_empty()
    {
        match source.read(rest) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
