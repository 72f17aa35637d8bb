//! From one member of a tar stream to the next, in every dialect that is written today: v7, ustar,
//! GNU and PAX. What a member may be is decided by `entry`; where it is written, by the parent.
//!
//! The `tar` crate reads the fields of a header. Its own iterator reads extended headers into memory
//! whatever their size, and does not know PAX's sparse files, which the `tar` of macOS writes.

use super::entry::{EntryError, LONGEST_NAME};
use super::sparse::{Map, MapError, Pax, number};
use super::stream::BLOCK;
use std::io::{self, Read};
use tar::{EntryType, Header, PaxExtensions};

/// The longest extended header, in bytes. macOS puts attributes of files into them.
const LONGEST_EXTENSION: u64 = 1 << 20;

/// One member of an archive.
pub(super) struct ArchiveMember {
    /// As it is written.
    pub(super) name: Vec<u8>,
    pub(super) kind: EntryType,
    /// Bytes it has when it is unpacked.
    pub(super) size: u64,
    /// Where its data belong, if not one behind the other from its beginning.
    pub(super) sparse: Option<Map>,
}

/// Why a stream cannot be read on.
pub(super) enum Problem {
    Io(io::Error),
    Damaged(&'static str),
    Refused { name: Vec<u8>, reason: EntryError },
}

impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Problem {
    fn of_map(error: MapError, name: &[u8]) -> Self {
        match error {
            MapError::Io(error) => Self::Io(error),
            MapError::Bad => Self::Refused {
                name: name.to_owned(),
                reason: EntryError::Unsupported("holes that are not told as they should be"),
            },
        }
    }
}

/// A tar stream. Reading from it gives the data of the current member.
pub(super) struct Stream<R> {
    bytes: R,
    /// Bytes of the current member's data that are still to be read, and of what fills its last block.
    left: u64,
    fill: u64,
    /// Whether the stream must say where it ends: nothing else tells that it was not cut short.
    needs_end: bool,
}

/// What headers before a member's own say of it.
#[derive(Default)]
struct Extensions {
    name: Option<Vec<u8>>,
    size: Option<u64>,
    sparse: Pax,
}

impl<R: Read> Stream<R> {
    pub(super) fn new(bytes: R, needs_end: bool) -> Self {
        Self {
            bytes,
            left: 0,
            fill: 0,
            needs_end,
        }
    }

    /// The next member; its data are to be read before the one after it.
    pub(super) fn next(&mut self) -> Result<Option<ArchiveMember>, Problem> {
        let mut extensions = Extensions::default();
        loop {
            self.skip()?;
            let Some(header) = self.header()? else {
                return Ok(None);
            };
            let kind = header.entry_type();
            let size = size_of(&header)?;
            self.expect(size);
            match kind.as_byte() {
                b'L' => extensions.name = Some(self.long_name(&header)?),
                // A long target of a link; the link itself will be refused.
                b'K' => drop(self.small(&header, LONGEST_NAME)?),
                b'x' | b'X' => {
                    let data = self.small(&header, LONGEST_EXTENSION)?;
                    extensions.read(&data, &header)?;
                }
                b'g' => self.global(&header)?,
                // A volume's label; access lists and attributes as Solaris writes them.
                b'V' | b'A' | b'E' => {}
                _ => return self.member(&header, extensions).map(Some),
            }
        }
    }

    /// Reads to the end, so that checksums there are verified.
    ///
    /// What follows the end is ignored as other programs do, because tapes are filled with anything;
    /// but not a further member, which they would leave out in silence.
    fn finish(&mut self) -> Result<(), Problem> {
        let mut block = [0; BLOCK];
        while self.fill_block(&mut block)? == BLOCK {
            let header = Header::from_byte_slice(&block);
            if !is_zero(&block) && checksum_is_right(header) {
                return Err(refused(header, EntryError::BehindTheEnd));
            }
        }
        Ok(())
    }

    /// The next header; none at the end.
    fn header(&mut self) -> Result<Option<Header>, Problem> {
        match self.block()? {
            None if self.needs_end => Err(Problem::Io(io::ErrorKind::UnexpectedEof.into())),
            None => Ok(None),
            Some(block) if is_zero(&block) => self.finish().map(|()| None),
            Some(block) => {
                let header = Header::from_byte_slice(&block);
                if checksum_is_right(header) {
                    Ok(Some(header.clone()))
                } else {
                    Err(DAMAGED)
                }
            }
        }
    }

