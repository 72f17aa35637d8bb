//! Packs products into one `.tar.gz` while it is being uploaded: the tar stream is cut into
//! blocks of 1 MiB, each block becomes a gzip member of its own, several are compressed at a
//! time, and the members come out in order. Any tar or gunzip reads the result; the same files
//! give the same bytes; memory does not grow with their size. Storing the stream is left to
//! the caller.

use super::gzip;
use crate::error::disk_hint;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, Stream, StreamExt as _};
use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::UNIX_EPOCH;
use storage::checksum::{Sha1, Sha1Sum};
use storage::hint::Hint;
use tokio::sync::mpsc;

/// The uncompressed size of a gzip member.
const BLOCK: usize = 1 << 20;
/// What a tar stream is made of.
const TAR_BLOCK: u64 = 512;
/// At most so many blocks are compressed at a time: with more, their memory would count.
const MOST_THREADS: usize = 4;

/// A file to pack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackedFile {
    /// Its name in the archive, such as `j8cb010b0/j8cb01u2q_flt.fits`.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
}

/// Why packing ended early. What was packed so far is no archive and must not be kept.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// A file could not be read.
    #[error("{path} could not be packed")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file's size was not the same at its end as at its start.
    #[error("{path} changed while it was packed: {expected} bytes at first, then {reason}")]
    Changed {
        /// The file.
        path: PathBuf,
        /// The size it started with.
        expected: u64,
        /// `more` or `fewer`.
        reason: &'static str,
    },
    /// A thread that packs has ended without an answer.
    #[error("packing stopped: {0}")]
    Stopped(String),
}

impl Hint for PackageError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Read { source, .. } => Some(disk_hint(source).into()),
            Self::Changed { .. } => Some("is another run working on the same folder?".into()),
            Self::Stopped(_) => None,
        }
    }
}

/// A file that was packed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// Its name in the archive.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// The SHA-1 of the bytes that were packed.
    pub sha1: Sha1Sum,
}

/// An archive being packed: a stream of gzip members. Dropping it stops the work.
pub struct Package {
    members: BoxStream<'static, Result<Bytes, PackageError>>,
    packed: Ledger,
}

/// What has been packed so far.
type Ledger = Arc<Mutex<Vec<Packed>>>;

