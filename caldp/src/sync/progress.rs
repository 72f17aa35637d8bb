//! How far a run is, while it runs: a line that changes on a terminal, a line now and then elsewhere.

use std::io::{IsTerminal as _, Write as _, stderr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use super::bring::Flow;
use super::report::{rate, size};
use crate::duration::duration;

/// How often the line on a terminal changes.
const ON_TERMINAL: Duration = Duration::from_millis(500);

/// How often a line is written elsewhere.
const ELSEWHERE: Duration = Duration::from_secs(30);

/// The lines of one run; dropped, they end.
#[derive(Debug)]
pub(super) struct Progress {
    ended: Arc<AtomicU64>,
    saying: JoinHandle<()>,
}

impl Progress {
    /// Of so many datasets. Must be called in a tokio runtime.
    pub(super) fn start(datasets: u64, flow: Arc<Flow>) -> Self {
        let ended = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&ended);
        let saying = tokio::spawn(async move {
            let terminal = stderr().is_terminal();
            let (start, before) = (Instant::now(), flow.bytes.load(Ordering::Relaxed));
            loop {
                tokio::time::sleep(if terminal { ON_TERMINAL } else { ELSEWHERE }).await;
                let ended = counted.load(Ordering::Relaxed);
                let bytes = flow.bytes.load(Ordering::Relaxed) - before;
                let line = line(ended, datasets, bytes, start.elapsed().as_secs_f64());
                let (begin, end) = if terminal {
                    ("\r\x1b[K", "")
                } else {
                    ("", "\n")
                };
                // A closed console is no reason to stop.
                let _ = write!(stderr(), "{begin}{line}{end}");
            }
        });
        Self { ended, saying }
    }

    pub(super) fn one_ended(&self) {
        self.ended.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.saying.abort();
        if stderr().is_terminal() {
            let _ = write!(stderr(), "\r\x1b[K");
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn line(ended: u64, datasets: u64, bytes: u64, seconds: f64) -> String {
    let left = if ended == 0 {
        String::new()
    } else {
        let left = datasets.saturating_sub(ended) as f64 * seconds / ended as f64;
        format!(", about {} left", duration(left))
    };
    format!(
        "{ended} of {datasets} datasets, {}, {}/s{left}",
        size(bytes),
        size(rate(bytes, seconds))
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_far_how_fast_and_how_long() {
        assert_eq!(
            line(10, 40, 200 << 20, 20.0),
            "10 of 40 datasets, 200.0 MiB, 10.0 MiB/s, about 1 min 0 s left"
        );
        assert_eq!(line(0, 40, 0, 20.0), "0 of 40 datasets, 0 bytes, 0 bytes/s");
    }
}
