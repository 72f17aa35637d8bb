//! The record of a batch, `messages/batch-new/<batch>.json`: what the downloader takes up.
//!
//! It is the last thing a submission writes before its own `done.json`. An invocation that dies
//! between the two is retried, and by then the downloader may have moved the record on; so the
//! record names the submissions that are in it, and one that finds itself in a record, whatever
//! the record's state, writes nothing.

use std::collections::{HashMap, HashSet};

use caldp_core::batch::JobId;
use caldp_core::layout::BatchState;
use jiff::Timestamp;
use serde_json::{Value, json};
use storage::s3::Precondition;
use storage::uri::S3Uri;

use crate::desk::{Desk, contended};
use crate::error::TriggerError;
use crate::jobs::Batch;
use crate::ladder::Rung;
use crate::submit::{Fate, Submission};

/// How often a record is tried to be written against others.
const TRIES: usize = 8;

impl<B: Batch> Desk<B> {
    /// Writes the batch's record for the downloader, adding to a new one that is there.
    pub(crate) async fn record_batch(
        &self,
        submission: &Submission<'_>,
        fates: &[Fate],
    ) -> Result<(), TriggerError> {
        let uri = batch_uri(submission, BatchState::New)?;
        for _ in 0..TRIES {
            let (before, condition) = match self.read::<Value>(&uri).await? {
                Some((value, version)) => (Some(value), Precondition::IfVersion(version)),
                None => (None, Precondition::IfAbsent),
            };
            if before.as_ref().is_some_and(|b| names(b, submission))
                || self.moved_on(submission).await?
            {
                return Ok(());
            }
            let value = self.batch_record(submission, fates, before.as_ref());
            if self.write(&uri, &value, &condition).await?.is_some() {
                return Ok(());
            }
        }
        Err(contended(&uri))
    }

    /// Whether a record the downloader has taken up names the submission. Records are written in
    /// their next state before they are deleted in the last, so looking in order of life misses
    /// none.
    async fn moved_on(&self, submission: &Submission<'_>) -> Result<bool, TriggerError> {
        for state in [BatchState::Syncing, BatchState::Done, BatchState::Error] {
            let uri = batch_uri(submission, state)?;
            let found = self.read::<Value>(&uri).await?;
            if found.is_some_and(|(record, _)| names(&record, submission)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn batch_record(
        &self,
        submission: &Submission<'_>,
        fates: &[Fate],
        before: Option<&Value>,
    ) -> Value {
        let pinned = submission.pinned;
        let mut datasets: Vec<Value> = earlier(before, "datasets");
        let mut jobs: Vec<Value> = earlier(before, "jobs");
        let mut submissions = earlier(before, "submissions");
        submissions.push(json!(submission.id));
        let mut seen: HashSet<String> = datasets
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect();
        let mut sizes: Vec<(JobId, Rung, usize)> = vec![];
        let mut places: HashMap<JobId, usize> = HashMap::new();
        for (dataset, fate) in pinned.datasets.iter().zip(fates) {
            if seen.insert(dataset.to_string()) {
                datasets.push(json!(dataset));
            }
            if let Fate::Job(rung, id) = fate {
                let id = id.parent();
                let place = *places.entry(id.clone()).or_insert_with(|| {
                    sizes.push((id, *rung, 0));
                    sizes.len() - 1
                });
                if let Some(size) = sizes.get_mut(place) {
                    size.2 += 1;
                }
            }
        }
        for (id, rung, size) in &sizes {
            let known =
                |job: &Value| job.get("job_id").and_then(Value::as_str) == Some(id.as_str());
            if !jobs.iter().any(known) {
                jobs.push(json!({"job_id": id, "rung": rung, "datasets": size}));
            }
        }
        let rungs = Rung::ALL
            .into_iter()
            .filter(|r| sizes.iter().any(|s| s.1 == *r));
        let served: Vec<_> = rungs.map(|r| self.config.ladder.site(r)).collect();
        let settings = &pinned.settings;
        let queues: Vec<&str> = match &settings.job_queue {
            Some(queue) => vec![queue],
            None => served.iter().map(|s| s.queue.as_str()).collect(),
        };
        let definitions: Vec<&str> = match &settings.job_definition {
            Some(definition) => vec![definition],
            None => served.iter().map(|s| s.definition.as_str()).collect(),
        };
        json!({
            "batch": pinned.batch,
            "s3_output_path": pinned.root,
            "layout": pinned.layout,
            "context": settings.context,
            "job_queue": queues,
            "job_definition": definitions,
            "submitted_at": Timestamp::now(),
            "submissions": submissions,
            "jobs": jobs,
            "datasets": datasets,
        })
    }
}

fn batch_uri(submission: &Submission<'_>, state: BatchState) -> Result<S3Uri, TriggerError> {
    let place = &submission.place;
    let key = place.layout.batch_message(state, &submission.pinned.batch);
    Ok(place.uri(&key)?)
}

/// Whether a record names the submission.
fn names(record: &Value, submission: &Submission<'_>) -> bool {
    let id = submission.id.as_str();
    let submissions = record.get("submissions").and_then(Value::as_array);
    submissions.is_some_and(|all| all.iter().any(|s| s.as_str() == Some(id)))
}

fn earlier(before: Option<&Value>, field: &str) -> Vec<Value> {
    let value = before.and_then(|b| b.get(field));
    value.and_then(Value::as_array).cloned().unwrap_or_default()
}
