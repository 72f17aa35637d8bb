//! AWS Batch: submitting a job exactly once, looking jobs up, stopping them.
//!
//! `SubmitJob` has no idempotency token. What stands in for it is the job's name, which is
//! different for every attempt of every dataset: after an answer that leaves it open whether a job
//! was made, the name is looked up before anything is submitted again.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use caldp_core::batch::JobId;
use storage::retry::{Failure, RetryPolicy, RetryStats};

use crate::pace::Pace;

/// The most children an array job may have, and the fewest.
pub const ARRAY_SIZES: std::ops::RangeInclusive<usize> = 2..=10_000;

/// A job to submit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewJob {
    /// Its name, at most 128 letters, digits, `-` and `_`.
    pub name: String,
    /// The queue.
    pub queue: String,
    /// The job definition.
    pub definition: String,
    /// What the container runs.
    pub command: Vec<String>,
    /// Added to the container's environment.
    pub environment: Vec<(String, String)>,
    /// After how long it is stopped.
    pub timeout: Duration,
    /// The number of children, for an array job.
    pub array_size: Option<usize>,
    /// Memory in MiB, where the job definition's is not the rung's.
    pub memory_mib: Option<u64>,
}

/// What AWS Batch knows of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownJob {
    /// What its container runs.
    pub command: Vec<String>,
    /// Added to the container's environment.
    pub environment: Vec<(String, String)>,
    /// Its name.
    pub name: String,
    /// Its queue, bare.
    pub queue: String,
    /// The number of its children, for an array job.
    pub array_size: Option<u32>,
}

/// The operations of AWS Batch that are used.
pub trait Batch: Send + Sync {
    /// Submits a job and gives its id.
    fn submit(&self, job: &NewJob) -> impl Future<Output = Result<JobId, BatchFailure>> + Send;

    /// The job of this name on a queue, whatever its status; the first when there are several.
    fn find(
        &self,
        queue: &str,
        name: &str,
    ) -> impl Future<Output = Result<Option<JobId>, BatchFailure>> + Send;

    /// What is known of a job; none when it is not known.
    fn describe(
        &self,
        id: &JobId,
    ) -> impl Future<Output = Result<Option<KnownJob>, BatchFailure>> + Send;

    /// Stops a job, with its children. A job that has ended stays as it is.
    fn terminate(
        &self,
        id: &JobId,
        reason: &str,
    ) -> impl Future<Output = Result<(), BatchFailure>> + Send;
}

/// A request to AWS Batch that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct BatchFailure {
    /// What can be concluded.
    pub kind: FailureKind,
    /// What was said.
    pub text: String,
}

/// What a failed request leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// Nothing was done; asking later may do.
    Throttled,
    /// Nothing was done and nothing will be.
    Refused,
    /// It may have been done or not.
    Unclear,
}

/// Something AWS Batch did not do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("AWS Batch did not {action} {what} {stats}: {failure}")]
pub struct JobsError {
    action: &'static str,
    what: String,
    stats: RetryStats,
    failure: BatchFailure,
}

/// Whether a job may have been submitted before under its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// Certainly not.
    None,
    /// Perhaps: it is looked up first.
    Perhaps,
}

/// AWS Batch at its pace, with retries.
#[derive(Debug)]
pub struct Jobs<B> {
    batch: B,
    pace: Pace,
    policy: RetryPolicy,
}

impl<B: Batch> Jobs<B> {
    /// Requests at a pace, tried again after a policy.
    pub fn new(batch: B, pace: Pace, policy: RetryPolicy) -> Self {
        Self {
            batch,
            pace,
            policy,
        }
    }

    /// Submits a job unless one of its name exists, and gives its id.
    ///
    /// # Errors
    /// [`JobsError`] when AWS Batch refuses or keeps failing; whether there is a job is then open
    /// and the next call must be in doubt.
    pub async fn submit(&self, job: &NewJob, doubt: Doubt) -> Result<JobId, JobsError> {
        let doubtful = AtomicBool::new(doubt == Doubt::Perhaps);
        let result = self
            .policy
            .run(|_| async {
                if doubtful.load(Ordering::Relaxed) {
                    self.pace.turn().await;
                    match self.batch.find(&job.queue, &job.name).await {
                        Ok(Some(id)) => return Ok(id),
                        Ok(None) => {}
                        Err(failure) => return Err(worth(failure)),
                    }
                }
                self.pace.turn().await;
                self.batch.submit(job).await.map_err(|failure| {
                    if failure.kind == FailureKind::Unclear {
                        doubtful.store(true, Ordering::Relaxed);
                    }
                    worth(failure)
                })
            })
            .await;
        result.map_err(|e| failed("submit", &job.name, e))
    }

    /// The job of a name, if there is one.
    ///
    /// # Errors
    /// [`JobsError`] when AWS Batch refuses or keeps failing.
    pub async fn find(&self, queue: &str, name: &str) -> Result<Option<JobId>, JobsError> {
        self.tried("look up", name, || self.batch.find(queue, name))
            .await
    }

    /// What is known of a job.
    ///
    /// # Errors
    /// [`JobsError`] when AWS Batch refuses or keeps failing.
    pub async fn describe(&self, id: &JobId) -> Result<Option<KnownJob>, JobsError> {
        self.tried("describe", id, || self.batch.describe(id)).await
    }

    /// Stops a job.
    ///
    /// # Errors
    /// [`JobsError`] when AWS Batch refuses or keeps failing.
    pub async fn terminate(&self, id: &JobId, reason: &str) -> Result<(), JobsError> {
        self.tried("terminate", id, || self.batch.terminate(id, reason))
            .await
    }

    async fn tried<T, A>(
        &self,
        action: &'static str,
        what: impl fmt::Display,
        attempt: impl Fn() -> A,
    ) -> Result<T, JobsError>
    where
        A: Future<Output = Result<T, BatchFailure>>,
    {
        let result = self
            .policy
            .run(|_| async {
                self.pace.turn().await;
                attempt().await.map_err(worth)
            })
            .await;
        result.map_err(|e| failed(action, what, e))
    }
}

fn worth(failure: BatchFailure) -> Failure<BatchFailure> {
    match failure.kind {
        FailureKind::Refused => Failure::Permanent(failure),
        FailureKind::Throttled | FailureKind::Unclear => Failure::Transient(failure),
    }
}

fn failed(
    action: &'static str,
    what: impl fmt::Display,
    gave_up: storage::retry::GaveUp<BatchFailure>,
) -> JobsError {
    JobsError {
        action,
        what: what.to_string(),
        stats: gave_up.stats,
        failure: gave_up.error,
    }
}
