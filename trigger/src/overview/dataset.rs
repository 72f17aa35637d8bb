//! How one dataset is doing, as its message and the record of its attempts tell.
//!
//! Pure: what is read from a store is read in `progress`, what many datasets add up to is in `summary`.

use caldp_core::batch::JobId;
use caldp_core::dataset::Dataset;
use caldp_core::exit_code::ExitCode;
use caldp_core::layout::Layout;
use caldp_core::provenance::Provenance;
use caldp_core::resources::{BINS, MemoryBin};
use caldp_core::state::State;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::event::evidence::Cause;
use crate::order::details::{Why, one_line};
use crate::output_root::OutputRoot;
use crate::record::attempts::{Attempt, Ended, Record};
use crate::record::measured::Measured;

/// The most characters of an explanation that are kept: it may come from anywhere.
const MAX_EXPLANATION: usize = 600;

/// How one dataset is doing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DatasetProgress {
    /// The dataset.
    pub dataset: Dataset,
    /// Its state.
    pub state: State,
    /// When it came into this state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// When the oldest message of a state that no longer holds was written, where one is left: whoever changed
    /// the state did not come to delete it.
    #[serde(skip)]
    pub left_over: Option<Timestamp>,
    /// How many jobs it had.
    #[serde(default)]
    pub attempts: usize,
    /// The memory bin of its latest job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bin: Option<MemoryBin>,
    /// The time limit of its latest job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u64>,
    /// The seconds its jobs ran in each memory bin, as far as AWS Batch said.
    #[serde(default)]
    pub seconds: [u64; BINS],
    /// When its latest job ended, where the record says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// Whether its record says that its latest job has not ended: its message may be ahead of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pending: bool,
    /// The seconds of its latest job that ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seconds: Option<u64>,
    /// Its latest job, once AWS Batch has said its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<JobId>,
    /// When that was planned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub planned: Option<Timestamp>,
    /// Its log stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_stream: Option<String>,
    /// The exit code of its latest job that ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i64>,
    /// What the latest run measured and delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<Measured>,
    /// Why it failed, when it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Why it is in its batch, where the order said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<Why>,
}

/// A message of a dataset that failed, where it is a document: that of one which could not be brought
/// on site is.
#[derive(Debug, Default, Deserialize)]
struct Message {
    #[serde(default)]
    explanation: Option<String>,
    #[serde(default)]
    remedy: Option<String>,
}

/// Why a dataset failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// What failures are grouped by: a sentence without names.
    pub reason: String,
    /// What was seen and decided, in words.
    pub explanation: String,
    /// The exit code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i64>,
    /// What to do about it.
    pub remedy: Remedy,
}

/// What an operator can do about a failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Remedy {
    /// Submit it again as it is.
    Rescue,
    /// Submit it again with a time limit so many times as long.
    MoreTime(u32),
    /// Submit it again with more memory.
    MoreMemory,
    /// Something else first, in words; then submit it again.
    First(String),
}

impl DatasetProgress {
    /// A dataset of which only the state is known.
    pub const fn of_state(dataset: Dataset, state: State, since: Option<Timestamp>) -> Self {
        Self {
            dataset,
            state,
            since,
            left_over: None,
            attempts: 0,
            memory_bin: None,
            timeout_seconds: None,
            seconds: [0; BINS],
            ended: None,
            pending: false,
            last_seconds: None,
            job_id: None,
            planned: None,
            log_stream: None,
            exit_code: None,
            measured: None,
            failure: None,
            why: None,
        }
    }

    /// Whether nothing more happens to it unless somebody asks.
    pub const fn is_settled(&self) -> bool {
        let moving = matches!(
            self.state,
            State::Submitted | State::Processing | State::Syncing
        );
        !moving && !self.pending
    }

    /// Whether it failed or was stopped.
    pub const fn has_failed(&self) -> bool {
        matches!(self.state, State::Error | State::Terminated)
    }

    /// Adds what the record of its attempts tells.
    #[must_use]
    pub fn with_record(mut self, record: &Record) -> Self {
        self.attempts = record.attempts.len();
        self.why.clone_from(&record.settings.why);
        if let Some(last) = record.last() {
            self.memory_bin = Some(last.memory_bin);
            self.timeout_seconds = Some(last.timeout_seconds);
            self.ended = last.outcome.as_ref().map(|o| o.at);
            self.pending = last.outcome.is_none();
            self.job_id.clone_from(&last.job_id);
            self.planned = Some(last.claimed_at);
            if let Some(outcome) = &last.outcome {
                self.log_stream.clone_from(&outcome.log_stream);
                self.exit_code = outcome.exit_code;
                self.measured.clone_from(&outcome.measured);
            }
        }
        for attempt in &record.attempts {
            if let Some(ran) = attempt.outcome.as_ref().and_then(|o| o.ran_seconds) {
                if let Some(sum) = self.seconds.get_mut(attempt.memory_bin.index()) {
                    *sum = sum.saturating_add(ran);
                }
                self.last_seconds = Some(ran);
            }
        }
        if self.has_failed() {
            // an earlier attempt may have failed for another reason
            self.failure = record.last().and_then(failure_of);
        }
        self
    }

