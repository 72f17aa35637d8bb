//! A directory as a store. Files appear by renaming; names that begin as temporary ones do are
//! not keys.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWriteExt, BufReader};

use crate::atomic::{Existing, Pending, TEMPORARY};
use crate::blocking;
use crate::checksum::{Sha1, Sha1Sum};
use crate::hint::Hint;
use crate::lock::FileLock;
use crate::s3::{
    Downloaded, ErrorKind, Expected, Head, Length, Object, Precondition, Sha1Check, Stored, Version,
};
use crate::uri::check_key;

/// How much of a file is copied at a time, in bytes.
const COPY: usize = 1024 * 1024;

/// What writers with a version hold while they compare and write.
const LOCK: &str = ".caldp-part-lock";

/// A failed operation on a directory: a sentence with what failed, on what, and why.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}: {detail}{}", path.display(), hint(*kind))]
pub struct DirError {
    action: &'static str,
    path: PathBuf,
    kind: ErrorKind,
    detail: String,
}

fn hint(kind: ErrorKind) -> String {
    match kind {
        ErrorKind::AccessDenied => {
            "\nhint: check the owner and permissions of the directory".to_owned()
        }
        other => other
            .hint()
            .map(|h| format!("\nhint: {h}"))
            .unwrap_or_default(),
    }
}

// The text still has the hint in it.
impl Hint for DirError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        None
    }
}

impl DirError {
    pub(super) fn kind(&self) -> ErrorKind {
        self.kind
    }
}

/// Why something failed, before it is known on what.
type Cause = (ErrorKind, String);

fn cause(error: &io::Error) -> Cause {
    let kind = match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => ErrorKind::NotFound,
        io::ErrorKind::AlreadyExists => ErrorKind::AlreadyExists,
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            ErrorKind::AccessDenied
        }
        _ => ErrorKind::LocalFile,
    };
    let detail = match kind {
        ErrorKind::NotFound => "it does not exist".to_owned(),
        ErrorKind::AlreadyExists => "it exists already".to_owned(),
        _ => error.to_string(),
    };
    (kind, detail)
}

#[derive(Debug, Clone)]
pub(super) struct DirStore {
    root: PathBuf,
}

impl DirStore {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// The path of a key, which cannot lead out of the root.
    pub(super) fn path(&self, key: &str) -> Result<PathBuf, DirError> {
        let refused = |detail: &str| DirError {
            action: "use the key",
            path: PathBuf::from(key),
            kind: ErrorKind::Invalid,
            detail: detail.to_owned(),
        };
        check_key(key).map_err(refused)?;
        if key.split('/').any(|part| part.starts_with(TEMPORARY)) {
            return Err(refused("the name is one of a file being written"));
        }
        Ok(self.root.join(key))
    }

    pub(super) async fn put_bytes(
        &self,
        key: &str,
        body: Bytes,
        precondition: &Precondition,
    ) -> Result<Stored, DirError> {
        let precondition = precondition.clone();
        let root = self.root.clone();
        self.blocking("write", key, move |path| {
            let existing = match &precondition {
                Precondition::IfAbsent => Existing::Keep,
                Precondition::None | Precondition::IfVersion(_) => Existing::Replace,
            };
            let pending = Pending::create(path).map_err(|e| cause(&e))?;
            io::Write::write_all(&mut pending.file(), &body).map_err(|e| cause(&e))?;
            let _lock = match &precondition {
                Precondition::IfVersion(version) => {
                    let lock = FileLock::acquire(&root.join(LOCK)).map_err(|e| cause(&e))?;
                    check_version(path, version)?;
                    Some(lock)
                }
                Precondition::None | Precondition::IfAbsent => None,
            };
            pending.commit(existing).map_err(|e| cause(&e))?;
            Ok(Stored {
                size: body.len() as u64,
                version: Some(version_of(&body)),
            })
        })
        .await
    }

    pub(super) async fn put_file(&self, key: &str, source: &Path) -> Result<Stored, DirError> {
        let source = source.to_owned();
        self.blocking("write", key, move |path| {
            let unreadable = |error: io::Error| {
                let detail = format!("reading {} failed: {error}", source.display());
                (ErrorKind::LocalFile, detail)
            };
            let mut from = File::open(&source).map_err(unreadable)?;
            let size = from.metadata().map_err(unreadable)?.len();
            let pending = Pending::create(path).map_err(|e| cause(&e))?;
            let copied = io::copy(&mut from, &mut pending.file()).map_err(|e| cause(&e))?;
            if copied != size {
                return Err(unreadable(io::Error::other("it changed while it was read")));
            }
            pending.commit(Existing::Replace).map_err(|e| cause(&e))?;
            Ok(Stored {
                size,
                version: None,
            })
        })
        .await
    }

    pub(super) async fn put_stream(
        &self,
        key: &str,
        reader: impl AsyncRead + Unpin + Send,
        length: Length,
    ) -> Result<Stored, DirError> {
        let (pending, file) = self
            .blocking("write", key, |path| {
                let pending = Pending::create(path).map_err(|e| cause(&e))?;
                let file = pending.file().try_clone().map_err(|e| cause(&e))?;
                Ok((pending, file))
            })
            .await?;
        let failed = |(kind, detail)| DirError {
            action: "write",
            path: self.root.join(key),
            kind,
            detail,
        };
        let mut file = tokio::fs::File::from_std(file);
        file.set_max_buf_size(COPY);
        // Every write is a task for another thread: few large ones are several times faster.
        let mut reader = BufReader::with_capacity(COPY, reader);
        let copied = tokio::io::copy_buf(&mut reader, &mut file).await;
        let flushed = file.flush().await;
        let copied = copied
            .and_then(|copied| flushed.map(|()| copied))
            .map_err(|error| failed((ErrorKind::LocalFile, error.to_string())))?;
        if let Err(detail) = length.holds(copied) {
            return Err(failed((ErrorKind::LocalFile, detail)));
        }
        self.blocking("write", key, move |_| {
            pending.commit(Existing::Replace).map_err(|e| cause(&e))
        })
        .await?;
        Ok(Stored {
            size: copied,
            version: None,
        })
    }

