//! The desk at which an invocation works: the deployment, the store, AWS Batch, and the documents
//! of ours that are read and conditionally written there.
//!
//! What is done at it is in the modules that add to it: `carry_out` changes records and makes jobs
//! match them, `messages` shows states, `submit` and `array` take batches, `request` and `fanout`
//! what operators ask for, `failure` the ends of jobs, `overview` the clock.

use std::time::Duration;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;
use storage::retry::RetryPolicy;
use storage::s3::{ErrorKind, Precondition, S3, S3Error, Version};
use storage::uri::S3Uri;

use crate::config::Config;
use crate::error::TriggerError;
use crate::jobs::{Batch, Jobs};
use crate::pace::{Budget, Pace};
use crate::place::Place;
use crate::record::Claim;
use crate::step::Rules;

/// How often a conditional write is tried against others.
pub(crate) const CONDITIONAL_TRIES: u32 = 12;

/// The largest document of ours that is read back, in bytes.
pub(crate) const MAX_DOCUMENT: usize = 32 << 20;

/// What the reason of a terminated job starts with; the verdict knows it.
pub(crate) const CANCELLED: &str = "Operator cancelled";

/// Everything an invocation works with.
#[derive(Debug)]
pub struct Desk<B> {
    /// The deployment.
    pub config: Config,
    /// The store.
    pub s3: S3,
    /// AWS Batch.
    pub jobs: Jobs<B>,
}

/// One invocation.
#[derive(Debug, Clone)]
pub struct Call {
    /// Its id; a retry of the same invocation has the same.
    pub id: String,
    /// Its time.
    pub budget: Budget,
}

impl<B: Batch> Desk<B> {
    /// A desk. `batch` makes the client of AWS Batch, given how long one answer may take.
    pub async fn new<F>(
        config: Config,
        s3: impl Future<Output = S3>,
        batch: impl Fn(Duration) -> F,
    ) -> Self
    where
        F: Future<Output = B>,
    {
        let (answer, policy) = batch_patience(config.lease);
        let (s3, batch) = tokio::join!(s3, batch(answer));
        let jobs = Jobs::new(batch, Pace::new(config.batch_rate), policy);
        Self { config, s3, jobs }
    }

    /// The rules at this moment.
    pub(crate) fn rules<'a>(&'a self, place: &'a Place, call: &Call) -> Rules<'a> {
        let now = Timestamp::now();
        Rules {
            limits: self.config.limits,
            ladder: &self.config.ladder,
            root: &place.root,
            now,
            claim: self.claim(call, now),
        }
    }

    pub(crate) fn claim_now(&self, call: &Call) -> Claim {
        self.claim(call, Timestamp::now())
    }

    pub(crate) fn claim(&self, call: &Call, now: Timestamp) -> Claim {
        let lease = SignedDuration::try_from(self.config.lease).unwrap_or(SignedDuration::MAX);
        Claim {
            owner: call.id.clone(),
            until: now.checked_add(lease).unwrap_or(Timestamp::MAX),
        }
    }

    /// A document of ours, if it is there.
    pub(crate) async fn read<T: DeserializeOwned>(
        &self,
        uri: &S3Uri,
    ) -> Result<Option<(T, Version)>, TriggerError> {
        let (bytes, version) = match self.s3.get_bytes(uri, MAX_DOCUMENT).await {
            Ok(found) => found,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e.into()),
        };
        let document = |reason: String| TriggerError::Document {
            place: uri.to_string(),
            reason,
        };
        let value = serde_json::from_slice(&bytes).map_err(|e| document(e.to_string()))?;
        let version = version.ok_or_else(|| document("the server gives it no ETag".to_owned()))?;
        Ok(Some((value, version)))
    }

    /// Writes a document of ours; none when the precondition fails.
    pub(crate) async fn write<T: Serialize>(
        &self,
        uri: &S3Uri,
        value: &T,
        precondition: &Precondition,
    ) -> Result<Option<Version>, TriggerError> {
        let document = |reason: String| TriggerError::Document {
            place: uri.to_string(),
            reason,
        };
        let bytes = serde_json::to_vec(value).map_err(|e| document(e.to_string()))?;
        match self.s3.put_bytes(uri, bytes.into(), precondition).await {
            Ok(stored) => stored
                .version
                .map(Some)
                .ok_or_else(|| document("the server gives it no ETag".to_owned())),
            Err(e) if lost(&e) => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    pub(crate) async fn put(&self, uri: &S3Uri, body: Bytes) -> Result<(), TriggerError> {
        let stored = self.s3.put_bytes(uri, body, &Precondition::None).await;
        Ok(stored.map(drop)?)
    }
}

pub(crate) fn json_bytes(value: &serde_json::Value) -> Bytes {
    Bytes::from(value.to_string())
}

/// Whether a conditional write lost against another. S3 answers 404 when the object that was to
/// be of a version is gone, and 409 while two conditional writes race.
pub(crate) fn lost(error: &S3Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::AlreadyExists | ErrorKind::Changed | ErrorKind::NotFound
    )
}

pub(crate) fn busy(what: &str, claim: &Claim) -> TriggerError {
    TriggerError::Busy {
        what: what.to_owned(),
        owner: claim.owner.clone(),
        until: claim.until.to_string(),
    }
}

pub(crate) fn contended(uri: &S3Uri) -> TriggerError {
    TriggerError::Contended {
        place: uri.to_string(),
        tries: CONDITIONAL_TRIES,
    }
}

/// The longest a request to AWS Batch is waited for and repeated under a lease.
fn batch_patience(lease: Duration) -> (Duration, RetryPolicy) {
    let policy = RetryPolicy {
        tries: 12,
        total: lease / 4,
        cap: Duration::from_secs(5).min(lease / 16),
        ..Default::default()
    };
    (lease / 8, policy)
}
