//! AWS Batch: what is asked of it and what it answers.
//!
//! [`client`] asks at a bounded rate, with retries, and submits a job once; [`aws`] is AWS Batch
//! itself; [`rate`] is the bound.

pub mod aws;
mod aws_detail;
pub mod client;
pub mod rate;

use std::error::Error;
use std::time::Duration;

use caldp_core::batch::{BatchName, JobId};

use crate::event::detail::JobDescription;
use crate::resources::Priority;

/// The most children an array job may have, and the fewest.
pub const ARRAY_SIZES: std::ops::RangeInclusive<usize> = 2..=10_000;

/// The most jobs that `DescribeJobs` is asked about at once.
pub const DESCRIBED: usize = 100;

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
    /// Which jobs of the same share go before it: those of a higher number.
    pub priority: Option<Priority>,
    /// The batch it is tagged with.
    pub batch: Option<BatchName>,
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

/// The ways a job ends, as a job's status says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndStatus {
    /// SUCCEEDED.
    Succeeded,
    /// FAILED.
    Failed,
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

    /// What is known of at most [`DESCRIBED`] jobs; nothing of those that are not known.
    fn describe(
        &self,
        ids: &[JobId],
    ) -> impl Future<Output = Result<Vec<JobDescription>, BatchFailure>> + Send;

    /// The children of an array that ended so.
    fn children(
        &self,
        array: &JobId,
        status: EndStatus,
    ) -> impl Future<Output = Result<Vec<JobId>, BatchFailure>> + Send;

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
    /// Nothing was done and nothing will be: what is asked for does not exist or makes no sense.
    Refused,
    /// Nothing was done: the caller may not ask for it.
    Denied,
    /// It may have been done or not.
    Unclear,
}
