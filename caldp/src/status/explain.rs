//! `caldp explain`: the story of one dataset, from the record of its attempts and of its last run.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use caldp_core::dataset::Dataset;
use caldp_core::exit_code::ExitCode as Code;
use caldp_core::layout::{Area, Layout};
use caldp_core::messages::Messages;
use caldp_core::provenance::{self, Provenance};
use caldp_core::state::State;
use caldp_trigger::overview::dataset::DatasetProgress;
use caldp_trigger::record::attempts::{Attempt, Ended, Record};
use clap::Args;
use serde::Serialize;
use serde::de::DeserializeOwned;
use storage::hint::answered;
use storage::store::{self, Store, StoreError, bytes_if_there};
use storage::uri::Location;

use super::{StatusError, block_on, command, ended};
use crate::duration::duration;
use crate::tables::counted;
use crate::terminal::plain;

/// No record is larger, in bytes.
const MAX_DOCUMENT: usize = 16 << 20;
/// The end of a log that is looked at, in lines.
const LOG_LINES: usize = 12;
/// A larger log is not read, in bytes.
const MAX_LOG: usize = 64 << 20;
/// The log of the programs.
const PROCESS_LOG: &str = "process.txt";

/// Tells the story of one dataset: its attempts, why it failed, what was delivered, what to do next.
#[derive(Debug, Args)]
pub(crate) struct ExplainArguments {
    /// The dataset
    dataset: Dataset,
    /// The output path the dataset was processed with: s3://... or a directory after file:
    #[arg(long, value_name = "OUTPUT")]
    output: Location,
    /// The layout of results and messages
    #[arg(long, env = "CALDP_LAYOUT", default_value_t)]
    layout: Layout,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

impl ExplainArguments {
    pub(crate) const HELP: &'static str = "\
Exit status: 0 the dataset is processed, 3 it is under way, 4 it failed, 1 no answer.
The fields of --json are described in caldp/STATUS.md.";
}

/// What is known of one dataset.
#[derive(Debug, Serialize)]
struct Story {
    #[serde(flatten)]
    progress: DatasetProgress,
    output: String,
    /// Where products, previews and logs are.
    results: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<Record>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provenance: Option<Provenance>,
    /// The last lines of the log, of a dataset that failed.
    log: Vec<String>,
    /// What to do next, of a dataset that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<String>,
    /// What could not be read.
    notes: Vec<String>,
}

pub(crate) fn run(arguments: &ExplainArguments) -> ExitCode {
    ended(block_on(arguments.run()))
}

impl ExplainArguments {
    async fn run(&self) -> Result<u8, StatusError> {
        let story = self.story(&store::open(&self.output).await).await?;
        let text = if self.json {
            // texts, numbers and times always serialise
            serde_json::to_string_pretty(&story).unwrap_or_default() + "\n"
        } else {
            plain(&story.text())
        };
        let mut out = anstream::stdout();
        answered(out.write_all(text.as_bytes()).and_then(|()| out.flush()))?;
        Ok(match story.progress.state {
            State::Submitted | State::Processing => super::UNDER_WAY,
            State::Error | State::Terminated => super::SOME_FAILED,
            _ => Code::Ok.number(),
        })
    }

