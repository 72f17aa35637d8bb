//! The S3 client: the few operations the system needs, each bounded in time, memory and requests.
//!
//! Retries are ours alone ([`RetryPolicy`]); those of the SDK are off, because they end where a
//! body begins. Whatever is streamed is streamed through buffers of a fixed number and size, so
//! memory does not grow with the size or number of objects:
//! [`get_to_file`](S3::get_to_file) in parallel ranges, [`put_stream`](S3::put_stream) in parallel
//! parts.

mod classify;
mod codes;
mod delete;
mod download;
mod list;
mod media_type;
mod parts;
mod range;
mod range_writer;
mod regions;
mod upload;

pub use crate::checksum::Expected;
pub use crate::error::{ErrorKind, StoreError};
pub use crate::object::{
    Content, Downloaded, Head, Length, Object, Part, Precondition, Stored, Version,
};
pub use list::{Delimiter, Lister, Page};

use std::env;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{Credentials, Region, StalledStreamProtectionConfig};
use aws_sdk_s3::primitives::ByteStream;
use bytes::{Bytes, BytesMut};
use tokio::sync::Semaphore;

use crate::error::AttemptError;
use crate::retry::{Failure, RetryPolicy};
use crate::uri::S3Uri;
use classify::classify;
use regions::Regions;

/// Where `stpubdata` and, by habit, everything without a region is.
const DEFAULT_REGION: &str = "us-east-1";

/// How requests identify their sender.
#[derive(Debug, Clone, Default)]
pub enum Access {
    /// With the credentials of the environment: variables, profile, role of the machine or job.
    #[default]
    Environment,
    /// With an access key id and its secret.
    Key {
        /// The access key id.
        id: String,
        /// The secret.
        secret: String,
    },
    /// Not at all, for public buckets such as `stpubdata`.
    Anonymous,
}

/// The bounds on waiting for a server.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// For a connection.
    pub connect: Duration,
    /// From sending a request to the head of its answer; sending the body of an upload counts.
    pub answer: Duration,
    /// Between two pieces of the body of an answer.
    pub idle: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            answer: Duration::from_mins(1),
            idle: Duration::from_secs(20),
        }
    }
}

/// What a client is made of.
#[derive(Debug, Clone, Default)]
pub struct S3Options {
    /// Who asks.
    pub access: Access,
    /// The server, when it is not AWS; `AWS_ENDPOINT_URL` when not given. `{region}` in it stands for the
    /// region of the bucket that is asked.
    pub endpoint: Option<String>,
    /// What is tried again.
    pub retry: RetryPolicy,
    /// How long is waited.
    pub timeouts: Timeouts,
}

/// A client of S3; cheap to clone. What is bounded is bounded over all clones together.
#[derive(Debug, Clone)]
pub struct S3 {
    regions: Regions,
    /// Where it was said to be, if it was.
    server: Option<Arc<str>>,
    retry: RetryPolicy,
    timeouts: Timeouts,
    /// One permit for each range of a download that is under way, over all downloads.
    ranges: Arc<Semaphore>,
    /// How many downloads in ranges are under way.
    downloads: Arc<AtomicUsize>,
    /// One permit for each MiB of parts of uploads in memory, over all uploads.
    parts: Arc<Semaphore>,
}

impl S3 {
    /// A client for the environment: `AWS_*` variables, profiles, roles.
    pub async fn from_env() -> Self {
        Self::new(S3Options::default()).await
    }

