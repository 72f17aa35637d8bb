//! A request for one dataset or one job, carried out. Repeated it is taken up where it stopped.

use std::fmt;
use std::sync::Arc;

use caldp_core::batch::JobId;
use caldp_core::dataset::Dataset;
use caldp_core::layout::{Target, Verb};
use serde::Serialize;
use storage::s3::{Delimiter, ErrorKind};
use storage::uri::S3Uri;
use tracing::{Instrument, info_span};

use super::transition::{Start, StartRequest, cancelled, started};
use crate::batch::Batch;
use crate::batch::client::BatchClient;
use crate::bounded::for_each_bounded;
use crate::config::Config;
use crate::error::TriggerError;
use crate::event::evidence::Cause;
use crate::event::job_event::{JobEvent, Role, Work};
use crate::invocation::Invocation;
use crate::order::RequestBody;
use crate::output_root::OutputRoot;
use crate::record::attempts::{Ended, Record, Settings};
use crate::record::batches::Batches;
use crate::record::documents::Documents;
use crate::record::task::{dataset_of, datasets_in};
use crate::record::transition::{Transition, TransitionRules};
use crate::submit::lookup::{Estimator, packed};
use crate::submit::reconcile::Reconciler;

/// The most keys deleted with one request to S3.
pub(crate) const DELETE_BATCH: usize = 1000;

/// What is asked, of whichever dataset.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// Where the dataset is.
    pub root: &'a OutputRoot,
    /// What is asked.
    pub verb: Verb,
    /// How.
    pub body: &'a RequestBody,
    /// What asked for it; the same origin is carried out once.
    pub origin: &'a str,
}

/// What became of a request for one dataset or one job, in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum DatasetAnswer {
    /// It is as was asked, or would be.
    Done(String),
    /// It is not as was asked: nothing is known of the dataset, or something else has to be done first.
    Refused(String),
}

impl DatasetAnswer {
    /// The answer to a request for a dataset of which the output has nothing.
    pub(crate) fn unknown(dataset: &Dataset) -> Self {
        Self::Refused(format!("nothing is known of {dataset}"))
    }
}

impl fmt::Display for DatasetAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Done(words) | Self::Refused(words)) = self;
        f.write_str(words)
    }
}

/// Carries out requests for single datasets and jobs.
#[derive(Debug)]
pub struct DatasetRequests<B> {
    config: Arc<Config>,
    documents: Documents,
    batches: Batches,
    batch_client: Arc<BatchClient<B>>,
    reconciler: Arc<Reconciler<B>>,
    estimator: Estimator,
}

impl<B: Batch> DatasetRequests<B> {
    /// Requests of a deployment.
    pub(crate) const fn new(
        config: Arc<Config>,
        documents: Documents,
        batches: Batches,
        batch_client: Arc<BatchClient<B>>,
        reconciler: Arc<Reconciler<B>>,
        estimator: Estimator,
    ) -> Self {
        Self {
            config,
            documents,
            batches,
            batch_client,
            reconciler,
            estimator,
        }
    }

    /// Carries out a request for one dataset and says what was done.
    ///
    /// # Errors
    /// [`TriggerError`]; repeated it is taken up where it stopped.
    pub async fn perform(
        &self,
        request: &Request<'_>,
        dataset: &Dataset,
        invocation: &Invocation,
    ) -> Result<DatasetAnswer, TriggerError> {
        let span = info_span!("dataset", %dataset);
        if !request.body.dry_run {
            self.open(request.root).await?;
        }
        let work = async {
            match request.verb {
                Verb::Rescue => {
                    self.start(request, Start::Rescue, dataset, invocation)
                        .await
                }
                Verb::Placed => {
                    self.start(request, Start::Placed, dataset, invocation)
                        .await
                }
                Verb::Cancel => {
                    self.cancel(request.root, dataset, request.body, invocation)
                        .await
                }
                Verb::Clean => self.clean(request.root, dataset, request.body).await,
            }
        };
        work.instrument(span).await
    }

    /// Notes that something is asked of an output.
    pub(super) async fn open(&self, root: &OutputRoot) -> Result<(), TriggerError> {
        self.batches.open(root, None).await
    }

