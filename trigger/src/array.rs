//! Large batches as array jobs: one array per rung and ten thousand datasets, each child taking
//! the line of a list that its index says.
//!
//! The datasets are claimed first; what was claimed makes the lists; the plan that names the lists
//! is written once and never changed. An invocation that takes over finds the plan and goes on
//! from it, or finds none and claims again what is already its own.

use std::collections::HashMap;

use caldp_core::array::DatasetList;
use caldp_core::batch::JobId;
use caldp_core::dataset::Dataset;
use caldp_core::job_command::{JobCommand, JobInput};
use serde::{Deserialize, Serialize};
use storage::s3::Precondition;
use storage::uri::S3Uri;

use crate::carry_out::{Fresh, Held};
use crate::desk::{Desk, busy, contended};
use crate::error::TriggerError;
use crate::jobs::{ARRAY_SIZES, Batch, Doubt, NewJob};
use crate::ladder::{Resources, Rung};
use crate::record::{Claim, Reason, Record};
use crate::step::{digest, job_name};
use crate::submit::{Fate, Submission, settled};

/// How a batch was divided; written once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Plan {
    arrays: Vec<PlannedArray>,
    /// Datasets that are alone on their rung.
    singles: Vec<Dataset>,
}

/// One array job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct PlannedArray {
    job_name: String,
    rung: Rung,
    timeout_seconds: u64,
    /// In the order of their lines.
    datasets: Vec<Dataset>,
}

/// The job of an array, once it is known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct ArrayJob {
    job_id: JobId,
}

/// A claimed dataset: its record where this invocation made it, else only that it is ours.
type Claimed = HashMap<Dataset, (Held, Fresh)>;

impl<B: Batch> Desk<B> {
    /// Submits a batch as arrays.
    pub(crate) async fn submit_arrays(
        &self,
        submission: &Submission<'_>,
    ) -> Result<Vec<Fate>, TriggerError> {
        let datasets = &submission.pinned.datasets;
        let uri = self.submission_file(&submission.id, "plan.json")?;
        let (plan, mut claimed, doubt) = if let Some((plan, _)) = self.read::<Plan>(&uri).await? {
            (plan, Claimed::new(), Doubt::Perhaps)
        } else {
            let Some(claimed) = self.claim_all(submission).await? else {
                return Ok(vec![Fate::Postponed; datasets.len()]);
            };
            let plan = divide(submission, &claimed);
            self.write_lists(submission, &plan).await?;
            if self
                .write(&uri, &plan, &Precondition::IfAbsent)
                .await?
                .is_none()
            {
                return Err(contended(&uri));
            }
            // nobody can have submitted arrays that were in no plan
            (plan, claimed, Doubt::None)
        };
        let mut fates = HashMap::new();
        for array in &plan.arrays {
            let found = self
                .submit_array(submission, array, &mut claimed, doubt)
                .await?;
            fates.extend(array.datasets.iter().cloned().zip(found));
        }
        let singles = &plan.singles;
        let claimed = &claimed;
        let found = self
            .each(singles, |_, dataset| async move {
                let held = if let Some(known) = claimed.get(dataset) {
                    Some(known.clone())
                } else {
                    let held = self.held(&submission.place, dataset).await?;
                    held.map(|held| (held, Fresh::No))
                };
                match held {
                    Some((held, fresh)) => self.submit_claimed(submission, held, fresh).await,
                    None => Ok(Fate::LeftAlone),
                }
            })
            .await?;
        fates.extend(singles.iter().cloned().zip(found));
        let fate = |d: &Dataset| fates.get(d).cloned().unwrap_or(Fate::LeftAlone);
        Ok(datasets.iter().map(fate).collect())
    }

