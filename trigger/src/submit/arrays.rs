//! Large batches as array jobs: one array per memory bin and ten thousand datasets, each child taking
//! the line of a list that its index says.
//!
//! The datasets are claimed first; what was claimed makes the lists; the plan that names the lists
//! is written once and never changed. An invocation that takes over finds the plan and goes on
//! from it, or finds none and claims again what is already its own.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use caldp_core::array::DatasetList;
use caldp_core::batch::JobId;
use caldp_core::dataset::Dataset;
use caldp_core::resources::MemoryBin;
use serde::{Deserialize, Serialize};
use storage::s3::Precondition;
use storage::uri::S3Uri;

use super::dataset::DatasetSubmitter;
use super::division::{Division, JobShape, divide, shares};
use super::job::array_job;
use super::lookup::{Estimator, input_sizes, packed};
use super::planned::{Submission, SubmitOutcome, settled};
use super::reconcile::{KnownDataset, Reconciler};
use crate::batch::client::{BatchClient, MaybeSubmitted};
use crate::batch::{Batch, NewJob};
use crate::bounded::for_each_bounded;
use crate::config::Config;
use crate::error::TriggerError;
use crate::record::attempts::{Attempt, Reason, Record};
use crate::record::documents::{Documents, contended, unreadable};
use crate::record::transition::{TransitionRules, digest, first, job_name};
use crate::resources::Resources;

/// How a batch was divided; written once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Plan {
    arrays: Vec<PlannedArray>,
    /// Datasets that are alone in their memory bin.
    singles: Vec<Dataset>,
}

/// One array job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct PlannedArray {
    job_name: String,
    #[serde(rename = "rung", alias = "memory_bin")]
    memory_bin: MemoryBin,
    timeout_seconds: u64,
    /// In the order of their lines.
    datasets: Vec<Dataset>,
}

/// What came of an array, once it is known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum ArrayOutcome {
    /// Its job.
    Job { job_id: JobId },
    /// AWS Batch refused it, in these words; it is not asked again.
    Refused { refused: String },
}

/// The records of claimed datasets, where this invocation has read or made them.
type Claimed = HashMap<Dataset, KnownDataset>;

/// Submits batches as arrays.
#[derive(Debug)]
pub(crate) struct ArraySubmitter<B> {
    config: Arc<Config>,
    documents: Documents,
    batch_client: Arc<BatchClient<B>>,
    reconciler: Arc<Reconciler<B>>,
    datasets: Arc<DatasetSubmitter<B>>,
    estimator: Estimator,
}

impl<B: Batch> ArraySubmitter<B> {
    pub(crate) const fn new(
        config: Arc<Config>,
        documents: Documents,
        batch_client: Arc<BatchClient<B>>,
        reconciler: Arc<Reconciler<B>>,
        datasets: Arc<DatasetSubmitter<B>>,
        estimator: Estimator,
    ) -> Self {
        Self {
            config,
            documents,
            batch_client,
            reconciler,
            datasets,
            estimator,
        }
    }

    /// Submits a batch as arrays.
    pub(crate) async fn submit(
        &self,
        submission: &Submission<'_>,
    ) -> Result<Vec<SubmitOutcome>, TriggerError> {
        let datasets = &submission.planned.datasets;
        let uri = self.file(submission, "plan.json")?;
        let (plan, mut claimed, before) =
            if let Some((plan, _)) = self.documents.read::<Plan>(&uri).await? {
                (plan, Claimed::new(), MaybeSubmitted::Perhaps)
            } else {
                let Some(claimed) = self.claim_all(submission).await? else {
                    return Ok(vec![SubmitOutcome::Postponed; datasets.len()]);
                };
                let plan = plan(submission, &claimed);
                self.write_lists(submission, &plan).await?;
                let condition = Precondition::IfAbsent;
                let written = self.documents.write(&uri, &plan, &condition).await?;
                written.ok_or_else(|| contended(&uri))?;
                // nobody can have submitted arrays that were in no plan
                (plan, claimed, MaybeSubmitted::None)
            };
        let mut outcomes = HashMap::new();
        for array in &plan.arrays {
            let found = self
                .submit_array(submission, array, &mut claimed, before)
                .await?;
            outcomes.extend(array.datasets.iter().cloned().zip(found));
        }
        let found = self
            .submit_singles(submission, &plan.singles, &claimed)
            .await?;
        outcomes.extend(plan.singles.iter().cloned().zip(found));
        let outcome = |d: &Dataset| {
            let outcome = outcomes.get(d).cloned();
            outcome.unwrap_or(SubmitOutcome::LeftAlone)
        };
        Ok(datasets.iter().map(outcome).collect())
    }

