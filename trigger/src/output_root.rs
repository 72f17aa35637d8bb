//! Where results and messages of datasets are: a root, a layout, and the keys they make. Keys are
//! spelt by the layout alone; this module joins them to roots.

use caldp_core::dataset::Dataset;
use caldp_core::layout::{Broadcast, Layout};
use storage::uri::{S3Uri, UriError};

/// Where the results and messages of datasets are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OutputRoot {
    /// The layout's root.
    pub uri: S3Uri,
    /// The layout.
    pub layout: Layout,
}

impl OutputRoot {
    /// A root with a layout below it.
    pub const fn new(uri: S3Uri, layout: Layout) -> Self {
        Self { uri, layout }
    }

    /// The URI of a key below the root.
    ///
    /// # Errors
    /// [`UriError`] when both together are too long for S3.
    pub fn join(&self, key: &str) -> Result<S3Uri, UriError> {
        self.uri.join(key)
    }

    /// The prefix of keys in the bucket: the root's with its slash, `key` after it.
    pub fn prefix(&self, key: &str) -> String {
        if self.uri.key().is_empty() {
            key.to_owned()
        } else {
            format!("{}/{key}", self.uri.key())
        }
    }

    /// The record of a dataset's attempts.
    pub(crate) fn record(&self, dataset: &Dataset) -> Result<S3Uri, UriError> {
        self.join(&self.layout.attempts(dataset))
    }

    /// A message of a fan-out.
    pub(crate) fn broadcast(&self, broadcast: &Broadcast) -> Result<S3Uri, UriError> {
        self.join(&self.layout.broadcast(broadcast))
    }
}
