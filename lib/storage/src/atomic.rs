//! Files that appear under their final name complete or not at all.
//!
//! A [`Pending`] file is written under a temporary name in the directory of its target, synced,
//! and renamed. Interrupted, it leaves at most a file whose name starts with [`TEMPORARY`].
//! Everything here blocks; asynchronous callers use a blocking thread.

use std::fs::{File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// What the names of files being written start with.
pub const TEMPORARY: &str = ".caldp-part-";

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
        let directory = parent(target);
        std::fs::create_dir_all(directory)?;
        let file = tempfile::Builder::new()
            .prefix(TEMPORARY)
            // as any new file: what the umask leaves of this
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(directory)?;
        Ok(Self {
            file,
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

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

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
