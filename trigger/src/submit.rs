//! Submitting a batch: every dataset gets exactly one job, however often the order is delivered.
//!
//! An order is pinned under the identity of what brought it, so that a second delivery continues
//! the first. One invocation at a time works on it, under a lease. Each dataset is claimed by
//! creating its record; a dataset that has one already is somebody else's and is left alone. Up to
//! a threshold every dataset gets a job of its own; above it `array` makes array jobs.

use std::collections::{BTreeMap, HashSet};

use caldp_core::batch::{BatchName, JobId};
use caldp_core::dataset::Dataset;
use caldp_core::layout::{BatchListFormat, Layout};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use storage::s3::Precondition;
use storage::uri::S3Uri;

use crate::carry_out::{Fresh, Held};
use crate::desk::{Call, Desk, json_bytes};
use crate::error::TriggerError;
use crate::jobs::{Batch, Doubt};
use crate::ladder::{Resources, Rung};
use crate::order::{Order, Overrides};
use crate::place::Place;
use crate::record::{Record, Settings};
use crate::step::{digest, first, job_name};

/// An order as it was first understood; deliveries after the first continue this one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Pinned {
    pub(crate) batch: BatchName,
    pub(crate) root: S3Uri,
    pub(crate) layout: Layout,
    pub(crate) origin: String,
    pub(crate) settings: Settings,
    pub(crate) overrides: Overrides,
    pub(crate) since: Timestamp,
    pub(crate) datasets: Vec<Dataset>,
}

/// What was done with an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submitted {
    /// The batch.
    pub batch: BatchName,
    /// Where its results go.
    pub s3_output_path: S3Uri,
    /// How many datasets were ordered, each counted once.
    pub datasets: usize,
    /// How many have a job of this order.
    pub submitted: usize,
    /// Datasets that already had a job or a result of another order, and were left alone.
    pub left_alone: Vec<Dataset>,
    /// How many jobs were submitted, an array counting as one.
    pub jobs: usize,
    /// How many datasets are on each rung.
    pub rungs: BTreeMap<u8, usize>,
    /// Whether another invocation continues.
    pub continues: bool,
}

/// A submission under way.
pub(crate) struct Submission<'a> {
    pub(crate) id: BatchName,
    pub(crate) pinned: &'a Pinned,
    pub(crate) place: Place,
    /// The owner of all claims of this submission, whichever invocation makes them.
    pub(crate) call: Call,
    /// Datasets with messages of an earlier life.
    pub(crate) stale: HashSet<Dataset>,
}

/// What became of one dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
    Job(Rung, JobId),
    LeftAlone,
    /// There was no time for it.
    Postponed,
}

impl Pinned {
    pub(crate) fn place(&self) -> Place {
        Place::new(self.root.clone(), self.layout)
    }
}

/// The name under which an order is kept, from the identity of what brought it.
pub(crate) fn submission_id(origin: &str) -> Result<BatchName, TriggerError> {
    let id = format!("submission-{}", digest(&[origin]));
    id.parse().map_err(|e| TriggerError::Document {
        place: id.clone(),
        reason: format!("{e}"),
    })
}

impl<B: Batch> Desk<B> {
    /// Submits an order, or continues it.
    ///
    /// # Errors
    /// [`TriggerError`]; delivered again under the same `origin` the order is taken up where it
    /// stopped.
    pub async fn submit(
        &self,
        order: Order,
        origin: &str,
        call: &Call,
    ) -> Result<Submitted, TriggerError> {
        let id = submission_id(origin)?;
        let pinned = self.pin(order, origin, &id).await?;
        self.work_on(&id, &pinned, call).await
    }

    /// Continues an order that was pinned before.
    ///
    /// # Errors
    /// As [`Desk::submit`].
    pub async fn resume(&self, id: &BatchName, call: &Call) -> Result<Submitted, TriggerError> {
        let uri = self.submission_file(id, "request.json")?;
        let (pinned, _) =
            self.read::<Pinned>(&uri)
                .await?
                .ok_or_else(|| TriggerError::Document {
                    place: uri.to_string(),
                    reason: "it is not there".to_owned(),
                })?;
        self.work_on(id, &pinned, call).await
    }

