//! A job changed its state: the event becomes a change of the dataset's record, and that is carried
//! out.

use std::sync::Arc;

use caldp_core::batch::BatchName;
use caldp_core::dataset::Dataset;
use caldp_core::provenance::Provenance;
use caldp_core::resources::EarlierRun;
use serde_json::Value;
use tracing::{Instrument, info_span};

use super::ended::ended;
use crate::batch::Batch;
use crate::config::Config;
use crate::error::TriggerError;
use crate::event::job_event::{JobEvent, Role, Status};
use crate::invocation::Invocation;
use crate::metric;
use crate::output_root::OutputRoot;
use crate::record::attempts::{Ended, Record, Settings};
use crate::record::batches::Batches;
use crate::record::documents::Documents;
use crate::record::measured::Measured;
use crate::record::task::dataset_of;
use crate::record::transition::{Transition, TransitionRules};
use crate::submit::reconcile::{Reconciler, Transitioned};

/// Handles the ends of jobs.
#[derive(Debug)]
pub struct JobEnds<B> {
    config: Arc<Config>,
    documents: Documents,
    batches: Batches,
    reconciler: Arc<Reconciler<B>>,
}

impl<B: Batch> JobEnds<B> {
    /// Job ends of a deployment.
    pub const fn new(
        config: Arc<Config>,
        documents: Documents,
        batches: Batches,
        reconciler: Arc<Reconciler<B>>,
    ) -> Self {
        Self {
            config,
            documents,
            batches,
            reconciler,
        }
    }

    /// Handles a `Batch Job State Change` event and says what was decided.
    ///
    /// # Errors
    /// [`TriggerError`] for an event of another deployment, one that makes no sense, or when the
    /// decision could not be carried out; delivered again it is.
    pub async fn handle(
        &self,
        event: &Value,
        invocation: &Invocation,
    ) -> Result<String, TriggerError> {
        let event = JobEvent::from_event(event)?;
        if event.status == Status::UnderWay {
            return Ok(format!("job {} is under way: nothing to do", event.job_id));
        }
        if event.role == Role::Parent {
            return Ok(format!(
                "job {} is an array: its children speak for themselves",
                event.job_id
            ));
        }
        let task = event.task()?;
        self.documents.check_bucket(task.root.bucket())?;
        let root = OutputRoot::new(task.root.clone(), task.layout);
        let dataset = dataset_of(&self.documents, &task).await?;
        self.check_queue(&event, &root, &dataset).await?;
        self.settle(&event, &root, &dataset, invocation).await
    }

    /// Decides what the end of a dataset's job means, carries it out, and says what was decided.
    ///
    /// # Errors
    /// As [`Self::handle`].
    pub(crate) async fn settle(
        &self,
        event: &JobEvent,
        root: &OutputRoot,
        dataset: &Dataset,
        invocation: &Invocation,
    ) -> Result<String, TriggerError> {
        let span = info_span!("dataset", %dataset, job_id = %event.job_id);
        self.decide(event, root, dataset, invocation)
            .instrument(span)
            .await
    }

    async fn decide(
        &self,
        event: &JobEvent,
        root: &OutputRoot,
        dataset: &Dataset,
        invocation: &Invocation,
    ) -> Result<String, TriggerError> {
        let settings = Settings {
            layout: root.layout,
            ..Settings::default()
        };
        let run = self.documents.provenance(root, dataset).await?;
        let run = run.filter(|run| is_of(run, event));
        let measured = run.as_ref().map(Measured::of);
        let changed = self
            .reconciler
            .transition_with_states(root, dataset, |record, state| {
                let rules = TransitionRules::now(&self.config, root, invocation);
                let transition = ended(record, dataset, &settings, event, state, &rules);
                with_measured(transition, event, measured.as_ref())
            })
            .await?;
        let batch = changed.record().and_then(|r| r.settings.batch.as_ref());
        let (batch, why) = (batch.map(BatchName::as_str), changed.why.as_str());
        tracing::info!(batch, why, "the job ended");
        let explanation = format!("{dataset}: {why}");
        let first_news = changed.is_new();
        if first_news && let Some(record) = changed.record() {
            count(record, event);
        }
        let pending = changed.record().and_then(Record::pending);
        if pending.is_some() {
            // also of a job that somebody else submitted, to an output nobody noted
            self.batches.open(root, None).await?;
        }
        if concerns(&changed, event) {
            let settled = self.reconciler.reconcile(root, changed, invocation).await?;
            if first_news && settled.is_some_and(|record| succeeded(&record)) {
                let earlier = run.and_then(|run| EarlierRun::of_record(&run).ok());
                self.keep_measurements(dataset, earlier).await?;
            }
        }
        Ok(explanation)
    }

