//! How downloads go on: a bar on terminals, a line for each file elsewhere.

use std::io::IsTerminal as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use indicatif::{ProgressBar, ProgressStyle};

use crds_core::Progress;
use crds_core::names::FileName;

/// The bar that is being shown, so that log lines are written above it.
static SHOWN: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// Runs something that writes to the terminal, above the bar if there is one.
pub(crate) fn above(write: impl FnOnce()) {
    let bar = SHOWN.lock().ok().and_then(|bar| bar.clone());
    match bar {
        Some(bar) => bar.suspend(write),
        None => write(),
    }
}

/// Shows downloads to whoever started the program.
#[derive(Debug)]
pub(crate) struct Downloads {
    files: AtomicUsize,
    is_terminal: bool,
}

impl Downloads {
    pub(crate) fn new() -> Self {
        Self {
            files: AtomicUsize::new(0),
            is_terminal: std::io::stderr().is_terminal(),
        }
    }

    fn bar(&self, act: impl FnOnce(&ProgressBar)) {
        if self.is_terminal
            && let Ok(shown) = SHOWN.lock()
            && let Some(bar) = shown.as_ref()
        {
            act(bar);
        }
    }
}

impl Drop for Downloads {
    fn drop(&mut self) {
        if let Ok(mut shown) = SHOWN.lock()
            && let Some(bar) = shown.take()
        {
            bar.finish_and_clear();
        }
    }
}

impl Progress for Downloads {
    fn begin(&self, files: usize, bytes: u64) {
        self.files.store(files, Ordering::Relaxed);
        tracing::info!("Syncing {files} files");
        if !self.is_terminal {
            return;
        }
        let style =
            "{spinner} {bytes} of {total_bytes} [{bar:30}] {bytes_per_sec}, {eta} left  {msg}";
        let bar = ProgressBar::new(bytes);
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style);
        }
        if let Ok(mut shown) = SHOWN.lock() {
            *shown = Some(bar);
        }
    }

    fn file(&self, name: &FileName, size: Option<u64>, number: usize) {
        let files = self.files.load(Ordering::Relaxed);
        let size = size.map_or("?".to_owned(), readable);
        tracing::info!("Fetching  {name}  {size} bytes  ({number} / {files} files)");
    }

    fn bytes(&self, count: u64) {
        self.bar(|bar| bar.inc(count));
    }

    fn done(&self, name: &FileName) {
        self.bar(|bar| bar.set_message(name.to_string()));
    }
}

/// A number of bytes as people write it: `1.5 M`.
pub(crate) fn readable(bytes: u64) -> String {
    #[allow(clippy::cast_precision_loss, reason = "one digit is shown")]
    let mut number = bytes as f64;
    for unit in ["", " K", " M", " G"] {
        if number < 1000.0 {
            return if unit.is_empty() {
                format!("{bytes}")
            } else {
                format!("{number:.1}{unit}")
            };
        }
        number /= 1000.0;
    }
    format!("{number:.1} T")
}
