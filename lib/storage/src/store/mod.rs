//! One place to keep things, a directory or an S3 prefix, behind one set of operations.
//!
//! Keys are relative to the root and spelled by `caldp_core::layout`. Both kinds behave the same (one
//! conformance suite, `tests/it/store.rs`), with the limits of their nature: a directory cannot hold
//! both `a` and `a/b`, and what lists a directory sees it as it is at that moment.
//! In both a key is there with its whole content or not at all.

mod dir;

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use tokio::io::AsyncRead;

use crate::hint::Hint;
use crate::s3::{
    self, Delimiter, Downloaded, ErrorKind, Expected, Head, Length, Object, Precondition, S3,
    S3Error, Stored, Version,
};
use crate::uri::{Location, S3Uri, UriError};
pub use dir::DirError;
use dir::DirStore;

/// A directory or an S3 prefix; cheap to clone.
#[derive(Debug, Clone)]
pub struct Store(Backend);

#[derive(Debug, Clone)]
enum Backend {
    Dir(DirStore),
    S3(S3, S3Uri),
}

/// A failed operation on a store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// On S3.
    #[error(transparent)]
    S3(#[from] S3Error),
    /// On disk.
    #[error(transparent)]
    Dir(#[from] DirError),
    /// With a key that cannot be one.
    #[error(transparent)]
    Key(#[from] UriError),
}

impl Hint for StoreError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::S3(error) => error.hint(),
            Self::Dir(error) => error.hint(),
            Self::Key(error) => error.hint(),
        }
    }
}

impl StoreError {
    /// What kind of failure this is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::S3(error) => error.kind(),
            Self::Dir(error) => error.kind(),
            Self::Key(_) => ErrorKind::Invalid,
        }
    }
}

/// A listing under way, in the byte order of keys.
#[derive(Debug)]
pub struct Listing<'a>(Pages<'a>);

#[derive(Debug)]
enum Pages<'a> {
    /// A directory is listed at once.
    Dir(Option<Vec<Object>>),
    /// With the length of what all keys start with and is not part of them.
    S3(s3::Lister<'a>, usize),
}

impl Listing<'_> {
    /// The next objects, or none after the last; their keys are relative to the store's root.
    ///
    /// # Errors
    /// As they come.
    pub async fn next_page(&mut self) -> Result<Option<Vec<Object>>, StoreError> {
        match &mut self.0 {
            Pages::Dir(objects) => Ok(objects.take()),
            Pages::S3(lister, root) => {
                let page = lister.next_page().await?;
                Ok(page.map(|mut page| {
                    for object in &mut page.objects {
                        object.key.drain(..*root);
                    }
                    page.objects
                }))
            }
        }
    }

    /// Everything that is left, in memory: for listings known to be small.
    ///
    /// # Errors
    /// As they come.
    pub async fn collect(mut self) -> Result<Vec<Object>, StoreError> {
        let mut all = Vec::new();
        while let Some(page) = self.next_page().await? {
            all.extend(page);
        }
        Ok(all)
    }
}

impl Store {
    /// A directory; it is made when something is put.
    pub fn dir(root: impl Into<PathBuf>) -> Self {
        Self(Backend::Dir(DirStore::new(root.into())))
    }

    /// A prefix on S3.
    pub fn s3(client: S3, root: S3Uri) -> Self {
        Self(Backend::S3(client, root))
    }

    /// The store at a location, on S3 with the client of the environment.
    pub async fn open(location: &Location) -> Self {
        match location {
            Location::Dir(path) => Self::dir(path),
            Location::S3(uri) => Self::s3(S3::from_env().await, uri.clone()),
        }
    }

    /// Where a key is, as a person would look for it: a URI, or a path.
    ///
    /// # Errors
    /// [`StoreError::Key`] for a text that cannot be a key.
    pub fn place(&self, key: &str) -> Result<Place, StoreError> {
        match &self.0 {
            Backend::Dir(dir) => Ok(Place::File(dir.path(key)?)),
            Backend::S3(_, root) => Ok(Place::S3(root.join(key)?)),
        }
    }

    /// Stores some bytes. See [`S3::put_bytes`] for what a lost answer does to a precondition.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`] or [`ErrorKind::Changed`] when the precondition fails.
    pub async fn put_bytes(
        &self,
        key: &str,
        body: impl Into<Bytes> + Send,
        precondition: &Precondition,
    ) -> Result<Stored, StoreError> {
        let body = body.into();
        match &self.0 {
            Backend::Dir(dir) => Ok(dir.put_bytes(key, body, precondition).await?),
            Backend::S3(s3, root) => Ok(s3.put_bytes(&root.join(key)?, body, precondition).await?),
        }
    }

