//! A file that is written while its ranges arrive in any order, and a sum of it.
//!
//! One thread writes whatever comes, so that writers never wait for one another inside the system. A CRC is
//! made of those of the ranges, each summed up as it is written. Other sums are made in order, as it is written;
//! what came before its turn is read back then, from the page cache.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use bytes::Bytes;
use tokio::sync::mpsc as queue;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::blocking;
use crate::checksum::{Crc64, Sum, Summing};

/// How many pieces may wait to be written.
const WAITING: usize = 2;

/// How much is read back at a time, in bytes.
const READ: usize = 256 * 1024;

/// A file that is being written.
pub(super) struct RangeWriter {
    pieces: queue::Sender<Pieces>,
    writing: JoinHandle<io::Result<Option<Sum>>>,
}

/// The file cannot be written; [`RangeWriter::finish`] says why.
#[derive(Debug)]
pub(super) struct Broken;

/// Pieces of a range, one after another from `offset` on.
struct Pieces {
    /// Where the range begins; within it, pieces come in order.
    start: u64,
    offset: u64,
    bytes: Vec<Bytes>,
    /// Whether the range is complete with them.
    last: bool,
}

impl Pieces {
    fn end(&self) -> u64 {
        let length: u64 = self.bytes.iter().map(|piece| piece.len() as u64).sum();
        self.offset + length
    }
}

impl RangeWriter {
    /// Begins, with the sum of nothing where one is wanted; must be called in a tokio runtime.
    pub(super) fn start(file: File, sum: Option<Summing>) -> Self {
        let (pieces, mut arriving) = queue::channel::<Pieces>(WAITING);
        let writing = spawn_blocking(move || {
            let mut summing = sum.map(FileSum::begin);
            while let Some(pieces) = arriving.blocking_recv() {
                write(&file, pieces.offset, &pieces.bytes)?;
                if let Some(summing) = &mut summing {
                    summing.add(&file, &pieces)?;
                }
            }
            summing.map(|summing| summing.finish(&file)).transpose()
        });
        Self { pieces, writing }
    }

    /// Has pieces of the range at `start` written one after another at `offset`, some time soon. A range that
    /// is begun anew is written from its start.
    pub(super) async fn write(
        &self,
        start: u64,
        offset: u64,
        bytes: Vec<Bytes>,
    ) -> Result<(), Broken> {
        self.send(start, offset, bytes, false).await
    }

    /// The same with the last pieces of a range, which is not begun anew any more.
    pub(super) async fn complete(
        &self,
        start: u64,
        offset: u64,
        bytes: Vec<Bytes>,
    ) -> Result<(), Broken> {
        self.send(start, offset, bytes, true).await
    }

    async fn send(
        &self,
        start: u64,
        offset: u64,
        bytes: Vec<Bytes>,
        last: bool,
    ) -> Result<(), Broken> {
        let pieces = Pieces {
            start,
            offset,
            bytes,
            last,
        };
        self.pieces.send(pieces).await.map_err(|_| Broken)
    }

    /// Waits until all is written. The sum, if it was wanted, is that of what is complete from the start.
    pub(super) async fn finish(self) -> io::Result<Option<Sum>> {
        drop(self.pieces);
        blocking::joined(self.writing).await
    }
}

/// The sum of a file that is being written.
enum FileSum {
    InOrder(InOrder),
    ByRange(ByRange),
}

impl FileSum {
    fn begin(empty: Summing) -> Self {
        match empty {
            Summing::Crc64(_) => Self::ByRange(ByRange::new()),
            Summing::Sha1(_) => Self::InOrder(InOrder::new(empty)),
        }
    }

    /// Sums up what was written now, and what waited for it.
    fn add(&mut self, file: &File, pieces: &Pieces) -> io::Result<()> {
        match self {
            Self::InOrder(sum) => sum.add(file, pieces),
            Self::ByRange(sum) => {
                sum.add(pieces);
                Ok(())
            }
        }
    }

    /// The sum of what is in the file now.
    fn finish(self, file: &File) -> io::Result<Sum> {
        match self {
            Self::InOrder(sum) => sum.finish(file),
            Self::ByRange(sum) => Ok(Sum::Crc64(sum.sum.finish())),
        }
    }
}

/// A CRC made of those of the ranges, in whatever order they are written. Joining two costs some tenth of a
/// millisecond, so the range whose turn it is goes on with the sum of what is before it.
struct ByRange {
    /// Of what is complete from the start up to `position`.
    sum: Crc64,
    position: u64,
    under_way: BTreeMap<u64, RangeSum>,
    /// Complete ranges before which something is missing: their ends and sums.
    waiting: BTreeMap<u64, (u64, Crc64)>,
}

/// The sum of a range that is being written.
enum RangeSum {
    /// And of all that is before it.
    WithBefore(Crc64),
    Alone(Crc64),
}

impl ByRange {
    fn new() -> Self {
        Self {
            sum: Crc64::new(),
            position: 0,
            under_way: BTreeMap::new(),
            waiting: BTreeMap::new(),
        }
    }

    fn add(&mut self, pieces: &Pieces) {
        let mut range = match self.under_way.remove(&pieces.start) {
            Some(range) if pieces.offset > pieces.start => range,
            // begun, or begun anew
            _ if pieces.start == self.position => RangeSum::WithBefore(self.sum.clone()),
            _ => RangeSum::Alone(Crc64::new()),
        };
        let (RangeSum::WithBefore(sum) | RangeSum::Alone(sum)) = &mut range;
        pieces.bytes.iter().for_each(|piece| sum.update(piece));
        match range {
            _ if !pieces.last => {
                self.under_way.insert(pieces.start, range);
            }
            RangeSum::WithBefore(sum) => {
                self.sum = sum;
                self.position = pieces.end();
            }
            RangeSum::Alone(sum) => {
                self.waiting.insert(pieces.start, (pieces.end(), sum));
            }
        }
        while let Some((end, sum)) = self.waiting.remove(&self.position) {
            self.sum.append(&sum);
            self.position = end;
        }
    }
}

