//! `caldp status` and `caldp explain`: how the datasets of an output are doing, and why.
//!
//! What is known and what it adds up to is `caldp_trigger::overview`; here are the questions, the words
//! and the exit statuses.

pub(crate) mod explain;
pub(crate) mod outputs;
mod text;

use std::collections::HashSet;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use caldp_core::exit_code::ExitCode as Code;
use caldp_core::layout::Layout;
use caldp_core::resources::{BINS, Model};
use caldp_trigger::config::{ConfigError, hourly_prices};
use caldp_trigger::output_root::OutputRoot;
use caldp_trigger::overview::dataset::DatasetProgress;
use caldp_trigger::overview::progress;
use caldp_trigger::overview::summary::{Assumptions, Summary, summarize};
use caldp_worker::cli::logging;
use clap::Args;
use jiff::Timestamp;
use serde::Serialize;
use storage::hint::{Hint, OutputError, answered, explain as in_words, say};
use storage::store::{self, Store, StoreError};
use storage::uri::Location;

/// Some dataset has not ended yet.
pub(crate) const UNDER_WAY: u8 = 3;
/// Every dataset has ended, and some failed.
pub(crate) const SOME_FAILED: u8 = 4;

/// What is logged where `RUST_LOG` does not say, of commands whose answer says what they found: what they wait for.
pub(crate) const LOGGED: &str = "storage=warn";

/// Says how far the datasets of an output are, what failed and why, what it costs.
#[derive(Debug, Args)]
pub(crate) struct StatusArguments {
    /// Where the results are: s3://... of a batch, a bucket for all its batches, or a directory after file:
    #[arg(value_name = "OUTPUT")]
    output: Location,
    /// The layout of results and messages
    #[arg(long, env = "CALDP_LAYOUT", default_value_t)]
    layout: Layout,
    /// List the datasets that failed: reason, attempts and the command that submits each again
    #[arg(long)]
    failed: bool,
    /// Say it again every so many seconds, until no dataset is under way
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "30",
          value_parser = clap::value_parser!(u64).range(1..=86_400))]
    watch: Option<u64>,
    /// Answer in JSON, one object for each output
    #[arg(long)]
    json: bool,
}

impl StatusArguments {
    pub(crate) const HELP: &'static str = "\
Exit status: 0 all datasets are processed, 3 some are under way, 4 some failed and none is under way, \
1 no answer.
Costs are in US dollars, with the prices of CALDP_HOURLY_PRICES (four, by memory bin) or those of \
infra/README.md. What is settled is remembered in blackboard/status.json of the output, where that can be \
written; it is never needed.
The fields of --json are described in caldp/STATUS.md.";
}

/// What helps where an output has no datasets.
pub(crate) const WHICH_OUTPUT: &str = "give the output path the datasets were submitted with (of a bucket, \
    the batches below data/ are looked at), and --layout where it is not tree";

