//! Connections that sources share, made when first needed: a run whose files are all in the cache
//! makes none.

use std::sync::OnceLock;
use std::time::Duration;

use storage::retry::{Failure, GaveUp, RetryPolicy};
use storage::s3::{Access, S3, S3Options};
use tokio::sync::OnceCell;

use super::SourceError;
use crate::config::Config;

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(30);

/// The user agent, for the logs of servers.
const AGENT: &str = concat!("crds-core/", env!("CARGO_PKG_VERSION"));

/// Everyone may read it, and requests with someone's signature may be refused.
const PUBLIC_BUCKET: &str = "stpubdata";

/// The connections of one client.
#[derive(Debug)]
pub(crate) struct Connections {
    policy: RetryPolicy,
    delay: Duration,
    timeout: Duration,
    http: OnceLock<reqwest::Client>,
    signed: OnceCell<S3>,
    public: OnceCell<S3>,
}

impl Connections {
    /// None yet, to be made and used as the settings say.
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            policy: RetryPolicy {
                tries: config.retry_count,
                total: Duration::MAX,
                base: Duration::ZERO,
                cap: Duration::ZERO,
            },
            delay: config.retry_delay,
            timeout: config.timeout,
            http: OnceLock::new(),
            signed: OnceCell::new(),
            public: OnceCell::new(),
        }
    }

    /// With a client that is there already, for every bucket that is read with a signature.
    #[cfg(test)]
    pub(super) fn with_s3(self, client: S3) -> Self {
        Self {
            signed: OnceCell::new_with(Some(client)),
            ..self
        }
    }

    /// The client for a bucket of object storage.
    pub(super) async fn s3(&self, bucket: &str) -> &S3 {
        let (cell, access) = if bucket == PUBLIC_BUCKET {
            (&self.public, Access::Anonymous)
        } else {
            (&self.signed, Access::Environment)
        };
        cell.get_or_init(|| {
            S3::new(S3Options {
                access,
                ..S3Options::default()
            })
        })
        .await
    }

    /// The client for web servers.
    pub(super) fn http(&self) -> Result<&reqwest::Client, SourceError> {
        if let Some(client) = self.http.get() {
            return Ok(client);
        }
        let client = reqwest::Client::builder()
            .user_agent(AGENT)
            .connect_timeout(CONNECT.min(self.timeout))
            .read_timeout(self.timeout)
            .build()
            .map_err(|error| SourceError::Location {
                location: "the network".to_owned(),
                reason: error.to_string(),
            })?;
        Ok(self.http.get_or_init(|| client))
    }

    /// Tries as often as `CRDS_CLIENT_RETRY_COUNT` says, `CRDS_CLIENT_RETRY_DELAY_SECONDS` apart.
    pub(super) async fn retry<T, F, A>(&self, attempt: F) -> Result<T, SourceError>
    where
        F: Fn() -> A,
        A: Future<Output = Result<T, Failure<SourceError>>>,
    {
        let tried = self.policy.run(ToString::to_string, |tries| {
            let pause = if tries > 1 {
                self.delay
            } else {
                Duration::ZERO
            };
            let attempt = &attempt;
            async move {
                tokio::time::sleep(pause).await;
                attempt().await
            }
        });
        tried.await.map_err(|GaveUp { error, stats }| match error {
            SourceError::Transfer {
                location, reason, ..
            } => SourceError::Transfer {
                location,
                reason,
                stats,
            },
            error => error,
        })
    }
}
