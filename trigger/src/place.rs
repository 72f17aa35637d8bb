//! The places of a batch: a root, a layout, and the keys they make. Keys are spelt by the layout
//! alone; this module joins them to roots.

use caldp_core::dataset::Dataset;
use caldp_core::layout::{Broadcast, Layout};
use caldp_core::state::State;
use storage::uri::{S3Uri, UriError};

/// Where the results and messages of datasets are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    /// The layout's root.
    pub root: S3Uri,
    /// The layout.
    pub layout: Layout,
}

impl Place {
    /// A place.
    pub const fn new(root: S3Uri, layout: Layout) -> Self {
        Self { root, layout }
    }

    /// The URI of a key below the root.
    ///
    /// # Errors
    /// [`UriError`] when both together are too long for S3.
    pub fn uri(&self, key: &str) -> Result<S3Uri, UriError> {
        self.root.join(key)
    }

    /// The prefix of keys in the bucket: the root's with its slash, `key` after it.
    pub fn prefix(&self, key: &str) -> String {
        if self.root.key().is_empty() {
            key.to_owned()
        } else {
            format!("{}/{key}", self.root.key())
        }
    }

    pub(crate) fn record(&self, dataset: &Dataset) -> Result<S3Uri, UriError> {
        self.uri(&self.layout.attempts(dataset))
    }

    pub(crate) fn message(&self, state: State, dataset: &Dataset) -> Result<S3Uri, UriError> {
        self.uri(&self.layout.message(state, dataset))
    }

    pub(crate) fn broadcast(&self, broadcast: &Broadcast) -> Result<S3Uri, UriError> {
        self.uri(&self.layout.broadcast(broadcast))
    }
}

/// What an earlier run of a dataset measured, kept at the bucket's root for later batches.
pub(crate) fn measured(bucket: &str, dataset: &Dataset) -> Result<S3Uri, UriError> {
    S3Uri::new(bucket, &Layout::Tree.control(dataset, "measured.json"))
}
