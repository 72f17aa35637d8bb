//! A file that is written while its ranges arrive in any order, and its SHA-1.
//!
//! One thread writes whatever comes, so that writers never wait for one another inside the system;
//! another follows and sums up, in order, what is complete from the start. What it reads back was
//! written a moment before and is still in the page cache.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, mpsc};

use bytes::Bytes;
use tokio::sync::mpsc as queue;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::blocking;
use crate::checksum::{Sha1, Sha1Sum};

/// How many pieces may wait to be written.
const WAITING: usize = 2;

/// How much is read back at a time, in bytes.
const READ: usize = 1024 * 1024;

/// Whether the SHA-1 is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sum {
    Wanted,
    Unwanted,
}

/// A file that is being written.
pub(super) struct RangeWriter {
    messages: queue::Sender<Message>,
    writing: JoinHandle<io::Result<Option<Summing>>>,
}

/// The file cannot be written; [`RangeWriter::finish`] says why.
#[derive(Debug)]
pub(super) struct Broken;

enum Message {
    Write(u64, Vec<Bytes>),
    Complete(Range<u64>),
}

impl RangeWriter {
    /// Begins; must be called in a tokio runtime.
    pub(super) fn start(file: File, sum: Sum) -> Self {
        let file = Arc::new(file);
        let summing = (sum == Sum::Wanted).then(|| Summing::start(&file));
        let (messages, mut arriving) = queue::channel(WAITING);
        let writing = spawn_blocking(move || {
            while let Some(message) = arriving.blocking_recv() {
                match (message, &summing) {
                    (Message::Write(offset, pieces), _) => write(&file, offset, &pieces)?,
                    (Message::Complete(range), Some(summing)) => summing.add(range),
                    (Message::Complete(_), None) => {}
                }
            }
            Ok(summing)
        });
        Self { messages, writing }
    }

    /// Has pieces written one after another at `offset`, some time soon.
    pub(super) async fn write(&self, offset: u64, pieces: Vec<Bytes>) -> Result<(), Broken> {
        self.send(Message::Write(offset, pieces)).await
    }

    /// Everything in this range was given to be written.
    pub(super) async fn complete(&self, range: Range<u64>) -> Result<(), Broken> {
        self.send(Message::Complete(range)).await
    }

    async fn send(&self, message: Message) -> Result<(), Broken> {
        self.messages.send(message).await.map_err(|_| Broken)
    }

    /// Waits until all is written. The sum, if it was wanted, is that of what is complete from the start.
    pub(super) async fn finish(self) -> io::Result<Option<Sha1Sum>> {
        drop(self.messages);
        match blocking::joined(self.writing).await? {
            Some(summing) => summing.finish().await.map(Some),
            None => Ok(None),
        }
    }
}

/// The sum of a file that is being written.
struct Summing {
    ranges: mpsc::Sender<Range<u64>>,
    reading: JoinHandle<io::Result<Sha1>>,
}

impl Summing {
    fn start(file: &Arc<File>) -> Self {
        let file = Arc::clone(file);
        let (ranges, arriving) = mpsc::channel::<Range<u64>>();
        let reading = spawn_blocking(move || {
            let mut sum = Sha1::new();
            let mut buffer = vec![0; READ];
            let (mut waiting, mut position) = (BTreeMap::new(), 0);
            while let Ok(range) = arriving.recv() {
                waiting.insert(range.start, range.end);
                while let Some(end) = waiting.remove(&position) {
                    read_back(&file, &mut sum, &mut buffer, position..end)?;
                    position = end;
                }
            }
            Ok(sum)
        });
        Self { ranges, reading }
    }

    fn add(&self, range: Range<u64>) {
        // Fails only when reading failed, which is found out at the end.
        let _ = self.ranges.send(range);
    }

    async fn finish(self) -> io::Result<Sha1Sum> {
        drop(self.ranges);
        blocking::joined(self.reading).await.map(Sha1::finish)
    }
}

fn write(file: &File, mut offset: u64, pieces: &[Bytes]) -> io::Result<()> {
    for piece in pieces {
        file.write_all_at(piece, offset)?;
        offset += piece.len() as u64;
    }
    Ok(())
}

fn read_back(
    file: &File,
    sum: &mut Sha1,
    buffer: &mut [u8],
    mut range: Range<u64>,
) -> io::Result<()> {
    while !range.is_empty() {
        let left = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
        let length = left.min(buffer.len());
        let piece = buffer.get_mut(..length).unwrap_or_default();
        file.read_exact_at(piece, range.start)?;
        sum.update(piece);
        range.start += length as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

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
            let writer = RangeWriter::start(target.reopen().unwrap(), Sum::Wanted);
            writer
                .write(3, vec!["d".into(), "ef".into()])
                .await
                .unwrap();
            writer.complete(3..6).await.unwrap();
            writer.write(0, vec!["abc".into()]).await.unwrap();
            writer.complete(0..3).await.unwrap();
            writer.finish().await.unwrap()
        });
        assert_eq!(std::fs::read(target.path()).unwrap(), b"abcdef");
        assert_eq!(sum, Some(Sha1Sum::of(b"abcdef")));
    }

    #[test]
    fn a_file_that_cannot_be_written_is_noticed() {
        let target = tempfile::NamedTempFile::new().unwrap();
        let readable = File::open(target.path()).unwrap();
        let error = run(async {
            let writer = RangeWriter::start(readable, Sum::Unwanted);
            while writer.write(0, vec!["x".into()]).await.is_ok() {}
            writer.finish().await.unwrap_err()
        });
        assert_eq!(error.raw_os_error(), Some(EBADF));
    }
}