    /// Claims every dataset; none when there was not time for all.
    async fn claim_all(
        &self,
        submission: &Submission<'_>,
    ) -> Result<Option<Claimed>, TriggerError> {
        let planned = submission.planned;
        let sizes = input_sizes(&self.documents, &submission.root).await?;
        let (concurrency, datasets) = (self.config.concurrency, &planned.datasets);
        let chosen = for_each_bounded(concurrency, datasets, |_, dataset| {
            let bytes = sizes.get(dataset).copied();
            let features = planned
                .details
                .features(dataset)
                .or(&packed(dataset, bytes));
            self.estimator.resources(features, planned.overrides)
        })
        .await?;
        let names = job_names(submission, &chosen);
        let (names, chosen) = (&names, &chosen);
        let claims = for_each_bounded(concurrency, datasets, |index, dataset| async move {
            let (Some(resources), Some(name)) = (chosen.get(index), names.get(index)) else {
                return Ok(None);
            };
            if submission.invocation.budget.is_spent() {
                return Ok(None);
            }
            let claim = self
                .datasets
                .claim(submission, dataset, *resources, name.clone());
            Ok(Some(claim.await?.map(|claim| (dataset.clone(), claim))))
        })
        .await?;
        let in_time: Option<Vec<_>> = claims.into_iter().collect();
        Ok(in_time.map(|claims| claims.into_iter().flatten().collect()))
    }

    async fn write_lists(
        &self,
        submission: &Submission<'_>,
        plan: &Plan,
    ) -> Result<(), TriggerError> {
        for array in &plan.arrays {
            let list = DatasetList::from(array.datasets.clone()).to_string();
            let uri = self.list_uri(submission, array)?;
            self.documents.put_bytes(&uri, list.into()).await?;
        }
        Ok(())
    }

    async fn submit_array(
        &self,
        submission: &Submission<'_>,
        array: &PlannedArray,
        claimed: &mut Claimed,
        before: MaybeSubmitted,
    ) -> Result<Vec<SubmitOutcome>, TriggerError> {
        let noted = self.file(submission, &format!("{}.json", array.job_name))?;
        let fate = match self.documents.read::<ArrayOutcome>(&noted).await? {
            Some((fate, _)) => fate,
            None if submission.invocation.budget.is_spent() => {
                return Ok(vec![SubmitOutcome::Postponed; array.datasets.len()]);
            }
            None => {
                let new = self.job(submission, array)?;
                let fate = match self.batch_client.submit(&new, before).await {
                    Ok(job_id) => ArrayOutcome::Job { job_id },
                    Err(error) => {
                        let refused = error.refusal().map(str::to_owned).ok_or(error)?;
                        ArrayOutcome::Refused { refused }
                    }
                };
                self.documents.put(&noted, &fate).await?;
                fate
            }
        };
        let mut mine = HashMap::new();
        for dataset in &array.datasets {
            mine.extend(claimed.remove_entry(dataset));
        }
        let (fate, mine) = (&fate, &mine);
        let concurrency = self.config.concurrency;
        for_each_bounded(concurrency, &array.datasets, |index, dataset| async move {
            if submission.invocation.budget.is_spent() {
                return Ok(SubmitOutcome::Postponed);
            }
            let known = mine.get(dataset);
            self.note(submission, dataset, known, fate, index).await
        })
        .await
    }

    /// Notes the child that is a dataset's job, or that there is none.
    async fn note(
        &self,
        submission: &Submission<'_>,
        dataset: &Dataset,
        known: Option<&KnownDataset>,
        fate: &ArrayOutcome,
        index: usize,
    ) -> Result<SubmitOutcome, TriggerError> {
        let (root, origin) = (&submission.root, &submission.planned.origin);
        let known = match known {
            Some(known) => Some(known.versioned.clone()),
            None => self.documents.record(root, dataset).await?,
        };
        let Some(known) = known else {
            return Ok(SubmitOutcome::LeftAlone);
        };
        if let Some(outcome) = settled(&known.record, origin) {
            return Ok(outcome);
        }
        let noted = match fate {
            ArrayOutcome::Job { job_id } => {
                let child = child_id(job_id, index);
                let noted = self.reconciler.note_job(root, known, &child).await;
                noted.map(|(known, _)| known)
            }
            ArrayOutcome::Refused { refused } => {
                self.reconciler.note_refusal(root, known, refused).await
            }
        };
        match noted {
            Ok(known) => Ok(settled(&known.record, origin).unwrap_or(SubmitOutcome::LeftAlone)),
            Err(TriggerError::Cleaned { .. }) => Ok(SubmitOutcome::LeftAlone),
            Err(error) => Err(error),
        }
    }