    /// Stores a file, streamed.
    ///
    /// # Errors
    /// [`ErrorKind::LocalFile`] when it cannot be read or changes meanwhile.
    pub async fn put_file(&self, key: &str, path: &Path) -> Result<Stored, StoreError> {
        match &self.0 {
            Backend::Dir(dir) => Ok(dir.put_file(key, path).await?),
            Backend::S3(s3, root) => Ok(s3.put_file(&root.join(key)?, path).await?),
        }
    }

    /// Stores what a reader gives, which must be as long as was said.
    ///
    /// # Errors
    /// [`ErrorKind::LocalFile`] when reading fails or gives another size. Nothing appears then.
    pub async fn put_stream(
        &self,
        key: &str,
        reader: impl AsyncRead + Unpin + Send,
        length: Length,
    ) -> Result<Stored, StoreError> {
        match &self.0 {
            Backend::Dir(dir) => Ok(dir.put_stream(key, reader, length).await?),
            Backend::S3(s3, root) => Ok(s3.put_stream(&root.join(key)?, reader, length).await?),
        }
    }

    /// The content of a key of at most `max` bytes, and its version.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], or [`ErrorKind::TooLarge`] for a larger one.
    pub async fn get_bytes(
        &self,
        key: &str,
        max: usize,
    ) -> Result<(Bytes, Option<Version>), StoreError> {
        match &self.0 {
            Backend::Dir(dir) => Ok(dir.get_bytes(key, max).await?),
            Backend::S3(s3, root) => Ok(s3.get_bytes(&root.join(key)?, max).await?),
        }
    }

    /// Copies the content of a key to a file, which appears complete and checked or not at all.
    ///
    /// # Errors
    /// As for [`S3::get_to_file`].
    pub async fn get_to_file(
        &self,
        key: &str,
        target: &Path,
        expected: &Expected,
    ) -> Result<Downloaded, StoreError> {
        match &self.0 {
            Backend::Dir(dir) => Ok(dir.get_to_file(key, target, expected).await?),
            Backend::S3(s3, root) => Ok(s3.get_to_file(&root.join(key)?, target, expected).await?),
        }
    }

    /// What is known of a key without reading it, or none when it is not there. A directory does
    /// not know versions here.
    ///
    /// # Errors
    /// As they come.
    pub async fn head(&self, key: &str) -> Result<Option<Head>, StoreError> {
        let head = match &self.0 {
            Backend::Dir(dir) => dir.head(key).await.map_err(StoreError::Dir),
            Backend::S3(s3, root) => s3.head(&root.join(key)?).await.map_err(StoreError::S3),
        };
        match head {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            other => other.map(Some),
        }
    }

    /// Lists the keys that start with `prefix`, which may end within a name.
    ///
    /// # Errors
    /// When a directory cannot be read.
    pub async fn list(&self, prefix: &str) -> Result<Listing<'_>, StoreError> {
        match &self.0 {
            Backend::Dir(dir) => Ok(Listing(Pages::Dir(Some(dir.list(prefix).await?)))),
            Backend::S3(s3, root) => {
                let start = match root.key() {
                    "" => String::new(),
                    key => format!("{key}/"),
                };
                let lister = s3.list(root.bucket(), &format!("{start}{prefix}"), Delimiter::None);
                Ok(Listing(Pages::S3(lister, start.len())))
            }
        }
    }

    /// Deletes a key; that it is not there is no error.
    ///
    /// # Errors
    /// As they come.
    pub async fn delete(&self, key: &str) -> Result<(), StoreError> {
        match &self.0 {
            Backend::Dir(dir) => Ok(dir.delete(key).await?),
            Backend::S3(s3, root) => Ok(s3.delete(&root.join(key)?).await?),
        }
    }

    /// Deletes any number of keys.
    ///
    /// # Errors
    /// The first failure; what was deleted before stays deleted.
    pub async fn delete_many(&self, keys: &[String]) -> Result<(), StoreError> {
        match &self.0 {
            Backend::Dir(dir) => {
                for key in keys {
                    dir.delete(key).await?;
                }
                Ok(())
            }
            Backend::S3(s3, root) => {
                let absolute = |key: &String| Ok(root.join(key)?.key().to_owned());
                let keys: Vec<String> = keys
                    .iter()
                    .map(absolute)
                    .collect::<Result<_, StoreError>>()?;
                Ok(s3.delete_many(root.bucket(), &keys).await?)
            }
        }
    }
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Backend::Dir(dir) => write!(f, "file:{}", dir.root().display()),
            Backend::S3(_, root) => root.fmt(f),
        }
    }
}

/// Where a key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A file, by its path as the root was given.
    File(PathBuf),
    /// An object.
    S3(S3Uri),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::S3(uri) => uri.fmt(f),
        }
    }
}
