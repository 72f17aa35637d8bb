//! Files in object storage. The public bucket of the archive is read without credentials.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use storage::s3::{Access, ErrorKind, S3Error, S3Options, Sha1Check};
use storage::uri::S3Uri;
use tokio::sync::OnceCell;

use super::{Connections, MAX_IN_MEMORY, OnBytes, Source, SourceError};
use crate::cache::FileName;
use crate::cache::place::{Expected, PlaceError};

/// Everyone may read it, and requests with someone's signature may be refused.
const PUBLIC_BUCKET: &str = "stpubdata";

/// The clients of object storage, made when first needed.
#[derive(Debug, Default)]
pub(super) struct Clients {
    signed: OnceCell<storage::s3::S3>,
    public: OnceCell<storage::s3::S3>,
}

impl Clients {
    /// One that is there already, for everything that is signed.
    #[cfg(test)]
    pub(super) fn with(client: storage::s3::S3) -> Self {
        Self {
            signed: OnceCell::new_with(Some(client)),
            public: OnceCell::new(),
        }
    }

    async fn of(&self, bucket: &str) -> &storage::s3::S3 {
        let (cell, access) = if bucket == PUBLIC_BUCKET {
            (&self.public, Access::Anonymous)
        } else {
            (&self.signed, Access::Environment)
        };
        cell.get_or_init(|| {
            storage::s3::S3::new(S3Options {
                access,
                ..S3Options::default()
            })
        })
        .await
    }
}

/// A prefix in a bucket.
#[derive(Debug)]
pub(super) struct S3 {
    folder: S3Uri,
    connections: Arc<Connections>,
}

impl S3 {
    pub(super) fn new(folder: S3Uri, connections: Arc<Connections>) -> Self {
        Self {
            folder,
            connections,
        }
    }

    async fn client(&self) -> &storage::s3::S3 {
        self.connections.s3.of(self.folder.bucket()).await
    }

    fn object(&self, name: &FileName) -> Result<S3Uri, SourceError> {
        let joined = self.folder.join(name.as_str());
        joined.map_err(|error| SourceError::Location {
            location: format!("{}/{name}", self.folder),
            reason: error.to_string(),
        })
    }

    async fn content(&self, name: &FileName) -> Result<Bytes, SourceError> {
        let object = self.object(name)?;
        let max = usize::try_from(MAX_IN_MEMORY).unwrap_or(usize::MAX);
        let read = self.client().await.get_bytes(&object, max).await;
        read.map(|(content, _)| content)
            .map_err(|error| failed(&object, &error))
    }

    async fn copy(
        &self,
        name: &FileName,
        target: &Path,
        expected: Expected,
    ) -> Result<u64, SourceError> {
        let object = self.object(name)?;
        let client = self.client().await;
        let checks = storage::s3::Expected {
            size: expected.size,
            sha1: expected.sha1.map_or(Sha1Check::Skip, Sha1Check::Equals),
        };
        match client.get_to_file(&object, target, &checks).await {
            Ok(downloaded) => Ok(downloaded.size),
            Err(error) if error.kind() == ErrorKind::Damaged => {
                let found = client.head(&object).await.map(|head| head.size);
                Err(match (expected.size, found) {
                    (Some(expected), Ok(found)) if expected != found => SourceError::Place {
                        location: object.to_string(),
                        problem: PlaceError::Size {
                            path: target.to_owned(),
                            expected,
                            found,
                        },
                    },
                    _ => failed(&object, &error),
                })
            }
            Err(error) => Err(failed(&object, &error)),
        }
    }
}

fn failed(object: &S3Uri, error: &S3Error) -> SourceError {
    let location = object.to_string();
    let reason = error.to_string();
    match error.kind() {
        ErrorKind::NotFound => SourceError::NotFound { location },
        ErrorKind::Damaged => SourceError::Damaged { location, reason },
        ErrorKind::NoSuchBucket
        | ErrorKind::AccessDenied
        | ErrorKind::NoCredentials
        | ErrorKind::WrongRegion
        | ErrorKind::Invalid => SourceError::Refused { location, reason },
        ErrorKind::TooLarge => SourceError::TooLarge {
            location,
            limit: MAX_IN_MEMORY,
        },
        _ => SourceError::Transfer {
            location,
            reason,
            effort: error.effort(),
        },
    }
}

impl Source for S3 {
    fn location(&self, name: &FileName) -> String {
        format!("{}/{name}", self.folder)
    }

    fn read<'a>(&'a self, name: &'a FileName) -> BoxFuture<'a, Result<Bytes, SourceError>> {
        Box::pin(self.content(name))
    }

    fn fetch<'a>(
        &'a self,
        name: &'a FileName,
        target: &'a Path,
        expected: Expected,
        on_bytes: OnBytes<'a>,
    ) -> BoxFuture<'a, Result<u64, SourceError>> {
        Box::pin(async move {
            let size = self.copy(name, target, expected).await?;
            on_bytes(size);
            Ok(size)
        })
    }
}
