//! `caldp sync`: brings finished datasets on site, and carries up what the archive says of them.
//!
//! A run ([`round`]) looks at an output once: its batches ([`batches`]), each dataset through its states
//! ([`dataset`]), its files into place ([`delivery`], [`bring`], [`site`]), acknowledgements
//! ([`acknowledge`]), and says what it did ([`report`]). Everything it needs to go on after an interruption
//! is in the messages of the output and on site.

mod acknowledge;
mod batches;
mod bring;
mod claim;
mod dataset;
mod delivery;
mod error;
mod progress;
mod queue;
mod report;
mod round;
mod run;
mod site;
mod stop;
mod unpack;
mod work;

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use caldp_core::exit_code::ExitCode as Code;
use caldp_core::layout::Layout;
use caldp_worker::cli::logging;
use clap::Args;
use clap::builder::{PathBufValueParser, TypedValueParser as _};
use storage::hint::{explain, say, with_hint};
use storage::uri::Location;

use crate::status::{SOME_FAILED, UNDER_WAY, outputs};
use delivery::Part;
use error::SyncError;
use queue::Queue;
use report::Report;
use round::Reason;
use run::Run;
use stop::Stop;

/// Of one look no more notes are printed than this.
const MOST_NOTES: usize = 5;

/// What is logged where `RUST_LOG` does not say.
const DEFAULT_FILTER: &str = "warn";

/// Brings finished datasets on site, and carries up what the archive says of them.
#[derive(Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "options that are given or not"
)]
pub(crate) struct SyncArguments {
    /// Where the results are: s3://... of a batch, a bucket for all its batches, or a directory after file:
    #[arg(value_name = "OUTPUT")]
    output: Location,
    /// Where they are to be: DIRECTORY/BATCH/data/INSTRUMENT/DATASET/
    #[arg(value_name = "DIRECTORY", value_parser = PathBufValueParser::new().try_map(on_this_machine))]
    directory: PathBuf,
    /// The layout of results and messages
    #[arg(long, env = "CALDP_LAYOUT", default_value_t)]
    layout: Layout,
    /// Bring only these parts, and leave all states and messages alone
    #[arg(long, value_name = "PART", value_delimiter = ',')]
    only: Vec<Part>,
    /// Keep the archives of the calcloud layout packed
    #[arg(long)]
    keep_archives: bool,
    /// Take what was delivered for files that were changed or removed on site, of datasets that are on
    /// site already too
    #[arg(long)]
    restore: bool,
    /// Try datasets again whose earlier sync ended in an error
    #[arg(long)]
    retry: bool,
    /// Take over datasets that another directory has begun with
    #[arg(long)]
    take_over: bool,
    /// Files that are fetched at once; a large one counts as two
    #[arg(long, value_name = "NUMBER", default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=256))]
    jobs: u32,
    /// Look again every so many seconds, until stopped
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "30",
          value_parser = clap::value_parser!(u64).range(1..=86_400))]
    watch: Option<u64>,
    /// Look at once when this SQS queue tells of anything, too
    #[arg(long, value_name = "URL", requires = "watch")]
    queue: Option<String>,
    /// Say what would be brought, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Answer in JSON, one object for each output
    #[arg(long)]
    json: bool,
}

impl SyncArguments {
    pub(crate) const HELP: &'static str = "\
Files appear under their names only complete and checked: by the sum that the run's record has, else by \
the checksum that S3 has, else by size. What is there is not fetched again. What was changed by hand is \
kept, said and counted. The run can be killed and repeated, and several can run at once.
Exit status: 0 all datasets are on site, 3 some are under way, 4 some failed or could not be brought, \
1 nothing could be done.
States, options for running it on site and the fields of --json are described in caldp/SYNC.md.";
}

pub(crate) fn run(arguments: &SyncArguments) -> ExitCode {
    logging::start(DEFAULT_FILTER, None);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(SyncError::Runtime);
    let result = runtime.and_then(|runtime| {
        let result = runtime.block_on(Box::pin(arguments.run()));
        runtime.shutdown_background();
        result
    });
    match result {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            say(format_args!("caldp: {}", explain(&error)));
            ExitCode::from(Code::Generic.number())
        }
    }
}

