//! The record of a batch, `messages/batch-new/<batch>.json`: what the downloader takes up.
//!
//! It is the last thing a submission writes before its own `done.json`. An invocation that dies
//! between the two is retried, and by then the downloader may have moved the record on; so the
//! record names the submissions that are in it, and one that finds itself in a record, whatever
//! the record's state, writes nothing.

use std::collections::HashSet;

use caldp_core::batch::{BatchName, JobId};
use caldp_core::dataset::Dataset;
use caldp_core::layout::{BatchState, Layout};
use caldp_core::resources::MemoryBin;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use storage::s3::Precondition;
use storage::uri::S3Uri;

use super::planned::{Submission, SubmitOutcome};
use crate::error::TriggerError;
use crate::memory_bins::MemoryBins;
use crate::record::documents::{Documents, contended};

/// How often a record is tried to be written against others.
const TRIES: usize = 8;

/// The record.
#[derive(Debug, Serialize)]
struct BatchRecord<'a> {
    batch: &'a BatchName,
    s3_output_path: &'a S3Uri,
    layout: Layout,
    context: Option<&'a str>,
    job_queue: Vec<&'a str>,
    job_definition: Vec<&'a str>,
    submitted_at: Timestamp,
    #[serde(flatten)]
    contents: Contents,
}

/// What a record has of every submission that is in it.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Contents {
    #[serde(default)]
    submissions: Vec<String>,
    #[serde(default)]
    jobs: Vec<BatchJob>,
    #[serde(default)]
    datasets: Vec<Dataset>,
}

/// One job of the batch, an array counting as one.
#[derive(Debug, Serialize, Deserialize)]
struct BatchJob {
    job_id: JobId,
    #[serde(rename = "rung", alias = "memory_bin")]
    memory_bin: MemoryBin,
    /// How many datasets it has.
    datasets: usize,
}

/// Writes the batch's record for the downloader, adding to a new one that is there.
pub(crate) async fn write(
    documents: &Documents,
    bins: &MemoryBins,
    submission: &Submission<'_>,
    outcomes: &[SubmitOutcome],
) -> Result<(), TriggerError> {
    let uri = uri(submission, BatchState::New)?;
    for _ in 0..TRIES {
        let (before, condition) = match documents.read::<Contents>(&uri).await? {
            Some((contents, version)) => (contents, Precondition::IfVersion(version)),
            None => (Contents::default(), Precondition::IfAbsent),
        };
        if before.names(submission) || moved_on(documents, submission).await? {
            return Ok(());
        }
        let record = record(bins, submission, before.with(submission, outcomes));
        if documents.write(&uri, &record, &condition).await?.is_some() {
            return Ok(());
        }
    }
    Err(contended(&uri))
}

/// Whether a record the downloader has taken up names the submission. Records are written in
/// their next state before they are deleted in the last, so looking in order of life misses
/// none.
async fn moved_on(
    documents: &Documents,
    submission: &Submission<'_>,
) -> Result<bool, TriggerError> {
    for state in [BatchState::Syncing, BatchState::Done, BatchState::Error] {
        let uri = uri(submission, state)?;
        let found = documents.read::<Contents>(&uri).await?;
        if found.is_some_and(|(contents, _)| contents.names(submission)) {
            return Ok(true);
        }
    }
    Ok(false)
}

impl Contents {
    fn names(&self, submission: &Submission<'_>) -> bool {
        let id = submission.id.as_str();
        self.submissions.iter().any(|s| s == id)
    }

    /// The contents with a submission added.
    fn with(mut self, submission: &Submission<'_>, outcomes: &[SubmitOutcome]) -> Self {
        self.submissions.push(submission.id.to_string());
        let known: HashSet<JobId> = self.jobs.iter().map(|job| job.job_id.clone()).collect();
        self.jobs
            .extend(jobs(outcomes).filter(|job| !known.contains(&job.job_id)));
        let mut seen: HashSet<Dataset> = self.datasets.iter().cloned().collect();
        for dataset in &submission.planned.datasets {
            if seen.insert(dataset.clone()) {
                self.datasets.push(dataset.clone());
            }
        }
        self
    }
}

/// The jobs of datasets, each once, in the order of their first dataset.
fn jobs(outcomes: &[SubmitOutcome]) -> impl Iterator<Item = BatchJob> {
    let mut jobs: Vec<BatchJob> = vec![];
    let mut places = std::collections::HashMap::new();
    for outcome in outcomes {
        if let SubmitOutcome::Job(memory_bin, id) = outcome {
            let job_id = id.parent();
            let place = *places.entry(job_id.clone()).or_insert_with(|| {
                jobs.push(BatchJob {
                    job_id,
                    memory_bin: *memory_bin,
                    datasets: 0,
                });
                jobs.len() - 1
            });
            if let Some(job) = jobs.get_mut(place) {
                job.datasets += 1;
            }
        }
    }
    jobs.into_iter()
}

fn record<'a>(
    bins: &'a MemoryBins,
    submission: &'a Submission<'_>,
    contents: Contents,
) -> BatchRecord<'a> {
    let planned = submission.planned;
    let used = |bin: &MemoryBin| contents.jobs.iter().any(|job| job.memory_bin == *bin);
    let sites: Vec<_> = MemoryBin::ALL
        .into_iter()
        .filter(used)
        .map(|bin| bins.site(bin))
        .collect();
    let settings = &planned.settings;
    BatchRecord {
        batch: &planned.batch,
        s3_output_path: &planned.root,
        layout: planned.layout,
        context: settings.context.as_deref(),
        job_queue: match &settings.job_queue {
            Some(queue) => vec![queue],
            None => sites.iter().map(|s| s.queue.as_str()).collect(),
        },
        job_definition: match &settings.job_definition {
            Some(definition) => vec![definition],
            None => sites.iter().map(|s| s.definition.as_str()).collect(),
        },
        submitted_at: Timestamp::now(),
        contents,
    }
}

fn uri(submission: &Submission<'_>, state: BatchState) -> Result<S3Uri, TriggerError> {
    let root = &submission.root;
    let key = root.layout.batch_message(state, &submission.planned.batch);
    Ok(root.join(&key)?)
}
