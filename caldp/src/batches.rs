//! `caldp submit`, `rescue`, `cancel`, `clean` and `sweep`: what operators do to batches, from this binary.
//!
//! The commands are the trigger's own; here they get a console and an exit status.

use caldp_core::exit_code::ExitCode as Code;
use caldp_core::resources::Features;
use caldp_trigger::cli::{CommandOutput, Inputs, TriggerCommand};
use caldp_worker::cli::logging;
use futures_util::future::BoxFuture;
use std::fmt::Display;
use std::process::ExitCode;
use storage::hint::{answer, explain, say};
use storage::store::Store;

use crate::answers::words;
use crate::resources;

/// What is logged where `RUST_LOG` does not say.
const DEFAULT_FILTER: &str = "warn,caldp_trigger=info";

pub(crate) fn run(command: &TriggerCommand) -> ExitCode {
    logging::start(DEFAULT_FILTER, None);
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return refuse(Code::Generic, error),
    };
    let result = runtime.block_on(async { Box::pin(command.run(&read_inputs)).await });
    runtime.shutdown_background();
    match result {
        Ok(output) => match answer(text(&output)) {
            Ok(()) => ExitCode::from(output.status),
            Err(error) => refuse(Code::Generic, explain(&error)),
        },
        Err(error) if error.is_of_the_command_line() => refuse(Code::CommandLine, explain(&error)),
        Err(error) => refuse(Code::Generic, explain(&error)),
    }
}

/// What raw files say of the datasets of an order; what cannot be read is told, where it was said to
/// be there.
fn read_inputs(inputs: Inputs) -> BoxFuture<'static, Vec<Features>> {
    Box::pin(async move {
        let store = storage::store::open(&inputs.place).await;
        if !inputs.named && !is_used(store.as_ref()).await {
            return Vec::new();
        }
        let seen = resources::inputs::look(&store, inputs.datasets).await;
        resources::inputs::known(seen, inputs.named)
    })
}

/// Whether there is anything in a store.
async fn is_used(store: &dyn Store) -> bool {
    let first = store.list("").next_page().await;
    matches!(first, Ok(Some(page)) if !page.is_empty())
}

fn text(output: &CommandOutput) -> String {
    if output.json {
        // texts, numbers and times always serialise
        serde_json::to_string_pretty(&output.answer).unwrap_or_default() + "\n"
    } else {
        words(&output.answer)
    }
}

fn refuse(code: Code, error: impl Display) -> ExitCode {
    say(format_args!("caldp: {error}"));
    ExitCode::from(code.number())
}
