//! The record of a dataset's attempts, `control/<dataset>/attempts.json`.
//!
//! It is the one document that decides what happens to a dataset: every change goes through a
//! conditional write, so of several invocations that want to act on the same news one does and the
//! others see that it did. The state messages are its projection. What is changed is for
//! `verdict` and `request`, reading and writing for `documents`.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::time::Duration;

use caldp_core::batch::{BatchName, JobId};
use caldp_core::dataset::Dataset;
use caldp_core::layout::Layout;
use caldp_core::resources::MemoryBin;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use storage::hint::Hint;

use crate::error::TriggerError;
use crate::event::evidence::Cause;
use crate::order::details::Why;
use crate::record::measured::Measured;
use crate::resources::{Priority, Scale};

/// The most attempts a record keeps; the oldest go first.
const MAX_ATTEMPTS: usize = 200;

/// Everything that was tried with one dataset in one output location.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The dataset.
    pub dataset: Dataset,
    /// Whether somebody stopped it; only a new request by an operator ends that.
    pub terminated: bool,
    /// How its jobs are run.
    pub settings: Settings,
    /// Oldest first; at least one.
    pub attempts: Vec<Attempt>,
}

/// What all jobs of a dataset have in common.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// The batch it was first submitted in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<BatchName>,
    /// The layout its results are written in.
    pub layout: Layout,
    /// Where its inputs are, when not at MAST.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<String>,
    /// The CRDS context, when not the job definition's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// A queue used instead of the memory bins'.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_queue: Option<String>,
    /// A job definition used instead of the memory bins'.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_definition: Option<String>,
    /// The factor time limits were multiplied by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_scale: Option<Scale>,
    /// Which of the jobs with results in the same place go first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
    /// Why the dataset is in its batch, as the order said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<Why>,
}

/// One job of a dataset, planned, running or ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// Counted from 1 over the life of the record.
    pub number: u32,
    /// Why it was made.
    pub reason: Reason,
    /// What asked for it: the same request or event never makes two attempts.
    pub origin: String,
    /// Its memory.
    #[serde(rename = "rung", alias = "memory_bin")]
    pub memory_bin: MemoryBin,
    /// Its time limit in seconds.
    pub timeout_seconds: u64,
    /// Which machines it runs on.
    #[serde(default, skip_serializing_if = "Market::is_usual")]
    pub market: Market,
    /// The name of its job, or of the array its job is in; unique to this attempt.
    pub job_name: String,
    /// The job, once AWS Batch has said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<JobId>,
    /// Who is submitting it and until when nobody else may; gone once the job is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<Claim>,
    /// When it was planned.
    pub claimed_at: Timestamp,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
}

/// Why an attempt was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reason {
    /// A batch was submitted.
    Batch,
    /// An operator asked for it; retries count from here, starting at these numbers.
    Rescue(Used),
    /// The inputs were placed; retries count from here, starting at these numbers.
    Placed(Used),
    /// The attempt before ran out of memory.
    Memory,
    /// The infrastructure failed the attempt before.
    Infrastructure,
    /// The machine of the attempt before was taken away.
    Reclaimed,
    /// The attempt before ran longer than its limit.
    Timeout,
    /// Found running: submitted by somebody else.
    Found,
}

/// Which of a memory bin's queues an attempt goes to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Market {
    /// The one for everything.
    #[default]
    Usual,
    /// The one whose machines are not taken away.
    OnDemand,
}

/// Automatic retries to count as used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    /// For lack of memory.
    pub memory: u32,
    /// For failures of the infrastructure.
    pub infrastructure: u32,
    /// For time limits.
    #[serde(default)]
    pub timeout: u32,
}

/// The right to submit an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The invocation that has it.
    pub owner: String,
    /// From then on another may take it.
    pub until: Timestamp,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Success, or why not.
    pub result: Ended,
    /// What was seen and decided, in words; shown by [`Display`](fmt::Display) without the remedy that older
    /// records have in it.
    pub explanation: String,
    /// What can be done about it; none in older records, whose [`Hint`] is found all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// The container's exit code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i64>,
    /// Where the log is, in `/aws/batch/job`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_stream: Option<String>,
    /// How long the job ran, in seconds, where AWS Batch said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ran_seconds: Option<u64>,
    /// What it measured and delivered, where its own record says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<Measured>,
    /// When the news was handled.
    pub at: Timestamp,
}

/// The ways an attempt ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ended {
    /// Delivered.
    Succeeded,
    /// Failed for this cause.
    Failed(Cause),
}

/// What older records have between an explanation and its remedy.
const REMEDY: &str = "; hint: ";

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let old = self.explanation.split_once(REMEDY);
        f.write_str(old.map_or(self.explanation.as_str(), |(words, _)| words))
    }
}

impl Error for Outcome {}

impl Hint for Outcome {
    fn hint(&self) -> Option<Cow<'_, str>> {
        let old = self.explanation.split_once(REMEDY);
        let remedy = self.remedy.as_deref().or(old.map(|(_, remedy)| remedy));
        remedy.map(Cow::Borrowed)
    }
}

impl Claim {
    /// The right of an invocation for a length of time.
    pub fn from_now(owner: &str, length: Duration, now: Timestamp) -> Self {
        let length = SignedDuration::try_from(length).unwrap_or(SignedDuration::MAX);
        Self {
            owner: owner.to_owned(),
            until: now.checked_add(length).unwrap_or(Timestamp::MAX),
        }
    }

