//! A file on its way: it grows under a name of its own beside its final place, can be continued
//! by a later run, and gets its name when it is complete.
//!
//! The name of a partial file follows from the file's name, so what a killed run left is found
//! again; a lock keeps two runs from writing one. Beside it stands what the server said about the
//! version it belongs to, so that parts of two versions are never joined.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use storage::blocking;
use storage::lock::FileLock;
use tokio::io::{AsyncSeekExt, AsyncWriteExt};

use crate::membership::file_name::FileName;

/// What the name of a partial file starts with: hidden, and no input's.
const PREFIX: &str = ".caldp-mast-";
/// What the file with the version's mark is called after.
const MARK_SUFFIX: &str = ".version";
/// No server marks versions with more.
const MAX_MARK_BYTES: u64 = 1024;
/// How every FITS file begins (FITS standard 4.0, section 4.4.1.1).
const FITS_BEGINNING: &[u8] = b"SIMPLE  =";

/// A partial file, open for appending and locked.
#[derive(Debug)]
pub(super) struct Part {
    file: tokio::fs::File,
    path: PathBuf,
    target: PathBuf,
    /// Bytes that are there.
    length: u64,
    /// The version they belong to: an entity tag or a date, as the server wrote it.
    mark: Option<String>,
    /// Removed when it is not finished: another run has the name by which it would be found.
    temporary: bool,
}

impl Part {
    /// Opens what there is of `name` in `directory`, or begins it.
    pub(super) fn open(directory: &Path, name: &FileName) -> io::Result<Self> {
        let target = directory.join(name);
        let path = directory.join(format!("{PREFIX}{name}"));
        // The lock also sees that no other run has finished this file under its final name.
        let locked = FileLock::try_acquire(&path)?;
        let temporary = locked.is_none();
        let (mut file, path) = match locked {
            Some(lock) => (lock.into_file(), path),
            None => tempfile::Builder::new()
                .prefix(&format!("{PREFIX}{name}."))
                .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666))
                .tempfile_in(directory)?
                .keep()
                .map_err(|kept| kept.error)?,
        };
        let length = file.seek(SeekFrom::End(0))?;
        let mut part = Self {
            file: file.into(),
            path,
            target,
            length,
            mark: None,
            temporary,
        };
        part.mark = part.read_mark();
        Ok(part)
    }

    /// Bytes that are there.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// The version they belong to, if the server marked it.
    pub(super) fn mark(&self) -> Option<&str> {
        self.mark.as_deref()
    }

    /// Forgets everything; what comes now is of the version `mark`.
    pub(super) async fn restart(&mut self, mark: Option<String>) -> io::Result<()> {
        self.length = 0;
        self.file.set_len(0).await?;
        self.file.rewind().await?;
        self.mark = mark;
        match &self.mark {
            Some(mark) => tokio::fs::write(self.mark_path(), mark).await,
            None => remove(&self.mark_path()),
        }
    }

    /// Adds bytes at the end.
    pub(super) async fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes).await?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Waits until everything appended is in the file.
    pub(super) async fn flush(&mut self) -> io::Result<()> {
        self.file.flush().await
    }

    /// Whether the content begins as FITS does.
    pub(super) async fn is_fits(&mut self) -> io::Result<bool> {
        self.flush().await?;
        let path = self.path.clone();
        blocking::run(move || begins_as_fits(&path)).await
    }

    /// Whether the content is FITS with all its headers and data.
    pub(super) async fn is_whole_fits(&mut self) -> io::Result<bool> {
        self.flush().await?;
        let path = self.path.clone();
        Ok(blocking::run(move || fits::check(&path).is_ok()).await)
    }

    /// Makes the content durable and gives the file its name.
    pub(super) async fn finish(mut self) -> io::Result<PathBuf> {
        self.flush().await?;
        self.file.sync_all().await?;
        let (path, target, mark) = (self.path.clone(), self.target.clone(), self.mark_path());
        blocking::run(move || {
            std::fs::rename(&path, &target)?;
            remove(&mark)?;
            let directory = target.parent().unwrap_or(Path::new("."));
            // Some network file systems cannot synchronise a directory; the file itself is safe.
            let _ = File::open(directory).and_then(|directory| directory.sync_all());
            Ok(target)
        })
        .await
    }

    fn mark_path(&self) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        path.push(MARK_SUFFIX);
        path.into()
    }

    fn read_mark(&self) -> Option<String> {
        let mut mark = String::new();
        let file = File::open(self.mark_path()).ok()?;
        file.take(MAX_MARK_BYTES).read_to_string(&mut mark).ok()?;
        (self.length > 0 && !mark.is_empty()).then_some(mark)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if self.temporary {
            // After `finish` there is nothing of the name any more.
            let _ = remove(&self.path);
            let _ = remove(&self.mark_path());
        }
    }
}

