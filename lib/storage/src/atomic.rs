//! Files that appear under their final name complete or not at all.
//!
//! A [`Pending`] file is written under a temporary name in the directory of its target, synced,
//! and renamed. Interrupted, it leaves at most an [unfinished file](crate::unfinished). A
//! [`CheckedFile`] is written from its start to its end and must turn out as expected;
//! a [`CheckedWriter`] is one for asynchronous callers. Everything else here blocks.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use tempfile::NamedTempFile;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::blocking;
use crate::checksum::{Expected, Mismatch, Sum, Summing};
use crate::unfinished::{self, parent};

/// A file being written; dropped without [`Self::commit`] it is gone.
#[derive(Debug)]
pub struct Pending {
    file: NamedTempFile,
    target: PathBuf,
}

/// What happens to a file that is already there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// It is replaced.
    Replace,
    /// It stays, and committing fails with [`io::ErrorKind::AlreadyExists`].
    Keep,
}

impl Pending {
    /// Begins a file that will be `target`; directories above it are made.
    ///
    /// # Errors
    /// When a directory or the temporary file cannot be made.
    pub fn create(target: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(parent(target))?;
        Ok(Self {
            file: unfinished::file(target)?,
            target: target.to_owned(),
        })
    }

    /// The open file.
    pub fn file(&self) -> &File {
        self.file.as_file()
    }

    /// Makes the content durable and gives the file its name.
    ///
    /// # Errors
    /// When syncing or renaming fails, or the target exists and is to be kept.
    pub fn commit(self, existing: Existing) -> io::Result<()> {
        self.file.as_file().sync_all()?;
        let directory = parent(&self.target);
        match existing {
            Existing::Replace => self.file.persist(&self.target),
            Existing::Keep => self.file.persist_noclobber(&self.target),
        }
        .map_err(|failed| failed.error)?;
        // The name itself is durable only when the directory is. Some network file systems cannot
        // synchronise one; the content is safe then.
        let _ = File::open(directory).and_then(|directory| directory.sync_all());
        Ok(())
    }
}

/// Makes this the whole content of `target`, whatever it was before.
///
/// # Errors
/// As [`Pending::create`] and [`Pending::commit`], or when writing fails.
pub fn replace(target: &Path, content: &[u8]) -> io::Result<()> {
    let pending = Pending::create(target)?;
    pending.file().write_all(content)?;
    pending.commit(Existing::Replace)
}

/// A file being written from its start to its end, counted and summed up on the way; dropped
/// without [`Self::commit`] it is gone.
#[derive(Debug)]
pub struct CheckedFile {
    pending: Pending,
    expected: Expected,
    sum: Option<Summing>,
    size: u64,
}

/// A file was not written, or is not what it should be.
#[derive(Debug, thiserror::Error)]
pub enum CheckedFileError {
    /// The operating system refused.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// What was written is wrong.
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
}

impl CheckedFile {
    /// Begins a file that will be `target`; directories above it are made.
    ///
    /// # Errors
    /// When a directory or the temporary file cannot be made.
    pub fn create(target: &Path, expected: Expected) -> io::Result<Self> {
        Ok(Self {
            pending: Pending::create(target)?,
            expected,
            sum: Summing::begin(&expected),
            size: 0,
        })
    }

    /// Adds bytes at the end.
    ///
    /// # Errors
    /// When they cannot be written, and at once when they are more than expected.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), CheckedFileError> {
        self.size = self.size.saturating_add(bytes.len() as u64);
        if self.expected.size.is_some_and(|most| self.size > most) {
            self.expected.check(self.size, None)?;
        }
        if let Some(sum) = &mut self.sum {
            sum.update(bytes);
        }
        Ok(self.pending.file().write_all(bytes)?)
    }

    /// Checks what was written, makes it durable and gives the file its name, whatever had it.
    /// Gives the size and, if one was expected, the sum.
    ///
    /// # Errors
    /// When it is not what was expected, or cannot be committed.
    pub fn commit(self) -> Result<(u64, Option<Sum>), CheckedFileError> {
        let sum = self.sum.map(Summing::finish);
        self.expected.check(self.size, sum)?;
        self.pending.commit(Existing::Replace)?;
        Ok((self.size, sum))
    }
}

/// A [`CheckedFile`] that a thread of its own writes, while what comes next is on its way.
#[derive(Debug)]
pub struct CheckedWriter {
    pieces: mpsc::Sender<Piece>,
    writing: JoinHandle<Result<u64, CheckedFileError>>,
}

