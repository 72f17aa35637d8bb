//! A directory as a store. Files appear by renaming; names that begin as temporary ones do are
//! not keys.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write as _};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::sync::mpsc;

use super::{Answer, ErrorKind, Listing, Place, Reader, Store, StoreError, found, refused};
use crate::atomic::{CheckedFile, Existing, Pending};
use crate::blocking;
use crate::checksum::{Expected, Sha1Sum, Sum};
use crate::error::AttemptError;
use crate::lock::FileLock;
use crate::object::{
    Downloaded, Head, Length, Object, OnBytes, Part, Precondition, Stored, Version,
};
use crate::unfinished::TEMPORARY;
use crate::uri::check_key;

/// How much of a file is copied at a time, in bytes.
const COPY: usize = 1024 * 1024;

/// What writers with a version hold while they compare and write.
const LOCK: &str = ".unfinished-lock";

/// Files below a directory, which is made when something is put; cheap to clone.
#[derive(Debug, Clone)]
pub struct Dir {
    root: PathBuf,
}

/// What happened to a file.
fn failed(action: &'static str, path: &Path, attempt: AttemptError) -> StoreError {
    StoreError::new(action, path.display(), attempt)
}

impl Dir {
    /// The files below `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The path of a key, which cannot lead out of the root.
    fn path(&self, key: &str) -> Result<PathBuf, StoreError> {
        check_key(key).map_err(|reason| refused(key, reason))?;
        if key.split('/').any(|part| part.starts_with(TEMPORARY)) {
            return Err(refused(key, "the name is one of a file being written"));
        }
        Ok(self.root.join(key))
    }

    /// Does something with the path of a key, off the asynchronous threads.
    async fn blocking<T: Send + 'static>(
        &self,
        action: &'static str,
        key: &str,
        work: impl FnOnce(&Path) -> Result<T, AttemptError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let path = self.path(key)?;
        blocking::run(move || work(&path).map_err(|attempt| failed(action, &path, attempt))).await
    }

    async fn stream(
        &self,
        key: &str,
        reader: Reader<'_>,
        length: Length,
    ) -> Result<Stored, StoreError> {
        let (pending, file) = self
            .blocking("write", key, |path| {
                let pending = Pending::create(path)?;
                let file = pending.file().try_clone()?;
                Ok((pending, file))
            })
            .await?;
        let failed = |attempt| failed("write", &self.root.join(key), attempt);
        let mut file = tokio::fs::File::from_std(file);
        file.set_max_buf_size(COPY);
        // Every write is a task for another thread: few large ones are several times faster.
        let mut reader = BufReader::with_capacity(COPY, reader);
        let copied = tokio::io::copy_buf(&mut reader, &mut file).await;
        let flushed = file.flush().await;
        let size = copied
            .and_then(|copied| flushed.map(|()| copied))
            .map_err(|error| failed(AttemptError::because(ErrorKind::LocalFile, error)))?;
        length
            .check(size)
            .map_err(|detail| failed(AttemptError::new(ErrorKind::LocalFile, detail)))?;
        self.blocking(
            "write",
            key,
            move |_| Ok(pending.commit(Existing::Replace)?),
        )
        .await?;
        let version = None;
        Ok(Stored { size, version })
    }

    async fn copy(
        &self,
        key: &str,
        target: &Path,
        expected: Expected,
        on_bytes: OnBytes<'_>,
    ) -> Result<Downloaded, StoreError> {
        let target = target.to_owned();
        let (arrived, mut arriving) = mpsc::unbounded_channel();
        let copying = self.blocking("copy", key, move |path| {
            copy_checked(open(path)?, &target, expected, &arrived)
        });
        tokio::pin!(copying);
        loop {
            tokio::select! {
                biased;
                Some(bytes) = arriving.recv() => on_bytes(bytes),
                copied = &mut copying => return copied,
            }
        }
    }

    async fn listed(&self, prefix: String) -> Result<Vec<Object>, StoreError> {
        // Only what is below the last slash of the prefix can match.
        let start = match prefix.rsplit_once('/') {
            Some((above, _)) => self.path(above)?,
            None => self.root.clone(),
        };
        let root = self.root.clone();
        blocking::run(move || {
            let mut objects = Vec::new();
            walk(&root, &start, &prefix, &mut objects)
                .map_err(|error| failed("list", &start, error.into()))?;
            objects.sort_by(|a: &Object, b: &Object| a.key.cmp(&b.key));
            Ok(objects)
        })
        .await
    }
}