impl Package {
    /// The files that were packed, in order; all of them once the stream has ended well.
    pub fn finish(self) -> Vec<Packed> {
        std::mem::take(&mut *self.packed.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Stream for Package {
    type Item = Result<Bytes, PackageError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.members.as_mut().poll_next(context)
    }
}

/// Packs the files, in the given order. Must be called in a tokio runtime.
pub fn package(members: Vec<PackedFile>) -> Package {
    let threads = std::thread::available_parallelism().map_or(2, |n| n.get().min(MOST_THREADS));
    let (sender, mut receiver) = mpsc::channel(1);
    let packed = Ledger::default();
    let ledger = Arc::clone(&packed);
    tokio::task::spawn_blocking(move || {
        let mut blocks = Blocks::new(sender);
        if let Err(error) = write_tar(&members, &mut blocks, &ledger) {
            // Nobody listens when the stream was dropped.
            let _ = blocks.sender.blocking_send(Err(error));
        }
    });
    let members = stream::poll_fn(move |context| receiver.poll_recv(context))
        .map(|block| async {
            let block = block?;
            tokio::task::spawn_blocking(move || gzip::member(&block))
                .await
                .map_err(|error| stopped(&error.to_string()))?
                .map_err(|error| stopped(&error.to_string()))
        })
        .buffered(threads)
        .boxed();
    Package { members, packed }
}

/// The most bytes that the files can be packed into, should none of them compress.
///
/// # Errors
/// [`PackageError::Read`] when a file cannot be looked at.
pub fn longest(members: &[PackedFile]) -> Result<u64, PackageError> {
    // Two empty blocks end a tar stream.
    let mut tar = 2 * TAR_BLOCK;
    for member in members {
        // A header, and another one with the name as its data where that is long.
        let name = 3 * TAR_BLOCK + member.name.len() as u64;
        let metadata = member.path.metadata();
        let metadata = metadata.map_err(|source| PackageError::Read {
            path: member.path.clone(),
            source,
        })?;
        tar += name + metadata.len().next_multiple_of(TAR_BLOCK);
    }
    // Deflate stores what does not compress with 5 bytes for some thousands, gzip adds 18.
    let overhead = tar / 500 + 64 * (tar / BLOCK as u64 + 1);
    Ok(tar + overhead)
}

fn stopped(reason: &str) -> PackageError {
    PackageError::Stopped(reason.to_owned())
}

fn write_tar(
    members: &[PackedFile],
    blocks: &mut Blocks,
    ledger: &Ledger,
) -> Result<(), PackageError> {
    let mut tar = tar::Builder::new(blocks);
    for member in members {
        let packed = append(&mut tar, member)?;
        let mut ledger = ledger.lock().unwrap_or_else(PoisonError::into_inner);
        ledger.push(packed);
    }
    let finish = |blocks: &mut Blocks| blocks.send();
    tar.into_inner()
        .and_then(finish)
        .map_err(|error| stopped(&error.to_string()))
}

fn append(
    tar: &mut tar::Builder<&mut Blocks>,
    member: &PackedFile,
) -> Result<Packed, PackageError> {
    let read = |source| PackageError::Read {
        path: member.path.clone(),
        source,
    };
    let mut file = File::open(&member.path).map_err(read)?;
    let metadata = file.metadata().map_err(read)?;
    if !metadata.is_file() {
        return Err(read(io::Error::other("it is not a file")));
    }
    let size = metadata.len();
    let changed = metadata.modified().ok();
    let seconds = changed.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let mut header = tar::Header::new_gnu();
    header.set_size(size);
    header.set_mode(0o644);
    header.set_mtime(seconds.map_or(0, |time| time.as_secs()));
    header.set_uid(0);
    header.set_gid(0);
    let mut exact = Exact {
        file: &mut file,
        left: size,
        sum: Sha1::new(),
    };
    tar.append_data(&mut header, &member.name, &mut exact)
        .map_err(read)?;
    let different = |reason| PackageError::Changed {
        path: member.path.clone(),
        expected: size,
        reason,
    };
    if exact.left > 0 {
        return Err(different("fewer"));
    }
    let sha1 = exact.sum.finish();
    match file.read(&mut [0]).map_err(read)? {
        0 => Ok(Packed {
            name: member.name.clone(),
            size,
            sha1,
        }),
        _ => Err(different("more")),
    }
}

/// A file's bytes up to the size that its tar header gives.
struct Exact<'a> {
    file: &'a mut File,
    left: u64,
    /// Of what was read.
    sum: Sha1,
}

impl Read for Exact<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = Read::by_ref(self.file).take(self.left).read(buffer)?;
        self.left = self.left.saturating_sub(read as u64);
        self.sum.update(buffer.get(..read).unwrap_or_default());
        Ok(read)
    }
}

/// Cuts what is written into blocks and sends them on.
struct Blocks {
    sender: mpsc::Sender<Result<Vec<u8>, PackageError>>,
    block: Vec<u8>,
}

impl Blocks {
    fn new(sender: mpsc::Sender<Result<Vec<u8>, PackageError>>) -> Self {
        Self {
            sender,
            block: Vec::with_capacity(BLOCK),
        }
    }

    fn send(&mut self) -> io::Result<()> {
        if self.block.is_empty() {
            return Ok(());
        }
        let block = std::mem::replace(&mut self.block, Vec::with_capacity(BLOCK));
        self.sender
            .blocking_send(Ok(block))
            .map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Write for Blocks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (now, _) = bytes.split_at(bytes.len().min(BLOCK - self.block.len()));
        self.block.extend_from_slice(now);
        if self.block.len() == BLOCK {
            self.send()?;
        }
        Ok(now.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
#[path = "package_tests.rs"]
mod tests;