impl SyncArguments {
    async fn run(&self) -> Result<u8, SyncError> {
        let stop = Stop::new();
        stop.on_signals();
        let mut run = Run::new(self, stop.clone())?;
        let queue = match &self.queue {
            Some(url) => Some(Queue::new(url.clone()).await),
            None => None,
        };
        let mut reason = Reason::Time;
        loop {
            let mut reports = vec![];
            match self.look(&mut run, reason, &stop, &mut reports).await {
                // What watches outlives a server that does not answer.
                Err(error @ SyncError::Store(_)) if self.watch.is_some() => {
                    say(format_args!("caldp: {}", explain(&error)));
                }
                looked => looked?,
            }
            match self.watch {
                None if reports.is_empty() && !stop.is_asked() => {
                    return Err(SyncError::NoDatasets(self.output.to_string()));
                }
                None => {
                    self.say(&reports);
                    return Ok(status(&reports));
                }
                Some(seconds) => {
                    reports.retain(Report::has_news);
                    self.say(&reports);
                    tokio::select! {
                        () = stop.asked() => return Ok(status(&reports)),
                        why = waited(Duration::from_secs(seconds), queue.as_ref()) => reason = why,
                    }
                }
            }
        }
    }

    async fn look(
        &self,
        run: &mut Run<'_>,
        reason: Reason,
        stop: &Stop,
        reports: &mut Vec<Report>,
    ) -> Result<(), SyncError> {
        for output in outputs::of(&self.output, self.layout).await? {
            if !stop.is_asked() {
                reports.extend(run.look(&output, reason).await?);
            }
        }
        Ok(())
    }

    /// How long it is waited between looks.
    fn interval(&self) -> Duration {
        Duration::from_secs(self.watch.unwrap_or_default())
    }

    fn say(&self, reports: &[Report]) {
        let mut text = String::new();
        for report in reports {
            if self.json {
                // texts, numbers and times always serialise
                text += &serde_json::to_string(report).unwrap_or_default();
                text.push('\n');
            } else {
                text += &report.text();
            }
        }
        // A closed pipe is the reader's choice.
        let _ = io::stdout().write_all(text.as_bytes());
        for report in reports {
            for note in report.notes.iter().take(MOST_NOTES) {
                say(format_args!("caldp: {note}"));
            }
            let more = report.notes.len().saturating_sub(MOST_NOTES);
            if more > 0 && !self.json {
                say(format_args!(
                    "caldp: and {more} more of this kind, which --json has all"
                ));
            }
        }
    }
}

/// What was brought is in a directory, which has no scheme.
fn on_this_machine(directory: PathBuf) -> Result<PathBuf, String> {
    let text = directory.to_string_lossy();
    if text.starts_with("s3:") || text.starts_with("file:") {
        let hint = "give the output first, and then the path of a directory, without file:";
        return Err(with_hint(
            format!("{text:?} is no directory of this machine"),
            Some(hint),
        ));
    }
    Ok(directory)
}

/// Waits until it is time to look again, or a queue tells of something.
async fn waited(time: Duration, queue: Option<&Queue>) -> Reason {
    let told = async {
        match queue {
            None => std::future::pending().await,
            Some(queue) => queue.told().await,
        }
    };
    let time = tokio::time::sleep(time);
    tokio::pin!(time);
    tokio::select! {
        () = &mut time => Reason::Time,
        told = told => match told {
            Ok(()) => Reason::Told,
            Err(error) => {
                say(format_args!("caldp: {}", explain(&error)));
                time.await;
                Reason::Time
            }
        },
    }
}

/// The exit status: what this run could not do counts before what is under way.
fn status(reports: &[Report]) -> u8 {
    if reports.iter().any(Report::did_fail) {
        SOME_FAILED
    } else if reports.iter().any(|r| r.is_under_way() || r.stopped) {
        UNDER_WAY
    } else if reports.iter().any(Report::has_failed) {
        SOME_FAILED
    } else {
        Code::Ok.number()
    }
}
