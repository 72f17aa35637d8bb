//! Outputs that nobody noted: made before there was an index, or by a worker that somebody ran by hand.

use std::collections::HashSet;

use caldp_core::batch::BatchName;
use jiff::Timestamp;
use storage::s3::Delimiter;
use storage::uri::S3Uri;

use super::Schedule;
use crate::batch::Batch;
use crate::error::TriggerError;
use crate::output_root::OutputRoot;
use crate::record::batches::{Entry, Index};
use caldp_core::layout::Layout;

/// The folder of the default outputs.
const BATCHES: &str = "data/";

impl<B: Batch> Schedule<B> {
    /// The index, with what is found below `data/` and is not in it added as open.
    pub(super) async fn known_outputs(&self, now: Timestamp) -> Result<Index, TriggerError> {
        let bucket = self.documents.bucket();
        let listed = self.documents.s3().list(bucket, BATCHES, Delimiter::Slash);
        let (index, listed) = (self.batches.read().await?, listed.collect().await?);
        let mut found = vec![];
        for prefix in &listed.prefixes {
            found.push(OutputRoot::new(S3Uri::new(bucket, prefix)?, Layout::Tree));
        }
        let mut begun = vec![];
        if index.is_none() {
            found.push(OutputRoot::new(S3Uri::new(bucket, "")?, self.config.layout));
            begun = self.unfinished().await?;
        }
        if let Some((index, _)) = index
            && new_entries(&index, &found, &begun, now).is_empty()
        {
            return Ok(index);
        }
        let change = |index: &mut Index| {
            let new = new_entries(index, &found, &begun, now);
            index.batches.extend(new);
            true
        };
        self.batches.change(change).await
    }
}

/// Entries for outputs and submissions that the index has none for.
fn new_entries(
    index: &Index,
    found: &[OutputRoot],
    begun: &[(OutputRoot, BatchName)],
    now: Timestamp,
) -> Vec<Entry> {
    let known: HashSet<&S3Uri> = index.batches.iter().map(|entry| &entry.output).collect();
    let mut new: Vec<Entry> = vec![];
    let roots = found.iter().chain(begun.iter().map(|(root, _)| root));
    for root in roots.filter(|root| !known.contains(&root.uri)) {
        if new.iter().all(|entry| entry.output != root.uri) {
            let mut entry = Entry::opened(root.clone(), now);
            let own = begun.iter().filter(|(of, _)| of.uri == root.uri);
            entry.submissions.extend(own.map(|(_, id)| id.clone()));
            // a submission knows the layout, a folder does not tell it
            let layout = begun.iter().find(|(of, _)| of.uri == root.uri);
            entry.layout = layout.map_or(entry.layout, |(of, _)| of.layout);
            new.push(entry);
        }
    }
    new
}
