//! Files of a web server, such as the `unchecked_get` folders of CRDS.

use std::path::Path;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use reqwest::StatusCode;
use storage::atomic::CheckedWriter;
use storage::retry::{Failure, RetryStats};

use super::{Connections, MAX_IN_MEMORY, OnBytes, Source, SourceError};
use crate::cache::verified_file::{Expected, VerifyError};
use crate::names::FileName;

/// A folder on a web server; the URL ends with a slash.
#[derive(Debug)]
pub(super) struct Http {
    folder: String,
    connections: Arc<Connections>,
}

impl Http {
    pub(super) fn new(folder: String, connections: Arc<Connections>) -> Self {
        Self {
            folder,
            connections,
        }
    }

    async fn get(&self, location: &str) -> Result<reqwest::Response, Failure<SourceError>> {
        let client = self.connections.http().map_err(Failure::Permanent)?;
        let request = client.get(location).send().await;
        usable(
            location,
            request.map_err(|error| transfer(location, &error))?,
        )
    }

    async fn content(&self, location: &str) -> Result<Bytes, Failure<SourceError>> {
        let response = self.get(location).await?;
        bounded(location, response).await
    }

    async fn copy(
        &self,
        location: &str,
        target: &Path,
        expected: Expected,
        on_bytes: OnBytes<'_>,
    ) -> Result<u64, Failure<SourceError>> {
        let mut response = self.get(location).await?;
        let file = CheckedWriter::start(target, expected);
        loop {
            let piece = response.chunk().await;
            let Some(piece) = piece.map_err(|error| transfer(location, &error))? else {
                break;
            };
            let size = piece.len() as u64;
            if !file.write(piece).await {
                break;
            }
            on_bytes(size);
        }
        let written = file.commit().await;
        written.map_err(|error| mismatch(location, VerifyError::new(target, error)))
    }
}

/// Another try may bring what was expected.
fn mismatch(location: &str, problem: VerifyError) -> Failure<SourceError> {
    let transient = problem.is_mismatch();
    let error = SourceError::Verify {
        location: location.to_owned(),
        problem,
    };
    if transient {
        Failure::Transient(error)
    } else {
        Failure::Permanent(error)
    }
}

/// A failure of the connection, with what caused it.
pub(super) fn transfer(location: &str, error: &reqwest::Error) -> Failure<SourceError> {
    let mut reason = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        reason = inner.to_string();
        cause = inner.source();
    }
    if error.is_timeout() {
        "it took too long".clone_into(&mut reason);
    }
    let error = SourceError::Transfer {
        location: location.to_owned(),
        reason,
        stats: RetryStats::ONCE,
    };
    Failure::Transient(error)
}

/// The answer, if it is the one that was asked for.
pub(super) fn usable(
    location: &str,
    response: reqwest::Response,
) -> Result<reqwest::Response, Failure<SourceError>> {
    let status = response.status();
    let location = location.to_owned();
    if status.is_success() {
        Ok(response)
    } else if matches!(status, StatusCode::NOT_FOUND | StatusCode::GONE) {
        Err(Failure::Permanent(SourceError::NotFound { location }))
    } else if status.is_server_error()
        || matches!(
            status,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS
        )
    {
        Err(Failure::Transient(SourceError::Transfer {
            location,
            reason: format!("the server answers {status}"),
            stats: RetryStats::ONCE,
        }))
    } else {
        Err(Failure::Permanent(SourceError::Refused {
            location,
            reason: format!("the server answers {status}"),
        }))
    }
}

/// The body of an answer, if it is not absurdly large.
pub(super) async fn bounded(
    location: &str,
    mut response: reqwest::Response,
) -> Result<Bytes, Failure<SourceError>> {
    let mut content = BytesMut::new();
    loop {
        let piece = response.chunk().await;
        let Some(piece) = piece.map_err(|error| transfer(location, &error))? else {
            return Ok(content.freeze());
        };
        content.extend_from_slice(&piece);
        if u64::try_from(content.len()).is_ok_and(|size| size > MAX_IN_MEMORY) {
            return Err(Failure::Permanent(SourceError::TooLarge {
                location: location.to_owned(),
                limit: MAX_IN_MEMORY,
            }));
        }
    }
}

impl Source for Http {
    fn location(&self, name: &FileName) -> String {
        format!("{}{name}", self.folder)
    }

    fn read<'a>(&'a self, name: &'a FileName) -> BoxFuture<'a, Result<Bytes, SourceError>> {
        let location = self.location(name);
        Box::pin(async move { self.connections.retry(|| self.content(&location)).await })
    }

    fn fetch<'a>(
        &'a self,
        name: &'a FileName,
        target: &'a Path,
        expected: Expected,
        on_bytes: OnBytes<'a>,
    ) -> BoxFuture<'a, Result<u64, SourceError>> {
        let location = self.location(name);
        Box::pin(async move {
            let copy = || self.copy(&location, target, expected, on_bytes);
            self.connections.retry(copy).await
        })
    }
}
