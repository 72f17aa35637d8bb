//! Files that are stored without their holes: GNU's own form, and the three that GNU tar and libarchive
//! write as PAX records.
//! Source: the GNU tar manual, "Storing Sparse Files"; "Sparse Formats".

use super::stream::BLOCK;
use std::io;
use tar::{GnuExtSparseHeader, GnuSparseHeader, Header};

/// More pieces than this no file has whose holes are worth leaving out.
const MOST_PIECES: usize = 100_000;
/// The digits of a number in a map that stands before the data.
const MOST_DIGITS: usize = 20;

/// A piece of a file that is stored: where it begins, and its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) offset: u64,
    pub(super) length: u64,
}

/// The pieces of a file, in order; between them it is zero.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Map {
    pub(super) pieces: Vec<Piece>,
    size: u64,
}

/// Why a map cannot be used.
pub(super) enum MapError {
    Io(io::Error),
    Bad,
}

impl From<io::Error> for MapError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Map {
    /// Bytes the file has.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Bytes that are stored.
    pub(super) fn stored(&self) -> u64 {
        self.pieces.iter().map(|piece| piece.length).sum()
    }

    fn new(pieces: Vec<Piece>, size: u64) -> Result<Self, MapError> {
        let mut end = 0;
        for piece in &pieces {
            let next = piece.offset.checked_add(piece.length);
            end = next.filter(|_| piece.offset >= end).ok_or(MapError::Bad)?;
        }
        if end > size || pieces.len() > MOST_PIECES {
            return Err(MapError::Bad);
        }
        Ok(Self { pieces, size })
    }

    /// The map of GNU's own form: four pieces in the header, more in the blocks behind it.
    pub(super) fn of_gnu(
        header: &Header,
        mut block: impl FnMut() -> io::Result<Option<[u8; BLOCK]>>,
    ) -> Result<Self, MapError> {
        let header = header.as_gnu().ok_or(MapError::Bad)?;
        let mut pieces = Vec::new();
        add(&mut pieces, &header.sparse)?;
        let mut more = header.is_extended();
        while more {
            let bytes = block()?.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?;
            let mut extension = GnuExtSparseHeader::new();
            extension.as_mut_bytes().copy_from_slice(&bytes);
            add(&mut pieces, extension.sparse())?;
            more = extension.is_extended();
        }
        let size = header.real_size().map_err(|_| MapError::Bad)?;
        Self::new(pieces, size)
    }
}

fn add(pieces: &mut Vec<Piece>, found: &[GnuSparseHeader]) -> Result<(), MapError> {
    for piece in found.iter().filter(|piece| !piece.is_empty()) {
        pieces.push(Piece {
            offset: piece.offset().map_err(|_| MapError::Bad)?,
            length: piece.length().map_err(|_| MapError::Bad)?,
        });
    }
    if pieces.len() > MOST_PIECES {
        return Err(MapError::Bad);
    }
    Ok(())
}

/// What PAX records say of a sparse file.
#[derive(Default)]
pub(super) struct Pax {
    /// The name of the file, where the header's own is made up.
    pub(super) name: Option<Vec<u8>>,
    size: Option<u64>,
    /// Whether the map stands before the data.
    major: Option<u64>,
    /// Offset and length by turns.
    numbers: Vec<u64>,
}

impl Pax {
    pub(super) fn is_any(&self) -> bool {
        self.size.is_some() || self.major.is_some() || !self.numbers.is_empty()
    }

    /// Reads a record; none for one that is not as it should be.
    pub(super) fn read(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        match key {
            b"name" => self.name = Some(value.to_owned()),
            b"size" | b"realsize" => self.size = Some(number(value)?),
            b"major" => self.major = Some(number(value)?),
            b"offset" | b"numbytes" => self.numbers.push(number(value)?),
            b"map" => {
                let numbers = value.split(|byte| *byte == b',').map(number);
                self.numbers = numbers.collect::<Option<_>>()?;
            }
            _ => {}
        }
        Some(())
    }

    /// The map; where it stands before the data, `read` gives their bytes.
    pub(super) fn map(
        self,
        read: impl FnMut(&mut [u8]) -> io::Result<()>,
    ) -> Result<Map, MapError> {
        let size = self.size.ok_or(MapError::Bad)?;
        let numbers = match self.major {
            Some(1) => before_the_data(read)?,
            None | Some(0) => self.numbers,
            Some(_) => return Err(MapError::Bad),
        };
        let (pairs, []) = numbers.as_chunks::<2>() else {
            return Err(MapError::Bad);
        };
        let pieces = pairs
            .iter()
            .map(|&[offset, length]| Piece { offset, length });
        Map::new(pieces.collect(), size)
    }
}

/// The numbers of a map before the data: how many pieces, then offset and length of each, a line
/// each, in whole blocks.
fn before_the_data(
    mut read: impl FnMut(&mut [u8]) -> io::Result<()>,
) -> Result<Vec<u64>, MapError> {
    let mut block = [0; BLOCK];
    let (mut line, mut numbers, mut wanted) = (Vec::new(), Vec::new(), None);
    loop {
        read(&mut block)?;
        for byte in block {
            if byte != b'\n' {
                line.push(byte);
                if line.len() > MOST_DIGITS {
                    return Err(MapError::Bad);
                }
                continue;
            }
            let found = number(&line).ok_or(MapError::Bad)?;
            line.clear();
            match wanted {
                None => {
                    let pieces = usize::try_from(found).unwrap_or(usize::MAX);
                    if pieces > MOST_PIECES {
                        return Err(MapError::Bad);
                    }
                    wanted = Some(pieces * 2);
                }
                Some(_) => numbers.push(found),
            }
            if wanted == Some(numbers.len()) {
                return Ok(numbers);
            }
        }
    }
}

/// A whole number in decimal digits.
pub(super) fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}
