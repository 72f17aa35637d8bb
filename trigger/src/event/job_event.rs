//! A `Batch Job State Change` event, read: which job, which dataset, what evidence.
//!
//! The fields are those of the AWS Batch user guide, "AWS Batch job state change events"; of all
//! the event says only what a verdict needs is kept. A child of an array job names its list and
//! line: reading the list is for the `verdict` and `request` folders.

use std::str::FromStr;
use std::time::Duration;

use caldp_core::batch::JobId;
use caldp_core::dataset::Dataset;
use caldp_core::job_command::{JobCommand, JobInput, LAYOUT_VARIABLE};
use caldp_core::layout::Layout;
use serde::Deserialize;
use serde_json::Value;
use storage::uri::S3Uri;

use super::EventError;
use super::detail::{Array, Document, JobAttempt, JobDescription};
use super::evidence::{Evidence, Stopped};

/// The longest reason kept, in characters.
const MAX_REASON: usize = 1000;

/// A job and its new status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobEvent {
    /// The job.
    pub job_id: JobId,
    /// Its name.
    pub job_name: String,
    /// The bare name of its queue.
    pub queue: String,
    /// The new status.
    pub status: Status,
    /// What it is in an array job.
    pub role: Role,
    /// What it was told to do.
    pub command: Vec<String>,
    /// The layout its container was told to use.
    pub layout: Option<Layout>,
    /// What is known of its end.
    pub evidence: Evidence,
    /// Its log stream in `/aws/batch/job`.
    pub log_stream: Option<String>,
    /// Its time limit in seconds.
    pub timeout_seconds: Option<u64>,
}

/// The status of a job, as far as it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Anywhere from SUBMITTED to RUNNING.
    UnderWay,
    /// SUCCEEDED.
    Succeeded,
    /// FAILED.
    Failed,
}

/// What a job is in an array job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It is in none.
    Single,
    /// The child with this index.
    Child(u16),
    /// The array itself, which runs nothing.
    Parent,
}

/// Where a job writes and what it works on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// The root of the layout.
    pub root: S3Uri,
    /// How results are laid out.
    pub layout: Layout,
    /// What is worked on.
    pub work: Work,
}

/// What a job works on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// One dataset.
    Dataset(Dataset),
    /// The dataset in a line of a list, counted from 0.
    Line {
        /// The list.
        list: S3Uri,
        /// The line.
        index: u16,
    },
}

impl JobEvent {
    /// Reads the event.
    ///
    /// # Errors
    /// [`EventError::Malformed`] when a part that every such event has is missing or wrong.
    pub fn from_event(event: &Value) -> Result<Self, EventError> {
        let document = Document::deserialize(event).map_err(|e| malformed(e.to_string()))?;
        Self::from_detail(document.detail)
    }

