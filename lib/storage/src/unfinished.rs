//! Files and directories that are being written, and whether anybody still writes them.
//!
//! They have a temporary name beside their target, and whoever writes one holds an advisory lock on
//! it, which ends with the process. So what a killed process left is told from what is being
//! written, and anybody may remove it at once. Where a file system has no locks, only what is older
//! than a day counts as abandoned. Renaming what is finished is for others.

use std::fs::{self, DirEntry, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use tempfile::{Builder, NamedTempFile, TempDir};

use crate::lock::is_at;

/// What the names of files and directories being written start with.
pub const TEMPORARY: &str = ".unfinished-";

/// How much of the target's name is in the temporary one, in bytes: names may have 255.
const NAME: usize = 200;

/// Where there are no locks, how old something is that nobody writes any more.
const ABANDONED: Duration = Duration::from_hours(24);

/// How often another name is tried: each time, somebody has removed a file in the moment between
/// its creation and its lock.
const TRIES: usize = 100;

/// A temporary directory that is its process's own until it is dropped, and then gone.
#[derive(Debug)]
pub struct UnfinishedDirectory {
    directory: TempDir,
    /// Holds the lock.
    _lock: Option<File>,
}

impl UnfinishedDirectory {
    /// Makes one beside `target`, for the work on it.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn beside(target: &Path) -> io::Result<Self> {
        let prefix = prefix(target);
        held(
            || Builder::new().prefix(&prefix).tempdir_in(parent(target)),
            |directory| File::open(directory.path()),
            TempDir::path,
        )
        .map(|(directory, lock)| Self {
            directory,
            _lock: lock,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }
}

/// Makes the file that is to become `target`, in its directory, locked.
pub(crate) fn file(target: &Path) -> io::Result<NamedTempFile> {
    let prefix = prefix(target);
    let create = || {
        Builder::new()
            .prefix(&prefix)
            // as any new file: what the umask leaves of this
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(parent(target))
    };
    // The copy shares the lock of the file, which lasts until all are closed.
    held(
        create,
        |file| file.as_file().try_clone(),
        NamedTempFile::path,
    )
    .map(|(file, _)| file)
}

/// Makes something and locks it, again if it was taken for abandoned before it was locked.
fn held<T>(
    create: impl Fn() -> io::Result<T>,
    open: impl Fn(&T) -> io::Result<File>,
    path: impl Fn(&T) -> &Path,
) -> io::Result<(T, Option<File>)> {
    for _ in 0..TRIES {
        let made = create()?;
        let lock = match open(&made) {
            Ok(lock) => lock,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        match lock.try_lock() {
            Ok(()) if is_at(&lock, path(&made))? => return Ok((made, Some(lock))),
            Ok(()) | Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(_)) => return Ok((made, None)),
        }
    }
    Err(io::Error::other(
        "files that are being written are removed all the time by another process",
    ))
}

/// Removes everything in a directory that was to become something and nobody is at any more; how
/// many there were. A directory that does not exist has nothing.
///
/// # Errors
/// When the directory cannot be read.
pub fn remove_abandoned(directory: &Path) -> io::Result<usize> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let mut removed = 0;
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        if name.as_encoded_bytes().starts_with(TEMPORARY.as_bytes()) {
            // What cannot be looked at or removed belongs to somebody else.
            removed += usize::from(remove_if_abandoned(&entry).unwrap_or(false));
        }
    }
    Ok(removed)
}

fn remove_if_abandoned(entry: &DirEntry) -> io::Result<bool> {
    let (path, kind) = (entry.path(), entry.file_type()?);
    let opened = if kind.is_dir() {
        File::open(&path)?
    } else if kind.is_file() {
        // Some network file systems lock only what may be written.
        OpenOptions::new().read(true).write(true).open(&path)?
    } else {
        return Ok(false);
    };
    match opened.try_lock() {
        // Renamed meanwhile: it is finished.
        Ok(()) if !is_at(&opened, &path)? => return Ok(false),
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(false),
        Err(TryLockError::Error(_)) => {
            let age = SystemTime::now().duration_since(opened.metadata()?.modified()?);
            if age.is_err() || age.is_ok_and(|age| age <= ABANDONED) {
                return Ok(false);
            }
        }
    }
    if kind.is_dir() {
        fs::remove_dir_all(&path)?;
    } else {
        fs::remove_file(&path)?;
    }
    Ok(true)
}

/// What the temporary names of this target start with.
fn prefix(target: &Path) -> String {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let name = name
        .get(..name.floor_char_boundary(NAME))
        .unwrap_or_default();
    format!("{TEMPORARY}{name}-")
}

/// The directory of a path.
pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let name = |entry: io::Result<DirEntry>| entry.unwrap().file_name().into_string().unwrap();
        entries.map(name).collect()
    }

    #[test]
    fn what_nobody_writes_any_more_is_removed_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("x_drk.fits");
        let mine = file(&target).unwrap();
        let work = UnfinishedDirectory::beside(&target).unwrap();
        assert!(
            names(folder.path())
                .iter()
                .all(|name| name.starts_with(".unfinished-x_drk.fits-"))
        );
        // As a killed process leaves them: no lock.
        let left = |name: &str| folder.path().join(format!("{TEMPORARY}{name}"));
        fs::write(left("x_drk.fits-1"), "half").unwrap();
        fs::create_dir(left("x_drk.fits-2")).unwrap();
        fs::write(left("x_drk.fits-2").join("x"), "half").unwrap();
        fs::write(left("y_drk.fits-1"), "half").unwrap();
        fs::write(&target, "whole").unwrap();
        assert_eq!(remove_abandoned(folder.path()).unwrap(), 3);
        assert!(mine.path().exists() && work.path().exists() && target.exists());
        drop((mine, work));
        assert_eq!(names(folder.path()), ["x_drk.fits"]);
        assert_eq!(remove_abandoned(&folder.path().join("none")).unwrap(), 0);
    }

    #[test]
    fn long_names_leave_room_for_what_is_put_around_them() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["x".repeat(255), "é".repeat(127)] {
            file(&folder.path().join(name)).unwrap();
        }
    }

    #[test]
    fn whoever_clears_away_takes_nothing_from_those_who_write() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("x");
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        file(&target).unwrap().persist(&target).unwrap();
                    }
                });
            }
            scope.spawn(|| {
                (0..400)
                    .map(|_| remove_abandoned(folder.path()).unwrap())
                    .max()
            });
        });
        assert_eq!(names(folder.path()), ["x"]);
    }
}