    /// Adds what the record of a run tells that was not submitted as a job.
    #[must_use]
    pub fn with_run(mut self, run: &Provenance) -> Self {
        let seconds = run.needs.as_ref().map_or(0.0, |needs| needs.wall_seconds);
        let seconds = SignedDuration::try_from_secs_f64(seconds.max(run.seconds())).ok();
        self.planned = Some(run.started);
        self.ended = seconds.and_then(|length| run.started.checked_add(length).ok());
        self.last_seconds = seconds.and_then(|length| length.as_secs().try_into().ok());
        self.exit_code = Some(run.exit_code.into());
        self.measured = Some(Measured::of(run));
        if self.has_failed() {
            let number = i64::from(run.exit_code);
            let code = ExitCode::from_number(number);
            let (reason, remedy) = of_exit_code(code, Some(number));
            self.failure = run.error.as_ref().map(|error| {
                let (sentence, hint) = sentence_and_hint(error);
                let remedy = match (remedy, hint) {
                    // the run knew more than its exit code
                    (Remedy::First(_), Some(hint)) => Remedy::First(hint),
                    (remedy, _) => remedy,
                };
                Failure {
                    reason,
                    explanation: sentence,
                    exit_code: Some(number),
                    remedy,
                }
            });
        }
        self
    }

    /// Adds what the message of a failed dataset says, where no record tells more.
    #[must_use]
    pub fn with_message(mut self, message: &str) -> Self {
        if self.has_failed() && self.failure.is_none() {
            let said = serde_json::from_str::<Message>(message).unwrap_or_default();
            let (sentence, hint) =
                sentence_and_hint(said.explanation.as_deref().unwrap_or(message));
            let first = said
                .remedy
                .map(|words| one_line(&words, MAX_EXPLANATION))
                .or(hint);
            let first = first.unwrap_or_else(|| "read the end of its process.txt".to_owned());
            self.failure = Some(Failure {
                reason: match self.state {
                    State::Terminated => "stopped by an operator".to_owned(),
                    _ => "failed; its message says why".to_owned(),
                },
                explanation: sentence,
                exit_code: None,
                remedy: Remedy::First(first),
            });
        }
        self
    }
}

/// What a run said of its failure (`storage::hint::explain`), and the hint that it had, each on one line.
fn sentence_and_hint(text: &str) -> (String, Option<String>) {
    let (sentence, hint) = text
        .split_once("\nhint: ")
        .map_or((text, None), |(sentence, hint)| (sentence, Some(hint)));
    let short = |text: &str| one_line(text, MAX_EXPLANATION);
    let hint = hint.map(short).filter(|hint| !hint.is_empty());
    (short(sentence), hint)
}

impl Failure {
    /// The command that submits the dataset again, to be pasted.
    pub fn command(&self, dataset: &Dataset, root: &OutputRoot) -> String {
        let OutputRoot { uri, layout } = root;
        let layout = match layout {
            Layout::Tree => String::new(),
            Layout::Calcloud => format!(" --layout={layout}"),
        };
        let more = match &self.remedy {
            Remedy::MoreTime(factor) => format!(" --timeout-scale={factor}"),
            Remedy::MoreMemory => format!(" --memory-bin={}", MemoryBin::LAST.number()),
            Remedy::Rescue | Remedy::First(_) => String::new(),
        };
        format!("caldp rescue {dataset} --output={uri}{layout}{more}")
    }
}

impl Remedy {
    /// What to do, as a sentence without a full stop.
    pub fn words(&self) -> &str {
        match self {
            Self::Rescue => "rescue it",
            Self::MoreTime(_) => "rescue it with a longer time limit",
            Self::MoreMemory => "rescue it with more memory",
            Self::First(words) => words,
        }
    }
}

/// How an attempt failed, if it did.
fn failure_of(attempt: &Attempt) -> Option<Failure> {
    let outcome = attempt.outcome.as_ref()?;
    let Ended::Failed(cause) = outcome.result else {
        return None;
    };
    let code = outcome.exit_code.and_then(ExitCode::from_number);
    let (reason, remedy) = reason_and_remedy(cause, code, outcome.exit_code, attempt);
    Some(Failure {
        reason,
        explanation: one_line(&outcome.to_string(), MAX_EXPLANATION),
        exit_code: outcome.exit_code,
        remedy,
    })
}

fn reason_and_remedy(
    cause: Cause,
    code: Option<ExitCode>,
    number: Option<i64>,
    attempt: &Attempt,
) -> (String, Remedy) {
    let first = |words: &str| Remedy::First(words.to_owned());
    match cause {
        Cause::Memory => (
            "out of memory".to_owned(),
            match attempt.memory_bin.next() {
                Some(_) => Remedy::MoreMemory,
                None => first("it needs a larger machine than the last memory bin has"),
            },
        ),
        Cause::Timeout => (
            "took longer than its time limit".to_owned(),
            Remedy::MoreTime(2),
        ),
        Cause::Terminated => ("stopped by an operator".to_owned(), Remedy::Rescue),
        Cause::Infrastructure => ("the machine or container failed".to_owned(), Remedy::Rescue),
        Cause::Capacity => ("no machine could be had".to_owned(), Remedy::Rescue),
        Cause::Misconfiguration => (
            "the deployment asks for what cannot be had".to_owned(),
            first("correct the job definition or compute environment, then rescue it"),
        ),
        Cause::Refused => (
            "AWS Batch refused the job".to_owned(),
            first("correct the queue or job definition, then rescue it"),
        ),
        Cause::Other => of_exit_code(code, number),
    }
}

fn of_exit_code(code: Option<ExitCode>, number: Option<i64>) -> (String, Remedy) {
    let first = |words: &str| Remedy::First(words.to_owned());
    match (code, number) {
        (Some(code), _) => (
            format!("exit code {}: {}", code.number(), code.meaning()),
            first(code.remedy().unwrap_or("read the end of its process.txt")),
        ),
        (None, Some(number)) => (
            format!("exit code {number}"),
            first("read the job's log stream"),
        ),
        (None, None) => (
            "the job said no exit code".to_owned(),
            first("read the job's log stream"),
        ),
    }
}
