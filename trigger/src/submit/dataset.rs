//! One dataset of a batch: claimed by creating its record, then given its job. A dataset that has a
//! record of another order is somebody else's and is left alone.

use std::sync::Arc;

use caldp_core::dataset::Dataset;
use storage::s3::Precondition;

use super::planned::{Submission, SubmitOutcome, settled};
use super::reconcile::{KnownDataset, Reconciler};
use crate::batch::Batch;
use crate::batch::client::MaybeSubmitted;
use crate::config::Config;
use crate::error::TriggerError;
use crate::record::documents::{Documents, VersionedRecord};
use crate::record::transition::{TransitionRules, first};
use crate::resources::Resources;

/// Claims and submits the datasets of batches.
#[derive(Debug)]
pub(crate) struct DatasetSubmitter<B> {
    config: Arc<Config>,
    documents: Documents,
    reconciler: Arc<Reconciler<B>>,
}

impl<B: Batch> DatasetSubmitter<B> {
    pub(crate) const fn new(
        config: Arc<Config>,
        documents: Documents,
        reconciler: Arc<Reconciler<B>>,
    ) -> Self {
        Self {
            config,
            documents,
            reconciler,
        }
    }

    /// Whether a dataset with messages has a record already, and this submission's: an invocation that
    /// goes on from another need not look up again what was decided. The outer option is none when
    /// there is nothing to go on from, the inner when another has the dataset.
    pub(crate) async fn claimed_before(
        &self,
        submission: &Submission<'_>,
        dataset: &Dataset,
    ) -> Result<Option<Option<KnownDataset>>, TriggerError> {
        if !submission.stale.contains(dataset) {
            return Ok(None);
        }
        let known = self.documents.record(&submission.root, dataset).await?;
        Ok(known.map(|known| ours(submission, known)))
    }

    /// Claims a dataset for this submission by creating its record; none when another has it.
    pub(crate) async fn claim(
        &self,
        submission: &Submission<'_>,
        dataset: &Dataset,
        resources: Resources,
        name: String,
    ) -> Result<Option<KnownDataset>, TriggerError> {
        let (root, planned) = (&submission.root, submission.planned);
        let rules = TransitionRules::now(&self.config, root, &submission.invocation);
        let mut settings = planned.settings.clone();
        settings.why = planned.details.why(dataset).cloned();
        let record = first(dataset, settings, resources, &planned.origin, name, &rules);
        let uri = root.record(dataset)?;
        let condition = Precondition::IfAbsent;
        if let Some(version) = self.documents.write(&uri, &record, &condition).await? {
            return Ok(Some(KnownDataset {
                versioned: VersionedRecord { record, version },
                job: MaybeSubmitted::None,
            }));
        }
        let known = self.documents.record(root, dataset).await?;
        Ok(known.and_then(|known| ours(submission, known)))
    }

    /// Gives a claimed dataset its own job.
    pub(crate) async fn submit(
        &self,
        submission: &Submission<'_>,
        known: KnownDataset,
    ) -> Result<SubmitOutcome, TriggerError> {
        let (root, origin) = (&submission.root, &submission.planned.origin);
        if let Some(outcome) = settled(&known.versioned.record, origin) {
            return Ok(outcome);
        }
        let stale = submission.stale.contains(&known.versioned.record.dataset);
        let known = if known.job == MaybeSubmitted::None && !stale {
            self.reconciler.submit_first(root, known.versioned).await?
        } else {
            self.reconciler
                .reconcile_record(root, known, None, &submission.invocation)
                .await?
        };
        Ok(settled(&known.record, origin).unwrap_or(SubmitOutcome::LeftAlone))
    }
}

/// A record that was there before, when it is of this submission.
fn ours(submission: &Submission<'_>, versioned: VersionedRecord) -> Option<KnownDataset> {
    let ours = versioned.record.knows(&submission.planned.origin);
    ours.then_some(KnownDataset {
        versioned,
        job: MaybeSubmitted::Perhaps,
    })
}