    /// What an order is understood to be, without submitting it.
    pub(crate) fn understand(
        &self,
        order: Order,
        origin: &str,
        now: Timestamp,
    ) -> Result<Pinned, TriggerError> {
        let batch = order
            .batch_name
            .unwrap_or_else(|| BatchName::of(order.datasets.len(), now));
        let layout = order.layout.unwrap_or(self.config.layout);
        let root = match (order.output, layout) {
            (Some(output), _) => output,
            (None, Layout::Tree) => S3Uri::new(&self.config.bucket, &format!("data/{batch}"))?,
            (None, Layout::Calcloud) => S3Uri::new(&self.config.bucket, "")?,
        };
        if root.bucket() != self.config.bucket {
            return Err(self.foreign_bucket(root.bucket()));
        }
        Ok(Pinned {
            settings: Settings {
                batch: Some(batch.clone()),
                layout,
                inputs: None,
                context: order.context,
                job_queue: order.job_queue,
                job_definition: order.job_definition,
                timeout_scale: order.overrides.timeout_scale,
            },
            batch,
            root,
            layout,
            origin: origin.to_owned(),
            overrides: order.overrides,
            since: now,
            datasets: order.datasets,
        })
    }

    async fn pin(
        &self,
        order: Order,
        origin: &str,
        id: &BatchName,
    ) -> Result<Pinned, TriggerError> {
        let uri = self.submission_file(id, "request.json")?;
        if let Some((pinned, _)) = self.read::<Pinned>(&uri).await? {
            return Ok(pinned);
        }
        let pinned = self.understand(order, origin, Timestamp::now())?;
        match self.write(&uri, &pinned, &Precondition::IfAbsent).await? {
            Some(_) => Ok(pinned),
            None => match self.read::<Pinned>(&uri).await? {
                Some((pinned, _)) => Ok(pinned),
                None => Err(crate::desk::contended(&uri)),
            },
        }
    }

    /// A file kept for a submission, at the bucket's root.
    pub(crate) fn submission_file(
        &self,
        id: &BatchName,
        file: &str,
    ) -> Result<S3Uri, TriggerError> {
        let key = Layout::Tree.batch_control(id, file);
        Ok(S3Uri::new(&self.config.bucket, &key)?)
    }

    pub(crate) fn foreign_bucket(&self, bucket: &str) -> TriggerError {
        TriggerError::Foreign {
            what: format!("bucket {bucket}"),
            ours: self.config.bucket.clone(),
        }
    }

    async fn work_on(
        &self,
        id: &BatchName,
        pinned: &Pinned,
        call: &Call,
    ) -> Result<Submitted, TriggerError> {
        let done = self.submission_file(id, "done.json")?;
        let lease_uri = self.submission_file(id, "lease.json")?;
        let over = async || Ok(self.read::<Submitted>(&done).await?.is_some());
        let what = format!("batch {}", pinned.batch);
        let Some(lease) = self.lease(&lease_uri, &what, call, over).await? else {
            let found = self.read::<Submitted>(&done).await?;
            return found
                .map(|(done, _)| done)
                .ok_or_else(|| crate::desk::contended(&done));
        };
        let submission = Submission {
            id: id.clone(),
            place: pinned.place(),
            pinned,
            call: Call {
                id: id.to_string(),
                budget: call.budget,
            },
            stale: HashSet::new(),
        };
        let work = self.submit_all(submission, &done);
        self.under(lease, work).await
    }

    async fn submit_all(
        &self,
        mut submission: Submission<'_>,
        done: &S3Uri,
    ) -> Result<Submitted, TriggerError> {
        submission.stale = self.stale(&submission.place).await?;
        let pinned = submission.pinned;
        let arrays = pinned.datasets.len() > self.config.array_threshold;
        let fates = if arrays {
            self.submit_arrays(&submission).await?
        } else {
            self.submit_singles(&submission).await?
        };
        let summary = summary(pinned, &fates);
        if summary.continues {
            self.hand_on(&submission.id).await?;
            return Ok(summary);
        }
        self.record_batch(&submission, &fates).await?;
        self.write(done, &summary, &Precondition::None).await?;
        Ok(summary)
    }

    async fn submit_singles(&self, submission: &Submission<'_>) -> Result<Vec<Fate>, TriggerError> {
        let pinned = submission.pinned;
        let sizes = self.input_sizes(&submission.place).await?;
        self.each(&pinned.datasets, |_, dataset| {
            let bytes = sizes.get(dataset).copied();
            async move {
                if submission.call.budget.is_spent() {
                    return Ok(Fate::Postponed);
                }
                let name = job_name(&submission.place.root, dataset, 1, &pinned.origin);
                let resources = self.resources(dataset, bytes, pinned.overrides).await?;
                let Some((held, fresh)) = self
                    .claim_first(submission, dataset, resources, name)
                    .await?
                else {
                    return Ok(Fate::LeftAlone);
                };
                self.submit_claimed(submission, held, fresh).await
            }
        })
        .await
    }

