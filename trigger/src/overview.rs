//! What the clock does: takes up submissions that nobody is working on any more, and counts the
//! states of every batch into `blackboard/overview.json`.

use std::collections::{BTreeMap, BTreeSet};

use caldp_core::batch::BatchName;
use caldp_core::layout::Layout;
use caldp_core::state::State;
use jiff::Timestamp;
use serde_json::{Value, json};
use storage::s3::Delimiter;
use storage::uri::S3Uri;

use crate::desk::{Desk, json_bytes};
use crate::error::TriggerError;
use crate::jobs::Batch;
use crate::place::Place;
use crate::record::Claim;

impl<B: Batch> Desk<B> {
    /// The scheduled chores.
    ///
    /// # Errors
    /// [`TriggerError`] when S3 fails.
    pub async fn scheduled(&self) -> Result<Value, TriggerError> {
        let resumed = self.resume_abandoned().await?;
        let mut batches = BTreeMap::new();
        for place in self.places().await? {
            let mut counts = BTreeMap::new();
            for state in State::ALL {
                let count = self.datasets_in(&place, state).await?.len();
                if count > 0 {
                    counts.insert(state.name(), count);
                }
            }
            if !counts.is_empty() {
                batches.insert(place.root.to_string(), counts);
            }
        }
        let overview = json!({"written_at": Timestamp::now(), "batches": batches});
        let key = Layout::Tree.blackboard("overview.json");
        let uri = S3Uri::new(&self.config.bucket, &key)?;
        self.put(&uri, json_bytes(&overview)).await?;
        Ok(json!({"overview": uri, "batches": batches.len(), "resumed": resumed}))
    }

    /// The bucket's root and every default output path below it.
    async fn places(&self) -> Result<Vec<Place>, TriggerError> {
        let bucket = &self.config.bucket;
        let mut places = vec![Place::new(S3Uri::new(bucket, "")?, self.config.layout)];
        let page = self
            .s3
            .list(bucket, "data/", Delimiter::Slash)
            .collect()
            .await?;
        for prefix in page.prefixes {
            places.push(Place::new(S3Uri::new(bucket, &prefix)?, Layout::Tree));
        }
        Ok(places)
    }

    /// Hands submissions on that were begun, are not done, and have nobody at them.
    async fn resume_abandoned(&self) -> Result<Vec<BatchName>, TriggerError> {
        let bucket = &self.config.bucket;
        let marker: BatchName = crate::submit::submission_id("")?;
        let any = Layout::Tree.batch_control(&marker, "");
        let folder = any.trim_end_matches('/');
        let prefix = folder.rsplit_once('/').map_or("", |(folder, _)| folder);
        let prefix = format!("{prefix}/submission-");
        let mut pages = self.s3.list(bucket, &prefix, Delimiter::None);
        let (mut begun, mut done) = (BTreeSet::new(), BTreeSet::new());
        while let Some(page) = pages.next_page().await? {
            for object in page.objects {
                let mut parts = object.key.rsplit('/');
                let (file, name) = (parts.next(), parts.next());
                let Some(id) = name.and_then(|n| n.parse::<BatchName>().ok()) else {
                    continue;
                };
                match file {
                    Some("request.json") => begun.insert(id),
                    Some("done.json") => done.insert(id),
                    _ => false,
                };
            }
        }
        let mut resumed = vec![];
        for id in begun.difference(&done) {
            let lease = self.submission_file(id, "lease.json")?;
            let claim = self.read::<Claim>(&lease).await?;
            // without a lease the rest was handed on, or nobody came to work on it; handing it on
            // once more is harmless
            if claim.is_none_or(|(claim, _)| claim.until <= Timestamp::now()) {
                self.hand_on(id).await?;
                resumed.push(id.clone());
            }
        }
        Ok(resumed)
    }
}
