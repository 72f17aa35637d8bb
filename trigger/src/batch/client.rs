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
use super::{Batch, BatchFailure, DESCRIBED, EndStatus, FailureKind, NewJob};
use crate::event::detail::JobDescription;

/// What is asked of AWS Batch when a job is submitted.
const SUBMIT: &str = "submit";

/// What is asked of AWS Batch when a job is looked for by its name.
const LOOK_UP: &str = "look up";

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

impl BatchRequestError {
    /// What AWS Batch said when it refused a job for good: no such job exists, and the same request
    /// will be refused again.
    pub fn refusal(&self) -> Option<&str> {
        let refused = matches!(self.source.kind, FailureKind::Refused | FailureKind::Denied);
        (refused && self.action == SUBMIT).then_some(&self.source.text)
    }
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
        let denied_a_look = AtomicBool::new(false);
        let words = |error: &BatchFailure| not_yet(SUBMIT, &job.name, error);
        let result = self
            .policy
            .run(words, |_| async {
                if look_first.load(Ordering::Relaxed) {
                    self.rate.turn().await;
                    match self.batch.find(&job.queue, &job.name).await {
                        Ok(Some(id)) => return Ok(id),
                        Ok(None) => {}
                        Err(failure) => {
                            // whether there is a job is open then
                            let denied = failure.kind == FailureKind::Denied;
                            denied_a_look.store(denied, Ordering::Relaxed);
                            return Err(to_failure(failure));
                        }
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
        let action = if denied_a_look.into_inner() {
            LOOK_UP
        } else {
            SUBMIT
        };
        result.map_err(|e| failed(action, &job.name, e))
    }

    /// The job of a name, if there is one.
    ///
    /// # Errors
    /// [`BatchRequestError`] when AWS Batch refuses or keeps failing.
    pub async fn find(&self, queue: &str, name: &str) -> Result<Option<JobId>, BatchRequestError> {
        self.tried(LOOK_UP, name, || self.batch.find(queue, name))
            .await
    }

    /// What is known of jobs; nothing of those that AWS Batch does not know.
    ///
    /// # Errors
    /// [`BatchRequestError`] when AWS Batch refuses or keeps failing.
    pub async fn describe(&self, ids: &[JobId]) -> Result<Vec<JobDescription>, BatchRequestError> {
        let mut found = Vec::with_capacity(ids.len());
        for ids in ids.chunks(DESCRIBED) {
            let what = ids.first().map_or("", JobId::as_str);
            let details = self.tried("describe", what, || self.batch.describe(ids));
            found.extend(details.await?);
        }
        Ok(found)
    }

    /// The children of an array that ended.
    ///
    /// # Errors
    /// [`BatchRequestError`] when AWS Batch refuses or keeps failing.
    pub async fn ended_children(&self, array: &JobId) -> Result<Vec<JobId>, BatchRequestError> {
        let mut children = vec![];
        for status in [EndStatus::Succeeded, EndStatus::Failed] {
            let listed = self.tried("list the children of", array, || {
                self.batch.children(array, status)
            });
            children.extend(listed.await?);
        }
        Ok(children)
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
        let words = |error: &BatchFailure| not_yet(action, &what, error);
        let result = self
            .policy
            .run(words, |_| async {
                self.rate.turn().await;
                attempt().await.map_err(to_failure)
            })
            .await;
        result.map_err(|e| failed(action, what, e))
    }
}

fn not_yet(action: &str, what: &dyn fmt::Display, error: &BatchFailure) -> String {
    format!("AWS Batch did not {action} {what} yet: {error}")
}

fn to_failure(failure: BatchFailure) -> Failure<BatchFailure> {
    match failure.kind {
        FailureKind::Refused | FailureKind::Denied => Failure::Permanent(failure),
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
