//! A job changed its state: the event becomes a verdict, the verdict is carried out.

use caldp_core::array::{DatasetList, MAX_LIST_BYTES};
use caldp_core::dataset::Dataset;
use caldp_core::layout::Area;
use caldp_core::provenance::{self, Provenance};
use serde_json::Value;
use storage::s3::{ErrorKind, Precondition};
use storage::uri::S3Uri;

use crate::carry_out::{Changed, Fresh};
use crate::desk::{Call, Desk};
use crate::error::TriggerError;
use crate::event::EventError;
use crate::job::{JobChange, Role, Status, Task, Work};
use crate::jobs::Batch;
use crate::ladder::Measured;
use crate::place::{Place, measured};
use crate::record::{Ended, Record, Settings};
use crate::step::ended;

/// The largest provenance record that is read, in bytes.
const MAX_PROVENANCE: usize = 32 << 20;

impl<B: Batch> Desk<B> {
    /// Handles a `Batch Job State Change` event and says what was decided.
    ///
    /// # Errors
    /// [`TriggerError`] for an event of another deployment, one that makes no sense, or when the
    /// decision could not be carried out; delivered again it is.
    pub async fn job_changed(&self, event: &Value, call: &Call) -> Result<String, TriggerError> {
        let change = JobChange::from_event(event)?;
        if change.status == Status::UnderWay {
            return Ok(format!("job {} is under way: nothing to do", change.job_id));
        }
        if change.role == Role::Parent {
            return Ok(format!(
                "job {} is an array: its children speak for themselves",
                change.job_id
            ));
        }
        let task = change.task()?;
        let (place, dataset) = self.subject(&task).await?;
        self.check_queue(&change, &place, &dataset).await?;
        let settings = Settings {
            layout: task.layout,
            ..Settings::default()
        };
        let changed = self
            .change(&place, &dataset, |record, state| {
                let rules = self.rules(&place, call);
                ended(record, &dataset, &settings, &change, state, &rules)
            })
            .await?;
        let explanation = format!("{dataset}: {}", changed.why);
        if let Some(held) = changed.held.clone()
            && concerns(&changed, &held.record, &change)
        {
            let fresh = if changed.fresh { Fresh::Yes } else { Fresh::No };
            self.carry_out(&place, held, fresh, call).await?;
        }
        if changed.fresh && changed.held.is_some_and(|h| succeeded(&h.record)) {
            self.remember(&place, &dataset).await?;
        }
        Ok(explanation)
    }

    /// Where a task is and what it is about, the line of a list looked up.
    pub(crate) async fn subject(&self, task: &Task) -> Result<(Place, Dataset), TriggerError> {
        let place = Place::new(task.root.clone(), task.layout);
        self.check_bucket(&place.root)?;
        match &task.work {
            Work::Dataset(dataset) => Ok((place, dataset.clone())),
            Work::Line { list, index } => {
                self.check_bucket(list)?;
                let datasets = self.list(list).await?;
                let line = datasets.get(usize::from(*index)).cloned();
                let line = line.ok_or_else(|| EventError::Malformed {
                    kind: "Batch Job State Change",
                    reason: format!("{list} has no line {index}, counted from 0"),
                })?;
                Ok((place, line))
            }
        }
    }

    /// The datasets in a list this system wrote.
    pub(crate) async fn list(&self, uri: &S3Uri) -> Result<Vec<Dataset>, TriggerError> {
        let (bytes, _) = self.s3.get_bytes(uri, MAX_LIST_BYTES).await?;
        let list = DatasetList::parse(&bytes).map_err(|error| TriggerError::Document {
            place: uri.to_string(),
            reason: error.to_string(),
        })?;
        Ok(list.into())
    }

    pub(crate) fn check_bucket(&self, uri: &S3Uri) -> Result<(), TriggerError> {
        if uri.bucket() == self.config.bucket {
            Ok(())
        } else {
            Err(self.foreign_bucket(uri.bucket()))
        }
    }

    /// Events of another environment that shares the bucket are refused by their queue.
    async fn check_queue(
        &self,
        change: &JobChange,
        place: &Place,
        dataset: &Dataset,
    ) -> Result<(), TriggerError> {
        if self.config.ladder.rung_of_queue(&change.queue).is_some() {
            return Ok(());
        }
        let held = self.held(place, dataset).await?;
        let ordered = held.and_then(|h| h.record.settings.job_queue);
        if ordered.is_some_and(|q| q.rsplit('/').next() == Some(&change.queue)) {
            return Ok(());
        }
        Err(TriggerError::Foreign {
            what: format!("job queue {}", change.queue),
            ours: self.config.ladder.queues().join(", "),
        })
    }

    /// Keeps what a run needed for the next batch with the dataset in it. A run without a readable
    /// provenance record is one to learn nothing from.
    async fn remember(&self, place: &Place, dataset: &Dataset) -> Result<(), TriggerError> {
        let key = place.layout.file(dataset, Area::Logs, provenance::FILE);
        let bytes = match self.s3.get_bytes(&place.uri(&key)?, MAX_PROVENANCE).await {
            Ok((bytes, _)) => bytes,
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::TooLarge) => {
                return Ok(());
            }
            Err(e) => return Err(e.into()),
        };
        let Some(found) = needed(&bytes) else {
            return Ok(());
        };
        let uri = measured(&self.config.bucket, dataset)?;
        self.write(&uri, &found, &Precondition::None)
            .await
            .map(drop)
    }
}

/// What a run needed.
fn needed(bytes: &[u8]) -> Option<Measured> {
    let run: Provenance = serde_json::from_slice(bytes).ok()?;
    let seconds = std::time::Duration::try_from_secs_f64(run.seconds()).ok()?;
    Some(Measured {
        peak_memory: run.peak_memory_kib()?.saturating_mul(1024),
        seconds: seconds.as_secs().max(1),
    })
}

/// Whether there is anything to carry out after an event: not when the pending attempt is
/// somebody else's to submit.
fn concerns(changed: &Changed, record: &Record, change: &JobChange) -> bool {
    let made_by_this = format!("job:{}", change.job_id);
    changed.fresh
        || record
            .pending()
            .is_none_or(|a| a.job_id.is_some() || a.origin == made_by_this)
}

fn succeeded(record: &Record) -> bool {
    let outcome = record.last().and_then(|a| a.outcome.as_ref());
    outcome.is_some_and(|o| o.result == Ended::Succeeded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_run_needed_is_the_worker_and_its_largest_program() {
        let provenance = br#"{"dataset": "j8cb010b0", "state": "processed", "worker": {"peak_memory_kib": 1000}, "steps": [{"step": "a", "seconds": 1.5},
            {"step": "b", "seconds": 10.0}], "programs": [{"peak_memory_kib": 5000}, {"peak_memory_kib": 7000}]}"#;
        assert_eq!(
            needed(provenance),
            Some(Measured {
                peak_memory: 8000 * 1024,
                seconds: 11
            })
        );
        assert_eq!(needed(b"{}"), None);
        assert_eq!(needed(b"not json"), None);
    }
}
