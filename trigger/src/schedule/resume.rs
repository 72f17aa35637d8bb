//! Submissions that were begun, are not done, and have nobody at them: handed on.

use std::collections::BTreeSet;

use caldp_core::batch::BatchName;
use caldp_core::layout::Layout;
use jiff::{SignedDuration, Timestamp};
use storage::s3::Delimiter;

use super::Schedule;
use crate::batch::Batch;
use crate::error::TriggerError;
use crate::output_root::OutputRoot;
use crate::record::attempts::Claim;
use crate::record::batches::Entry;
use crate::submit::planned::{PlannedBatch, submission_id};

/// A submission that was noted and not begun for so long never will be.
const NEVER_BEGUN: SignedDuration = SignedDuration::from_hours(24);

/// What became of submissions.
pub(super) struct Submissions {
    /// Handed on.
    pub(super) resumed: Vec<BatchName>,
    /// Done, or never begun.
    pub(super) over: Vec<BatchName>,
}

impl<B: Batch> Schedule<B> {
    /// Hands on the submissions of open outputs that nobody works on.
    pub(super) async fn resume(
        &self,
        open: &[&Entry],
        now: Timestamp,
    ) -> Result<Submissions, TriggerError> {
        let (mut resumed, mut over) = (vec![], vec![]);
        for entry in open {
            for id in &entry.submissions {
                let file = |name| self.documents.submission_file(id, name);
                if self.documents.exists(&file("done.json")?).await? {
                    over.push(id.clone());
                    continue;
                }
                if !self.documents.exists(&file("request.json")?).await? {
                    let age = now.duration_since(entry.opened);
                    over.extend((age > NEVER_BEGUN).then(|| id.clone()));
                    continue;
                }
                let claim = self.documents.read::<Claim>(&file("lease.json")?).await?;
                // without a lease the rest was handed on, or nobody came to work on it; handing it on
                // once more is harmless
                if claim.is_none_or(|(claim, _)| claim.until <= now) {
                    self.submitter.hand_on(id).await?;
                    resumed.push(id.clone());
                }
            }
        }
        Ok(Submissions { resumed, over })
    }

    /// Submissions that were begun and are not done, found by listing: those of before there was an index.
    pub(super) async fn unfinished(&self) -> Result<Vec<(OutputRoot, BatchName)>, TriggerError> {
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
        let mut unfinished = vec![];
        for id in begun.difference(&done) {
            let uri = self.documents.submission_file(id, "request.json")?;
            if let Some((planned, _)) = self.documents.read::<PlannedBatch>(&uri).await? {
                unfinished.push((planned.output_root(), id.clone()));
            }
        }
        Ok(unfinished)
    }
}
