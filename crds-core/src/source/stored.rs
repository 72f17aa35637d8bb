//! Files of a store: a folder, such as a mounted cache or bucket, or object storage. The public
//! bucket of the archive is read without credentials.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use storage::store::{Dir, ErrorKind, S3Prefix, Store, StoreError};
use storage::uri::S3Uri;

use super::{Connections, MAX_IN_MEMORY, OnBytes, Source, SourceError};
use crate::cache::verified_file::{Expected, VerifyError};
use crate::names::FileName;

/// The files directly below the root of a store.
#[derive(Debug)]
pub(super) enum Stored {
    /// In a folder.
    Dir(std::path::PathBuf, Dir),
    /// In object storage, with a client that is made when first needed.
    S3(S3Uri, Arc<Connections>),
}

impl Stored {
    pub(super) fn dir(folder: &Path) -> Self {
        Self::Dir(folder.to_owned(), Dir::new(folder))
    }

    pub(super) fn s3(folder: S3Uri, connections: Arc<Connections>) -> Self {
        Self::S3(folder, connections)
    }

    async fn store(&self) -> Arc<dyn Store> {
        match self {
            Self::Dir(_, dir) => Arc::new(dir.clone()),
            Self::S3(folder, connections) => {
                let client = connections.s3(folder.bucket()).await;
                Arc::new(S3Prefix::new(client.clone(), folder.clone()))
            }
        }
    }

    fn failed(&self, name: &FileName, error: StoreError) -> SourceError {
        let location = self.location(name);
        match error.kind() {
            ErrorKind::NotFound => SourceError::NotFound { location },
            ErrorKind::TooLarge => SourceError::TooLarge {
                location,
                limit: MAX_IN_MEMORY,
            },
            _ => SourceError::Store(error),
        }
    }
}

impl Source for Stored {
    fn location(&self, name: &FileName) -> String {
        match self {
            Self::Dir(folder, _) => folder.join(name.as_str()).display().to_string(),
            Self::S3(folder, _) => format!("{folder}/{name}"),
        }
    }

    fn read<'a>(&'a self, name: &'a FileName) -> BoxFuture<'a, Result<Bytes, SourceError>> {
        Box::pin(async move {
            let max = usize::try_from(MAX_IN_MEMORY).unwrap_or(usize::MAX);
            let read = self.store().await.get_bytes(name.as_str(), max).await;
            let (content, _) = read.map_err(|error| self.failed(name, error))?;
            Ok(content)
        })
    }

    fn fetch<'a>(
        &'a self,
        name: &'a FileName,
        target: &'a Path,
        expected: Expected,
        on_bytes: OnBytes<'a>,
    ) -> BoxFuture<'a, Result<u64, SourceError>> {
        Box::pin(async move {
            let store = self.store().await;
            let fetched = store.get_to_file(name.as_str(), target, expected, on_bytes);
            match fetched.await {
                Ok(downloaded) => Ok(downloaded.size),
                Err(error) => Err(match error.mismatch() {
                    Some(mismatch) => SourceError::Verify {
                        location: self.location(name),
                        problem: VerifyError::new(target, mismatch),
                    },
                    None => self.failed(name, error),
                }),
            }
        })
    }
}