    /// A client of one's own making. A server other than AWS is addressed path-style.
    pub async fn new(options: S3Options) -> Self {
        let S3Options {
            access,
            endpoint,
            retry,
            timeouts,
        } = options;
        let mut loader = aws_config::from_env()
            .retry_config(RetryConfig::disabled())
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(timeouts.connect)
                    .read_timeout(timeouts.answer)
                    // of answers that are not streamed, their bodies count too
                    .operation_attempt_timeout(timeouts.answer)
                    .build(),
            )
            .stalled_stream_protection(
                // downloads have the idle timeout
                StalledStreamProtectionConfig::enabled()
                    .download_enabled(false)
                    .grace_period(timeouts.idle)
                    .build(),
            );
        match access {
            Access::Environment => {}
            Access::Key { id, secret } => {
                let key = Credentials::new(id, secret, None, None, "given");
                // looking for a region further away would wait for a metadata service
                loader = loader.credentials_provider(key).region(nearby_region());
            }
            Access::Anonymous => {
                loader = loader.no_credentials().region(nearby_region());
            }
        }
        if let Some(template) = &endpoint {
            let first = regions::endpoint(template, nearby_region().as_ref());
            loader = loader.endpoint_url(first);
        }
        let config = loader.load().await;
        let of_s3 = env::var("AWS_ENDPOINT_URL_S3").ok();
        let server = endpoint
            .as_deref()
            .or(of_s3.as_deref())
            .or(config.endpoint_url());
        let server: Option<Arc<str>> = server.map(Arc::from);
        let mut builder =
            aws_sdk_s3::config::Builder::from(&config).force_path_style(server.is_some());
        if config.region().is_none() {
            builder = builder.region(Region::from_static(DEFAULT_REGION));
        }
        Self {
            regions: Regions::new(Client::from_conf(builder.build()), endpoint.as_deref()),
            server,
            retry,
            timeouts,
            ranges: Arc::new(Semaphore::new(download::RANGES_IN_FLIGHT)),
            downloads: Arc::default(),
            parts: Arc::new(Semaphore::new(parts::ROOM)),
        }
    }

    /// What is known of an object.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is none, others as they come.
    pub async fn head(&self, uri: &S3Uri) -> Result<Head, StoreError> {
        self.retry("look at", uri.bucket(), uri, |_| async move {
            let answer = self
                .client(uri.bucket())
                .head_object()
                .bucket(uri.bucket())
                .key(uri.key())
                .send()
                .await
                .map_err(classify)?;
            Ok(Head {
                size: size(answer.content_length)?,
                version: answer.e_tag.map(Version),
                modified: answer.last_modified.and_then(timestamp),
            })
        })
        .await
    }

    /// The content of an object of at most `max` bytes, with its version.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`] for a larger one, [`ErrorKind::NotFound`] when there is none.
    pub async fn get_bytes(
        &self,
        uri: &S3Uri,
        max: usize,
    ) -> Result<(Bytes, Option<Version>), StoreError> {
        let content = self.get_content(uri, max).await?;
        Ok((content.bytes, content.version))
    }

    /// The same, and whether it came with a checksum.
    ///
    /// # Errors
    /// As for [`S3::get_bytes`].
    pub async fn get_content(&self, uri: &S3Uri, max: usize) -> Result<Content, StoreError> {
        self.retry("read", uri.bucket(), uri, |_| {
            self.try_get_content(uri, max)
        })
        .await
    }

    async fn try_get_content(
        &self,
        uri: &S3Uri,
        max: usize,
    ) -> Result<Content, Failure<AttemptError>> {
        let too_large = || Failure::Permanent(AttemptError::too_large(max));
        let answer = self
            .client(uri.bucket())
            .get_object()
            .bucket(uri.bucket())
            .key(uri.key())
            .send()
            .await
            .map_err(classify)?;
        let expected = size(answer.content_length)?;
        if expected > max as u64 {
            return Err(too_large());
        }
        // Where the answer has one of these, the SDK compares it at the end of the body.
        let sums = [
            &answer.checksum_crc32,
            &answer.checksum_crc32_c,
            &answer.checksum_crc64_nvme,
            &answer.checksum_sha1,
            &answer.checksum_sha256,
        ];
        // One of several parts, which has a dash, it cannot compare.
        let checked_by_store = sums.iter().copied().flatten().any(|sum| !sum.contains('-'));
        let mut body = answer.body;
        let mut content = BytesMut::with_capacity(usize::try_from(expected).unwrap_or_default());
        while let Some(chunk) = self.next_chunk(&mut body).await? {
            if content.len() + chunk.len() > max {
                return Err(too_large());
            }
            content.extend_from_slice(&chunk);
        }
        if content.len() as u64 != expected {
            return Err(AttemptError::unreachable("the answer broke off"));
        }
        Ok(Content {
            bytes: content.freeze(),
            version: answer.e_tag.map(Version),
            checked_by_store,
        })
    }

    /// Copies an object of at most 5 GiB within S3.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is no source.
    pub async fn copy(&self, from: &S3Uri, to: &S3Uri) -> Result<(), StoreError> {
        let source = format!("{}/{}", from.bucket(), percent_encoded(from.key()));
        self.retry("copy", to.bucket(), from, |_| {
            let request = self
                .client(to.bucket())
                .copy_object()
                .copy_source(&source)
                .bucket(to.bucket())
                .key(to.key());
            async move { request.send().await.map(drop).map_err(classify) }
        })
        .await
    }

    /// The client for a bucket's region.
    fn client(&self, bucket: &str) -> Client {
        self.regions.client(bucket)
    }

    /// Follows the policy, and the bucket to its region, and says what was tried on what.
    async fn retry<T, F, A>(
        &self,
        action: &'static str,
        bucket: &str,
        place: &impl std::fmt::Display,
        mut attempt: F,
    ) -> Result<T, StoreError>
    where
        F: FnMut(u32) -> A,
        A: Future<Output = Result<T, Failure<AttemptError>>>,
    {
        let attempt = |number| {
            // Boxed, so that what waits for it does not grow.
            let attempt = Box::pin(attempt(number));
            async move {
                attempt
                    .await
                    .map_err(|failure| self.followed(bucket, failure))
            }
        };
        let at = self.server.as_deref().map(|server| format!(" at {server}"));
        let at = at.unwrap_or_default();
        let words = |error: &AttemptError| format!("cannot {action} {place}{at} yet: {error}");
        self.retry
            .run(words, attempt)
            .await
            .map_err(|gave_up| StoreError::gave_up(action, place, gave_up))
    }

    fn followed(&self, bucket: &str, failure: Failure<AttemptError>) -> Failure<AttemptError> {
        match failure {
            Failure::Permanent(error) | Failure::Transient(error)
                if error
                    .region()
                    .is_some_and(|region| self.regions.moved(bucket, region)) =>
            {
                Failure::Elsewhere(error)
            }
            failure => failure,
        }
    }

    /// The next piece of a body, if it comes in time.
    async fn next_chunk(
        &self,
        body: &mut ByteStream,
    ) -> Result<Option<Bytes>, Failure<AttemptError>> {
        match tokio::time::timeout(self.timeouts.idle, body.next()).await {
            Err(_) => Err(AttemptError::unreachable(format!(
                "the answer stopped for {} s",
                self.timeouts.idle.as_secs_f32()
            ))),
            Ok(None) => Ok(None),
            Ok(Some(Ok(chunk))) => Ok(Some(chunk)),
            Ok(Some(Err(_))) => Err(AttemptError::unreachable("the answer broke off")),
        }
    }
}

/// The region of the variables, without asking a metadata service.
fn nearby_region() -> Region {
    let name = env::var("AWS_REGION")
        .or_else(|_| env::var("AWS_DEFAULT_REGION"))
        .unwrap_or_else(|_| DEFAULT_REGION.to_owned());
    Region::new(name)
}

fn size(length: Option<i64>) -> Result<u64, Failure<AttemptError>> {
    length
        .and_then(|length| u64::try_from(length).ok())
        .ok_or_else(|| AttemptError::damaged("the answer does not say how long it is"))
}

fn timestamp(time: aws_sdk_s3::primitives::DateTime) -> Option<jiff::Timestamp> {
    jiff::Timestamp::new(time.secs(), 0).ok()
}

/// As `x-amz-copy-source` wants its key: all but unreserved characters and slashes.
fn percent_encoded(key: &str) -> String {
    use std::fmt::Write;
    key.bytes().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}
