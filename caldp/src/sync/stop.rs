//! Being asked to stop: by SIGTERM, by Ctrl-C, or because going on is of no use. What is under way is then
//! put back; nothing new is begun.

use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Whether to stop; cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Stop(Arc<watch::Sender<bool>>);

impl Stop {
    pub(super) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    /// Asks to stop when the process is told to end. Must be called in a tokio runtime.
    pub(super) fn on_signals(&self) {
        for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
            // Without handlers a signal ends the process, and the next run goes on.
            if let Ok(mut signals) = signal(kind) {
                let stop = self.clone();
                tokio::spawn(async move {
                    signals.recv().await;
                    stop.ask();
                });
            }
        }
    }

    /// Asks to stop as soon as another is asked. Must be called in a tokio runtime.
    pub(super) fn follow(&self, other: &Self) -> JoinHandle<()> {
        let (stop, other) = (self.clone(), other.clone());
        tokio::spawn(async move {
            other.asked().await;
            stop.ask();
        })
    }

    pub(super) fn ask(&self) {
        self.0.send_replace(true);
    }

    pub(super) fn is_asked(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until asked.
    pub(super) async fn asked(&self) {
        let mut asked = self.0.subscribe();
        // Fails only when the sender is gone, and this is it.
        let _ = asked.wait_for(|asked| *asked).await;
    }
}
