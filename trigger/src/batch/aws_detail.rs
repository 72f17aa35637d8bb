//! A job as the SDK gives it, as the detail that its events have: so that one reading of both is enough.

use aws_sdk_batch::types::{AttemptDetail, ContainerDetail, JobDetail, KeyValuePair};

use crate::event::detail::{Array, Container, JobAttempt, JobDescription, Pair, Timeout};

/// What `DescribeJobs` says of a job.
pub(super) fn detail(job: JobDetail) -> JobDescription {
    let array = job.array_properties.map(|array| Array {
        index: array.index.and_then(|n| u16::try_from(n).ok()),
        size: array.size.and_then(|n| u32::try_from(n).ok()),
        status_summary: array
            .status_summary
            .into_iter()
            .flatten()
            .filter_map(|(status, count)| Some((status, u32::try_from(count).ok()?)))
            .collect(),
    });
    JobDescription {
        job_id: job.job_id.unwrap_or_default(),
        job_name: job.job_name.unwrap_or_default(),
        job_queue: job.job_queue.unwrap_or_default(),
        status: job
            .status
            .map(|s| s.as_str().to_owned())
            .unwrap_or_default(),
        status_reason: job.status_reason,
        attempts: job.attempts.into_iter().flatten().map(attempt).collect(),
        container: job.container.map(container),
        // a single job has none, and the SDK may give an empty one
        array_properties: array.filter(|a| a.index.is_some() || a.size.is_some()),
        timeout: job.timeout.map(|timeout| Timeout {
            attempt_duration_seconds: timeout
                .attempt_duration_seconds
                .and_then(|n| u64::try_from(n).ok()),
        }),
        is_terminated: job.is_terminated,
        is_cancelled: job.is_cancelled,
        started_at: job.started_at,
        stopped_at: job.stopped_at,
    }
}

fn attempt(attempt: AttemptDetail) -> JobAttempt {
    JobAttempt {
        container: attempt.container.map(|container| Container {
            exit_code: container.exit_code.map(i64::from),
            reason: container.reason,
            log_stream_name: container.log_stream_name,
            ..Container::default()
        }),
        status_reason: attempt.status_reason,
        started_at: attempt.started_at,
        stopped_at: attempt.stopped_at,
    }
}

fn container(container: ContainerDetail) -> Container {
    let pair = |KeyValuePair { name, value, .. }| Pair { name, value };
    Container {
        exit_code: container.exit_code.map(i64::from),
        reason: container.reason,
        log_stream_name: container.log_stream_name,
        command: container.command.unwrap_or_default(),
        environment: container
            .environment
            .into_iter()
            .flatten()
            .map(pair)
            .collect(),
    }
}
