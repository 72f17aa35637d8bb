//! What the library has to say, on its way to Python's `logging`.
//!
//! It is said by any thread at any time. Calling Python from those could hang while Python forks or
//! ends, so messages wait in a queue until a caller of this package takes them along.

use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};

use crds_cli::EventText;
use pyo3::prelude::*;
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt as _};

/// How many messages wait at most; more are lost.
const WAITING: usize = 4096;

/// As `CRDS_VERBOSITY`, or as a caller set it.
static VERBOSITY: AtomicI32 = AtomicI32::new(0);

static QUEUE: Mutex<Option<Receiver<Message>>> = Mutex::new(None);

/// Called with the level and the text of each message instead of the logger `CRDS`.
static SINK: Mutex<Option<Py<PyAny>>> = Mutex::new(None);

struct Message {
    level: Level,
    text: String,
}

/// Begins to collect messages, once.
fn begin(queue: &mut Option<Receiver<Message>>) {
    if queue.is_none() {
        let (sender, receiver) = sync_channel(WAITING);
        let subscriber = tracing_subscriber::registry().with(Queue(sender));
        // Fails if a program that embeds Python has its own.
        let _ = tracing::subscriber::set_global_default(subscriber);
        *queue = Some(receiver);
    }
}

/// What the settings say, unless a caller said otherwise.
pub(crate) fn set_base_verbosity(verbosity: i32) {
    begin(&mut QUEUE.lock().unwrap_or_else(PoisonError::into_inner));
    let _ = VERBOSITY.compare_exchange(0, verbosity, Ordering::Relaxed, Ordering::Relaxed);
}

/// Sets how much is said, -3 to 100: 0 is the usual, 50 adds details. Gives what it was.
#[pyfunction]
pub(crate) fn set_verbosity(verbosity: i32) -> i32 {
    VERBOSITY.swap(verbosity, Ordering::Relaxed)
}

/// Gives messages to this function, or with None to the logger `CRDS` again.
#[pyfunction]
pub(crate) fn deliver_to(sink: Option<Py<PyAny>>) {
    *SINK.lock().unwrap_or_else(PoisonError::into_inner) = sink;
}

/// Delivers the messages that wait.
pub(crate) fn deliver(py: Python<'_>) -> PyResult<()> {
    let waiting: Vec<Message> = {
        let queue = QUEUE.lock().unwrap_or_else(PoisonError::into_inner);
        queue.iter().flat_map(Receiver::try_iter).collect()
    };
    if waiting.is_empty() {
        return Ok(());
    }
    let sink = SINK
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .as_ref()
        .map(|sink| sink.clone_ref(py));
    let sink = match sink {
        Some(sink) => sink.into_bound(py),
        None => py
            .import("logging")?
            .call_method1("getLogger", ("CRDS",))?
            .getattr("log")?,
    };
    for message in waiting {
        sink.call1((python_level(message.level), message.text))?;
    }
    Ok(())
}

/// As Python's `logging` counts.
fn python_level(level: Level) -> u8 {
    match level {
        Level::ERROR => 40,
        Level::WARN => 30,
        Level::INFO => 20,
        _ => 10,
    }
}

fn is_ours(metadata: &Metadata<'_>) -> bool {
    ["crds", "storage"]
        .iter()
        .any(|name| metadata.target().starts_with(name))
}

struct Queue(SyncSender<Message>);

impl<S: Subscriber> Layer<S> for Queue {
    // Asked every time, because the verbosity may change.
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if is_ours(metadata) {
            Interest::sometimes()
        } else {
            Interest::never()
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        let most = match VERBOSITY.load(Ordering::Relaxed) {
            ..=-3 => return false,
            -2 => Level::ERROR,
            -1 => Level::WARN,
            0..=24 => Level::INFO,
            25..=74 => Level::DEBUG,
            _ => Level::TRACE,
        };
        is_ours(metadata) && *metadata.level() <= most
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut text = String::new();
        event.record(&mut EventText(&mut text));
        let level = *event.metadata().level();
        // Nobody takes them along: then they are lost.
        let _ = self.0.try_send(Message { level, text });
    }
}
