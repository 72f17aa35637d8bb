//! What a piece of news or a request changes in a dataset's record: pure functions from the
//! record as it is to the record as it should be, with the reason in words.
//!
//! Each is idempotent: applied to its own result it changes nothing. Carrying the change out, job
//! and messages included, is for `desk`.

use std::time::Duration;

use caldp_core::dataset::Dataset;
use caldp_core::state::State;
use jiff::Timestamp;
use sha1::{Digest, Sha1};
use storage::uri::S3Uri;

use crate::config::Limits;
use crate::evidence::{Cause, explain};
use crate::job::{JobChange, Status};
use crate::ladder::{Ladder, Resources, Rung};
use crate::order::Overrides;
use crate::record::{Attempt, Claim, Ended, Outcome, Reason, Record, Settings, Used};
use crate::verdict::{Action, Standing, judge};

/// What every job this system submits has at the start of its name.
const JOB_PREFIX: &str = "caldp-";

/// The time limit assumed for a job that was found without one.
const FOUND_TIMEOUT: Duration = Duration::from_hours(48);

/// What stays the same during one step.
#[derive(Debug, Clone)]
pub struct Rules<'a> {
    /// How often failures are tried again.
    pub limits: Limits,
    /// Where jobs of each rung go.
    pub ladder: &'a Ladder,
    /// The root the dataset's results are under.
    pub root: &'a S3Uri,
    /// The time.
    pub now: Timestamp,
    /// The right the invocation takes on attempts it makes.
    pub claim: Claim,
}

/// A change to a record, or none.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// The record stays as it is.
    Nothing(String),
    /// The record becomes this.
    Change(Box<Record>, String),
}

/// Why an operator starts a dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// Its inputs were placed.
    Placed,
    /// It is to be run again.
    Rescue,
}

/// What an operator wants for a start.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Which kind of start.
    pub start: Start,
    /// What asked for it.
    pub origin: String,
    /// What the request overrides.
    pub overrides: Overrides,
    /// How its jobs are run; `rescue` keeps those of the record where these say nothing.
    pub settings: Settings,
    /// What the dataset would get on its own.
    pub resources: Resources,
}

/// The name of a job: the same for the same attempt at any time, different for all others.
pub fn job_name(root: &S3Uri, dataset: &Dataset, number: u32, origin: &str) -> String {
    format!(
        "{JOB_PREFIX}{dataset}-{number}-{}",
        digest(&[&root.to_string(), dataset.name(), origin])
    )
}

/// Whether a job of this name was submitted by this system.
pub fn is_ours(job_name: &str) -> bool {
    job_name.starts_with(JOB_PREFIX)
}

/// Ten hexadecimal digits that stand for texts.
pub fn digest(texts: &[&str]) -> String {
    let mut sha1 = Sha1::new();
    for text in texts {
        sha1.update(text.len().to_be_bytes());
        sha1.update(text.as_bytes());
    }
    let bytes = sha1.finalize();
    let number = bytes
        .iter()
        .take(5)
        .fold(0u64, |number, byte| number << 8 | u64::from(*byte));
    format!("{number:010x}")
}

/// The record of a dataset's first attempt in a batch.
pub fn first(
    dataset: &Dataset,
    settings: Settings,
    resources: Resources,
    origin: &str,
    name: String,
    rules: &Rules,
) -> Record {
    Record {
        dataset: dataset.clone(),
        terminated: false,
        settings,
        attempts: vec![Attempt {
            number: 1,
            reason: Reason::Batch,
            origin: origin.to_owned(),
            rung: resources.rung,
            timeout_seconds: resources.timeout.as_secs(),
            job_name: name,
            job_id: None,
            claim: Some(rules.claim.clone()),
            claimed_at: rules.now,
            outcome: None,
        }],
    }
}

