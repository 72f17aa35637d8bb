//! Everything of every dataset deleted: found by listing, a thousand keys at a time.

use std::collections::{BTreeSet, HashSet};

use caldp_core::dataset::Dataset;
use caldp_core::layout::{Target, Verb};
use futures_util::{StreamExt, TryStreamExt, stream};
use storage::s3::{Delimiter, Lister};

use super::dataset::{DELETE_BATCH, Request};
use super::fan_out::{FanOut, FanOutAnswer, KillSwitch};
use crate::batch::Batch;
use crate::bounded::for_each_bounded;
use crate::error::TriggerError;
use crate::invocation::Invocation;
use crate::output_root::OutputRoot;
use crate::record::attempts::Record;

/// Deletions under way at once; each is of up to a thousand keys.
const DELETIONS: usize = 8;

/// How a clean ended that a kill message stopped.
pub(super) const STOPPED: &str = "stopped by broadcast-kill";

/// A page of a listing: the keys that belong to datasets, and to which.
struct OwnedKeys {
    keys: Vec<String>,
    datasets: Vec<Dataset>,
}

impl<B: Batch> FanOut<B> {
    /// Deletes everything of every dataset, found by listing, a thousand keys at a time.
    pub(super) async fn clean_all(
        &self,
        request: &Request<'_>,
        switch: &KillSwitch,
        invocation: &Invocation,
    ) -> Result<FanOutAnswer, TriggerError> {
        let root = request.root;
        self.datasets.open(root).await?;
        let stopped_jobs = self.stop_all(root).await?;
        let (bucket, s3) = (root.uri.bucket(), self.documents.s3());
        let (mut deleted, mut datasets) = (0, HashSet::new());
        let mut ended = "everything was deleted";
        'folders: for folder in root.layout.dataset_folders() {
            let mut pages = s3.list(bucket, &root.prefix(folder), Delimiter::None);
            while let Some(OwnedKeys { keys, datasets: of }) = next_keys(root, &mut pages).await? {
                deleted += keys.len();
                datasets.extend(of);
                stream::iter(keys.chunks(DELETE_BATCH))
                    .map(|keys| s3.delete_many(bucket, keys))
                    .buffer_unordered(DELETIONS)
                    .try_collect::<()>()
                    .await?;
                if self.killed(root, switch).await? {
                    ended = STOPPED;
                    break 'folders;
                }
                // every invocation gets something done, or the rest would be handed on for ever
                if !keys.is_empty() && invocation.budget.is_spent() {
                    self.hand_on(request, None).await?;
                    ended = "the rest was handed on";
                    break 'folders;
                }
            }
        }
        Ok(FanOutAnswer::Cleaned {
            verb: "clean",
            datasets: datasets.len(),
            deleted,
            stopped_jobs,
            ended,
        })
    }

    /// Stops the jobs of all datasets that may have one, an array's once.
    async fn stop_all(&self, root: &OutputRoot) -> Result<usize, TriggerError> {
        let active = self.concerned(root, Verb::Cancel, &Target::All).await?;
        let known = for_each_bounded(self.config.concurrency, &active, |_, dataset| {
            self.documents.record(root, dataset)
        })
        .await?;
        let records = known.into_iter().flatten().map(|known| known.record);
        let id = |record: Record| Some(record.pending()?.job_id.as_ref()?.parent());
        let jobs: BTreeSet<_> = records.filter_map(id).collect();
        stream::iter(&jobs)
            .map(|id| self.batch_client.terminate(id))
            .buffer_unordered(self.config.concurrency)
            .try_collect::<()>()
            .await?;
        Ok(jobs.len())
    }
}

/// The next keys that belong to datasets, of as many pages as are deleted at once; none at the end.
async fn next_keys(
    root: &OutputRoot,
    pages: &mut Lister<'_>,
) -> Result<Option<OwnedKeys>, TriggerError> {
    let start = root.prefix("");
    let mut found = None;
    for _ in 0..DELETIONS {
        let Some(page) = pages.next_page().await? else {
            break;
        };
        let owned = found.get_or_insert_with(|| OwnedKeys {
            keys: vec![],
            datasets: vec![],
        });
        for key in page.objects.into_iter().map(|object| object.key) {
            let relative = key.strip_prefix(&start).unwrap_or(&key);
            if let Some(owner) = root.layout.owner(relative) {
                owned.datasets.push(owner);
                owned.keys.push(key);
            }
        }
    }
    Ok(found)
}
