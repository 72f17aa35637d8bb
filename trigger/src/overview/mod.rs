//! What the schedule does: takes up submissions that nobody is working on any more, and counts the
//! states of every batch into `blackboard/overview.json`.

pub mod dataset;
pub mod progress;
pub mod summary;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use caldp_core::batch::BatchName;
use caldp_core::layout::Layout;
use caldp_core::state::State;
use jiff::Timestamp;
use serde::Serialize;
use storage::s3::Delimiter;
use storage::uri::S3Uri;

use crate::batch::Batch;
use crate::config::Config;
use crate::error::TriggerError;
use crate::output_root::OutputRoot;
use crate::record::attempts::Claim;
use crate::record::documents::Documents;
use crate::submit::planned::submission_id;
use crate::submit::submitter::Submitter;

/// Does what the schedule asks for.
#[derive(Debug)]
pub struct Overview<B> {
    config: Arc<Config>,
    documents: Documents,
    submitter: Arc<Submitter<B>>,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OverviewAnswer {
    /// Where the counts are.
    pub overview: S3Uri,
    /// How many batches have datasets in a state.
    pub batches: usize,
    /// The submissions that were taken up.
    pub resumed: Vec<BatchName>,
}

/// How many datasets of each batch are in each state.
#[derive(Serialize)]
struct Counts {
    written_at: Timestamp,
    batches: BTreeMap<String, BTreeMap<&'static str, usize>>,
}

impl<B: Batch> Overview<B> {
    /// The overview of a deployment.
    pub const fn new(
        config: Arc<Config>,
        documents: Documents,
        submitter: Arc<Submitter<B>>,
    ) -> Self {
        Self {
            config,
            documents,
            submitter,
        }
    }

    /// Takes up what nobody works on, and counts.
    ///
    /// # Errors
    /// [`TriggerError`] when S3 fails.
    pub async fn update(&self) -> Result<OverviewAnswer, TriggerError> {
        let resumed = self.resume_abandoned().await?;
        let mut batches = BTreeMap::new();
        for root in self.roots().await? {
            let messages = self.documents.messages(&root);
            let mut counts = BTreeMap::new();
            for state in State::ALL {
                let count = messages.list(state).await?.len();
                if count > 0 {
                    counts.insert(state.name(), count);
                }
            }
            if !counts.is_empty() {
                batches.insert(root.uri.to_string(), counts);
            }
        }
        let counts = Counts {
            written_at: Timestamp::now(),
            batches,
        };
        let key = Layout::Tree.blackboard("overview.json");
        let overview = S3Uri::new(self.documents.bucket(), &key)?;
        self.documents.put(&overview, &counts).await?;
        Ok(OverviewAnswer {
            overview,
            batches: counts.batches.len(),
            resumed,
        })
    }

    /// The bucket's root and every default output path below it.
    async fn roots(&self) -> Result<Vec<OutputRoot>, TriggerError> {
        let bucket = self.documents.bucket();
        let whole = S3Uri::new(bucket, "")?;
        let mut roots = vec![OutputRoot::new(whole, self.config.layout)];
        let batches = self.documents.s3().list(bucket, "data/", Delimiter::Slash);
        for prefix in batches.collect().await?.prefixes {
            roots.push(OutputRoot::new(S3Uri::new(bucket, &prefix)?, Layout::Tree));
        }
        Ok(roots)
    }

    /// Hands submissions on that were begun, are not done, and have nobody at them.
    async fn resume_abandoned(&self) -> Result<Vec<BatchName>, TriggerError> {
        let mut resumed = vec![];
        for id in self.unfinished().await? {
            let lease = self.documents.submission_file(&id, "lease.json")?;
            let claim = self.documents.read::<Claim>(&lease).await?;
            // without a lease the rest was handed on, or nobody came to work on it; handing it on
            // once more is harmless
            if claim.is_none_or(|(claim, _)| claim.until <= Timestamp::now()) {
                self.submitter.hand_on(&id).await?;
                resumed.push(id);
            }
        }
        Ok(resumed)
    }

    /// Submissions that were begun and are not done.
    async fn unfinished(&self) -> Result<Vec<BatchName>, TriggerError> {
        let any: BatchName = submission_id("")?;
        let key = Layout::Tree.batch_control(&any, "");
        let folder = key.trim_end_matches('/');
        let prefix = folder.rsplit_once('/').map_or("", |(folder, _)| folder);
        let prefix = format!("{prefix}/submission-");
        let (s3, bucket) = (self.documents.s3(), self.documents.bucket());
        let mut pages = s3.list(bucket, &prefix, Delimiter::None);
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
        Ok(begun.difference(&done).cloned().collect())
    }
}
