//! What the messages say that the trigger writes: the bodies of `submitted`, `error` and
//! `terminated`. Field names are read by operators' tools.

use std::borrow::Cow;

use bytes::Bytes;
use caldp_core::batch::JobId;
use caldp_core::dataset::Dataset;
use caldp_core::resources::MemoryBin;
use caldp_core::state::State;
use jiff::Timestamp;
use serde::Serialize;
use storage::hint::Hint;

use super::attempts::{Attempt, Ended, Outcome, Record};
use crate::order::details::Why;

/// The body of a `submitted` message.
#[derive(Serialize)]
struct SubmittedBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'a Why>,
    job_id: Option<&'a JobId>,
    job_name: &'a str,
    #[serde(rename = "rung")]
    memory_bin: MemoryBin,
    attempt: u32,
    submitted_at: Timestamp,
}

/// The body of an `error` or `terminated` message.
#[derive(Serialize)]
struct FailedBody<'a> {
    dataset: &'a Dataset,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'a Why>,
    explanation: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<Cow<'a, str>>,
    cause: Option<&'static str>,
    exit_code: Option<i64>,
    job_id: Option<&'a JobId>,
    job_name: &'a str,
    #[serde(rename = "rung")]
    memory_bin: MemoryBin,
    attempt: u32,
    log_stream: Option<&'a str>,
    at: Option<Timestamp>,
}

/// The body of the message that shows a record's state.
pub(crate) fn body(record: &Record, state: State) -> Bytes {
    match (record.last(), state) {
        (Some(attempt), State::Submitted) => submitted(record, attempt),
        (Some(attempt), State::Error | State::Terminated) => failed(record, attempt),
        _ => Bytes::new(),
    }
}

/// The body of a `submitted` message.
fn submitted(record: &Record, attempt: &Attempt) -> Bytes {
    bytes(&SubmittedBody {
        why: record.settings.why.as_ref(),
        job_id: attempt.job_id.as_ref(),
        job_name: &attempt.job_name,
        memory_bin: attempt.memory_bin,
        attempt: attempt.number,
        submitted_at: Timestamp::now(),
    })
}

fn failed(record: &Record, attempt: &Attempt) -> Bytes {
    let outcome = attempt.outcome.as_ref();
    bytes(&FailedBody {
        dataset: &record.dataset,
        why: record.settings.why.as_ref(),
        explanation: outcome.map(Outcome::to_string),
        remedy: outcome.and_then(Hint::hint),
        cause: outcome.and_then(|o| match o.result {
            Ended::Failed(cause) => Some(cause.name()),
            Ended::Succeeded => None,
        }),
        exit_code: outcome.and_then(|o| o.exit_code),
        job_id: attempt.job_id.as_ref(),
        job_name: &attempt.job_name,
        memory_bin: attempt.memory_bin,
        attempt: attempt.number,
        log_stream: outcome.and_then(|o| o.log_stream.as_deref()),
        at: outcome.map(|o| o.at),
    })
}

/// Texts, numbers and times always serialise.
fn bytes(body: &impl Serialize) -> Bytes {
    serde_json::to_vec(body).unwrap_or_default().into()
}