    /// Gives a claimed dataset its own job.
    pub(crate) async fn submit_claimed(
        &self,
        submission: &Submission<'_>,
        held: Held,
        fresh: Fresh,
    ) -> Result<Fate, TriggerError> {
        if let Some(fate) = settled(&held.record, &submission.pinned.origin) {
            return Ok(fate);
        }
        let (place, call) = (&submission.place, &submission.call);
        let stale = submission.stale.contains(&held.record.dataset);
        let held = if fresh == Fresh::Yes && !stale {
            self.submit_first(place, held).await?
        } else {
            self.carry_out(place, held, fresh, call).await?
        };
        Ok(settled(&held.record, &submission.pinned.origin).unwrap_or(Fate::LeftAlone))
    }

    /// Submits the first job of a dataset of which nothing but the claim exists.
    async fn submit_first(&self, place: &Place, held: Held) -> Result<Held, TriggerError> {
        let Some(attempt) = held.record.pending() else {
            return Ok(held);
        };
        let job = self.single(place, &held.record, attempt);
        let id = self.jobs.submit(&job, Doubt::None).await?;
        Ok(self.note_job(place, held, &id).await?.0)
    }

    /// Claims a dataset for this submission by creating its record; none when another has it.
    pub(crate) async fn claim_first(
        &self,
        submission: &Submission<'_>,
        dataset: &Dataset,
        resources: Resources,
        name: String,
    ) -> Result<Option<(Held, Fresh)>, TriggerError> {
        let place = &submission.place;
        let pinned = submission.pinned;
        let rules = self.rules(place, &submission.call);
        let settings = pinned.settings.clone();
        let record: Record = first(dataset, settings, resources, &pinned.origin, name, &rules);
        let uri = place.record(dataset)?;
        if let Some(version) = self.write(&uri, &record, &Precondition::IfAbsent).await? {
            return Ok(Some((Held { record, version }, Fresh::Yes)));
        }
        let held = self.held(place, dataset).await?;
        Ok(held
            .filter(|held| held.record.knows(&pinned.origin))
            .map(|held| (held, Fresh::No)))
    }

    /// Leaves the rest of a submission to the next invocation.
    pub(crate) async fn hand_on(&self, id: &BatchName) -> Result<(), TriggerError> {
        let name = format!("continue-{id}-{}", Timestamp::now().as_millisecond());
        let key = Layout::Tree.batch_list(&name, BatchListFormat::Json);
        let uri = S3Uri::new(&self.config.bucket, &key)?;
        self.put(&uri, json_bytes(&serde_json::json!({ "continue": id })))
            .await
    }
}

/// What became of a dataset whose attempt of this origin is known to have a job, or to need none
/// any more.
pub(crate) fn settled(record: &Record, origin: &str) -> Option<Fate> {
    let attempt = record.attempts.iter().find(|a| a.origin == origin)?;
    match (&attempt.job_id, &attempt.outcome) {
        (Some(id), _) => Some(Fate::Job(attempt.rung, id.clone())),
        (None, Some(_)) => Some(Fate::LeftAlone),
        (None, None) => None,
    }
}

fn summary(pinned: &Pinned, fates: &[Fate]) -> Submitted {
    let mut rungs = BTreeMap::new();
    let mut jobs = HashSet::new();
    for fate in fates {
        if let Fate::Job(rung, id) = fate {
            *rungs.entry(rung.number()).or_insert(0) += 1;
            jobs.insert(id.parent());
        }
    }
    let left_alone = fates.iter().zip(&pinned.datasets);
    Submitted {
        batch: pinned.batch.clone(),
        s3_output_path: pinned.root.clone(),
        datasets: pinned.datasets.len(),
        submitted: rungs.values().sum(),
        left_alone: left_alone
            .filter(|(fate, _)| **fate == Fate::LeftAlone)
            .map(|(_, dataset)| dataset.clone())
            .collect(),
        jobs: jobs.len(),
        rungs,
        continues: fates.contains(&Fate::Postponed),
    }
}