    /// Reads what the event says of the job, which is also what `DescribeJobs` answers.
    ///
    /// # Errors
    /// As [`JobEvent::from_event`].
    pub fn from_detail(detail: JobDescription) -> Result<Self, EventError> {
        let (stopped, ran) = (stopped(&detail), ran(&detail));
        let time_limit = detail.timeout.and_then(|t| t.attempt_duration_seconds);
        let last = detail.attempts.into_iter().next_back();
        let JobAttempt {
            container: attempt_container,
            status_reason: attempt_reason,
            ..
        } = last.unwrap_or_default();
        let (job, attempt) = (detail.container.as_ref(), attempt_container.as_ref());
        let both = [job, attempt];
        let containers = || both.into_iter().flatten();
        let mut container_reasons: Vec<String> = containers()
            .filter_map(|c| c.reason.as_deref())
            .map(cut)
            .collect();
        container_reasons.dedup();
        let mut status_reasons: Vec<String> = [detail.status_reason, attempt_reason]
            .into_iter()
            .flatten()
            .map(|r| cut(&r))
            .collect();
        status_reasons.dedup();
        let environment = |name: &str| {
            let pairs = containers().flat_map(|c| &c.environment);
            let mut of_name = pairs.filter(|p| p.name.as_deref() == Some(name));
            of_name.next().and_then(|p| p.value.clone())
        };
        let job_id = JobId::from_str(&detail.job_id).map_err(|e| malformed(e.to_string()))?;
        Ok(Self {
            status: match detail.status.as_str() {
                "SUCCEEDED" => Status::Succeeded,
                "FAILED" => Status::Failed,
                "SUBMITTED" | "PENDING" | "RUNNABLE" | "STARTING" | "RUNNING" => Status::UnderWay,
                other => return Err(malformed(format!("{:?} is no status", cut(other)))),
            },
            role: role(&job_id, detail.array_properties.as_ref())?,
            job_id,
            job_name: cut(&detail.job_name),
            queue: bare(&detail.job_queue).to_owned(),
            command: job.map(|c| c.command.clone()).unwrap_or_default(),
            layout: environment(LAYOUT_VARIABLE).and_then(|l| l.parse().ok()),
            evidence: Evidence {
                exit_code: containers().find_map(|c| c.exit_code),
                container_reasons,
                status_reasons,
                stopped,
                ran,
                time_limit: time_limit.map(Duration::from_secs),
            },
            log_stream: containers().find_map(|c| c.log_stream_name.clone()),
            timeout_seconds: time_limit,
        })
    }

    /// What the job was told to do, from its command.
    ///
    /// # Errors
    /// [`EventError::Malformed`] when the command is none this system submits.
    pub fn task(&self) -> Result<Task, EventError> {
        let command = JobCommand::parse(&self.command).map_err(|e| malformed(explained(&e)))?;
        let (root, layout) = command.root(self.layout);
        let work = match (command.input(), self.role) {
            (JobInput::Dataset(dataset), _) => Work::Dataset(dataset),
            (JobInput::List(list), Role::Child(index)) => Work::Line { list, index },
            (JobInput::List(list), Role::Parent) => Work::Line { list, index: 0 },
            (JobInput::List(_), Role::Single) => {
                return Err(malformed(
                    "its command takes a line of a list, but it is no child of an array".to_owned(),
                ));
            }
        };
        Ok(Task { root, layout, work })
    }
}

/// Whether somebody stopped it, as far as is told.
fn stopped(detail: &JobDescription) -> Stopped {
    match (detail.is_terminated, detail.is_cancelled) {
        (None, None) => Stopped::Untold,
        (Some(true), _) | (_, Some(true)) => Stopped::Yes,
        _ => Stopped::No,
    }
}

/// How long the last attempt ran, or the job where its attempts say nothing.
fn ran(detail: &JobDescription) -> Option<Duration> {
    let of_attempt = detail.attempts.last().map(|a| (a.started_at, a.stopped_at));
    let of_job = (detail.started_at, detail.stopped_at);
    [of_attempt, Some(of_job)]
        .into_iter()
        .flatten()
        .find_map(|(started, stopped)| {
            let started = started.filter(|at| *at > 0)?;
            u64::try_from(stopped?.checked_sub(started)?).ok()
        })
        .map(Duration::from_millis)
}

