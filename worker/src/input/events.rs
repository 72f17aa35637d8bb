//! Events of inputs that are complete while others are still on their way, so that references can be
//! looked up and fetched meanwhile.
//!
//! Files that come one by one have an event each. An archive is accepted as a whole or not at all, so
//! it has none before it is unpacked.

use std::path::{Path, PathBuf};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

/// Sends an event for each file that is complete; which will not change any more before all inputs are there.
#[derive(Debug, Clone)]
pub struct InputEvents(UnboundedSender<PathBuf>);

impl InputEvents {
    /// A sender, and a receiver that ends when the sender and its clones are gone.
    pub fn channel() -> (Self, UnboundedReceiver<PathBuf>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), receiver)
    }

    /// A file is complete.
    pub fn send(&self, path: &Path) {
        // A receiver that is gone needs no events.
        let _ = self.0.send(path.to_owned());
    }
}
