//! Word of inputs that are complete while others are still on their way, so that references can be
//! looked up and fetched meanwhile.
//!
//! Files that come one by one are told of one by one. An archive is accepted as a whole or not at
//! all, so nothing is told of it before it is unpacked.

use std::path::{Path, PathBuf};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

/// Tells of files that are complete; they will not change any more before all inputs are there.
#[derive(Debug, Clone)]
pub struct Arrivals(UnboundedSender<PathBuf>);

impl Arrivals {
    /// A teller, and what hears it until the teller and its clones are gone.
    pub fn channel() -> (Self, UnboundedReceiver<PathBuf>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), receiver)
    }

    /// A file is complete.
    pub fn tell(&self, path: &Path) {
        // That nobody listens is no concern of whoever brings files.
        let _ = self.0.send(path.to_owned());
    }
}
