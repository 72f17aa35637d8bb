//! Locks between processes: an advisory lock (`flock`) on a file.
//!
//! It holds between threads and processes and ends with whoever held it, so nothing is ever
//! orphaned. How long to wait, and what a lock is called, is for the caller.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;

/// A locked file; dropping it ends the lock. The file stays.
#[derive(Debug)]
pub struct FileLock {
    file: File,
}

impl FileLock {
    /// Locks the file if nobody has it locked. The file is made if need be; its directory must
    /// exist.
    ///
    /// # Errors
    /// When the file cannot be opened or made, or the file system has no locks.
    pub fn try_acquire(path: &Path) -> io::Result<Option<Self>> {
        loop {
            let file = open(path)?;
            match file.try_lock() {
                Ok(()) if is_at(&file, path)? => return Ok(Some(Self { file })),
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => uninterrupted(error)?,
            }
        }
    }

    /// Locks the file, waiting for whoever has it locked. Blocks.
    ///
    /// # Errors
    /// As for [`Self::try_acquire`].
    pub fn acquire(path: &Path) -> io::Result<Self> {
        loop {
            let file = open(path)?;
            match file.lock() {
                Ok(()) if is_at(&file, path)? => return Ok(Self { file }),
                Ok(()) => {}
                Err(error) => uninterrupted(error)?,
            }
        }
    }

    /// The open file, for reading and writing; the lock lasts until it is closed.
    pub fn into_file(self) -> File {
        self.file
    }
}

fn open(path: &Path) -> io::Result<File> {
    File::options()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        // A link in the lock's place could make this a file anywhere.
        .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
        .open(path)
}

/// Between opening and locking the file may have been removed or renamed; the lock is then on
/// nothing that others would find under this name.
pub(crate) fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let ours = file.metadata()?;
    match fs::metadata(path) {
        Ok(found) => Ok((found.dev(), found.ino()) == (ours.dev(), ours.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn uninterrupted(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::Interrupted {
        Ok(())
    } else {
        Err(error)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn one_has_it_until_it_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let held = FileLock::try_acquire(&path).unwrap().unwrap();
        assert!(FileLock::try_acquire(&path).unwrap().is_none());
        let other = folder.path().join("other");
        assert!(FileLock::try_acquire(&other).unwrap().is_some());
        drop(held);
        let held = FileLock::acquire(&path).unwrap();
        // Renamed while it is locked: the name is free again.
        fs::rename(&path, folder.path().join("renamed")).unwrap();
        assert!(FileLock::try_acquire(&path).unwrap().is_some());
        drop(held.into_file());
    }
}