    async fn submit_singles(
        &self,
        submission: &Submission<'_>,
        singles: &[Dataset],
        claimed: &Claimed,
    ) -> Result<Vec<SubmitOutcome>, TriggerError> {
        for_each_bounded(self.config.concurrency, singles, |_, dataset| async move {
            let known = if let Some(known) = claimed.get(dataset) {
                Some(known.clone())
            } else {
                let known = self.documents.record(&submission.root, dataset).await?;
                known.map(|versioned| KnownDataset {
                    versioned,
                    job: MaybeSubmitted::Perhaps,
                })
            };
            match known {
                Some(known) => self.datasets.submit(submission, known).await,
                None => Ok(SubmitOutcome::LeftAlone),
            }
        })
        .await
    }

    fn file(&self, submission: &Submission<'_>, file: &str) -> Result<S3Uri, TriggerError> {
        self.documents.submission_file(&submission.id, file)
    }

    fn list_uri(
        &self,
        submission: &Submission<'_>,
        array: &PlannedArray,
    ) -> Result<S3Uri, TriggerError> {
        self.file(submission, &format!("{}.ids", array.job_name))
    }

    fn job(
        &self,
        submission: &Submission<'_>,
        array: &PlannedArray,
    ) -> Result<NewJob, TriggerError> {
        let (root, planned) = (&submission.root, submission.planned);
        let list = self.list_uri(submission, array)?;
        let empty = || unreadable(&list, "it is empty".to_owned());
        let dataset = array.datasets.first().ok_or_else(empty)?;
        let rules = TransitionRules::now(&self.config, root, &submission.invocation);
        let resources = Resources {
            memory_bin: array.memory_bin,
            timeout: Duration::from_secs(array.timeout_seconds),
            expected: Duration::ZERO,
        };
        let (settings, name) = (planned.settings.clone(), array.job_name.clone());
        let record = first(dataset, settings, resources, &planned.origin, name, &rules);
        let attempt = record.pending().ok_or_else(empty)?;
        let (bins, size) = (&self.config.memory_bins, array.datasets.len());
        let settings = &planned.settings;
        Ok(array_job(bins, root, settings, attempt, list.clone(), size))
    }
}

/// The plan for what was claimed, by what the records say.
fn plan(submission: &Submission<'_>, claimed: &Claimed) -> Plan {
    let root = &submission.root.uri;
    let origin = &submission.planned.origin;
    let attempts = submission.planned.datasets.iter().filter_map(|dataset| {
        let record = &claimed.get(dataset)?.versioned.record;
        let attempt = open(record, origin)?;
        let own = attempt.job_name == job_name(root, dataset, 1, origin);
        let array = (!own).then(|| attempt.job_name.clone());
        Some((array, (dataset, attempt)))
    });
    let Division { arrays, singles } = divide(attempts);
    let array = |(job_name, members): (String, Vec<(&Dataset, &Attempt)>)| {
        let limits = members.iter().map(|(_, attempt)| attempt.timeout_seconds);
        let bin = members.first().map(|(_, attempt)| attempt.memory_bin);
        PlannedArray {
            job_name,
            memory_bin: bin.unwrap_or(MemoryBin::ALL[0]),
            timeout_seconds: limits.max().unwrap_or_default(),
            datasets: members.into_iter().map(|(d, _)| d.clone()).collect(),
        }
    };
    Plan {
        arrays: arrays.into_iter().map(array).collect(),
        singles: singles.into_iter().map(|(d, _)| d.clone()).collect(),
    }
}

/// The pending first attempt of this origin.
fn open<'a>(record: &'a Record, origin: &str) -> Option<&'a Attempt> {
    record
        .pending()
        .filter(|a| a.origin == origin && a.reason == Reason::Batch && a.job_id.is_none())
}

/// The child with an index; arrays have at most ten thousand.
fn child_id(parent: &JobId, index: usize) -> JobId {
    parent.child(u16::try_from(index).unwrap_or(u16::MAX))
}

/// The name of the job each dataset goes into: of its array, or its own.
fn job_names(submission: &Submission<'_>, resources: &[Resources]) -> Vec<String> {
    let planned = submission.planned;
    let root = &submission.root.uri;
    let bins: Vec<MemoryBin> = resources.iter().map(|r| r.memory_bin).collect();
    let id = digest(&[&root.to_string(), &planned.origin]);
    let name = |(dataset, share)| match share {
        JobShape::Single => job_name(root, dataset, 1, &planned.origin),
        JobShape::Array(bin, number) => {
            format!("caldp-{}-r{}-{number}-{id}", planned.batch, bin.number())
        }
    };
    planned
        .datasets
        .iter()
        .zip(shares(&bins))
        .map(name)
        .collect()
}
