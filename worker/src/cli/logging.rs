//! Where messages go and what they look like: short for a person at a terminal, with full timestamps
//! in files and wherever else they are kept.

use crate::run_log::{FAILURE, RunLog};
use std::fmt;
use std::io::{self, IsTerminal as _, Write};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::fmt::{MakeWriter, layer};
use tracing_subscriber::prelude::*;
use tracing_subscriber::{EnvFilter, registry};

/// Sends messages to stderr and, where there is one, to the file of `log`, as `RUST_LOG` or else
/// `default` selects them.
pub fn start(default: &str, log: Option<&RunLog>) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let console = layer()
        .with_writer(io::stderr)
        .with_ansi(false)
        .with_target(false);
    let console = if io::stderr().is_terminal() {
        console.with_timer(TimeOfDay).boxed()
    } else {
        console.boxed()
    };
    let console = console.with_filter(filter_fn(|message| message.target() != FAILURE));
    let file = log.map(|log| {
        layer()
            .with_writer(LogFile(log.clone()))
            .with_ansi(false)
            .with_target(false)
    });
    registry().with(filter).with(console).with(file).init();
}

/// The time of day, in UTC as all other times of a run.
struct TimeOfDay;

impl FormatTime for TimeOfDay {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        write!(writer, "{}", jiff::Timestamp::now().strftime("%H:%M:%SZ"))
    }
}

/// The file of a run's log, without its console.
#[derive(Clone)]
struct LogFile(RunLog);

impl Write for LogFile {
    fn write(&mut self, block: &[u8]) -> io::Result<usize> {
        self.0.record(block)?;
        Ok(block.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogFile {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
