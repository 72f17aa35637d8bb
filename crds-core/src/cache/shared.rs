//! References that several jobs of one machine share, so that each is fetched once.
//!
//! A shared folder is no cache that programs read: every job has one of its own, and takes copies
//! from here. Whoever may write the folder may write anything into it, at any moment, so a
//! reference is checked against the catalogue *while it is copied*, and one of which CRDS knows no
//! sum is never shared. Rules, catalogues and pickles have no sums that come from elsewhere: they
//! are each job's own as well.
//!
//! All files lie in the folder itself, for a folder in it could become a link to anywhere:
//! `<name>`, its lock `<name>.lock`, and what is being written. A file that is being copied has a
//! shared lock on itself, and what has one is not evicted. Nothing here fails a job: at the first
//! trouble, sharing ends for the process, with one line of the log. Everything here blocks.

use std::fmt;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use rustix::fs::{Mode, OFlags};
use storage::atomic::{CheckedFile, CheckedFileError};
use storage::checksum::Expected;
use storage::unfinished;

use super::lock::{Lock, Locks};
use crate::names::FileName;

/// How long another job is waited for that fetches the same reference, or makes room.
const PATIENCE: Duration = Duration::from_mins(5);
/// This part of the file system's space is left to others, whatever the limit,
const RESERVED_PART: u64 = 20;
/// but not more than this, in bytes.
const MOST_RESERVED: u64 = 2 << 30;
/// How often a reference is looked at that turns out wrong, before it is left alone.
const TRIES: usize = 3;
/// How much is copied at a time.
const PIECE: usize = 1 << 20;
/// The lock of whoever makes room.
const EVICTION: &str = "eviction";

/// A folder with references that several jobs share; see the module.
#[derive(Debug)]
pub struct SharedReferences {
    folder: PathBuf,
    limit: u64,
    locks: Locks,
    patience: Duration,
    tidied: Once,
    ended: AtomicBool,
}

/// What the shared folder had to offer.
#[derive(Debug)]
pub(crate) enum Taken {
    /// The reference, in so many bytes.
    Copied(u64),
    /// Nothing. With a place, nobody else is fetching it, and it is to be [offered](SharedReferences::offer).
    Nothing(Option<FetchClaim>),
}

/// The right to bring one reference, which others wait for until it is dropped.
#[derive(Debug)]
pub(crate) struct FetchClaim {
    _lock: Lock,
}

/// What a file is whatever its name.
type Identity = (u64, u64);

/// A reference in the folder.
struct SharedFile {
    name: FileName,
    size: u64,
    used: SystemTime,
}

/// Why nothing was copied.
enum NotCopied {
    /// It is not what CRDS says; or what was read is not.
    Wrong(CheckedFileError),
    /// The shared file cannot be read.
    Unreadable(io::Error),
    /// The copy cannot be written.
    Unwritable(io::Error),
}

impl SharedReferences {
    /// The folder, and the most that its references may have together, in bytes.
    pub fn new(folder: PathBuf, limit: u64) -> Self {
        Self {
            locks: Locks::in_folder(folder.clone()),
            folder,
            limit,
            patience: PATIENCE,
            tidied: Once::new(),
            ended: AtomicBool::new(false),
        }
    }

    /// Copies a reference to `target`, if it is here or another job brings it now.
    pub(crate) fn take(&self, name: &FileName, expected: Expected, target: &Path) -> Taken {
        if self.ended() || expected.size.is_none() || expected.sha1.is_none() {
            return Taken::Nothing(None);
        }
        self.tidied.call_once(|| self.tidy());
        let mut wrong = None;
        for _ in 0..TRIES {
            let (file, found) = match self.open_or_wait(name, wrong) {
                Ok(file) => file,
                Err(place) => return Taken::Nothing(place),
            };
            match copy(&file, target, expected) {
                Ok(size) => {
                    // Only its owner may say so; for others it is as old as it was.
                    let _ = file.set_modified(SystemTime::now());
                    return Taken::Copied(size);
                }
                Err(NotCopied::Wrong(mismatch)) => {
                    tracing::warn!("the shared copy of {name} is replaced: {mismatch}");
                    wrong = Some(found);
                }
                Err(NotCopied::Unreadable(error)) => {
                    self.end(&format_args!("{name} cannot be read: {error}"));
                    break;
                }
                // Whoever fetches it will meet the same, and can say more.
                Err(NotCopied::Unwritable(_)) => break,
            }
        }
        Taken::Nothing(None)
    }

