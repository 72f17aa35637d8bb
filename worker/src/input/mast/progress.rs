//! What a user sees of downloads from MAST: a line for what is to come, for each file that is there,
//! and for a long transfer how far it is.

use super::client::Progress;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A transfer says no more often than this how far it is.
const PERIOD: Duration = Duration::from_secs(10);

/// For [`super::MastClient::with_progress`]: logs what happens.
pub(in crate::input) fn log() -> impl Fn(&Progress<'_>) + Send + Sync {
    let last = Mutex::new(Instant::now());
    move |progress| match progress {
        Progress::Planned { files, bytes } => {
            tracing::info!("MAST has {files} files, {}", mib(*bytes));
        }
        Progress::Received { file, bytes } => {
            let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
            if last.elapsed() >= PERIOD {
                *last = Instant::now();
                tracing::info!("{file}: {} so far", mib(*bytes));
            }
        }
        Progress::Finished { file, bytes } => tracing::info!("{file}: {}", mib(*bytes)),
        Progress::Present { file } => tracing::info!("{file} is there already"),
    }
}

fn mib(bytes: u64) -> String {
    format!("{}.{} MiB", bytes >> 20, ((bytes % (1 << 20)) * 10) >> 20)
}