    /// Claims every dataset; none when there was not time for all.
    async fn claim_all(
        &self,
        submission: &Submission<'_>,
    ) -> Result<Option<Claimed>, TriggerError> {
        let pinned = submission.pinned;
        let sizes = self.input_sizes(&submission.place).await?;
        let resources = self
            .each(&pinned.datasets, |_, dataset| {
                let bytes = sizes.get(dataset).copied();
                self.resources(dataset, bytes, pinned.overrides)
            })
            .await?;
        let names = array_names(submission, &resources);
        let (names, resources) = (&names, &resources);
        let claims = self
            .each(&pinned.datasets, |index, dataset| async move {
                let (Some(resources), Some(name)) = (resources.get(index), names.get(index)) else {
                    return Ok(None);
                };
                if submission.call.budget.is_spent() {
                    return Ok(None);
                }
                let claim = self.claim_first(submission, dataset, *resources, name.clone());
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
            self.put(&self.list_uri(submission, array)?, list.into())
                .await?;
        }
        Ok(())
    }

    fn list_uri(
        &self,
        submission: &Submission<'_>,
        array: &PlannedArray,
    ) -> Result<S3Uri, TriggerError> {
        self.submission_file(&submission.id, &format!("{}.ids", array.job_name))
    }

    async fn submit_array(
        &self,
        submission: &Submission<'_>,
        array: &PlannedArray,
        claimed: &mut Claimed,
        doubt: Doubt,
    ) -> Result<Vec<Fate>, TriggerError> {
        let known = self.submission_file(&submission.id, &format!("{}.json", array.job_name))?;
        let id = match self.read::<ArrayJob>(&known).await? {
            Some((job, _)) => job.job_id,
            None if submission.call.budget.is_spent() => {
                return Ok(vec![Fate::Postponed; array.datasets.len()]);
            }
            None => {
                let job_id = self
                    .jobs
                    .submit(&self.array_job(submission, array)?, doubt)
                    .await?;
                let job = ArrayJob { job_id };
                self.write(&known, &job, &Precondition::None).await?;
                job.job_id
            }
        };
        let mut mine = HashMap::new();
        for dataset in &array.datasets {
            mine.extend(claimed.remove_entry(dataset));
        }
        let mine = &mine;
        let (id, place) = (&id, &submission.place);
        self.each(&array.datasets, |index, dataset| async move {
            if submission.call.budget.is_spent() {
                return Ok(Fate::Postponed);
            }
            let held = match mine.get(dataset) {
                Some((held, _)) => Some(held.clone()),
                None => self.held(place, dataset).await?,
            };
            let origin = &submission.pinned.origin;
            let Some(held) = held else {
                return Ok(Fate::LeftAlone);
            };
            if let Some(fate) = settled(&held.record, origin) {
                return Ok(fate);
            }
            match self.note_job(place, held, &child_id(id, index)).await {
                Ok((held, _)) => Ok(settled(&held.record, origin).unwrap_or(Fate::LeftAlone)),
                Err(TriggerError::Cleaned { .. }) => Ok(Fate::LeftAlone),
                Err(error) => Err(error),
            }
        })
        .await
    }

    fn array_job(
        &self,
        submission: &Submission<'_>,
        array: &PlannedArray,
    ) -> Result<NewJob, TriggerError> {
        let pinned = submission.pinned;
        let list = self.list_uri(submission, array)?;
        let command = JobCommand::ProcessAws {
            output: submission.place.root.clone(),
            input: JobInput::List(list.clone()),
        };
        let rules = self.rules(&submission.place, &submission.call);
        let resources = Resources {
            rung: array.rung,
            timeout: std::time::Duration::from_secs(array.timeout_seconds),
            expected: std::time::Duration::ZERO,
        };
        let first = array
            .datasets
            .first()
            .ok_or_else(|| TriggerError::Document {
                place: list.to_string(),
                reason: "it is empty".to_owned(),
            })?;
        let name = array.job_name.clone();
        let settings = pinned.settings.clone();
        let record = crate::step::first(first, settings, resources, &pinned.origin, name, &rules);
        let attempt = record.pending().ok_or_else(|| {
            busy(
                &array.job_name,
                &Claim {
                    owner: pinned.origin.clone(),
                    until: rules.now,
                },
            )
        })?;
        let mut job = self.job(&record, attempt, &command);
        job.array_size = Some(array.datasets.len());
        Ok(job)
    }
}

/// The plan for what was claimed, by what the records say.
fn divide(submission: &Submission<'_>, claimed: &Claimed) -> Plan {
    let mut arrays: Vec<PlannedArray> = vec![];
    let mut places: HashMap<String, usize> = HashMap::new();
    for dataset in &submission.pinned.datasets {
        let record = claimed.get(dataset).map(|(held, _)| &held.record);
        let attempt = record.and_then(|r| open(r, &submission.pinned.origin));
        let Some(attempt) = attempt else {
            continue;
        };
        let place = *places.entry(attempt.job_name.clone()).or_insert_with(|| {
            arrays.push(PlannedArray {
                job_name: attempt.job_name.clone(),
                rung: attempt.rung,
                timeout_seconds: 0,
                datasets: vec![],
            });
            arrays.len() - 1
        });
        if let Some(array) = arrays.get_mut(place) {
            array.timeout_seconds = array.timeout_seconds.max(attempt.timeout_seconds);
            array.datasets.push(dataset.clone());
        }
    }
    let (arrays, alone): (Vec<_>, Vec<_>) = arrays
        .into_iter()
        .partition(|a| ARRAY_SIZES.contains(&a.datasets.len()));
    Plan {
        arrays,
        singles: alone.into_iter().flat_map(|a| a.datasets).collect(),
    }
}

/// The pending first attempt of this origin.
fn open<'a>(record: &'a Record, origin: &str) -> Option<&'a crate::record::Attempt> {
    record
        .pending()
        .filter(|a| a.origin == origin && a.reason == Reason::Batch && a.job_id.is_none())
}

fn child_id(parent: &JobId, index: usize) -> JobId {
    parent.child(u16::try_from(index).unwrap_or(u16::MAX))
}

/// The name of the job each dataset goes into: of its array, or its own where it is alone.
fn array_names(submission: &Submission<'_>, resources: &[Resources]) -> Vec<String> {
    let pinned = submission.pinned;
    let root = &submission.place.root;
    let mut totals: HashMap<Rung, usize> = HashMap::new();
    for r in resources {
        *totals.entry(r.rung).or_default() += 1;
    }
    let mut counts: HashMap<Rung, usize> = HashMap::new();
    pinned
        .datasets
        .iter()
        .zip(resources)
        .map(|(dataset, r)| {
            if totals.get(&r.rung) == Some(&1) {
                return job_name(root, dataset, 1, &pinned.origin);
            }
            let count = counts.entry(r.rung).or_default();
            let chunk = *count / ARRAY_SIZES.end();
            *count += 1;
            let id = digest(&[&root.to_string(), &pinned.origin]);
            format!("caldp-{}-r{}-{chunk}-{id}", pinned.batch, r.rung.number())
        })
        .collect()
}