/// Whether the file is there, has the size, and begins as FITS does.
pub(super) fn is_complete(path: &Path, size: u64) -> bool {
    let right_size = std::fs::metadata(path).is_ok_and(|m| m.is_file() && m.len() == size);
    right_size && begins_as_fits(path).unwrap_or(false)
}

fn begins_as_fits(path: &Path) -> io::Result<bool> {
    let mut beginning = Vec::new();
    let file = File::open(path)?;
    file.take(FITS_BEGINNING.len() as u64)
        .read_to_end(&mut beginning)?;
    Ok(beginning == FITS_BEGINNING)
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(directory).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.collect()
    }

    #[tokio::test]
    async fn a_part_grows_over_two_runs_and_is_finished() {
        let directory = tempfile::tempdir().unwrap();
        let name = FileName::parse("x_raw.fits").unwrap();
        let mut part = Part::open(directory.path(), &name).unwrap();
        part.restart(Some("\"v1\"".to_owned())).await.unwrap();
        part.append(b"SIMPLE").await.unwrap();
        part.flush().await.unwrap();
        drop(part);
        assert!(!directory.path().join("x_raw.fits").exists());

        let mut part = Part::open(directory.path(), &name).unwrap();
        assert_eq!((part.length(), part.mark()), (6, Some("\"v1\"")));
        assert!(!part.is_fits().await.unwrap());
        part.append(b"  = T").await.unwrap();
        assert!(part.is_fits().await.unwrap());
        let path = part.finish().await.unwrap();
        assert_eq!(std::fs::read(path).unwrap(), b"SIMPLE  = T");
        assert_eq!(names(directory.path()), ["x_raw.fits"]);
    }

    #[tokio::test]
    async fn two_runs_do_not_share_a_part() {
        let directory = tempfile::tempdir().unwrap();
        let name = FileName::parse("x_raw.fits").unwrap();
        let mut one = Part::open(directory.path(), &name).unwrap();
        one.restart(None).await.unwrap();
        one.append(b"SIMPLE  = one").await.unwrap();
        let mut two = Part::open(directory.path(), &name).unwrap();
        assert_eq!(two.length(), 0);
        two.append(b"SIMPLE  = two").await.unwrap();
        let three = Part::open(directory.path(), &name).unwrap();
        one.finish().await.unwrap();
        let path = two.finish().await.unwrap();
        drop(three);
        assert_eq!(std::fs::read(path).unwrap(), b"SIMPLE  = two");
        assert_eq!(names(directory.path()), ["x_raw.fits"]);
    }

    #[tokio::test]
    async fn a_restart_forgets_what_was_there() {
        let directory = tempfile::tempdir().unwrap();
        let name = FileName::parse("x_raw.fits").unwrap();
        let mut part = Part::open(directory.path(), &name).unwrap();
        part.restart(Some("old".to_owned())).await.unwrap();
        part.append(b"a long beginning").await.unwrap();
        part.restart(None).await.unwrap();
        part.append(b"short").await.unwrap();
        let path = part.finish().await.unwrap();
        assert_eq!(std::fs::read(path).unwrap(), b"short");
        assert_eq!(names(directory.path()), ["x_raw.fits"]);
    }
}
