//! The bytes of an archive: gzip-compressed in one or more members, or not at all, with the zeros
//! behind them that tapes and their programs fill the last record with.

use flate2::bufread::GzDecoder;
use std::io::{self, BufRead, Read};

/// Headers and data of tar come in blocks of this many bytes.
pub(super) const BLOCK: usize = 512;

/// What files begin with that are no archives of ours.
const OTHERS: [(&[u8], &str); 6] = [
    (b"PK\x03\x04", "zip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\0", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"7z\xbc\xaf\x27\x1c", "7-Zip"),
    (b"\x1f\x9d", "compress"),
];

/// The format that these first bytes are of, if it is another one than tar and gzip.
pub(super) fn other_format(start: &[u8]) -> Option<&'static str> {
    let found = OTHERS.iter().find(|(magic, _)| start.starts_with(magic));
    found.map(|(_, name)| *name)
}

/// Whether these first bytes are of gzip.
pub(super) fn is_gzip(start: &[u8]) -> bool {
    start.starts_with(&[0x1f, 0x8b])
}

/// Decompresses gzip members one after another, as `pigz`, `cat` and this system's own packaging
/// write them. Zeros behind the last are ignored, as gunzip does; anything else is an error.
pub(super) struct Members<R> {
    decoder: Option<GzDecoder<R>>,
}

impl<R: BufRead> Members<R> {
    pub(super) fn new(reader: R) -> Self {
        Self {
            decoder: Some(GzDecoder::new(reader)),
        }
    }
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(decoder) = &mut self.decoder {
            let read = decoder.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            let rest = self.decoder.take().map(GzDecoder::into_inner);
            self.decoder = rest.map(another).transpose()?.flatten();
        }
        Ok(0)
    }
}

/// The next member, if there is one.
fn another<R: BufRead>(mut rest: R) -> io::Result<Option<GzDecoder<R>>> {
    loop {
        let bytes = rest.fill_buf()?;
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        match bytes.get(zeros) {
            Some(0x1f) if zeros == 0 => return Ok(Some(GzDecoder::new(rest))),
            Some(_) => {
                let reason = "there is something behind its end that is not gzip";
                return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
            }
            None if zeros == 0 => return Ok(None),
            None => rest.consume(zeros),
        }
    }
}

/// Ends with an error when the stream gives more than it may: a small archive can unpack to
/// any size.
pub(super) struct Capped<R> {
    pub(super) stream: R,
    pub(super) left: u64,
}

impl<R: Read> Read for Capped<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.stream.read(buffer)?;
        self.left = self
            .left
            .checked_sub(read as u64)
            .ok_or(io::ErrorKind::FileTooLarge)?;
        Ok(read)
    }
}