    /// The file, locked against eviction, as soon as nobody is fetching it; else the place to do so,
    /// if one can be had. The file that is known to be `wrong` is removed.
    fn open_or_wait(
        &self,
        name: &FileName,
        wrong: Option<Identity>,
    ) -> Result<(File, Identity), Option<FetchClaim>> {
        let right = |(_, found): &(File, Identity)| wrong != Some(*found);
        if let Some(file) = self.open(name).filter(right) {
            return Ok(file);
        }
        let lock = match self.locks.acquire(name, self.patience) {
            Ok(lock) => lock,
            Err(timeout) => {
                self.end(&timeout);
                return Err(None);
            }
        };
        match self.open(name) {
            Some(file) if right(&file) => return Ok(file),
            Some(_) => drop(fs::remove_file(self.path(name))),
            None => {}
        }
        Err(Some(FetchClaim { _lock: lock }))
    }

    /// What has this name in the folder, without following a link or waiting for a pipe.
    fn open_unlocked(&self, name: &FileName) -> Option<File> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let opened = rustix::fs::open(self.path(name), flags, Mode::empty());
        opened.ok().map(File::from)
    }

    /// A file of the folder, locked against eviction.
    fn open(&self, name: &FileName) -> Option<(File, Identity)> {
        let file = self.open_unlocked(name)?;
        let metadata = file.metadata().ok().filter(fs::Metadata::is_file)?;
        match file.try_lock_shared() {
            // Being evicted at this moment.
            Err(TryLockError::WouldBlock) => None,
            // Without locks, what is open stays readable.
            Ok(()) | Err(TryLockError::Error(_)) => Some((file, (metadata.dev(), metadata.ino()))),
        }
    }

    /// Puts a copy of a reference that was fetched into the folder, if there is room, for those who
    /// wait for its place.
    pub(crate) fn offer(
        &self,
        place: FetchClaim,
        name: &FileName,
        expected: Expected,
        fetched: &Path,
    ) {
        let Some(size) = expected.size.filter(|_| !self.ended()) else {
            return;
        };
        if let Err(error) = self.try_offer(name, size, expected, fetched) {
            self.end(&format_args!("{name} cannot be stored: {error}"));
        }
        drop(place);
    }

    fn try_offer(
        &self,
        name: &FileName,
        size: u64,
        expected: Expected,
        fetched: &Path,
    ) -> Result<(), Box<dyn fmt::Display>> {
        // Held until it is stored, so that no two take the same room.
        let _evicting = self.evicting()?;
        if !self.make_room(size).map_err(display)? {
            tracing::debug!("there is no room to share {name}");
            return Ok(());
        }
        let file = File::open(fetched).map_err(display)?;
        match copy(&file, &self.path(name), expected) {
            Ok(_) => Ok(()),
            Err(NotCopied::Wrong(error)) => Err(display(error)),
            Err(NotCopied::Unreadable(error) | NotCopied::Unwritable(error)) => Err(display(error)),
        }
    }

    fn evicting(&self) -> Result<Lock, Box<dyn fmt::Display>> {
        let name: FileName = EVICTION.parse().map_err(display)?;
        self.locks.acquire(&name, self.patience).map_err(display)
    }

    /// Removes what was used longest ago, until so many more bytes fit; whether they do.
    fn make_room(&self, size: u64) -> io::Result<bool> {
        if size > self.limit {
            return Ok(false);
        }
        let mut entries = self.entries()?;
        entries.sort_by_key(|entry| entry.used);
        let mut used: u64 = entries.iter().map(|entry| entry.size).sum();
        let mut oldest = entries.iter();
        loop {
            if used.saturating_add(size) <= self.limit && self.has_space(size)? {
                return Ok(true);
            }
            let Some(entry) = oldest.next() else {
                return Ok(false);
            };
            if self.evict(entry) {
                tracing::debug!("{} is no longer shared", entry.name);
                used -= entry.size;
            }
        }
    }

    /// Whether so many bytes leave the file system the space that is for others.
    fn has_space(&self, size: u64) -> io::Result<bool> {
        let space = rustix::fs::statvfs(&self.folder)?;
        let bytes = |blocks: u64| blocks.saturating_mul(space.f_frsize);
        let reserved = (bytes(space.f_blocks) / RESERVED_PART).min(MOST_RESERVED);
        Ok(bytes(space.f_bavail) >= reserved.saturating_add(size))
    }

    /// Removes a reference that nobody is copying or fetching; whether it is gone.
    fn evict(&self, entry: &SharedFile) -> bool {
        let Some(_lock) = self.locks.try_acquire(&entry.name) else {
            return false;
        };
        let file = self.open_unlocked(&entry.name);
        let unused = |file: &File| !matches!(file.try_lock(), Err(TryLockError::WouldBlock));
        file.as_ref().is_some_and(unused) && fs::remove_file(self.path(&entry.name)).is_ok()
    }

    fn entries(&self) -> io::Result<Vec<SharedFile>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let Some(Ok(name)) = name.to_str().map(str::parse::<FileName>) else {
                continue;
            };
            let is_lock = Path::new(name.as_str()).extension() == Some("lock".as_ref());
            // What is gone meanwhile takes no room.
            if let Ok(metadata) = entry.metadata()
                && metadata.is_file()
                && !is_lock
            {
                let (size, used) = (metadata.len(), metadata.modified()?);
                entries.push(SharedFile { name, size, used });
            }
        }
        Ok(entries)
    }

    /// Removes what killed jobs left, and what is over the limit, or in others' way.
    fn tidy(&self) {
        let tidied = unfinished::remove_abandoned(&self.folder)
            .and_then(|_| self.locks.clear())
            .map_err(display)
            .and_then(|_| {
                let _evicting = self.evicting()?;
                self.make_room(0).map_err(display)
            });
        if let Err(error) = tidied {
            self.end(&error);
        }
    }

    fn path(&self, name: &FileName) -> PathBuf {
        self.folder.join(name.as_str())
    }

    fn ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    /// Shares nothing from now on.
    fn end(&self, why: &dyn fmt::Display) {
        if !self.ended.swap(true, Ordering::Relaxed) {
            let folder = self.folder.display();
            tracing::warn!(
                "references are not shared in {folder}, this run fetches its own: {why}"
            );
        }
    }
}

fn display(problem: impl fmt::Display + 'static) -> Box<dyn fmt::Display> {
    Box::new(problem)
}

/// Copies a file, checked on the way: what is read is what was checked, whoever writes it meanwhile.
fn copy(from: &File, to: &Path, expected: Expected) -> Result<u64, NotCopied> {
    let writing = |error| match error {
        CheckedFileError::Io(error) => NotCopied::Unwritable(error),
        wrong @ CheckedFileError::Mismatch(_) => NotCopied::Wrong(wrong),
    };
    let mut from = from;
    let mut file = CheckedFile::create(to, expected).map_err(NotCopied::Unwritable)?;
    let mut piece = vec![0; PIECE];
    loop {
        let read = match from.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => piece.get(..read).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(NotCopied::Unreadable(error)),
        };
        file.write(read).map_err(writing)?;
    }
    file.commit().map(|(size, _)| size).map_err(writing)
}

#[cfg(test)]
#[path = "shared_tests.rs"]
mod tests;
