//! Work that blocks, done off the threads that drive asynchronous code.

use std::panic::resume_unwind;

use tokio::task::{JoinHandle, spawn_blocking};

/// Does work on a thread for blocking work and waits for it; its panic is the caller's. Must be
/// called in a tokio runtime.
pub async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    joined(spawn_blocking(work)).await
}

/// Waits for work that was begun before, as [`run`] does.
pub(crate) async fn joined<T>(work: JoinHandle<T>) -> T {
    match work.await {
        Ok(done) => done,
        Err(stopped) => match stopped.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            // The runtime is ending, and this future with it.
            Err(_) => std::future::pending().await,
        },
    }
}
