//! `caldp process`: from the command line to the run, and from its end to the exit status.

use super::arguments::RunArguments;
use super::child::dataset_of_child;
use super::logging;
use crate::allocator;
use crate::config::{Settings, variables};
use crate::error::RunError;
use crate::report::masked;
use crate::run::run as run_dataset;
use crate::run_log::RunLog;
use caldp_core::array::INDEX_VARIABLE;
use caldp_core::exit_code::ExitCode as Code;
use caldp_core::job_command::JobInput;
use caldp_core::provenance::Provenance;
use serde_json::json;
use std::process::ExitCode;
use storage::hint::{Hint, OutputError, answer, explain, say};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// What is logged where `RUST_LOG` does not say.
const DEFAULT_FILTER: &str = "warn,caldp_core=info,caldp_worker=info,crds_core=info,storage=info";

/// Runs one dataset; the exit status is what AWS Batch reports.
pub fn run(asked: &RunArguments) -> ExitCode {
    let settings = match Settings::resolve(&asked.config, environment()) {
        Ok(settings) => settings,
        Err(error) => return refuse(&error),
    };
    if asked.print_config {
        return answered(answer(configured(asked, &settings)), Code::Ok);
    }
    allocator::give_large_blocks_back();
    let log = RunLog::console();
    logging::start(DEFAULT_FILTER, Some(&log));
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return no_runtime(&error),
    };
    let ended = runtime.block_on(Box::pin(run_share(asked, &settings, &log)));
    // Nothing that still hangs, such as a name look-up, may keep the process from ending.
    runtime.shutdown_background();
    let (record, outcome) = match ended {
        Ok(ended) => ended,
        Err(code) => return code,
    };
    let told = if asked.json {
        // serialising plain strings and numbers cannot fail
        answer(serde_json::to_string_pretty(&record).unwrap_or_default() + "\n")
    } else {
        Ok(())
    };
    match outcome {
        Ok(()) => answered(told, Code::Ok),
        Err(error) => {
            say(format_args!(
                "caldp: {}: {}",
                record.dataset,
                explain(&error)
            ));
            ExitCode::from(error.code.number())
        }
    }
}

type Ended = (Provenance, Result<(), RunError>);

/// Runs the dataset, which a list may have to name first; a command that cannot work has an exit
/// status and nothing more.
async fn run_share(
    asked: &RunArguments,
    settings: &Settings,
    log: &RunLog,
) -> Result<Ended, ExitCode> {
    let dataset = match &asked.share {
        JobInput::Dataset(dataset) => dataset.clone(),
        JobInput::List(list) => {
            let line = dataset_of_child(list, settings.get(INDEX_VARIABLE)).await;
            line.map_err(|error| {
                say(format_args!("caldp: {}", explain(&error)));
                ExitCode::from(error.code().number())
            })?
        }
    };
    let request = asked.request(dataset, settings.get(variables::SIMULATE_ERROR));
    let request = request.map_err(|error| refuse(&error))?;
    let cancel = CancellationToken::new();
    tokio::spawn(cancel_on_signal(cancel.clone()));
    Ok(Box::pin(run_dataset(&request, settings, log, &cancel)).await)
}

/// The process environment; what is not UTF-8 can be no setting of ours.
pub(super) fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)))
}

pub(super) fn refuse(error: &dyn Hint) -> ExitCode {
    say(format_args!("caldp: {}", explain(error)));
    ExitCode::from(Code::CommandLine.number())
}

pub(super) fn no_runtime(error: &std::io::Error) -> ExitCode {
    say(format_args!("caldp: no threads can be started: {error}"));
    ExitCode::from(Code::CommandLine.number())
}

/// The exit status of a command that has an answer.
pub(super) fn answered(told: Result<(), OutputError>, code: Code) -> ExitCode {
    match told {
        Ok(()) => ExitCode::from(code.number()),
        Err(error) => {
            say(format_args!("caldp: {}", explain(&error)));
            ExitCode::from(Code::Generic.number())
        }
    }
}

/// The variables that the configuration results in, as lines or as JSON; secrets are masked.
fn configured(asked: &RunArguments, settings: &Settings) -> String {
    let shown = settings
        .configured()
        .map(|(name, setting)| (name, masked(name, &setting.value), &setting.origin));
    if asked.json {
        let fields = shown.map(|(name, value, origin)| {
            let field = json!({"value": value, "origin": origin.to_string()});
            (name.to_owned(), field)
        });
        format!("{:#}\n", serde_json::Value::Object(fields.collect()))
    } else {
        let lines: Vec<String> = shown
            .map(|(name, value, origin)| format!("{name}={value}  # {origin}\n"))
            .collect();
        lines.concat()
    }
}

/// AWS Batch says SIGTERM before it kills, a person says SIGINT.
async fn cancel_on_signal(cancel: CancellationToken) {
    let (Ok(mut terminate), Ok(mut interrupt)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    ) else {
        tracing::warn!("signals cannot be watched; the run will end at once when it is told to");
        return;
    };
    let name = tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    };
    tracing::warn!("{name}: stopping");
    cancel.cancel();
}
