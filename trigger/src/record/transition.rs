//! What all changes of a record have in common: the rules they follow, the names of jobs, and the
//! state a record shows.
//!
//! A transition is a pure function from the record as it is to the record as it should be, with the
//! reason in words; applied to its own result it changes nothing. The transitions themselves are with
//! what causes them, in `submit`, `verdict` and `request`; making job and messages match the record is
//! for `submit::reconcile`.

use caldp_core::dataset::Dataset;
use caldp_core::resources::MemoryBin;
use caldp_core::state::State;
use jiff::Timestamp;
use sha1::{Digest, Sha1};
use storage::uri::S3Uri;

use super::attempts::{Attempt, Claim, Ended, Market, Reason, Record, Settings};
use crate::config::{Config, Limits};
use crate::invocation::Invocation;
use crate::memory_bins::MemoryBins;
use crate::output_root::OutputRoot;
use crate::resources::Resources;

/// What every job this system submits has at the start of its name.
const JOB_PREFIX: &str = "caldp-";

/// What stays the same during one transition.
#[derive(Debug, Clone)]
pub struct TransitionRules<'a> {
    /// How often failures are tried again.
    pub limits: Limits,
    /// Where jobs of each memory bin go.
    pub memory_bins: &'a MemoryBins,
    /// The root the dataset's results are under.
    pub root: &'a S3Uri,
    /// The time.
    pub now: Timestamp,
    /// The right the invocation takes on attempts it makes.
    pub claim: Claim,
}

/// A change to a record, or none.
#[derive(Debug, Clone, PartialEq)]
pub enum Transition {
    /// The record stays as it is.
    None(String),
    /// The record becomes this.
    Change(Box<Record>, String),
}

impl<'a> TransitionRules<'a> {
    /// The rules for an invocation's work below a root, at this moment.
    pub fn now(config: &'a Config, root: &'a OutputRoot, invocation: &Invocation) -> Self {
        let now = Timestamp::now();
        Self {
            limits: config.limits,
            memory_bins: &config.memory_bins,
            root: &root.uri,
            now,
            claim: Claim::from_now(&invocation.id, config.lease, now),
        }
    }
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
    rules: &TransitionRules,
) -> Record {
    Record {
        dataset: dataset.clone(),
        terminated: false,
        settings,
        attempts: vec![Attempt {
            number: 1,
            reason: Reason::Batch,
            origin: origin.to_owned(),
            memory_bin: resources.memory_bin,
            timeout_seconds: resources.timeout.as_secs(),
            market: Market::Usual,
            job_name: name,
            job_id: None,
            claim: Some(rules.claim.clone()),
            claimed_at: rules.now,
            outcome: None,
        }],
    }
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

/// What an attempt gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// Its memory.
    pub memory_bin: MemoryBin,
    /// Its time limit in seconds.
    pub timeout_seconds: u64,
    /// Which machines it runs on.
    pub market: Market,
}

impl Grant {
    /// What a dataset of which nothing is known would get.
    pub const LEAST: Self = Self {
        memory_bin: MemoryBin::ALL[0],
        timeout_seconds: 60,
        market: Market::Usual,
    };
}

impl Attempt {
    /// What it got.
    pub const fn grant(&self) -> Grant {
        Grant {
            memory_bin: self.memory_bin,
            timeout_seconds: self.timeout_seconds,
            market: self.market,
        }
    }
}

/// Adds an attempt that has no job yet.
pub(crate) fn add_attempt(
    record: &mut Record,
    reason: Reason,
    origin: &str,
    grant: Grant,
    rules: &TransitionRules,
) {
    let number = record.next_number();
    record.add(Attempt {
        number,
        reason,
        origin: origin.to_owned(),
        memory_bin: grant.memory_bin,
        timeout_seconds: grant.timeout_seconds,
        market: grant.market,
        job_name: job_name(rules.root, &record.dataset, number, origin),
        job_id: None,
        claim: Some(rules.claim.clone()),
        claimed_at: rules.now,
        outcome: None,
    });
}
