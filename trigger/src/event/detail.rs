//! What AWS Batch says of a job, as it is written: `JobDescription` of the API reference, which is what
//! `DescribeJobs` answers and what the events of a job carry. Fields without use are left out; times are
//! in milliseconds of the epoch.

use std::collections::HashMap;

use serde::Deserialize;

/// An event with a detail.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Document {
    pub(super) detail: JobDescription,
}

/// What is known of a job.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobDescription {
    /// Its id.
    pub job_id: String,
    /// Its name.
    pub job_name: String,
    /// The ARN or name of its queue.
    pub job_queue: String,
    /// Its status, in AWS's capitals.
    pub status: String,
    /// Why it has that status.
    pub status_reason: Option<String>,
    /// What was tried with it, oldest first.
    #[serde(default)]
    pub attempts: Vec<JobAttempt>,
    /// What it runs and how that ended.
    pub container: Option<Container>,
    /// What it is in an array.
    pub array_properties: Option<Array>,
    /// How long it may run.
    pub timeout: Option<Timeout>,
    /// Whether `TerminateJob` ended it.
    pub is_terminated: Option<bool>,
    /// Whether `CancelJob` ended it.
    pub is_cancelled: Option<bool>,
    /// When it started.
    pub started_at: Option<i64>,
    /// When it ended.
    pub stopped_at: Option<i64>,
}

/// One try.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobAttempt {
    /// How its container ended.
    pub container: Option<Container>,
    /// Why it ended.
    pub status_reason: Option<String>,
    /// When it started.
    pub started_at: Option<i64>,
    /// When it ended.
    pub stopped_at: Option<i64>,
}

/// A container.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Container {
    /// What its program ended with.
    pub exit_code: Option<i64>,
    /// Why it stopped.
    pub reason: Option<String>,
    /// Its log stream.
    pub log_stream_name: Option<String>,
    /// What it runs.
    #[serde(default)]
    pub command: Vec<String>,
    /// What is in its environment besides that of its definition.
    #[serde(default)]
    pub environment: Vec<Pair>,
}

/// A variable.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Pair {
    /// Its name.
    pub name: Option<String>,
    /// Its value.
    pub value: Option<String>,
}

/// What a job is in an array.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Array {
    /// Of a child, its index.
    pub index: Option<u16>,
    /// Of the array itself, the number of its children.
    pub size: Option<u32>,
    /// Of the array itself, how many children have each status.
    #[serde(default)]
    pub status_summary: HashMap<String, u32>,
}

/// A time limit.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Timeout {
    /// Of each attempt, in seconds.
    pub attempt_duration_seconds: Option<u64>,
}
