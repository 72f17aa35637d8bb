//! A file that is written while its ranges arrive in any order, and a sum of it.
//!
//! One thread writes whatever comes, so that writers never wait for one another inside the system. What comes
//! in order is summed up as it is written; what came before its turn is read back then, from the page cache.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use bytes::Bytes;
use tokio::sync::mpsc as queue;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::blocking;
use crate::checksum::{Sum, Summing};

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
}

impl RangeWriter {
    /// Begins, with the sum of nothing where one is wanted; must be called in a tokio runtime.
    pub(super) fn start(file: File, sum: Option<Summing>) -> Self {
        let (pieces, mut arriving) = queue::channel::<Pieces>(WAITING);
        let writing = spawn_blocking(move || {
            let mut summing = sum.map(InOrder::new);
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
        let pieces = Pieces {
            start,
            offset,
            bytes,
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

    /// Sums up what was written now, and what waited for it.
    fn add(&mut self, file: &File, pieces: &Pieces) -> io::Result<()> {
        let length: u64 = pieces.bytes.iter().map(|piece| piece.len() as u64).sum();
        let end = pieces.offset + length;
        if pieces.offset > self.position {
            self.waiting.insert(pieces.start, end);
            return Ok(());
        }
        // then all is read at the end
        self.rewritten |= pieces.offset < self.position && length > 0;
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

    /// The sum of what is in the file now.
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

    #[test]
    fn ranges_in_any_order_make_the_file_and_its_sum() {
        let target = tempfile::NamedTempFile::new().unwrap();
        let sum = run(async {
            let writer = RangeWriter::start(
                target.reopen().unwrap(),
                Some(Summing::Crc64(Box::default())),
            );
            // the second range whole, the third in part, then the first, and the rest in order
            for (start, offset, pieces) in [
                (3, 3, vec!["d".into(), "ef".into()]),
                (6, 6, vec!["g".into()]),
                (0, 0, vec!["a".into(), "bc".into()]),
                (6, 7, vec!["h".into()]),
                (9, 9, vec![]),
            ] {
                writer.write(start, offset, pieces).await.unwrap();
            }
            writer.finish().await.unwrap()
        });
        assert_eq!(std::fs::read(target.path()).unwrap(), b"abcdefgh");
        assert_eq!(sum, Some(Sum::Crc64(Crc64Sum::of(b"abcdefgh"))));
    }

    /// Whatever came of an attempt that broke off, the sum is of what the file has.
    #[test]
    fn a_range_that_is_begun_anew_is_summed_up_as_it_is_written() {
        for pieces in [
            vec![(0, 0, "xxx"), (0, 0, "abc"), (3, 3, "def")],
            vec![(3, 3, "xx"), (3, 3, "d"), (0, 0, "abc"), (3, 4, "ef")],
            vec![(3, 3, "xx"), (0, 0, "abc"), (3, 3, "def")],
        ] {
            let target = tempfile::NamedTempFile::new().unwrap();
            let file = std::fs::File::options()
                .read(true)
                .write(true)
                .open(target.path());
            let sum = run(async {
                let writer = RangeWriter::start(file.unwrap(), Some(Summing::Sha1(Sha1::new())));
                for (start, offset, piece) in &pieces {
                    let piece = vec![(*piece).into()];
                    writer.write(*start, *offset, piece).await.unwrap();
                }
                writer.finish().await.unwrap()
            });
            assert_eq!(
                std::fs::read(target.path()).unwrap(),
                b"abcdef",
                "{pieces:?}"
            );
            let right = Sum::Sha1(Sha1Sum::of(b"abcdef"));
            assert_eq!(sum, Some(right), "{pieces:?}");
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