    async fn story(&self, store: &Arc<dyn Store>) -> Result<Story, StatusError> {
        let (dataset, layout) = (&self.dataset, self.layout);
        let messages = Messages::new(Arc::clone(store), layout);
        let state = messages.look(dataset).await?.current();
        let state = state.ok_or_else(|| StatusError::Unknown {
            dataset: dataset.to_string(),
            output: self.output.to_string(),
        })?;
        let mut notes = vec![];
        let message = layout.message(state, dataset);
        let since = store.head(&message).await?.and_then(|head| head.modified);
        let record: Option<Record> = document(store, &layout.attempts(dataset), &mut notes).await?;
        let key = layout.file(dataset, Area::Logs, provenance::FILE);
        let provenance: Option<Provenance> = document(store, &key, &mut notes).await?;
        let mut progress = DatasetProgress::of_state(dataset.clone(), state, since);
        if let Some(record) = &record {
            progress = progress.with_record(record);
        }
        let mut log = vec![];
        if progress.has_failed() {
            let said = bytes_if_there(&**store, &message, MAX_DOCUMENT)
                .await?
                .unwrap_or_default();
            progress = progress.with_message(&String::from_utf8_lossy(&said));
            let key = layout.file(dataset, Area::Logs, PROCESS_LOG);
            let process = bytes_if_there(&**store, &key, MAX_LOG)
                .await?
                .unwrap_or_default();
            log = last_lines(&String::from_utf8_lossy(&process));
        }
        let output = self.output.to_string();
        Ok(Story {
            results: store
                .place(layout.data_dir(dataset).trim_end_matches('/'))?
                .to_string(),
            command: command(&progress, &self.output, layout),
            output,
            record,
            provenance,
            log,
            notes,
            progress,
        })
    }
}

/// A document that may not be there; one that cannot be read is told.
async fn document<T: DeserializeOwned>(
    store: &Arc<dyn Store>,
    key: &str,
    notes: &mut Vec<String>,
) -> Result<Option<T>, StoreError> {
    let Some(bytes) = bytes_if_there(&**store, key, MAX_DOCUMENT).await? else {
        return Ok(None);
    };
    match serde_json::from_slice(&bytes) {
        Ok(document) => Ok(Some(document)),
        Err(error) => {
            notes.push(format!("{key} cannot be read: {error}"));
            Ok(None)
        }
    }
}

/// The end of a log, without control characters.
fn last_lines(log: &str) -> Vec<String> {
    let lines: Vec<&str> = log.lines().collect();
    let first = lines.len().saturating_sub(LOG_LINES);
    let last = lines.into_iter().skip(first);
    last.map(|line| line.chars().filter(|c| !c.is_control()).collect())
        .collect()
}

impl Story {
    fn text(&self) -> String {
        let DatasetProgress {
            dataset,
            state,
            since,
            why,
            failure,
            ..
        } = &self.progress;
        let mut text = format!("{dataset}: {state}");
        if let Some(since) = since {
            let _ = write!(text, " since {since:.0}");
        }
        text.push('\n');
        if let Some(why) = why {
            let _ = writeln!(text, "in its batch because {why}");
        }
        let attempts = self.record.iter().flat_map(|r| &r.attempts);
        for attempt in attempts {
            let _ = writeln!(text, "{}", attempt_text(attempt));
        }
        if let Some(provenance) = &self.provenance {
            text += &provenance_text(provenance);
        }
        if let Some(failure) = failure {
            let _ = writeln!(text, "\nfailed: {}", failure.reason);
            let last = self.record.as_ref().and_then(Record::last);
            // else its attempt has told so
            let told = last.is_some_and(|last| last.outcome.is_some());
            if !told && !failure.explanation.is_empty() {
                let _ = writeln!(text, "{}", failure.explanation);
            }
            if !self.log.is_empty() {
                let _ = writeln!(
                    text,
                    "\nthe end of {PROCESS_LOG}:\n  {}",
                    self.log.join("\n  ")
                );
            }
            let _ = writeln!(text, "\nnext: {}", failure.remedy.words());
        }
        if let Some(command) = &self.command {
            let _ = writeln!(text, "      {command}");
        }
        let _ = writeln!(text, "results: {}", self.results);
        for note in &self.notes {
            let _ = writeln!(text, "note: {note}");
        }
        text
    }
}

fn attempt_text(attempt: &Attempt) -> String {
    let mut text = format!(
        "attempt {}: {} GiB, limit {}, planned {:.0}",
        attempt.number,
        attempt.memory_bin.gib(),
        seconds(attempt.timeout_seconds),
        attempt.claimed_at
    );
    if let Some(job) = &attempt.job_id {
        let _ = write!(text, ", job {job}");
    }
    match &attempt.outcome {
        None => text += "\n    has not ended",
        Some(outcome) => {
            let result = match outcome.result {
                Ended::Succeeded => "succeeded".to_owned(),
                Ended::Failed(cause) => format!("failed ({cause})"),
            };
            let _ = write!(text, "\n    {result} {:.0}", outcome.at);
            if let Some(ran) = outcome.ran_seconds {
                let _ = write!(text, " after {}", seconds(ran));
            }
            if let Some(code) = outcome.exit_code {
                let known = Code::from_number(code);
                let words = known.map_or_else(|| code.to_string(), |code| code.to_string());
                let _ = write!(text, ", exit code {words}");
            }
            let _ = write!(text, "\n    {outcome}");
            if let Some(stream) = &outcome.log_stream {
                let _ = write!(text, "\n    log stream {stream}");
            }
        }
    }
    text
}

#[expect(clippy::cast_precision_loss, reason = "seconds of jobs")]
fn seconds(seconds: u64) -> String {
    duration(seconds as f64)
}

fn provenance_text(provenance: &Provenance) -> String {
    let mut text = format!(
        "last run: {:.0}, {}",
        provenance.started,
        duration(provenance.seconds())
    );
    if let Some(context) = &provenance.context {
        let _ = write!(text, ", context {context}");
    }
    text.push('\n');
    if !provenance.references.is_empty() {
        let names: Vec<&str> = provenance
            .references
            .iter()
            .map(|r| r.name.as_str())
            .collect();
        let _ = writeln!(text, "references: {}", names.join(" "));
    }
    for program in &provenance.programs {
        let status = program
            .status
            .map_or_else(|| "a signal".to_owned(), |s| s.to_string());
        let _ = writeln!(
            text,
            "program: {} ended with {status} after {}",
            program.command,
            duration(program.seconds)
        );
    }
    if !provenance.outputs.is_empty() {
        let bytes: u64 = provenance.outputs.iter().map(|o| o.size).sum();
        let _ = writeln!(
            text,
            "delivered: {}, {bytes} bytes",
            counted(provenance.outputs.len(), "file")
        );
    }
    text
}
