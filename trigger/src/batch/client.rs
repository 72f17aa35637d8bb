//! Submitting a job exactly once, looking jobs up, stopping them.
//!
//! `SubmitJob` has no idempotency token. What stands in for it is the job's name, which is
//! different for every attempt of every dataset: after an answer that leaves it open whether a job
//! was made, the name is looked up before anything is submitted again.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use caldp_core::batch::JobId;
use storage::retry::{Failure, RetryPolicy, RetryStats};

use super::rate::RateLimiter;
use super::{Batch, BatchFailure, FailureKind, KnownJob, NewJob};

/// The reason jobs are stopped with; the verdict on their end knows it.
pub const CANCELLED: &str = "Operator cancelled";

/// Something AWS Batch did not do.
#[derive(Debug, thiserror::Error)]
#[error("AWS Batch did not {action} {what} {stats}")]
pub struct BatchRequestError {
    action: &'static str,
    what: String,
    stats: RetryStats,
    source: BatchFailure,
}

/// Whether a job may have been submitted before under its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaybeSubmitted {
    /// Certainly not.
    None,
    /// Perhaps: it is looked up first.
    Perhaps,
}

/// AWS Batch at a bounded rate, with retries.
#[derive(Debug)]
pub struct BatchClient<B> {
    batch: B,
    rate: RateLimiter,
    policy: RetryPolicy,
}

impl<B: Batch> BatchClient<B> {
    /// A client of AWS Batch for work under leases of a length. `batch` makes the connection,
    /// given how long one answer may take.
    pub async fn new<F>(lease: Duration, rate: NonZeroU32, batch: impl Fn(Duration) -> F) -> Self
    where
        F: Future<Output = B>,
    {
        let policy = RetryPolicy {
            tries: 12,
            total: lease / 4,
            cap: Duration::from_secs(5).min(lease / 16),
            ..Default::default()
        };
        Self {
            batch: batch(lease / 8).await,
            rate: RateLimiter::new(rate),
            policy,
        }
    }

    /// Submits a job unless one of its name exists, and gives its id.
    ///
    /// # Errors
    /// [`BatchRequestError`] when AWS Batch refuses or keeps failing; whether there is a job is then open
    /// and the next call must look first.
    pub async fn submit(
        &self,
        job: &NewJob,
        before: MaybeSubmitted,
    ) -> Result<JobId, BatchRequestError> {
        let look_first = AtomicBool::new(before == MaybeSubmitted::Perhaps);
        let result = self
            .policy
            .run(|_| async {
                if look_first.load(Ordering::Relaxed) {
                    self.rate.turn().await;
                    match self.batch.find(&job.queue, &job.name).await {
                        Ok(Some(id)) => return Ok(id),
                        Ok(None) => {}
                        Err(failure) => return Err(to_failure(failure)),
                    }
                }
                self.rate.turn().await;
                self.batch.submit(job).await.map_err(|failure| {
                    if failure.kind == FailureKind::Unclear {
                        look_first.store(true, Ordering::Relaxed);
                    }
                    to_failure(failure)
                })
            })
            .await;
        result.map_err(|e| failed("submit", &job.name, e))
    }

    /// The job of a name, if there is one.
    ///
    /// # Errors
    /// [`BatchRequestError`] when AWS Batch refuses or keeps failing.
    pub async fn find(&self, queue: &str, name: &str) -> Result<Option<JobId>, BatchRequestError> {
        self.tried("look up", name, || self.batch.find(queue, name))
            .await
    }

    /// What is known of a job.
    ///
    /// # Errors
    /// [`BatchRequestError`] when AWS Batch refuses or keeps failing.
    pub async fn describe(&self, id: &JobId) -> Result<Option<KnownJob>, BatchRequestError> {
        self.tried("describe", id, || self.batch.describe(id)).await
    }

    /// Stops a job for an operator.
    ///
    /// # Errors
    /// [`BatchRequestError`] when AWS Batch refuses or keeps failing.
    pub async fn terminate(&self, id: &JobId) -> Result<(), BatchRequestError> {
        self.tried("terminate", id, || self.batch.terminate(id, CANCELLED))
            .await
    }

    async fn tried<T, A>(
        &self,
        action: &'static str,
        what: impl fmt::Display,
        attempt: impl Fn() -> A,
    ) -> Result<T, BatchRequestError>
    where
        A: Future<Output = Result<T, BatchFailure>>,
    {
        let result = self
            .policy
            .run(|_| async {
                self.rate.turn().await;
                attempt().await.map_err(to_failure)
            })
            .await;
        result.map_err(|e| failed(action, what, e))
    }
}

fn to_failure(failure: BatchFailure) -> Failure<BatchFailure> {
    match failure.kind {
        FailureKind::Refused => Failure::Permanent(failure),
        FailureKind::Throttled | FailureKind::Unclear => Failure::Transient(failure),
    }
}

fn failed(
    action: &'static str,
    what: impl fmt::Display,
    gave_up: storage::retry::GaveUp<BatchFailure>,
) -> BatchRequestError {
    BatchRequestError {
        action,
        what: what.to_string(),
        stats: gave_up.stats,
        source: gave_up.error,
    }
}