/// A job of the dataset succeeded or failed. `state` is the dataset's state on S3.
pub fn ended(
    record: Option<Record>,
    dataset: &Dataset,
    settings: &Settings,
    change: &JobChange,
    state: Option<State>,
    rules: &Rules,
) -> Step {
    let mut record = match with_attempt(record, dataset, settings, change, rules) {
        Ok(record) => record,
        Err(why) => return Step::Nothing(why),
    };
    let standing = Standing {
        terminated: record.terminated,
        rung: record.last().map_or(Rung::ALL[0], |a| a.rung),
        used: record.used(),
    };
    let delivered = state.is_some_and(|s| {
        matches!(
            s,
            State::Processed | State::Syncing | State::Synced | State::Archived
        )
    });
    let (result, retry, explanation) = match (change.status, delivered) {
        (Status::UnderWay, _) => return Step::Nothing("the job is under way".to_owned()),
        (Status::Succeeded, true) => (Ended::Succeeded, None, "delivered".to_owned()),
        (Status::Failed, true) => (
            Ended::Succeeded,
            None,
            format!(
                "every product was delivered before the job failed with {}",
                change
                    .evidence
                    .exit_code
                    .map_or("no exit code".to_owned(), explain)
            ),
        ),
        (Status::Succeeded, false) => (
            Ended::Failed(Cause::Other),
            None,
            format!(
                "the job reported success but the dataset's state is {}, not processed; hint: read the job's log \
                 stream, then rescue the dataset",
                state.map_or("unknown".to_owned(), |s| s.to_string())
            ),
        ),
        (Status::Failed, false) => {
            let verdict = judge(&change.evidence, standing, rules.limits);
            let retry = match verdict.action {
                Action::Retry(rung) => Some((rung, verdict.cause)),
                Action::Terminate => {
                    record.terminated = true;
                    None
                }
                Action::Fail => None,
            };
            (Ended::Failed(verdict.cause), retry, verdict.explanation)
        }
    };
    let Some(attempt) = record.pending_mut() else {
        return Step::Nothing("the attempt ended before".to_owned());
    };
    attempt.job_id = Some(change.job_id.clone());
    attempt.claim = None;
    attempt.outcome = Some(Outcome {
        result,
        explanation: explanation.clone(),
        exit_code: change.evidence.exit_code,
        log_stream: change.log_stream.clone(),
        at: rules.now,
    });
    let timeout_seconds = attempt.timeout_seconds;
    if let Some((rung, cause)) = retry {
        let reason = if cause == Cause::Memory {
            Reason::Memory
        } else {
            Reason::Infrastructure
        };
        let origin = format!("job:{}", change.job_id);
        push(&mut record, reason, &origin, rung, timeout_seconds, rules);
    }
    Step::Change(Box::new(record), explanation)
}

/// The record in which the job of `change` is the pending attempt, or why there is none.
fn with_attempt(
    record: Option<Record>,
    dataset: &Dataset,
    settings: &Settings,
    change: &JobChange,
    rules: &Rules,
) -> Result<Record, String> {
    let (id, name) = (&change.job_id, &change.job_name);
    let is_it = |a: &Attempt| match &a.job_id {
        Some(known) => known == id,
        None => a.job_name == *name,
    };
    let found = Attempt {
        number: record.as_ref().map_or(1, Record::next_number),
        reason: Reason::Found,
        origin: format!("found:{id}"),
        rung: rules
            .ladder
            .rung_of_queue(&change.queue)
            .unwrap_or(Rung::ALL[0]),
        timeout_seconds: change.timeout_seconds.unwrap_or(FOUND_TIMEOUT.as_secs()),
        job_name: name.clone(),
        job_id: Some(id.clone()),
        claim: None,
        claimed_at: rules.now,
        outcome: None,
    };
    let Some(mut record) = record else {
        if is_ours(name) {
            return Err(format!(
                "nothing is known of {dataset}: it was cleaned since job {id} was submitted"
            ));
        }
        return Ok(Record {
            dataset: dataset.clone(),
            terminated: false,
            settings: settings.clone(),
            attempts: vec![found],
        });
    };
    match record.attempts.iter().find(|a| is_it(a)) {
        Some(attempt) if attempt.outcome.is_some() => {
            Err(format!("the end of job {id} was handled before"))
        }
        Some(_) if record.pending().is_some_and(is_it) => Ok(record),
        Some(_) => Err(format!("job {id} is not the latest of {dataset}")),
        None if is_ours(name) => Err(format!(
            "job {id} is of an earlier life of {dataset}, which was cleaned since"
        )),
        None if record.pending().is_some() => Err(format!(
            "job {id} was submitted by somebody else while another job of {dataset} is pending"
        )),
        None if record.terminated => Err(format!("{dataset} is terminated and stays so")),
        None => {
            record.push(found);
            Ok(record)
        }
    }
}