/// A sum made from the start of the file to its end.
struct InOrder {
    empty: Summing,
    sum: Summing,
    /// Up to here all is summed up.
    position: u64,
    /// Ranges, or beginnings of ranges, that were written before their turn.
    waiting: BTreeMap<u64, u64>,
    /// Whether something was written again that had been summed up already.
    rewritten: bool,
    buffer: Vec<u8>,
}

impl InOrder {
    fn new(empty: Summing) -> Self {
        Self {
            sum: empty.clone(),
            empty,
            position: 0,
            waiting: BTreeMap::new(),
            rewritten: false,
            buffer: Vec::new(),
        }
    }

    fn add(&mut self, file: &File, pieces: &Pieces) -> io::Result<()> {
        let end = pieces.end();
        if pieces.offset > self.position {
            self.waiting.insert(pieces.start, end);
            return Ok(());
        }
        // then all is read at the end
        self.rewritten |= pieces.offset < self.position.min(end);
        if !self.rewritten {
            pieces.bytes.iter().for_each(|piece| self.sum.update(piece));
        }
        self.position = self.position.max(end);
        while let Some(end) = self.waiting.remove(&self.position) {
            if !self.rewritten {
                self.read_back(file, self.position..end)?;
            }
            self.position = end;
        }
        Ok(())
    }

    fn read_back(&mut self, file: &File, mut range: Range<u64>) -> io::Result<()> {
        self.buffer.resize(READ, 0);
        while !range.is_empty() {
            let left = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
            let length = left.min(READ);
            let piece = self.buffer.get_mut(..length).unwrap_or_default();
            file.read_exact_at(piece, range.start)?;
            self.sum.update(piece);
            range.start += length as u64;
        }
        Ok(())
    }

    fn finish(mut self, file: &File) -> io::Result<Sum> {
        if self.rewritten {
            self.sum = self.empty.clone();
            self.read_back(file, 0..self.position)?;
        }
        Ok(self.sum.finish())
    }
}

fn write(file: &File, mut offset: u64, pieces: &[Bytes]) -> io::Result<()> {
    for piece in pieces {
        file.write_all_at(piece, offset)?;
        offset += piece.len() as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::checksum::{Crc64Sum, Sha1, Sha1Sum};

    /// What Linux answers to writing to a file that is open for reading.
    const EBADF: i32 = 9;

    fn run<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.unwrap().block_on(future)
    }

    /// Pieces by the start of their range and their offset; those that end with a dot complete it.
    type Written<'a> = &'a [(u64, u64, &'a str)];

    /// Writes pieces, and gives what is in the file and its sum.
    fn written(pieces: Written<'_>, empty: Summing) -> (String, Option<Sum>) {
        let target = tempfile::NamedTempFile::new().unwrap();
        let sum = run(async {
            let writer = RangeWriter::start(target.reopen().unwrap(), Some(empty));
            for (start, offset, piece) in pieces {
                let whole = piece.trim_end_matches('.');
                let bytes = whole.chars().map(|c| c.to_string().into()).collect();
                if whole == *piece {
                    writer.write(*start, *offset, bytes).await.unwrap();
                } else {
                    writer.complete(*start, *offset, bytes).await.unwrap();
                }
            }
            writer.finish().await.unwrap()
        });
        (std::fs::read_to_string(target.path()).unwrap(), sum)
    }

    /// Whatever the order, and whatever came of an attempt that broke off, the sum is of what the file has.
    #[test]
    fn ranges_in_any_order_make_the_file_and_its_sum() {
        let all: [Written<'_>; 5] = [
            // the second range whole, the third in part, then the first, and the rest in order
            &[
                (2, 2, "cd."),
                (4, 4, "e"),
                (0, 0, "ab."),
                (4, 5, "f."),
                (6, 6, "."),
            ],
            &[(0, 0, "xxx"), (0, 0, "abc."), (3, 3, "def.")],
            &[(3, 3, "xx"), (3, 3, "d"), (0, 0, "abc."), (3, 4, "ef.")],
            &[(3, 3, "xx"), (0, 0, "abc."), (3, 3, "def.")],
            &[(4, 4, "ef."), (2, 2, "cd."), (0, 0, "a"), (0, 1, "b.")],
        ];
        for pieces in all {
            let (found, sum) = written(pieces, Summing::Crc64(Box::default()));
            assert_eq!(found, "abcdef", "{pieces:?}");
            assert_eq!(sum, Some(Sum::Crc64(Crc64Sum::of(b"abcdef"))), "{pieces:?}");
            let (found, sum) = written(pieces, Summing::Sha1(Sha1::new()));
            assert_eq!(found, "abcdef", "{pieces:?}");
            assert_eq!(sum, Some(Sum::Sha1(Sha1Sum::of(b"abcdef"))), "{pieces:?}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_written_is_noticed() {
        let target = tempfile::NamedTempFile::new().unwrap();
        let readable = File::open(target.path()).unwrap();
        let error = run(async {
            let writer = RangeWriter::start(readable, None);
            while writer.write(0, 0, vec!["x".into()]).await.is_ok() {}
            writer.finish().await.unwrap_err()
        });
        assert_eq!(error.raw_os_error(), Some(EBADF));
    }
}
