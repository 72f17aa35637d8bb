//! What a program writes, copied to the log as it comes and without loss. Starting the program and
//! deciding when its output is given up is left to `program`.

use super::lines::Lines;
use crate::run_log::RunLog;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe;
use tokio::task::JoinHandle;

/// How long, after the program has ended, a process it left behind may go on writing to its
/// output before the group is killed, and again before the output is given up.
pub(super) const LINGER: Duration = Duration::from_secs(1);

/// The task that copies the program's output to the log until the last writer has closed it.
pub(super) struct OutputCopier {
    task: JoinHandle<()>,
    state: Arc<Mutex<Copied>>,
    log: RunLog,
}

#[derive(Default)]
struct Copied {
    lines: Lines,
    /// The first error of the log or the pipe; reading goes on so that the program never blocks.
    error: Option<io::Error>,
}

impl OutputCopier {
    pub(super) fn start(mut reader: pipe::Receiver, log: RunLog) -> Self {
        let state = Arc::<Mutex<Copied>>::default();
        let task = tokio::spawn({
            let (state, log) = (state.clone(), log.clone());
            async move {
                let mut chunk = vec![0; 64 * 1024];
                loop {
                    match reader.read(&mut chunk).await {
                        Ok(0) => break,
                        Ok(size) => lock(&state).take(&chunk[..size], &log),
                        Err(error) => {
                            lock(&state).error.get_or_insert(error);
                            break;
                        }
                    }
                }
            }
        });
        Self { task, state, log }
    }

    /// Waits for the end of the output, at most `patience`.
    pub(super) async fn finish_within(&mut self, patience: Duration) {
        if !self.task.is_finished() {
            let _ = tokio::time::timeout(patience, &mut self.task).await;
        }
    }

    /// Reads what is left, giving up on a process outside the group that keeps the output open,
    /// and returns the tail.
    pub(super) async fn end(mut self) -> (Vec<u8>, io::Result<()>) {
        self.finish_within(LINGER).await;
        self.task.abort();
        let Copied { lines, mut error } = std::mem::take(&mut *lock(&self.state));
        let tail = lines.finish(|block| {
            if let Err(failure) = self.log.write(block) {
                error.get_or_insert(failure);
            }
        });
        (tail, error.map_or(Ok(()), Err))
    }
}

impl Drop for OutputCopier {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Copied {
    fn take(&mut self, chunk: &[u8], log: &RunLog) {
        let Self { lines, error } = self;
        lines.push(chunk, |block| {
            if let Err(failure) = log.write(block) {
                error.get_or_insert(failure);
            }
        });
    }
}

fn lock(state: &Mutex<Copied>) -> MutexGuard<'_, Copied> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
