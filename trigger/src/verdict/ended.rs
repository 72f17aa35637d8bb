//! What the end of a job changes in its dataset's record.

use std::time::Duration;

use caldp_core::dataset::Dataset;
use caldp_core::resources::MemoryBin;
use caldp_core::state::State;

use super::judge::{Action, Standing, judge};
use crate::event::evidence::{Cause, explain};
use crate::event::job_event::{JobEvent, Status};
use crate::record::attempts::{Attempt, Ended, Market, Outcome, Reason, Record, Settings};
use crate::record::transition::{Grant, Transition, TransitionRules, add_attempt, is_ours};

/// The time limit assumed for a job that was found without one.
const FOUND_TIMEOUT: Duration = Duration::from_hours(48);

/// A job of the dataset succeeded or failed. `state` is the dataset's state on S3.
pub fn ended(
    record: Option<Record>,
    dataset: &Dataset,
    settings: &Settings,
    event: &JobEvent,
    state: Option<State>,
    rules: &TransitionRules,
) -> Transition {
    if event.status == Status::UnderWay {
        return Transition::None("the job is under way".to_owned());
    }
    let mut record = match with_attempt(record, dataset, settings, event, rules) {
        Ok(record) => record,
        Err(why) => return Transition::None(why),
    };
    let decision = decide(&record, event, state, rules);
    record.terminated |= decision.terminate;
    let Some(attempt) = record.pending_mut() else {
        return Transition::None("the attempt ended before".to_owned());
    };
    attempt.job_id = Some(event.job_id.clone());
    attempt.claim = None;
    attempt.outcome = Some(Outcome {
        result: decision.result,
        explanation: decision.explanation.clone(),
        remedy: decision.remedy,
        exit_code: event.evidence.exit_code,
        log_stream: event.log_stream.clone(),
        ran_seconds: event.evidence.ran.map(|ran| ran.as_secs()),
        measured: None,
        at: rules.now,
    });
    if let Some((reason, grant)) = decision.retry {
        let origin = format!("job:{}", event.job_id);
        add_attempt(&mut record, reason, &origin, grant, rules);
    }
    Transition::Change(Box::new(record), decision.explanation)
}

/// What follows from the end of a job.
struct Decision {
    result: Ended,
    /// Why there is a next attempt, and what it gets.
    retry: Option<(Reason, Grant)>,
    terminate: bool,
    explanation: String,
    remedy: Option<String>,
}

fn decide(
    record: &Record,
    event: &JobEvent,
    state: Option<State>,
    rules: &TransitionRules,
) -> Decision {
    let without_retry = |result, explanation| Decision {
        result,
        retry: None,
        terminate: false,
        explanation,
        remedy: None,
    };
    let delivered = state.is_some_and(|s| {
        matches!(
            s,
            State::Processed | State::Syncing | State::Synced | State::Archived
        )
    });
    match (event.status, delivered) {
        (Status::Succeeded | Status::UnderWay, true) => {
            without_retry(Ended::Succeeded, "delivered".to_owned())
        }
        (Status::Failed, true) => {
            let code = event.evidence.exit_code;
            let code = code.map_or("no exit code".to_owned(), explain);
            without_retry(
                Ended::Succeeded,
                format!("every product was delivered before the job failed with {code}"),
            )
        }
        (Status::Succeeded | Status::UnderWay, false) => Decision {
            remedy: Some("read the job's log stream, then rescue the dataset".to_owned()),
            ..without_retry(
                Ended::Failed(Cause::Other),
                format!(
                    "the job reported success but the dataset's state is {}, not processed",
                    state.map_or("unknown".to_owned(), |s| s.to_string())
                ),
            )
        },
        (Status::Failed, false) => {
            let standing = Standing {
                terminated: record.terminated,
                had: record.last().map_or(Grant::LEAST, Attempt::grant),
                used: record.used(),
                reclaimed: record.reclaimed(),
                plain_timeout: record.plain_timeout(),
            };
            let verdict = judge(&event.evidence, standing, rules.limits);
            Decision {
                result: Ended::Failed(verdict.cause),
                terminate: verdict.action == Action::Terminate,
                retry: match verdict.action {
                    Action::Retry(reason, grant) => Some((reason, grant)),
                    Action::Terminate | Action::Fail => None,
                },
                explanation: verdict.explanation,
                remedy: verdict.remedy,
            }
        }
    }
}

/// The record in which the job of `event` is the pending attempt, or why there is none.
fn with_attempt(
    record: Option<Record>,
    dataset: &Dataset,
    settings: &Settings,
    event: &JobEvent,
    rules: &TransitionRules,
) -> Result<Record, String> {
    let (id, name) = (&event.job_id, &event.job_name);
    let is_it = |a: &Attempt| match &a.job_id {
        Some(known) => known == id,
        None => a.job_name == *name,
    };
    let found = Attempt {
        number: record.as_ref().map_or(1, Record::next_number),
        reason: Reason::Found,
        origin: format!("found:{id}"),
        memory_bin: rules
            .memory_bins
            .bin_of_queue(&event.queue)
            .unwrap_or(MemoryBin::ALL[0]),
        timeout_seconds: event.timeout_seconds.unwrap_or(FOUND_TIMEOUT.as_secs()),
        market: Market::Usual,
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
            record.add(found);
            Ok(record)
        }
    }
}