/// An error with its cause.
fn explained(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

fn role(id: &JobId, array: Option<&Array>) -> Result<Role, EventError> {
    match (id.index(), array) {
        (Some(index), Some(a)) if a.index.is_some_and(|i| i != index) => {
            Err(malformed("its id and its array index differ".to_owned()))
        }
        (Some(index), _) => Ok(Role::Child(index)),
        (None, Some(a)) if a.size.is_some() => Ok(Role::Parent),
        (None, Some(a)) => Ok(a.index.map_or(Role::Single, Role::Child)),
        (None, None) => Ok(Role::Single),
    }
}

/// The name in an ARN, or the name itself.
fn bare(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

fn cut(text: &str) -> String {
    text.chars().take(MAX_REASON).collect()
}

fn malformed(reason: String) -> EventError {
    EventError::Malformed {
        kind: "Batch Job State Change",
        reason,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use serde_json::json;

    use super::*;

    fn event(id: &str, command: &[&str], extra: &Value) -> Value {
        let mut detail = json!({
            "jobId": id, "jobName": "n", "status": "FAILED", "attempts": [],
            "jobQueue": "arn:aws:batch:us-east-1:1:job-queue/q2",
            "container": {"command": command},
        });
        for (key, value) in extra.as_object().unwrap() {
            detail
                .as_object_mut()
                .unwrap()
                .insert(key.clone(), value.clone());
        }
        json!({ "detail": detail })
    }

    const ID: &str = "5b202ca1-bfd0-4c9f-b2a0-f396843ef639";

    #[test]
    fn both_commands_lead_to_the_dataset_and_the_root() {
        let task = |command: &[&str]| {
            let event = event(ID, command, &json!({}));
            JobEvent::from_event(&event).unwrap().task()
        };
        let new = task(&["caldp-process-aws", "s3://hst-out/data/b", "j8cb010b0"]).unwrap();
        assert_eq!((new.root.key(), new.layout), ("data/b", Layout::Tree));
        let old = task(&[
            "caldp-process",
            "iabs02uaq",
            "s3://hst-out/inputs",
            "s3://hst-out/outputs/iabs02uaq",
            "caldp-config-aws",
        ])
        .unwrap();
        assert_eq!((old.root.key(), old.layout), ("", Layout::Calcloud));
        assert_eq!(old.work, Work::Dataset("iabs02uaq".parse().unwrap()));
        for bad in [
            &[][..],
            &["sleep", "60"],
            &["caldp-process-aws", "s3://hst-out", "../x"],
            &["caldp-process-aws", "file:.", "j8cb010b0"],
            &["caldp-process-aws", "s3://hst-out", "@s3://hst-out/list"],
        ] {
            assert!(task(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_child_names_its_line() {
        let command = ["caldp-process-aws", "s3://hst-out/b", "@s3://hst-out/l.ids"];
        let child = event(
            &format!("{ID}:7"),
            &command,
            &json!({"arrayProperties": {"index": 7}}),
        );
        let child = JobEvent::from_event(&child).unwrap();
        assert_eq!(child.role, Role::Child(7));
        assert_eq!(
            child.task().unwrap().work,
            Work::Line {
                list: "s3://hst-out/l.ids".parse().unwrap(),
                index: 7
            }
        );
        let parent = event(ID, &command, &json!({"arrayProperties": {"size": 10}}));
        assert_eq!(JobEvent::from_event(&parent).unwrap().role, Role::Parent);
        let torn = event(
            &format!("{ID}:7"),
            &command,
            &json!({"arrayProperties": {"index": 8}}),
        );
        assert!(JobEvent::from_event(&torn).is_err());
    }

    #[test]
    fn the_last_attempt_has_a_say() {
        let event = event(
            ID,
            &["caldp-process-aws", "s3://hst-out/b", "j8cb010b0"],
            &json!({
                "statusReason": "Essential container in task exited",
                "attempts": [
                    {"container": {"exitCode": 1, "reason": "first"}, "statusReason": "x"},
                    {"container": {"exitCode": 137, "reason": "OutOfMemoryError: x"},
                     "statusReason": "Essential container in task exited"},
                ],
            }),
        );
        let change = JobEvent::from_event(&event).unwrap();
        assert_eq!(change.evidence.exit_code, Some(137));
        assert_eq!(change.evidence.container_reasons, ["OutOfMemoryError: x"]);
        assert_eq!(change.evidence.status_reasons.len(), 1);
    }

    #[test]
    fn a_torn_event_is_an_error() {
        for bad in [
            json!({}),
            json!({"detail": {}}),
            event("not-an-id", &[], &json!({})),
            event(ID, &[], &json!({"status": "LOST"})),
            event(ID, &[], &json!({"attempts": "none"})),
        ] {
            assert!(JobEvent::from_event(&bad).is_err(), "{bad}");
        }
    }
}