impl fmt::Display for Dir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "file:{}", self.root.display())
    }
}

impl Store for Dir {
    fn place(&self, key: &str) -> Result<Place, StoreError> {
        self.path(key).map(Place::File)
    }

    fn put_bytes<'a>(
        &'a self,
        key: &'a str,
        body: Bytes,
        precondition: &'a Precondition,
    ) -> Answer<'a, Stored> {
        let (root, precondition) = (self.root.clone(), precondition.clone());
        Box::pin(self.blocking("write", key, move |path| {
            write(&root, path, &body, &precondition)
        }))
    }

    fn put_file<'a>(&'a self, key: &'a str, source: &'a Path) -> Answer<'a, Stored> {
        let source = source.to_owned();
        Box::pin(self.blocking("write", key, move |path| copy_in(&source, path)))
    }

    fn put_stream<'a>(
        &'a self,
        key: &'a str,
        reader: Reader<'a>,
        length: Length,
    ) -> Answer<'a, Stored> {
        Box::pin(self.stream(key, reader, length))
    }

    fn get_bytes<'a>(&'a self, key: &'a str, max: usize) -> Answer<'a, (Bytes, Option<Version>)> {
        Box::pin(self.blocking("read", key, move |path| {
            let mut content = Vec::new();
            open(path)?.take(max as u64 + 1).read_to_end(&mut content)?;
            if content.len() > max {
                return Err(AttemptError::too_large(max));
            }
            let version = version_of(&content);
            Ok((content.into(), Some(version)))
        }))
    }

    fn get_range<'a>(&'a self, key: &'a str, range: Range<u64>) -> Answer<'a, Part> {
        Box::pin(self.blocking("read", key, move |path| part(&open(path)?, &range)))
    }

    fn get_to_file<'a>(
        &'a self,
        key: &'a str,
        target: &'a Path,
        expected: Expected,
        on_bytes: OnBytes<'a>,
    ) -> Answer<'a, Downloaded> {
        Box::pin(self.copy(key, target, expected, on_bytes))
    }

    fn head<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Head>> {
        let head = self.blocking("look at", key, |path| {
            let metadata = open(path)?.metadata()?;
            Ok(Head {
                size: metadata.len(),
                version: None,
                modified: metadata.modified().ok().and_then(|t| t.try_into().ok()),
            })
        });
        Box::pin(async move { found(head.await) })
    }

    fn list(&self, prefix: &str) -> Listing<'_> {
        Listing::once(self.listed(prefix.to_owned()))
    }

    fn delete<'a>(&'a self, key: &'a str) -> Answer<'a, ()> {
        Box::pin(
            self.blocking("delete", key, |path| match std::fs::remove_file(path) {
                Err(error) if is_no_file(&error) => Ok(()),
                removed => Ok(removed?),
            }),
        )
    }
}

/// What is not there, and what is a directory, is no key.
fn is_no_file(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory
    )
}

/// Opens a file; a directory is no key.
fn open(path: &Path) -> Result<File, AttemptError> {
    let file = File::open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(AttemptError::missing())
    }
}

fn part(file: &File, range: &Range<u64>) -> Result<Part, AttemptError> {
    let size = file.metadata()?.len();
    let end = range.end.min(size);
    let wanted = usize::try_from(end.saturating_sub(range.start)).unwrap_or(usize::MAX);
    let mut bytes = vec![0; wanted];
    file.read_exact_at(&mut bytes, range.start)?;
    Ok(Part {
        bytes: bytes.into(),
        size,
        version: None,
    })
}