    pub(super) async fn get_bytes(
        &self,
        key: &str,
        max: usize,
    ) -> Result<(Bytes, Option<Version>), DirError> {
        self.blocking("read", key, move |path| {
            let mut content = Vec::new();
            open(path)?
                .take(max as u64 + 1)
                .read_to_end(&mut content)
                .map_err(|e| cause(&e))?;
            if content.len() > max {
                let detail = format!("it has more than the {max} bytes allowed");
                return Err((ErrorKind::TooLarge, detail));
            }
            let version = version_of(&content);
            Ok((content.into(), Some(version)))
        })
        .await
    }

    pub(super) async fn get_to_file(
        &self,
        key: &str,
        target: &Path,
        expected: &Expected,
    ) -> Result<Downloaded, DirError> {
        let (target, expected) = (target.to_owned(), expected.clone());
        self.blocking("copy", key, move |path| {
            copy_checked(open(path)?, &target, &expected)
        })
        .await
    }

    pub(super) async fn head(&self, key: &str) -> Result<Head, DirError> {
        self.blocking("look at", key, |path| {
            let metadata = open(path)?.metadata().map_err(|e| cause(&e))?;
            Ok(Head {
                size: metadata.len(),
                version: None,
                modified: metadata.modified().ok().and_then(|t| t.try_into().ok()),
            })
        })
        .await
    }

    pub(super) async fn delete(&self, key: &str) -> Result<(), DirError> {
        self.blocking("delete", key, |path| match std::fs::remove_file(path) {
            Err(error)
                if !matches!(
                    error.kind(),
                    io::ErrorKind::NotFound
                        | io::ErrorKind::NotADirectory
                        | io::ErrorKind::IsADirectory
                ) =>
            {
                Err(cause(&error))
            }
            _ => Ok(()),
        })
        .await
    }

    pub(super) async fn list(&self, prefix: &str) -> Result<Vec<Object>, DirError> {
        // Only what is below the last slash of the prefix can match.
        let above = prefix.rsplit_once('/').map(|(above, _)| above.to_owned());
        let (root, prefix) = (self.root.clone(), prefix.to_owned());
        let start = match &above {
            Some(above) => self.path(above)?,
            None => root.clone(),
        };
        let failed = |error: &io::Error| {
            let (kind, detail) = cause(error);
            DirError {
                action: "list",
                path: start.clone(),
                kind,
                detail,
            }
        };
        let from = start.clone();
        blocking::run(move || {
            let mut objects = Vec::new();
            walk(&root, &from, &prefix, &mut objects)?;
            objects.sort_by(|a: &Object, b: &Object| a.key.cmp(&b.key));
            Ok(objects)
        })
        .await
        .map_err(|error: io::Error| failed(&error))
    }

    /// Does something with the path of a key, off the asynchronous threads.
    async fn blocking<T: Send + 'static>(
        &self,
        action: &'static str,
        key: &str,
        work: impl FnOnce(&Path) -> Result<T, Cause> + Send + 'static,
    ) -> Result<T, DirError> {
        let path = self.path(key)?;
        let inner = path.clone();
        blocking::run(move || work(&inner))
            .await
            .map_err(|(kind, detail)| DirError {
                action,
                path,
                kind,
                detail,
            })
    }
}

/// Opens a file; a directory is no key.
fn open(path: &Path) -> Result<File, Cause> {
    let file = File::open(path).map_err(|e| cause(&e))?;
    if file.metadata().map_err(|e| cause(&e))?.is_file() {
        Ok(file)
    } else {
        Err(cause(&io::ErrorKind::NotFound.into()))
    }
}

fn version_of(content: &[u8]) -> Version {
    Version(Sha1Sum::of(content).to_string())
}

fn check_version(path: &Path, version: &Version) -> Result<(), Cause> {
    let found = match Sha1Sum::of_file(path) {
        Ok(found) => Some(found.to_string()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(cause(&error)),
    };
    if found.as_ref() == Some(&version.0) {
        Ok(())
    } else {
        Err((ErrorKind::Changed, "it is no longer what it was".to_owned()))
    }
}

fn copy_checked(mut from: File, target: &Path, expected: &Expected) -> Result<Downloaded, Cause> {
    let local = |error: io::Error| {
        let detail = format!("writing {} failed: {error}", target.display());
        (ErrorKind::LocalFile, detail)
    };
    let pending = Pending::create(target).map_err(local)?;
    let mut buffer = vec![0; COPY];
    let mut hasher = (expected.sha1 != Sha1Check::Skip).then(Sha1::new);
    let mut size = 0;
    loop {
        let read = from.read(&mut buffer).map_err(|e| cause(&e))?;
        let piece = buffer.get(..read).unwrap_or_default();
        if piece.is_empty() {
            break;
        }
        if let Some(hasher) = &mut hasher {
            hasher.update(piece);
        }
        io::Write::write_all(&mut pending.file(), piece).map_err(local)?;
        size += read as u64;
    }
    let sha1 = hasher.map(Sha1::finish);
    expected
        .check(size, sha1)
        .map_err(|detail| (ErrorKind::Damaged, detail))?;
    pending.commit(Existing::Replace).map_err(local)?;
    Ok(Downloaded {
        size,
        sha1,
        version: None,
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
