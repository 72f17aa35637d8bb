//! What operators' requests change in a dataset's record.

use caldp_core::dataset::Dataset;
use caldp_core::resources::MemoryBin;
use caldp_core::state::State;

use crate::event::evidence::Cause;
use crate::record::attempts::{Ended, Market, Outcome, Reason, Record, Settings, Used};
use crate::record::transition::{Grant, Transition, TransitionRules, add_attempt};
use crate::resources::Overrides;
use crate::resources::Resources;

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
pub struct StartRequest {
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

/// An operator starts the dataset, again perhaps.
pub fn started(
    record: Option<Record>,
    dataset: &Dataset,
    wanted: &StartRequest,
    rules: &TransitionRules,
) -> Transition {
    let repeated = record.as_ref().is_some_and(|r| r.knows(&wanted.origin));
    if repeated {
        return Transition::None("this request was carried out before".to_owned());
    }
    if let Some(pending) = record.as_ref().and_then(Record::pending) {
        return Transition::None(format!(
            "{dataset} has a job that has not ended ({}), which is to be cancelled first",
            pending
                .job_id
                .as_ref()
                .map_or(pending.job_name.as_str(), |id| id.as_str())
        ));
    }
    let used = Used {
        memory: wanted.overrides.memory_retries.unwrap_or(0),
        infrastructure: wanted.overrides.retries.unwrap_or(0),
        timeout: wanted.overrides.timeout_retries.unwrap_or(0),
    };
    let (reason, verb) = match wanted.start {
        Start::Placed => (Reason::Placed(used), "placed"),
        Start::Rescue => (Reason::Rescue(used), "rescued"),
    };
    let memory_bin = bin_of_start(record.as_ref(), wanted);
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
    let grant = Grant {
        memory_bin,
        timeout_seconds: wanted.resources.timeout.as_secs(),
        market: Market::Usual,
    };
    add_attempt(&mut record, reason, &wanted.origin, grant, rules);
    Transition::Change(
        Box::new(record),
        format!("{dataset} {verb}, submitted on {memory_bin}"),
    )
}

/// A rescue without a memory bin goes where the last attempt was, or one higher when that had too
/// little memory; a dataset never run starts where its kind does.
fn bin_of_start(record: Option<&Record>, wanted: &StartRequest) -> MemoryBin {
    if let Some(memory_bin) = wanted.overrides.memory_bin {
        return memory_bin;
    }
    let last = record.and_then(Record::last);
    match (wanted.start, last) {
        (Start::Rescue, Some(last)) => {
            let starved = last
                .outcome
                .as_ref()
                .is_some_and(|o| o.result == Ended::Failed(Cause::Memory));
            if starved {
                last.memory_bin.next().unwrap_or(last.memory_bin)
            } else {
                last.memory_bin
            }
        }
        _ => wanted.resources.memory_bin,
    }
}

/// An operator stops the dataset. `state` is its state on S3.
pub fn cancelled(
    record: Option<Record>,
    dataset: &Dataset,
    settings: &Settings,
    state: Option<State>,
    rules: &TransitionRules,
) -> Transition {
    let finished = matches!(
        state,
        Some(State::Processed | State::Syncing | State::Synced | State::Archived)
    );
    let pending = record.as_ref().is_some_and(|r| r.pending().is_some());
    if finished && !pending {
        return Transition::None(format!("{dataset} is finished, there is nothing to stop"));
    }
    if record.is_none() && state.is_none() {
        return Transition::None(format!("nothing is known of {dataset}"));
    }
    if record.as_ref().is_some_and(|r| r.terminated) {
        return Transition::None(format!("{dataset} is terminated already"));
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
            remedy: None,
            exit_code: None,
            log_stream: None,
            ran_seconds: None,
            measured: None,
            at: rules.now,
        });
    }
    Transition::Change(Box::new(record), format!("{dataset} terminated"))
}
