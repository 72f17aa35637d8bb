//! One place to keep things behind one set of operations.
//!
//! A [`Store`] is a directory ([`Dir`]), a prefix on S3 ([`S3Prefix`]) or, for tests and examples,
//! this process ([`Memory`]); [`Failing`] makes any of them fail. All behave the same (one suite of
//! tests runs on all), with the limits of their nature: a directory cannot hold both `a` and `a/b`,
//! and what lists a directory sees it as it is at that moment. In all of them a key is there with
//! its whole content or not at all. What keys mean is for the caller.

mod dir;
mod failing;
mod memory;
mod s3;

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use tokio::io::AsyncRead;

use crate::checksum::Expected;
use crate::error::AttemptError;
use crate::object::{
    Content, Downloaded, Head, Length, Object, OnBytes, Part, Precondition, Stored, Version,
};
use crate::s3::S3;
use crate::uri::{Location, S3Uri};

pub use crate::error::{ErrorKind, StoreError};
pub use dir::Dir;
pub use failing::{Failing, Fault, Moment, Operation};
pub use memory::Memory;
pub use s3::S3Prefix;

/// What an operation will come to.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

/// What gives the content of a key.
pub type Reader<'a> = &'a mut (dyn AsyncRead + Unpin + Send);

/// A place that keeps things by their keys, which are relative to its root: `some/name`, without a
/// slash at either end and without empty, `.` or `..` parts. Every operation fails with
/// [`ErrorKind::Invalid`] for a text that cannot be a key. Displays as the URI of its root.
pub trait Store: fmt::Debug + fmt::Display + Send + Sync {
    /// Where a key is, as a person would look for it.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for a text that cannot be a key.
    fn place(&self, key: &str) -> Result<Place, StoreError>;

    /// Stores some bytes. See [`S3::put_bytes`] for what a lost answer does to a precondition.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`] or [`ErrorKind::Changed`] when the precondition fails.
    fn put_bytes<'a>(
        &'a self,
        key: &'a str,
        body: Bytes,
        precondition: &'a Precondition,
    ) -> Answer<'a, Stored>;

    /// Stores a file, streamed.
    ///
    /// # Errors
    /// [`ErrorKind::LocalFile`] when it cannot be read or changes meanwhile.
    fn put_file<'a>(&'a self, key: &'a str, path: &'a Path) -> Answer<'a, Stored>;

    /// Stores what a reader gives, which must be as long as was said.
    ///
    /// # Errors
    /// [`ErrorKind::LocalFile`] when reading fails or gives another size. Nothing appears then.
    fn put_stream<'a>(
        &'a self,
        key: &'a str,
        reader: Reader<'a>,
        length: Length,
    ) -> Answer<'a, Stored>;

    /// The content of a key of at most `max` bytes, and its version.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], or [`ErrorKind::TooLarge`] for a larger one.
    fn get_bytes<'a>(&'a self, key: &'a str, max: usize) -> Answer<'a, (Bytes, Option<Version>)>;

    /// The same, and whether the store gave a checksum with it, which then has been compared.
    ///
    /// # Errors
    /// As for [`Store::get_bytes`].
    fn get_content<'a>(&'a self, key: &'a str, max: usize) -> Answer<'a, Content> {
        Box::pin(async move {
            let (bytes, version) = self.get_bytes(key, max).await?;
            Ok(Content {
                bytes,
                version,
                checked_by_store: false,
            })
        })
    }

    /// The bytes of a range of a key's content, held in memory: fewer where the content ends before
    /// the range does, none where it ends before the range begins.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], others as they come.
    fn get_range<'a>(&'a self, key: &'a str, range: Range<u64>) -> Answer<'a, Part>;

    /// Copies the content of a key to a file, which appears complete and checked or not at all.
    /// Directories above it are made; what was there is replaced.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], [`ErrorKind::Damaged`] when it is not what is expected (see
    /// [`StoreError::mismatch`]), [`ErrorKind::LocalFile`] when it cannot be written.
    fn get_to_file<'a>(
        &'a self,
        key: &'a str,
        target: &'a Path,
        expected: Expected,
        on_bytes: OnBytes<'a>,
    ) -> Answer<'a, Downloaded>;

    /// What is known of a key without reading it, or none when it is not there. A directory does
    /// not know versions here.
    ///
    /// # Errors
    /// As they come.
    fn head<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Head>>;

    /// Lists the keys that start with `prefix`, which may end within a name.
    fn list(&self, prefix: &str) -> Listing<'_>;

    /// Deletes a key; that it is not there is no error.
    ///
    /// # Errors
    /// As they come.
    fn delete<'a>(&'a self, key: &'a str) -> Answer<'a, ()>;

    /// Deletes any number of keys.
    ///
    /// # Errors
    /// The first failure; what was deleted before stays deleted.
    fn delete_many<'a>(&'a self, keys: &'a [String]) -> Answer<'a, ()> {
        Box::pin(async move {
            for key in keys {
                self.delete(key).await?;
            }
            Ok(())
        })
    }
}

/// The store at a location, on S3 with the client of the environment.
pub async fn open(location: &Location) -> Arc<dyn Store> {
    match location {
        Location::Dir(path) => Arc::new(Dir::new(path)),
        Location::S3(uri) => Arc::new(S3Prefix::new(S3::from_env().await, uri.clone())),
    }
}

/// A listing under way, in the byte order of keys.
pub struct Listing<'a>(BoxStream<'a, Result<Vec<Object>, StoreError>>);

impl<'a> Listing<'a> {
    /// Everything at once.
    fn once(objects: impl Future<Output = Result<Vec<Object>, StoreError>> + Send + 'a) -> Self {
        Self(stream::once(objects).boxed())
    }

    /// The next objects, or none after the last; their keys are relative to the store's root.
    ///
    /// # Errors
    /// As they come; the listing can be continued after an error.
    pub async fn next_page(&mut self) -> Result<Option<Vec<Object>>, StoreError> {
        self.0.next().await.transpose()
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

impl fmt::Debug for Listing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Listing")
    }
}

/// Where a key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A file, by its path as the root was given.
    File(PathBuf),
    /// An object.
    S3(S3Uri),
    /// In this process, by its key.
    Memory(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::S3(uri) => uri.fmt(f),
            Self::Memory(key) => write!(f, "memory:{key}"),
        }
    }
}

/// What a key holds, or none when it is not there or larger than `max` bytes: for documents that are
/// nothing of the caller's when they are larger.
///
/// # Errors
/// As they come otherwise.
pub async fn bytes_if_there(
    store: &dyn Store,
    key: &str,
    max: usize,
) -> Result<Option<Bytes>, StoreError> {
    let content = content_if_there(store, key, max).await?;
    Ok(content.map(|content| content.bytes))
}

/// As [`bytes_if_there`], with what else the store says of it.
///
/// # Errors
/// As they come otherwise.
pub async fn content_if_there(
    store: &dyn Store,
    key: &str,
    max: usize,
) -> Result<Option<Content>, StoreError> {
    match store.get_content(key, max).await {
        Ok(content) => Ok(Some(content)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::TooLarge) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The failure of a text that cannot be a key.
fn refused(key: &str, reason: &'static str) -> StoreError {
    StoreError::new(
        "use the key",
        key,
        AttemptError::new(ErrorKind::Invalid, reason),
    )
}

/// That a key is not there is an answer, not a failure.
fn found(head: Result<Head, StoreError>) -> Result<Option<Head>, StoreError> {
    match head {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        head => head.map(Some),
    }
}
