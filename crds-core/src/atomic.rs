//! Files that appear under their name only when they are complete and safely stored.
//!
//! Written beside their final place, synchronised, renamed: a reader finds the old file or the
//! new one, and what an interruption leaves behind has a name that begins with a dot and ends in
//! `.tmp`.

use std::ffi::OsString;
use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// A file that is being written; it vanishes when dropped without [`Pending::commit`].
#[derive(Debug)]
pub(crate) struct Pending {
    temporary: NamedTempFile,
    target: PathBuf,
}

impl Pending {
    /// Begins a file that is to become `target`, in the same folder, readable and writable as
    /// the process's umask says.
    pub(crate) fn beside(target: &Path) -> io::Result<Self> {
        let mut prefix = OsString::from(".");
        prefix.push(target.file_name().unwrap_or_default());
        prefix.push(".");
        let temporary = tempfile::Builder::new()
            .prefix(&prefix)
            .suffix(".tmp")
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(folder(target))?;
        Ok(Self {
            temporary,
            target: target.to_owned(),
        })
    }

    /// The open file.
    pub(crate) fn file(&mut self) -> &mut File {
        self.temporary.as_file_mut()
    }

    /// Where the file is until then.
    pub(crate) fn path(&self) -> &Path {
        self.temporary.path()
    }

    /// Gives the file its name, replacing what had it before.
    pub(crate) fn commit(self) -> io::Result<()> {
        // Opened anew: another program may have put its own file in the place of ours.
        File::open(self.temporary.path())?.sync_all()?;
        self.temporary
            .persist(&self.target)
            .map_err(|error| error.error)?;
        // Some network file systems cannot synchronise a folder; the file itself is safe then.
        let _ = File::open(folder(&self.target)).and_then(|folder| folder.sync_all());
        Ok(())
    }
}

fn folder(target: &Path) -> &Path {
    match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::fs;
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_dropped_file_leaves_nothing_and_a_committed_one_only_itself() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("x");
        fs::write(&target, "old").unwrap();
        let mut dropped = Pending::beside(&target).unwrap();
        dropped.file().write_all(b"half").unwrap();
        drop(dropped);
        assert_eq!(fs::read(&target).unwrap(), b"old");
        let mut kept = Pending::beside(&target).unwrap();
        kept.file().write_all(b"new").unwrap();
        kept.commit().unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