    /// The refusal of what another invocation works on.
    pub(crate) fn busy(&self, what: &str) -> TriggerError {
        TriggerError::Busy {
            what: what.to_owned(),
            owner: self.owner.clone(),
            until: self.until,
        }
    }
}

impl Record {
    /// The latest attempt.
    pub fn last(&self) -> Option<&Attempt> {
        self.attempts.last()
    }

    /// The latest attempt when it has not ended.
    pub fn pending(&self) -> Option<&Attempt> {
        self.last().filter(|a| a.outcome.is_none())
    }

    /// The pending attempt, to change.
    pub fn pending_mut(&mut self) -> Option<&mut Attempt> {
        self.attempts.last_mut().filter(|a| a.outcome.is_none())
    }

    /// Adds what a job measured to how it ended.
    pub fn add_measured(&mut self, job: &JobId, measured: &Measured) {
        let mut attempts = self.attempts.iter_mut();
        let of_job = attempts.find(|a| a.job_id.as_ref() == Some(job));
        if let Some(outcome) = of_job.and_then(|a| a.outcome.as_mut()) {
            outcome.measured = Some(measured.clone());
        }
    }

    /// Whether `origin` already made an attempt.
    pub fn knows(&self, origin: &str) -> bool {
        self.attempts.iter().any(|a| a.origin == origin)
    }

    /// Automatic retries since an operator last had a say.
    pub fn used(&self) -> Used {
        let mut used = Used::default();
        for attempt in &self.attempts {
            match attempt.reason {
                Reason::Batch | Reason::Found => used = Used::default(),
                Reason::Rescue(start) | Reason::Placed(start) => used = start,
                Reason::Memory => used.memory = used.memory.saturating_add(1),
                Reason::Infrastructure | Reason::Reclaimed => {
                    used.infrastructure = used.infrastructure.saturating_add(1);
                }
                Reason::Timeout => used.timeout = used.timeout.saturating_add(1),
            }
        }
        used
    }

    /// The attempts since an operator last had a say, that operator's first.
    fn latest_run(&self) -> impl Iterator<Item = &Attempt> {
        let automatic = self.attempts.iter().rev();
        let automatic = automatic.take_while(|a| a.reason.is_automatic()).count();
        let first = self.attempts.len().saturating_sub(automatic + 1);
        self.attempts.iter().skip(first)
    }

    /// How often the machine was taken away and the dataset tried again, since an operator last had a
    /// say.
    pub fn reclaimed(&self) -> usize {
        let reasons = self.latest_run().map(|a| &a.reason);
        reasons.filter(|r| **r == Reason::Reclaimed).count()
    }

    /// The time limit of a factor of one, in seconds, since an operator last had a say.
    pub fn plain_timeout(&self) -> f64 {
        let scale = self.settings.timeout_scale.map_or(1.0, f64::from);
        let limit = self
            .latest_run()
            .next()
            .map_or(Duration::ZERO, Attempt::timeout);
        limit.as_secs_f64() / scale
    }

    /// Adds an attempt, forgetting the oldest beyond a sane number.
    pub fn add(&mut self, attempt: Attempt) {
        self.attempts.push(attempt);
        let excess = self.attempts.len().saturating_sub(MAX_ATTEMPTS);
        self.attempts.drain(..excess);
    }

    /// The number the next attempt gets.
    pub fn next_number(&self) -> u32 {
        self.last().map_or(1, |a| a.number.saturating_add(1))
    }
}

impl Market {
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
    fn is_usual(&self) -> bool {
        *self == Self::Usual
    }
}

impl Reason {
    /// Whether a verdict made the attempt, and no operator.
    const fn is_automatic(&self) -> bool {
        match self {
            Self::Memory | Self::Infrastructure | Self::Reclaimed | Self::Timeout => true,
            Self::Batch | Self::Rescue(_) | Self::Placed(_) | Self::Found => false,
        }
    }
}

impl Attempt {
    /// The time limit.
    pub const fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// Earlier versions wrote the remedy into the explanation.
    #[test]
    fn an_explanation_and_its_remedy_are_told_apart() {
        let read = |fields: &str| -> (String, Option<String>) {
            let outcome =
                format!(r#"{{"result": "succeeded", "at": "2026-03-01T00:00:00Z", {fields}}}"#);
            let outcome: Outcome = serde_json::from_str(&outcome).unwrap();
            (outcome.to_string(), outcome.hint().map(Cow::into_owned))
        };
        let both = ("it broke".to_owned(), Some("mend it".to_owned()));
        assert_eq!(read(r#""explanation": "it broke; hint: mend it""#), both);
        assert_eq!(
            read(r#""explanation": "it broke", "remedy": "mend it""#),
            both
        );
        assert_eq!(
            read(r#""explanation": "it broke""#),
            ("it broke".to_owned(), None)
        );
    }

    /// Records of earlier versions say `rung`, and so do ours; either word is read.
    #[test]
    fn a_memory_bin_is_read_by_both_its_names() {
        let attempt = |word: &str| {
            format!(
                r#"{{"number": 1, "reason": "batch", "origin": "o", "{word}": 2, "timeout_seconds": 60,
                "job_name": "n", "claimed_at": "2026-03-01T00:00:00Z"}}"#
            )
        };
        let read = |word| serde_json::from_str::<Attempt>(&attempt(word)).unwrap();
        assert_eq!(read("rung"), read("memory_bin"));
        let written = serde_json::to_value(read("memory_bin")).unwrap();
        assert_eq!(
            written.get("rung").and_then(serde_json::Value::as_u64),
            Some(2)
        );
    }
}