/// An operator starts the dataset, again perhaps.
pub fn started(record: Option<Record>, dataset: &Dataset, wanted: &Wanted, rules: &Rules) -> Step {
    let repeated = record.as_ref().is_some_and(|r| r.knows(&wanted.origin));
    if repeated {
        return Step::Nothing("this request was carried out before".to_owned());
    }
    if let Some(pending) = record.as_ref().and_then(Record::pending) {
        return Step::Nothing(format!(
            "{dataset} has a job that has not ended ({}); hint: cancel it first",
            pending
                .job_id
                .as_ref()
                .map_or(pending.job_name.as_str(), |id| id.as_str())
        ));
    }
    let used = Used {
        memory: wanted.overrides.memory_retries.unwrap_or(0),
        infrastructure: wanted.overrides.retries.unwrap_or(0),
    };
    let (reason, verb) = match wanted.start {
        Start::Placed => (Reason::Placed(used), "placed"),
        Start::Rescue => (Reason::Rescue(used), "rescued"),
    };
    let rung = rung_of_start(record.as_ref(), wanted);
    let mut record = record.unwrap_or_else(|| Record {
        dataset: dataset.clone(),
        terminated: false,
        settings: wanted.settings.clone(),
        attempts: vec![],
    });
    match wanted.start {
        Start::Placed => record.settings = wanted.settings.clone(),
        Start::Rescue => {
            let kept = &mut record.settings;
            kept.context = wanted.settings.context.clone().or(kept.context.take());
            kept.timeout_scale = wanted.overrides.timeout_scale.or(kept.timeout_scale);
        }
    }
    record.terminated = false;
    let timeout = wanted.resources.timeout.as_secs();
    push(&mut record, reason, &wanted.origin, rung, timeout, rules);
    Step::Change(
        Box::new(record),
        format!("{dataset} {verb}, submitted on {rung}"),
    )
}

/// A rescue without a rung goes where the last attempt was, or one higher when that had too
/// little memory; a dataset never run starts where its kind does.
fn rung_of_start(record: Option<&Record>, wanted: &Wanted) -> Rung {
    if let Some(rung) = wanted.overrides.memory_bin {
        return rung;
    }
    let last = record.and_then(Record::last);
    match (wanted.start, last) {
        (Start::Rescue, Some(last)) => {
            let starved = last
                .outcome
                .as_ref()
                .is_some_and(|o| o.result == Ended::Failed(Cause::Memory));
            if starved {
                last.rung.next().unwrap_or(last.rung)
            } else {
                last.rung
            }
        }
        _ => wanted.resources.rung,
    }
}

/// An operator stops the dataset. `state` is its state on S3.
pub fn cancelled(
    record: Option<Record>,
    dataset: &Dataset,
    settings: &Settings,
    state: Option<State>,
    rules: &Rules,
) -> Step {
    let finished = matches!(
        state,
        Some(State::Processed | State::Syncing | State::Synced | State::Archived)
    );
    let pending = record.as_ref().is_some_and(|r| r.pending().is_some());
    if finished && !pending {
        return Step::Nothing(format!("{dataset} is finished, there is nothing to stop"));
    }
    if record.is_none() && state.is_none() {
        return Step::Nothing(format!("nothing is known of {dataset}"));
    }
    if record.as_ref().is_some_and(|r| r.terminated) {
        return Step::Nothing(format!("{dataset} is terminated already"));
    }
    let mut record = record.unwrap_or_else(|| Record {
        dataset: dataset.clone(),
        terminated: false,
        settings: settings.clone(),
        attempts: vec![],
    });
    record.terminated = true;
    if let Some(attempt) = record.pending_mut() {
        attempt.claim = None;
        attempt.outcome = Some(Outcome {
            result: Ended::Failed(Cause::Terminated),
            explanation: "an operator cancelled it".to_owned(),
            exit_code: None,
            log_stream: None,
            at: rules.now,
        });
    }
    Step::Change(Box::new(record), format!("{dataset} terminated"))
}

/// The state a dataset's messages should show, given the one they show.
///
/// A pending attempt is `submitted` until its worker says more; what a worker delivered is never
/// taken back by the record, nor made up by it.
pub fn shown(record: &Record, state: Option<State>) -> Option<State> {
    if record.terminated {
        return Some(State::Terminated);
    }
    let last = record.last()?;
    match last.outcome.as_ref().map(|o| o.result) {
        // what an earlier attempt left must not be taken for this one's
        None if last.job_id.is_none() => Some(State::Submitted),
        None => Some(state.unwrap_or(State::Submitted)),
        Some(Ended::Succeeded) => state,
        Some(Ended::Failed(_)) => Some(State::Error),
    }
}

fn push(
    record: &mut Record,
    reason: Reason,
    origin: &str,
    rung: Rung,
    timeout_seconds: u64,
    rules: &Rules,
) {
    let number = record.next_number();
    record.push(Attempt {
        number,
        reason,
        origin: origin.to_owned(),
        rung,
        timeout_seconds,
        job_name: job_name(rules.root, &record.dataset, number, origin),
        job_id: None,
        claim: Some(rules.claim.clone()),
        claimed_at: rules.now,
        outcome: None,
    });
}
