//! An order as it was first understood, and what became of it.

use std::collections::{BTreeMap, HashSet};

use caldp_core::batch::{BatchName, JobId};
use caldp_core::dataset::Dataset;
use caldp_core::layout::Layout;
use caldp_core::resources::MemoryBin;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use storage::uri::S3Uri;

use crate::config::Config;
use crate::error::TriggerError;
use crate::event::evidence::Cause;
use crate::invocation::Invocation;
use crate::order::Order;
use crate::order::details::Details;
use crate::output_root::OutputRoot;
use crate::record::attempts::{Ended, Record, Settings};
use crate::record::transition::digest;
use crate::resources::Overrides;

/// An order as it was first understood; deliveries after the first continue this one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedBatch {
    /// The batch.
    pub batch: BatchName,
    /// Where results go.
    pub root: S3Uri,
    /// How they are laid out there.
    pub layout: Layout,
    /// What brought the order.
    pub origin: String,
    /// How all jobs are run.
    pub settings: Settings,
    /// What differs from the usual resources.
    pub overrides: Overrides,
    /// When the order was understood.
    pub since: Timestamp,
    /// The datasets, in the order given.
    pub datasets: Vec<Dataset>,
    /// What the order says of them besides.
    #[serde(default, skip_serializing_if = "Details::is_empty")]
    pub details: Details,
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
    /// Datasets whose job AWS Batch refused: they are errors, and may be rescued.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<Dataset>,
    /// How many jobs were submitted, an array counting as one.
    pub jobs: usize,
    /// How many datasets are in each memory bin.
    #[serde(rename = "rungs", alias = "memory_bins")]
    pub memory_bins: BTreeMap<u8, usize>,
    /// Whether another invocation continues.
    pub continues: bool,
}

/// A submission under way.
pub(crate) struct Submission<'a> {
    pub(crate) id: BatchName,
    pub(crate) planned: &'a PlannedBatch,
    pub(crate) root: OutputRoot,
    /// The owner of all claims of this submission, whichever invocation makes them.
    pub(crate) invocation: Invocation,
    /// Datasets with messages of an earlier life.
    pub(crate) stale: HashSet<Dataset>,
}

/// What became of one dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SubmitOutcome {
    Job(MemoryBin, JobId),
    LeftAlone,
    /// AWS Batch does not take its job.
    Refused,
    /// There was no time for it.
    Postponed,
}

impl PlannedBatch {
    /// What an order is understood to be.
    ///
    /// # Errors
    /// [`TriggerError`] when its results would be nowhere.
    pub fn new(
        order: Order,
        origin: &str,
        now: Timestamp,
        config: &Config,
    ) -> Result<Self, TriggerError> {
        let batch = order
            .batch_name
            .unwrap_or_else(|| BatchName::of(order.datasets.len(), now));
        let layout = order.layout.unwrap_or(config.layout);
        let root = match (order.output, layout) {
            (Some(output), _) => output,
            (None, Layout::Tree) => S3Uri::new(&config.bucket, &format!("data/{batch}"))?,
            (None, Layout::Calcloud) => S3Uri::new(&config.bucket, "")?,
        };
        Ok(Self {
            settings: Settings {
                batch: Some(batch.clone()),
                layout,
                inputs: None,
                context: order.context,
                job_queue: order.job_queue,
                job_definition: order.job_definition,
                timeout_scale: order.overrides.timeout_scale,
                priority: order.priority,
                why: None,
            },
            batch,
            root,
            layout,
            origin: origin.to_owned(),
            overrides: order.overrides,
            since: now,
            datasets: order.datasets,
            details: order.details,
        })
    }

    /// Where results and messages go.
    pub(crate) fn output_root(&self) -> OutputRoot {
        OutputRoot::new(self.root.clone(), self.layout)
    }
}

/// The name under which an order is kept, from the identity of what brought it.
pub(crate) fn submission_id(origin: &str) -> Result<BatchName, TriggerError> {
    let name = format!("submission-{}", digest(&[origin]));
    let id = name.parse();
    id.map_err(|source| TriggerError::Name { name, source })
}

/// What became of a dataset whose attempt of this origin is known to have a job, or to need none
/// any more.
pub(crate) fn settled(record: &Record, origin: &str) -> Option<SubmitOutcome> {
    let attempt = record.attempts.iter().find(|a| a.origin == origin)?;
    match (&attempt.job_id, &attempt.outcome) {
        (Some(id), _) => Some(SubmitOutcome::Job(attempt.memory_bin, id.clone())),
        (None, Some(outcome)) if outcome.result == Ended::Failed(Cause::Refused) => {
            Some(SubmitOutcome::Refused)
        }
        (None, Some(_)) => Some(SubmitOutcome::LeftAlone),
        (None, None) => None,
    }
}

/// What was done, in numbers.
pub(crate) fn summary(planned: &PlannedBatch, outcomes: &[SubmitOutcome]) -> Submitted {
    let mut memory_bins = BTreeMap::new();
    let mut jobs = HashSet::new();
    for outcome in outcomes {
        if let SubmitOutcome::Job(bin, id) = outcome {
            *memory_bins.entry(bin.number()).or_insert(0) += 1;
            jobs.insert(id.parent());
        }
    }
    let those = |wanted: SubmitOutcome| {
        let all = outcomes.iter().zip(&planned.datasets);
        all.filter(move |(outcome, _)| **outcome == wanted)
            .map(|(_, dataset)| dataset.clone())
            .collect()
    };
    Submitted {
        batch: planned.batch.clone(),
        s3_output_path: planned.root.clone(),
        datasets: planned.datasets.len(),
        submitted: memory_bins.values().sum(),
        left_alone: those(SubmitOutcome::LeftAlone),
        refused: those(SubmitOutcome::Refused),
        jobs: jobs.len(),
        memory_bins,
        continues: outcomes.contains(&SubmitOutcome::Postponed),
    }
}