#[derive(Debug)]
enum Piece {
    Bytes(Bytes),
    End,
}

/// How many pieces may wait to be written.
const WAITING: usize = 16;

impl CheckedWriter {
    /// As [`CheckedFile::create`]; what cannot be begun is found out with the first bytes. Must be
    /// called in a tokio runtime.
    pub fn start(target: &Path, expected: Expected) -> Self {
        let target = target.to_owned();
        let (pieces, mut arriving) = mpsc::channel(WAITING);
        let writing = spawn_blocking(move || {
            let mut file = CheckedFile::create(&target, expected)?;
            loop {
                match arriving.blocking_recv() {
                    Some(Piece::Bytes(bytes)) => file.write(&bytes)?,
                    Some(Piece::End) => return Ok(file.commit()?.0),
                    // Whoever writes was dropped; so is what was written.
                    None => return Ok(file.size),
                }
            }
        });
        Self { pieces, writing }
    }

    /// Adds bytes at the end, some time soon. False when no more are of use: what is wrong is then
    /// said by [`Self::commit`].
    pub async fn write(&self, bytes: Bytes) -> bool {
        self.pieces.send(Piece::Bytes(bytes)).await.is_ok()
    }

    /// As [`CheckedFile::commit`]; gives the size.
    ///
    /// # Errors
    /// As [`CheckedFile::create`], [`CheckedFile::write`] and [`CheckedFile::commit`].
    pub async fn commit(self) -> Result<u64, CheckedFileError> {
        // Fails only when writing failed.
        let _ = self.pieces.send(Piece::End).await;
        blocking::joined(self.writing).await
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic, clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::checksum::Sha1Sum;

    #[test]
    fn nothing_is_seen_before_the_commit_and_nothing_left_without_one() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("a/b/file");
        let pending = Pending::create(&target).unwrap();
        pending.file().write_all(b"text").unwrap();
        assert!(!target.exists());
        pending.commit(Existing::Replace).unwrap();
        assert_eq!(std::fs::read(&target).unwrap(), b"text");
        replace(&target, b"new").unwrap();
        assert_eq!(std::fs::read(&target).unwrap(), b"new");
        drop(Pending::create(&target).unwrap());
        assert_eq!(
            std::fs::read_dir(target.parent().unwrap()).unwrap().count(),
            1
        );
    }

    #[test]
    fn only_what_was_expected_appears() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("new/x.fits");
        let expected = Expected {
            size: Some(3),
            sha1: Some(Sha1Sum::of(b"abc")),
            ..Expected::default()
        };
        let put = |expected, bytes: &[u8]| {
            let mut file = CheckedFile::create(&target, expected)?;
            file.write(bytes)?;
            file.commit()
        };
        let left = || std::fs::read_dir(dir.path().join("new")).unwrap().count();
        for (wrong, found) in [("ab", 2), ("abcd", 4)] {
            let error = put(expected, wrong.as_bytes()).unwrap_err();
            let CheckedFileError::Mismatch(Mismatch::Size { found: size, .. }) = error else {
                panic!("{error}");
            };
            assert_eq!(size, found);
        }
        assert!(matches!(
            put(expected, b"abd"),
            Err(CheckedFileError::Mismatch(Mismatch::Sum { .. }))
        ));
        assert_eq!(left(), 0);
        put(expected, b"abc").unwrap();
        put(Expected::default(), b"other").unwrap();
        assert_eq!(std::fs::read(&target).unwrap(), b"other");
        assert!(expected.check_file(&target).unwrap().is_err());
        assert_eq!(left(), 1);
    }

    #[tokio::test]
    async fn a_writer_that_is_dropped_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("file");
        let begin = || CheckedWriter::start(&target, Expected::default());
        let writer = begin();
        assert!(writer.write("half".into()).await);
        let CheckedWriter { pieces, writing } = writer;
        drop(pieces);
        writing.await.unwrap().unwrap();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        let writer = begin();
        writer.write("wh".into()).await;
        writer.write("ole".into()).await;
        assert_eq!(writer.commit().await.unwrap(), 5);
        assert_eq!(std::fs::read(&target).unwrap(), b"whole");
    }

    #[test]
    fn a_file_to_be_kept_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("file");
        std::fs::write(&target, "old").unwrap();
        let pending = Pending::create(&target).unwrap();
        let error = pending.commit(Existing::Keep).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read(&target).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