fn version_of(content: &[u8]) -> Version {
    Version(Sha1Sum::of(content).to_string())
}

fn write(
    root: &Path,
    path: &Path,
    body: &[u8],
    precondition: &Precondition,
) -> Result<Stored, AttemptError> {
    let existing = match precondition {
        Precondition::IfAbsent => Existing::Keep,
        Precondition::None | Precondition::IfVersion(_) => Existing::Replace,
    };
    let pending = Pending::create(path)?;
    pending.file().write_all(body)?;
    let _lock = match precondition {
        Precondition::IfVersion(version) => {
            let lock = FileLock::acquire(&root.join(LOCK))?;
            check_version(path, version)?;
            Some(lock)
        }
        Precondition::None | Precondition::IfAbsent => None,
    };
    pending.commit(existing)?;
    Ok(Stored {
        size: body.len() as u64,
        version: Some(version_of(body)),
    })
}

fn check_version(path: &Path, version: &Version) -> Result<(), AttemptError> {
    let found = match Sha1Sum::of_file(path) {
        Ok(found) => Some(found.to_string()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error.into()),
    };
    if found.as_ref() == Some(&version.0) {
        Ok(())
    } else {
        Err(AttemptError::other_version())
    }
}

fn copy_in(source: &Path, path: &Path) -> Result<Stored, AttemptError> {
    let unreadable =
        |error| AttemptError::local(format!("reading {} failed", source.display()), error);
    let mut from = File::open(source).map_err(unreadable)?;
    let size = from.metadata().map_err(unreadable)?.len();
    let pending = Pending::create(path)?;
    let copied = io::copy(&mut from, &mut pending.file())?;
    if copied != size {
        return Err(unreadable(io::Error::other("it changed while it was read")));
    }
    pending.commit(Existing::Replace)?;
    let version = None;
    Ok(Stored { size, version })
}

fn copy_checked(
    mut from: File,
    target: &Path,
    expected: Expected,
    arrived: &mpsc::UnboundedSender<u64>,
) -> Result<Downloaded, AttemptError> {
    let unwritable = |error| AttemptError::of_target(target, error);
    let mut file =
        CheckedFile::create(target, expected).map_err(|error| unwritable(error.into()))?;
    let mut buffer = vec![0; COPY];
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        file.write(buffer.get(..read).unwrap_or_default())
            .map_err(unwritable)?;
        // Fails when nobody waits any more.
        let _ = arrived.send(read as u64);
    }
    let (size, sum) = file.commit().map_err(unwritable)?;
    let version = None;
    Ok(Downloaded {
        size,
        sha1: sum.and_then(Sum::sha1),
        version,
        checked_by_store: false,
    })
}

fn walk(root: &Path, dir: &Path, prefix: &str, objects: &mut Vec<Object>) -> io::Result<()> {
    let entries = match std::fs::read_dir(dir) {
        // deleted meanwhile, or never made
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(());
        }
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let path = entry.path();
        let key = path.strip_prefix(root).ok().and_then(Path::to_str);
        let Some(key) = key.filter(|_| !is_temporary(&path)) else {
            continue;
        };
        if entry.file_type()?.is_dir() {
            let below = format!("{key}/");
            if below.starts_with(prefix) || prefix.starts_with(&below) {
                walk(root, &path, prefix, objects)?;
            }
        } else if key.starts_with(prefix) {
            let metadata = match entry.metadata() {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                metadata => metadata?,
            };
            objects.push(Object {
                key: key.to_owned(),
                size: metadata.len(),
                version: None,
                modified: metadata.modified().ok().and_then(|t| t.try_into().ok()),
            });
        }
    }
    Ok(())
}

fn is_temporary(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| name.to_string_lossy().starts_with(TEMPORARY))
}
