//! Ctrl-C and `SIGTERM`: what is under way is given up, so that nothing unfinished stays behind.

use std::future::{Future, pending};
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use crate::failure::Failure;

/// How long giving up may take. Work that cannot be given up is ended then.
const PATIENCE: Duration = Duration::from_secs(1);

/// The exit statuses that shells give to programs that end by these signals.
const BY_INTERRUPT: u8 = 130;
const BY_TERMINATION: u8 = 143;

/// Runs a command until it is done, or the program is to end.
pub(crate) fn run(
    runtime: Runtime,
    command: impl Future<Output = Result<u8, Failure>>,
) -> Result<u8, Failure> {
    let (tell, told) = oneshot::channel();
    // A thread of its own, because a command may be busy with more than waiting. Without it
    // signals end the program as they always do.
    let _ = thread::Builder::new().spawn(move || watch(tell));
    let told = async {
        match told.await {
            Ok(code) => Err(Failure::said(
                code,
                "interrupted; what was not complete was not kept",
                "the same command goes on where this one ended",
            )),
            Err(_) => pending().await,
        }
    };
    let result = runtime.block_on(async {
        tokio::select! {
            result = command => result,
            ended = told => ended,
        }
    });
    // Threads that wait for a lock would be waited for.
    runtime.shutdown_background();
    result
}

/// Waits for a signal, tells, and makes sure of the end.
fn watch(tell: oneshot::Sender<u8>) {
    let Ok(runtime) = Builder::new_current_thread().enable_all().build() else {
        return;
    };
    runtime.block_on(async {
        let interrupt = signal(SignalKind::interrupt());
        let (Ok(mut interrupt), Ok(mut terminate)) = (interrupt, signal(SignalKind::terminate()))
        else {
            return;
        };
        let code = tokio::select! {
            _ = interrupt.recv() => BY_INTERRUPT,
            _ = terminate.recv() => BY_TERMINATION,
        };
        let _ = tell.send(code);
        tokio::time::sleep(PATIENCE).await;
        std::process::exit(code.into());
    });
}
