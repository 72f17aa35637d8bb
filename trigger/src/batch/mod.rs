//! AWS Batch: what is asked of it and what it answers.
//!
//! [`client`] asks at a bounded rate, with retries, and submits a job once; [`aws`] is AWS Batch
//! itself; [`rate`] is the bound.

pub mod aws;
pub mod client;
pub mod rate;

use std::error::Error;
use std::time::Duration;

use caldp_core::batch::JobId;

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
    /// Whose share of the queue it takes, as letters and digits; none on a queue of somebody else's, of
    /// which nothing is known.
    pub share: Option<String>,
    /// What the container runs.
    pub command: Vec<String>,
    /// Added to the container's environment.
    pub environment: Vec<(String, String)>,
    /// After how long it is stopped.
    pub timeout: Duration,
    /// The number of children, for an array job.
    pub array_size: Option<usize>,
    /// Memory in MiB, where the job definition's is not the bin's.
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
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct BatchFailure {
    /// What can be concluded.
    pub kind: FailureKind,
    /// What was said.
    pub text: String,
    /// What it comes from, where that says more.
    pub source: Option<Box<dyn Error + Send + Sync>>,
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