    /// What is to be started: with what was kept of the dataset, where the request says nothing else.
    async fn start_request(
        &self,
        request: &Request<'_>,
        start: Start,
        dataset: &Dataset,
        settings: Option<&Settings>,
    ) -> Result<StartRequest, TriggerError> {
        let (root, body) = (request.root, request.body);
        let (inputs, bytes) = match start {
            Start::Placed => {
                let (folder, size) = self.placed(root, dataset).await?;
                (Some(folder.to_string()), Some(size))
            }
            Start::Rescue => (None, None),
        };
        let mut overrides = body.overrides;
        overrides.timeout_scale = overrides
            .timeout_scale
            .or(settings.and_then(|settings| settings.timeout_scale));
        Ok(StartRequest {
            start,
            origin: request.origin.to_owned(),
            overrides: body.overrides,
            settings: Settings {
                layout: root.layout,
                inputs,
                context: body.context.clone(),
                timeout_scale: body.overrides.timeout_scale,
                ..Settings::default()
            },
            resources: self
                .estimator
                .resources(packed(dataset, bytes), overrides)
                .await?,
        })
    }

    async fn start(
        &self,
        request: &Request<'_>,
        start: Start,
        dataset: &Dataset,
        invocation: &Invocation,
    ) -> Result<DatasetAnswer, TriggerError> {
        let (root, body) = (request.root, request.body);
        let known = self.documents.record(root, dataset).await?;
        let settings = known.as_ref().map(|known| &known.record.settings);
        let wanted = self
            .start_request(request, start, dataset, settings)
            .await?;
        let transition = |record| {
            let rules = TransitionRules::now(&self.config, root, invocation);
            started(record, dataset, &wanted, &rules)
        };
        // the job of another request has not ended
        let busy = |r: &Record| {
            r.pending().is_some() && r.attempts.iter().all(|a| a.origin != request.origin)
        };
        if body.dry_run {
            let record = known.map(|known| known.record);
            let refused = record.as_ref().is_some_and(busy);
            return Ok(answered(refused, tell(transition(record))));
        }
        let changed = self
            .reconciler
            .transition(root, dataset, transition)
            .await?;
        let ours = |r: &Record| r.pending().is_some_and(|a| a.origin == request.origin);
        let why = changed.why.clone();
        if changed.record().is_some_and(busy) {
            return Ok(DatasetAnswer::Refused(why));
        }
        if changed.record().is_some_and(ours) {
            let record = self.reconciler.reconcile(root, changed, invocation).await?;
            let last = record.as_ref().and_then(Record::last);
            if let Some(outcome) = last.and_then(|a| a.outcome.as_ref())
                && outcome.result == Ended::Failed(Cause::Refused)
            {
                return Err(TriggerError::Refused {
                    dataset: dataset.clone(),
                    refusal: outcome.to_string(),
                });
            }
        }
        Ok(DatasetAnswer::Done(why))
    }

    /// The folder in which the inputs of a dataset are, and their size.
    async fn placed(
        &self,
        root: &OutputRoot,
        dataset: &Dataset,
    ) -> Result<(S3Uri, u64), TriggerError> {
        let uri = root.join(&root.layout.inputs(dataset))?;
        let size = match self.documents.s3().head(&uri).await {
            Ok(found) => found.size,
            Err(e) if e.kind() == ErrorKind::NotFound => {
                let dataset = dataset.clone();
                return Err(TriggerError::NoInputs { dataset, uri });
            }
            Err(e) => return Err(e.into()),
        };
        let folder = uri.key().rsplit_once('/').map_or("", |(folder, _)| folder);
        Ok((S3Uri::new(uri.bucket(), folder)?, size))
    }

    async fn cancel(
        &self,
        root: &OutputRoot,
        dataset: &Dataset,
        body: &RequestBody,
        invocation: &Invocation,
    ) -> Result<DatasetAnswer, TriggerError> {
        let settings = Settings {
            layout: root.layout,
            ..Settings::default()
        };
        let transition = |record, state| {
            let rules = TransitionRules::now(&self.config, root, invocation);
            cancelled(record, dataset, &settings, state, &rules)
        };
        if body.dry_run {
            let known = self.documents.record(root, dataset).await?;
            let seen = self.documents.messages(root).look(dataset).await?;
            let record = known.map(|known| known.record);
            let unknown = record.is_none() && seen.current().is_none();
            return Ok(answered(unknown, tell(transition(record, seen.current()))));
        }
        let changed = self
            .reconciler
            .transition_with_states(root, dataset, transition)
            .await?;
        self.reconciler.stop_and_show(root, &changed).await?;
        let unknown = changed.record().is_none() && changed.state().is_none();
        Ok(answered(unknown, changed.why))
    }

