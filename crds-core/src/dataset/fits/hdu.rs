//! From one header to the next: reads blocks of cards up to `END` and skips the data.
//! Source: FITS standard 4.0, sections 3 and 4.4.

use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use super::card::{CARD_LENGTH, Card, Value};
use super::error::{FitsError, FitsProblem};

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
    /// The value of a whole-number keyword.
    fn integer(&self, keyword: &str) -> Option<Result<i64, FitsProblem>> {
        let parsed = self
            .cards
            .iter()
            .map(Card::parse)
            .find(|parsed| parsed.keyword == keyword && parsed.standard)?;
        let Value::Integer(digits) = parsed.value else {
            let text = format!("{keyword} is {:?}", parsed.value.python_text());
            return Some(Err(FitsProblem::Geometry(text)));
        };
        let number = digits
            .parse()
            .map_err(|_| FitsProblem::Geometry(format!("{keyword} is {digits}")));
        Some(number)
    }

    fn count(&self, keyword: &str, absent: Option<u64>) -> Result<u64, FitsProblem> {
        let number = match (self.integer(keyword), absent) {
            (Some(number), _) => number?,
            (None, Some(absent)) => return Ok(absent),
            (None, None) => return Err(FitsProblem::Geometry(format!("{keyword} is missing"))),
        };
        u64::try_from(number).map_err(|_| FitsProblem::Geometry(format!("{keyword} is {number}")))
    }

    /// Bytes of data that follow the header, without what fills the last block.
    pub(super) fn data_length(&self) -> Result<u64, FitsProblem> {
        let axes = self.count("NAXIS", Some(0))?;
        if axes > 999 {
            return Err(FitsProblem::Geometry(format!("NAXIS is {axes}")));
        }
        if axes == 0 {
            return Ok(0);
        }
        let bits = match self.integer("BITPIX").transpose()? {
            Some(bits @ (8 | 16 | 32 | 64 | -32 | -64)) => bits.unsigned_abs(),
            Some(bits) => return Err(FitsProblem::Geometry(format!("BITPIX is {bits}"))),
            None => return Err(FitsProblem::Geometry("BITPIX is missing".into())),
        };
        let huge = || FitsProblem::Geometry("more bytes than a file can have".into());
        let mut elements = 1_u64;
        for axis in 1..=axes {
            let length = self.count(&format!("NAXIS{axis}"), None)?;
            // A first axis of zero announces random groups, where the others still count.
            if !(axis == 1 && length == 0 && self.has_groups()) {
                elements = elements.checked_mul(length).ok_or_else(huge)?;
            }
        }
        elements
            .checked_add(self.count("PCOUNT", Some(0))?)
            .and_then(|all| all.checked_mul(self.count("GCOUNT", Some(1)).ok()?))
            .and_then(|all| all.checked_mul(bits / 8))
            .ok_or_else(huge)
    }

    fn has_groups(&self) -> bool {
        let groups = |card: &Card| {
            let parsed = card.parse();
            parsed.keyword == "GROUPS" && parsed.value == Value::Logical(true)
        };
        self.cards.iter().any(groups)
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