    /// Events of another environment that shares the bucket are refused by their queue.
    async fn check_queue(
        &self,
        event: &JobEvent,
        root: &OutputRoot,
        dataset: &Dataset,
    ) -> Result<(), TriggerError> {
        let bins = &self.config.memory_bins;
        if bins.bin_of_queue(&event.queue).is_some() {
            return Ok(());
        }
        let known = self.documents.record(root, dataset).await?;
        let ordered = known.and_then(|known| known.record.settings.job_queue);
        if ordered.is_some_and(|q| q.rsplit('/').next() == Some(&event.queue)) {
            return Ok(());
        }
        Err(TriggerError::Foreign {
            what: format!("job queue {}", event.queue),
            ours: bins.queues().join(", "),
        })
    }

    /// Keeps what a run needed for the next batch with the dataset in it.
    async fn keep_measurements(
        &self,
        dataset: &Dataset,
        earlier: Option<EarlierRun>,
    ) -> Result<(), TriggerError> {
        let Some(earlier) = earlier else {
            return Ok(());
        };
        let uri = self.documents.measured_file(dataset)?;
        self.documents.put(&uri, &earlier).await
    }
}

/// Whether a record is of the job's run: one that was killed leaves that of a run before it.
fn is_of(run: &Provenance, event: &JobEvent) -> bool {
    match &run.worker.job_id {
        Some(id) => id == event.job_id.as_str(),
        None => event.status == Status::Succeeded,
    }
}

/// A change of the record with what the job measured in it.
fn with_measured(
    transition: Transition,
    event: &JobEvent,
    measured: Option<&Measured>,
) -> Transition {
    match (transition, measured) {
        (Transition::Change(mut record, why), Some(measured)) => {
            record.add_measured(&event.job_id, measured);
            Transition::Change(record, why)
        }
        (transition, _) => transition,
    }
}

/// Whether there is anything to carry out after an event: not when the pending attempt is
/// somebody else's to submit.
fn concerns(changed: &Transitioned, event: &JobEvent) -> bool {
    let Some(record) = changed.record() else {
        return false;
    };
    let made_by_this = format!("job:{}", event.job_id);
    changed.is_new()
        || record
            .pending()
            .is_none_or(|a| a.job_id.is_some() || a.origin == made_by_this)
}

/// Counts the verdict on a job in the metrics.
fn count(record: &Record, event: &JobEvent) {
    let mut attempts = record.attempts.iter();
    let of_job = attempts.find(|a| a.job_id.as_ref() == Some(&event.job_id));
    if let Some((attempt, outcome)) = of_job.and_then(|a| Some((a, a.outcome.as_ref()?))) {
        let verdict = match outcome.result {
            Ended::Succeeded => "succeeded",
            Ended::Failed(cause) => cause.name(),
        };
        metric::verdict(verdict, attempt.memory_bin);
    }
}

fn succeeded(record: &Record) -> bool {
    let outcome = record.last().and_then(|a| a.outcome.as_ref());
    outcome.is_some_and(|o| o.result == Ended::Succeeded)
}