    /// Cancels what a job works on: its dataset, or every dataset of its array.
    ///
    /// # Errors
    /// [`TriggerError::Foreign`] for a job of another deployment, others as they come.
    pub async fn cancel_job(
        &self,
        id: &JobId,
        body: &RequestBody,
        invocation: &Invocation,
    ) -> Result<DatasetAnswer, TriggerError> {
        let described = self.batch_client.describe(std::slice::from_ref(id)).await?;
        let Some(job) = described.into_iter().find(|job| job.job_id == id.as_str()) else {
            return Ok(DatasetAnswer::Refused(format!(
                "AWS Batch does not know job {id}; it forgets ended jobs after a week"
            )));
        };
        let event = JobEvent::from_detail(job)?;
        let task = event.task()?;
        self.documents.check_bucket(task.root.bucket())?;
        let datasets = match (&task.work, event.role) {
            (Work::Line { list, .. }, Role::Parent) => datasets_in(&self.documents, list).await?,
            _ => vec![dataset_of(&self.documents, &task).await?],
        };
        let of_job = &OutputRoot::new(task.root.clone(), task.layout);
        let concurrency = self.config.concurrency;
        let results = for_each_bounded(concurrency, &datasets, |_, dataset| async move {
            let known = self.documents.record(of_job, dataset).await?;
            if is_latest(known.as_ref().map(|known| &known.record), id) {
                self.cancel(of_job, dataset, body, invocation).await
            } else {
                Ok(DatasetAnswer::Done(format!(
                    "{dataset} has another job by now and was left alone"
                )))
            }
        })
        .await?;
        if !body.dry_run {
            self.batch_client.terminate(id).await?;
        }
        Ok(DatasetAnswer::Done(match results.as_slice() {
            [one] => format!("job {id} terminated: {one}"),
            many => format!("job {id} terminated, with {} datasets", many.len()),
        }))
    }

    /// Deletes everything of one dataset and nothing of any other.
    async fn clean(
        &self,
        root: &OutputRoot,
        dataset: &Dataset,
        body: &RequestBody,
    ) -> Result<DatasetAnswer, TriggerError> {
        let own = root.layout.dataset_keys(dataset);
        let (bucket, s3) = (root.uri.bucket(), self.documents.s3());
        let mut keys = vec![];
        for prefix in &own.prefixes {
            let pages = s3.list(bucket, &root.prefix(prefix), Delimiter::None);
            keys.extend(pages.collect().await?.objects.into_iter().map(|o| o.key));
        }
        // the request itself is not the dataset's
        let target = Target::Dataset(dataset.clone());
        let request = root.layout.request(Verb::Clean, &target);
        let mut single: Vec<&String> = own.keys.iter().filter(|k| **k != request).collect();
        if body.dry_run || keys.is_empty() {
            let mut there = vec![];
            for key in single {
                if self.documents.exists(&root.join(key)?).await? {
                    there.push(key);
                }
            }
            single = there;
        }
        if keys.is_empty() && single.is_empty() {
            return Ok(DatasetAnswer::unknown(dataset));
        }
        if body.dry_run {
            keys.extend(single.iter().map(|key| root.prefix(key)));
            let (count, names) = (counted_objects(keys.len()), keys.join(" "));
            return Ok(DatasetAnswer::Done(format!(
                "would delete {count}: {names}"
            )));
        }
        if let Some(known) = self.documents.record(root, dataset).await?
            && known.record.pending().is_some()
        {
            // its next job must be its only one
            self.reconciler.stop(root, &known.record).await?;
        }
        // the request itself goes last, so that a clean that was cut short is taken up again
        let found = counted_objects(keys.len());
        keys.extend(single.into_iter().map(|key| root.prefix(key)));
        for keys in keys.chunks(DELETE_BATCH) {
            s3.delete_many(bucket, keys).await?;
        }
        Ok(DatasetAnswer::Done(format!(
            "{dataset} cleaned: {found} and its messages deleted"
        )))
    }
}

/// Whether a job, or the array it is a child of, is the record's latest attempt.
fn is_latest(record: Option<&Record>, id: &JobId) -> bool {
    let Some(attempt) = record.and_then(Record::last) else {
        return true;
    };
    let known = attempt.job_id.as_ref();
    known.is_none_or(|known| known == id || known.parent() == *id)
}

const fn answered(refused: bool, words: String) -> DatasetAnswer {
    if refused {
        DatasetAnswer::Refused(words)
    } else {
        DatasetAnswer::Done(words)
    }
}

fn counted_objects(count: usize) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} object{ending}")
}

/// What a transition would do, in words.
fn tell(transition: Transition) -> String {
    match transition {
        Transition::None(why) => format!("would do nothing: {why}"),
        Transition::Change(_, why) => format!("would do this: {why}"),
    }
}
