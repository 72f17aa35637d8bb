//! Locks, so that of several processes that need the same missing file only one fetches it.
//!
//! A lock is a [`FileLock`] on an empty file of its own in a folder of the cache, or where
//! `CRDS_LOCK_PATH` says. Locks save work; they are not what keeps files whole: that is how they
//! are written. Where locks cannot be made, work goes on without.

use std::borrow::Cow;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};
use storage::hint::Hint;

use storage::lock::FileLock;

use super::layout::CacheLayout;
use crate::config::Config;
use crate::names::FileName;

/// How long to sleep between tries, growing from the first to the second.
const PAUSES: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(250));

/// The locks of one cache.
#[derive(Debug, Clone)]
pub struct Locks {
    /// `None` if there are none.
    folder: Option<PathBuf>,
}

/// A held lock; dropping it lets go.
#[derive(Debug)]
pub struct Lock {
    /// `None` where locking is off or impossible.
    _held: Option<FileLock>,
}

/// Another process has the lock, and keeps it.
#[derive(Debug, thiserror::Error)]
#[error("another process has been fetching {name} for {} s", waited.as_secs())]
pub struct LockTimeout {
    /// The file that is locked.
    pub name: FileName,
    /// The lock's own file.
    pub path: PathBuf,
    /// How long it was waited for.
    pub waited: Duration,
}

impl Hint for LockTimeout {
    fn hint(&self) -> Option<Cow<'_, str>> {
        let path = self.path.display();
        Some(format!("wait for it, or end it; its lock is {path}").into())
    }
}

impl Locks {
    /// The locks of a cache: none if `CRDS_USE_LOCKING` is off or the cache may not be written.
    pub fn new(layout: &CacheLayout, config: &Config) -> Self {
        let wanted = config.use_locking && !config.readonly_cache;
        Self {
            folder: wanted.then(|| config.lock_path.clone().unwrap_or_else(|| layout.locks())),
        }
    }

    /// Locks in this folder, whatever the settings.
    pub(super) fn in_folder(folder: PathBuf) -> Self {
        Self {
            folder: Some(folder),
        }
    }

    /// Takes the lock of a file if nobody has it.
    pub fn try_acquire(&self, name: &FileName) -> Option<Lock> {
        let Some(path) = self.path(name) else {
            return Some(Lock { _held: None });
        };
        let folder = path.parent().map_or(Ok(()), fs::create_dir_all);
        match folder.and_then(|()| FileLock::try_acquire(&path)) {
            Ok(lock) => lock.map(|lock| Lock { _held: Some(lock) }),
            Err(error) => {
                tracing::debug!("no lock at {}: {error}", path.display());
                Some(Lock { _held: None })
            }
        }
    }

    /// Takes the lock of a file, waiting at most `patience` for whoever has it.
    pub fn acquire(&self, name: &FileName, patience: Duration) -> Result<Lock, LockTimeout> {
        let start = Instant::now();
        let mut pause = PAUSES.0;
        loop {
            if let Some(lock) = self.try_acquire(name) {
                return Ok(lock);
            }
            let waited = start.elapsed();
            if waited >= patience {
                return Err(LockTimeout {
                    name: name.clone(),
                    path: self.path(name).unwrap_or_default(),
                    waited,
                });
            }
            thread::sleep(pause.min(patience.saturating_sub(waited)));
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    /// Removes the files of all locks that nobody holds; how many there were.
    pub fn clear(&self) -> io::Result<usize> {
        let Some(folder) = &self.folder else {
            return Ok(0);
        };
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            Err(error) => return Err(error),
        };
        let mut cleared = 0;
        for entry in entries {
            let path = entry?.path();
            if path
                .extension()
                .is_some_and(|extension| extension == "lock")
                && let Some(_held) = FileLock::try_acquire(&path)?
            {
                fs::remove_file(&path)?;
                cleared += 1;
            }
        }
        Ok(cleared)
    }

    fn path(&self, name: &FileName) -> Option<PathBuf> {
        Some(self.folder.as_ref()?.join(format!("{name}.lock")))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::path::Path;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::observatory::Observatory;

    fn locks(folder: &Path, variables: &[(&str, &str)]) -> Locks {
        let path = [("CRDS_PATH", folder.to_str().unwrap())];
        let config = Config::from_vars(path.iter().chain(variables).copied()).unwrap();
        Locks::new(
            &CacheLayout::new(&config.locations, Observatory::Hst),
            &config,
        )
    }

    #[test]
    fn one_has_it_until_it_lets_go() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (locks(folder.path(), &[]), locks(folder.path(), &[]));
        let name: FileName = "x.fits".parse().unwrap();
        let held = a.try_acquire(&name).unwrap();
        assert!(b.try_acquire(&name).is_none());
        assert!(b.try_acquire(&"y.fits".parse().unwrap()).is_some());
        let error = b.acquire(&name, Duration::from_millis(20)).unwrap_err();
        assert!(error.to_string().contains("fetching x.fits"), "{error}");
        drop(held);
        b.acquire(&name, Duration::ZERO).unwrap();
        assert!(folder.path().join("config/hst/locks/x.fits.lock").exists());
    }

    #[test]
    fn settings_turn_locks_off_or_elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        let name: FileName = "x.fits".parse().unwrap();
        for off in [("CRDS_USE_LOCKING", "0"), ("CRDS_READONLY_CACHE", "1")] {
            let locks = locks(folder.path(), &[off]);
            let _first = locks.try_acquire(&name).unwrap();
            assert!(locks.try_acquire(&name).is_some());
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        let elsewhere = folder.path().join("elsewhere");
        let locks = locks(
            folder.path(),
            &[("CRDS_LOCK_PATH", elsewhere.to_str().unwrap())],
        );
        let held = locks.try_acquire(&name).unwrap();
        assert_eq!(locks.clear().unwrap(), 0);
        drop(held);
        assert_eq!(locks.clear().unwrap(), 1);
        assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
    }

    #[test]
    fn clearing_away_never_lets_two_in() {
        let folder = tempfile::tempdir().unwrap();
        let locks = locks(folder.path(), &[]);
        let name: FileName = "x.fits".parse().unwrap();
        let inside = AtomicU32::new(0);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let _held = locks.acquire(&name, Duration::from_secs(20)).unwrap();
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                        inside.fetch_sub(1, Ordering::SeqCst);
                    }
                });
            }
            scope.spawn(|| (0..200).map(|_| locks.clear().unwrap()).max());
        });
    }
}