    /// The next block; none at the end of the stream.
    fn block(&mut self) -> io::Result<Option<[u8; BLOCK]>> {
        let mut block = [0; BLOCK];
        match self.fill_block(&mut block)? {
            0 => Ok(None),
            BLOCK => Ok(Some(block)),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    /// Reads a block as far as there is one; gives how much of it there was.
    fn fill_block(&mut self, block: &mut [u8; BLOCK]) -> io::Result<usize> {
        let mut filled = 0;
        while let Some(rest) = block.get_mut(filled..)
            && !rest.is_empty()
        {
            match self.bytes.read(rest) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    /// Data of this many bytes follow.
    fn expect(&mut self, size: u64) {
        self.left = size;
        self.fill = size.wrapping_neg() % BLOCK as u64;
    }

    /// Passes over what is left of the current member.
    fn skip(&mut self) -> io::Result<()> {
        let wanted = self.left;
        if io::copy(&mut self.by_ref().take(wanted), &mut io::sink())? < wanted {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let fill = std::mem::take(&mut self.fill);
        if io::copy(&mut self.bytes.by_ref().take(fill), &mut io::sink())? < fill && self.needs_end
        {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }

    /// The data of a header that extends another; it may not be large.
    fn small(&mut self, header: &Header, limit: u64) -> Result<Vec<u8>, Problem> {
        if self.left > limit {
            return Err(refused(header, EntryError::TooLong));
        }
        let wanted = self.left;
        let mut data = Vec::new();
        self.read_to_end(&mut data)?;
        if (data.len() as u64) < wanted {
            return Err(Problem::Io(io::ErrorKind::UnexpectedEof.into()));
        }
        Ok(data)
    }

    fn long_name(&mut self, header: &Header) -> Result<Vec<u8>, Problem> {
        let mut name = self.small(header, LONGEST_NAME)?;
        while name.last() == Some(&0) {
            name.pop();
        }
        Ok(name)
    }

    /// A header that is for all members that follow: harmless if it only comments.
    fn global(&mut self, header: &Header) -> Result<(), Problem> {
        let mut extensions = Extensions::default();
        let data = self.small(header, LONGEST_EXTENSION)?;
        extensions.read(&data, header)?;
        let comments =
            extensions.name.is_none() && extensions.size.is_none() && !extensions.sparse.is_any();
        if comments {
            return Ok(());
        }
        Err(refused(
            header,
            EntryError::Unsupported("a name, size or holes for all entries"),
        ))
    }

    fn member(
        &mut self,
        header: &Header,
        extensions: Extensions,
    ) -> Result<ArchiveMember, Problem> {
        if let Some(size) = extensions.size {
            self.expect(size);
        }
        let kind = header.entry_type();
        let mut name = extensions
            .name
            .unwrap_or_else(|| header.path_bytes().into_owned());
        let mut sparse = None;
        if kind == EntryType::GNUSparse {
            let size = self.left;
            self.expect(0);
            let found = Map::of_gnu(header, || self.block());
            sparse = Some(found.map_err(|error| Problem::of_map(error, &name))?);
            self.expect(size);
        } else if extensions.sparse.is_any() {
            if let Some(real) = &extensions.sparse.name {
                name.clone_from(real);
            }
            let found = extensions.sparse.map(|data| self.read_exact(data));
            sparse = Some(found.map_err(|error| Problem::of_map(error, &name))?);
        }
        if let Some(map) = &sparse
            && map.stored() != self.left
        {
            let reason = EntryError::Unsupported("holes that do not agree with its size");
            return Err(Problem::Refused { name, reason });
        }
        Ok(ArchiveMember {
            kind,
            size: sparse.as_ref().map_or(self.left, Map::size),
            sparse,
            name,
        })
    }
}

impl<R: Read> Read for Stream<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let read = self
            .bytes
            .read(buffer.get_mut(..most).unwrap_or_default())?;
        self.left -= read as u64;
        Ok(read)
    }
}

impl Extensions {
    /// Reads the records of a PAX header: those that count here.
    fn read(&mut self, data: &[u8], header: &Header) -> Result<(), Problem> {
        let bad = || {
            refused(
                header,
                EntryError::Unsupported("an extended header that is not one"),
            )
        };
        for record in PaxExtensions::new(data) {
            let record = record.map_err(|_| bad())?;
            let value = record.value_bytes();
            match record.key_bytes() {
                b"path" => self.name = Some(value.to_owned()),
                b"size" => self.size = Some(number(value).ok_or_else(bad)?),
                key => {
                    if let Some(key) = key.strip_prefix(b"GNU.sparse.") {
                        self.sparse.read(key, value).ok_or_else(bad)?;
                    }
                }
            }
        }
        Ok(())
    }
}

const DAMAGED: Problem = Problem::Damaged("there is no tar header where one should be");

/// Bytes of data behind a header; labels leave the field empty.
fn size_of(header: &Header) -> Result<u64, Problem> {
    let field = header.as_old().size;
    if field.iter().all(|byte| matches!(byte, 0 | b' ')) {
        return Ok(0);
    }
    header.entry_size().map_err(|_| DAMAGED)
}

fn refused(header: &Header, reason: EntryError) -> Problem {
    let name = header.path_bytes().into_owned();
    Problem::Refused { name, reason }
}

fn is_zero(block: &[u8; BLOCK]) -> bool {
    block.iter().all(|byte| *byte == 0)
}

/// Whether the sum of the header's bytes is what it says; some old programs added them as signed.
fn checksum_is_right(header: &Header) -> bool {
    let Ok(stored) = header.cksum() else {
        return false;
    };
    let bytes = header.as_bytes().iter().enumerate();
    let bytes = bytes.map(|(index, byte)| {
        if (148..156).contains(&index) {
            b' '
        } else {
            *byte
        }
    });
    let unsigned: u32 = bytes.clone().map(u32::from).sum();
    let signed: i32 = bytes.map(|byte| i32::from(byte.cast_signed())).sum();
    stored == unsigned || i32::try_from(stored) == Ok(signed)
}
