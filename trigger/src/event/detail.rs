//! What AWS Batch says of a job, as it is written: `JobDetail` of the API reference, which is what
//! `DescribeJobs` answers and what the events of a job carry. Fields without use are left out.

use serde::Deserialize;

/// An event with a detail.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Document {
    pub(super) detail: Detail,
}

/// The event's detail, which is also what `DescribeJobs` answers.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Detail {
    pub(crate) job_id: String,
    pub(crate) job_name: String,
    pub(crate) job_queue: String,
    pub(crate) status: String,
    pub(crate) status_reason: Option<String>,
    #[serde(default)]
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) container: Option<Container>,
    pub(crate) array_properties: Option<Array>,
    pub(crate) timeout: Option<Timeout>,
    pub(crate) is_terminated: Option<bool>,
    pub(crate) is_cancelled: Option<bool>,
    /// In milliseconds of the epoch, as all times here.
    pub(crate) started_at: Option<i64>,
    pub(crate) stopped_at: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Attempt {
    pub(crate) container: Option<Container>,
    pub(crate) status_reason: Option<String>,
    pub(crate) started_at: Option<i64>,
    pub(crate) stopped_at: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Container {
    pub(crate) exit_code: Option<i64>,
    pub(crate) reason: Option<String>,
    pub(crate) log_stream_name: Option<String>,
    #[serde(default)]
    pub(crate) command: Vec<String>,
    #[serde(default)]
    pub(crate) environment: Vec<Pair>,
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Pair {
    pub(crate) name: Option<String>,
    pub(crate) value: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Array {
    pub(crate) index: Option<u16>,
    pub(crate) size: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Timeout {
    pub(crate) attempt_duration_seconds: Option<u64>,
}