/// Why nothing could be said.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StatusError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    PageRefused(StoreError),
    #[error("there are no datasets in {0}")]
    NoDatasets(String),
    #[error("nothing is known of {dataset} in {output}")]
    Unknown { dataset: String, output: String },
    #[error(transparent)]
    Prices(#[from] ConfigError),
    #[error("the model of what runs need cannot be read")]
    Model(#[from] caldp_core::resources::ModelError),
    #[error(transparent)]
    Output(#[from] OutputError),
    #[error("cannot start")]
    Runtime(#[source] io::Error),
}

impl Hint for StatusError {
    fn hint(&self) -> Option<std::borrow::Cow<'_, str>> {
        match self {
            Self::Store(error) => error.hint(),
            Self::PageRefused(error) => {
                let hint = error.hint().unwrap_or_default();
                Some(format!("{hint}; with --to DIRECTORY it is enough to read the output").into())
            }
            Self::NoDatasets(_) | Self::Unknown { .. } => Some(WHICH_OUTPUT.into()),
            Self::Prices(error) => error.hint(),
            Self::Output(error) => error.hint(),
            Self::Model(_) | Self::Runtime(_) => None,
        }
    }
}

/// One output and how it is doing.
#[derive(Debug, Serialize)]
struct OutputStatus {
    output: String,
    layout: Layout,
    at: Timestamp,
    #[serde(flatten)]
    summary: Summary,
    #[serde(skip_serializing_if = "Option::is_none")]
    failed: Option<Vec<FailedDataset>>,
    notes: Vec<String>,
}

/// One dataset that failed, as `--failed` lists it.
#[derive(Debug, Serialize)]
struct FailedDataset {
    #[serde(flatten)]
    progress: DatasetProgress,
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<String>,
}

pub(crate) fn run(arguments: &StatusArguments) -> ExitCode {
    ended(block_on(arguments.run()))
}

/// The answer of a command about states, or why there is none.
pub(crate) fn block_on<T>(
    work: impl Future<Output = Result<T, StatusError>>,
) -> Result<T, StatusError> {
    logging::start(LOGGED, None);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(StatusError::Runtime)?;
    let result = runtime.block_on(work);
    runtime.shutdown_background();
    result
}

pub(crate) fn ended(result: Result<u8, StatusError>) -> ExitCode {
    match result {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            say(format_args!("caldp: {}", in_words(&error)));
            ExitCode::from(Code::Generic.number())
        }
    }
}

impl StatusArguments {
    async fn run(&self) -> Result<u8, StatusError> {
        let (model, prices) = (Model::shipped()?, hourly_prices()?);
        let mut said = Said::default();
        loop {
            let statuses = match (self.look(&model, prices).await, self.watch) {
                (Ok(statuses), _) => statuses,
                // what could be read once can be read again
                (Err(StatusError::Store(error)), Some(seconds)) if said.looked => {
                    say(format_args!("caldp: {}", in_words(&error)));
                    tokio::time::sleep(Duration::from_secs(seconds)).await;
                    continue;
                }
                (Err(error), _) => return Err(error),
            };
            self.say(&statuses, &mut said)?;
            let (under_way, failed) = statuses.iter().fold((false, false), |(under, failed), s| {
                (
                    under | s.summary.under_way,
                    failed | !s.summary.failures.is_empty(),
                )
            });
            match (self.watch, under_way, failed) {
                (Some(seconds), true, _) => tokio::time::sleep(Duration::from_secs(seconds)).await,
                (None, true, _) => return Ok(UNDER_WAY),
                (_, false, true) => return Ok(SOME_FAILED),
                (_, false, false) => return Ok(Code::Ok.number()),
            }
        }
    }

    /// Looks at every output once.
    async fn look(
        &self,
        model: &Model,
        prices: [f64; BINS],
    ) -> Result<Vec<OutputStatus>, StatusError> {
        let mut statuses = vec![];
        for output in outputs::of(&self.output, self.layout).await? {
            let store: Arc<dyn Store> = store::open(&output).await;
            let progress = progress::read(&store, self.layout).await?;
            if progress.datasets.is_empty() {
                continue;
            }
            let now = Timestamp::now();
            let assumed = Assumptions { now, prices, model };
            let failed = self.failed.then(|| {
                let failed = progress.datasets.iter().filter(|d| d.has_failed());
                let listed = failed.map(|progress| FailedDataset {
                    command: command(progress, &output, self.layout),
                    progress: progress.clone(),
                });
                listed.collect()
            });
            statuses.push(OutputStatus {
                layout: self.layout,
                at: now,
                summary: summarize(&progress.datasets, assumed),
                failed,
                notes: progress.notes,
                output: output.to_string(),
            });
        }
        if statuses.is_empty() {
            return Err(StatusError::NoDatasets(self.output.to_string()));
        }
        Ok(statuses)
    }

    fn say(&self, statuses: &[OutputStatus], said: &mut Said) -> Result<(), StatusError> {
        said.looked = true;
        let mut text = String::new();
        if self.json {
            for status in statuses {
                // texts, numbers and times always serialise
                text += &serde_json::to_string(status).unwrap_or_default();
                text.push('\n');
            }
        } else {
            if self.watch.is_some() && io::stdout().is_terminal() {
                // the cursor home, and everything after it cleared
                text += "\x1b[H\x1b[2J";
            }
            text += &text::of(statuses, self.failed);
        }
        let mut out = anstream::stdout();
        answered(out.write_all(text.as_bytes()).and_then(|()| out.flush()))?;
        for note in statuses.iter().flat_map(|s| &s.notes) {
            if said.notes.insert(note.clone()) {
                say(format_args!("caldp: {note}"));
            }
        }
        Ok(())
    }
}

/// What was said by earlier looks, and is not said again.
#[derive(Debug, Default)]
struct Said {
    looked: bool,
    notes: HashSet<String>,
}

/// The command that submits a dataset again that failed; what ran here was not submitted.
fn command(progress: &DatasetProgress, output: &Location, layout: Layout) -> Option<String> {
    let Location::S3(output) = output else {
        return None;
    };
    let failure = progress.failure.as_ref()?;
    Some(failure.command(&progress.dataset, &OutputRoot::new(output.clone(), layout)))
}
