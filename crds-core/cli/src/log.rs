//! What users read on stderr: `CRDS - INFO -  text`, as CRDS programs have always written it, and
//! how many errors and warnings there were.

use std::fmt::{self, Write as _};
use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt as _};

use crds_core::Config;

static ERRORS: AtomicU64 = AtomicU64::new(0);
static WARNINGS: AtomicU64 = AtomicU64::new(0);
static INFOS: AtomicU64 = AtomicU64::new(0);

/// How much is written, and with what before it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Style {
    /// As `CRDS_VERBOSITY`: 0 is the usual, 50 adds details, 75 everything; below 0 there is less.
    verbosity: i32,
    time: bool,
}

impl Style {
    /// As the settings say.
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            verbosity: config.verbosity,
            time: config.log_time,
        }
    }
}

/// Begins to write.
pub(crate) fn begin(style: Style) {
    let subscriber = tracing_subscriber::registry().with(Lines(style));
    // Fails if a program that embeds the commands has its own.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

/// The number of errors so far.
pub(crate) fn errors() -> u64 {
    ERRORS.load(Ordering::Relaxed)
}

/// The closing lines.
pub(crate) fn counts() {
    tracing::info!("{} errors", errors());
    tracing::info!("{} warnings", WARNINGS.load(Ordering::Relaxed));
    tracing::info!("{} infos", INFOS.load(Ordering::Relaxed));
}

struct Lines(Style);

impl Lines {
    fn most(&self) -> Level {
        match self.0.verbosity {
            ..=24 => Level::INFO,
            25..=74 => Level::DEBUG,
            _ => Level::TRACE,
        }
    }

    /// What is not written is counted all the same: the exit status follows from it.
    fn writes(&self, level: Level) -> bool {
        match self.0.verbosity {
            ..=-3 => false,
            -2 => level == Level::ERROR,
            -1 => level <= Level::WARN,
            _ => true,
        }
    }
}

impl<S: Subscriber> Layer<S> for Lines {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        let ours = ["crds", "storage"]
            .iter()
            .any(|name| metadata.target().starts_with(name));
        ours && *metadata.level() <= self.most()
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let level = *event.metadata().level();
        let (count, name) = match level {
            Level::ERROR => (Some(&ERRORS), "ERROR"),
            Level::WARN => (Some(&WARNINGS), "WARNING"),
            Level::INFO => (Some(&INFOS), "INFO"),
            _ => (None, "DEBUG"),
        };
        if let Some(count) = count {
            count.fetch_add(1, Ordering::Relaxed);
        }
        if !self.writes(level) {
            return;
        }
        let mut line = String::with_capacity(128);
        if self.0.time {
            let now = jiff::Timestamp::now();
            let _ = write!(line, "{} - ", now.strftime("%Y-%m-%dT%H:%M:%S%.3f"));
        }
        let _ = write!(line, "CRDS - {name} -  ");
        event.record(&mut EventText(&mut line));
        let mut line = printable(&line);
        line.push('\n');
        // One write, so that lines of several processes do not mix; nobody to tell if it fails.
        crate::progress::above(|| {
            let _ = std::io::stderr().write_all(line.as_bytes());
        });
    }
}

/// The text with everything written out that a terminal would obey: names of files and values of
/// headers are foreign. Lines stay lines.
fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len() + 1);
    for c in text.chars() {
        if c.is_control() && c != '\n' {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Puts an event's message, and what else it says, into a text; give it to [`tracing::Event::record`].
#[derive(Debug)]
pub struct EventText<'l>(pub &'l mut String);

impl Visit for EventText<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = if field.name() == "message" {
            write!(self.0, "{value:?}")
        } else {
            write!(self.0, " {}={value:?}", field.name())
        };
    }
}
