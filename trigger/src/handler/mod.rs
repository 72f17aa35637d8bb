//! From an event to what handles it, and its answer: the table of contents of the trigger.

mod objects;
mod queued;

use std::sync::Arc;
use std::time::Duration;

use aws_lambda_events::sqs::SqsBatchResponse;
use serde::Serialize;
use serde_json::Value;
use storage::hint::explain;
use storage::s3::S3;

use crate::batch::Batch;
use crate::batch::client::BatchClient;
use crate::config::Config;
use crate::error::TriggerError;
use crate::event::{Event, EventError, classify};
use crate::invocation::Invocation;
use crate::metric;
use crate::order::Order;
use crate::queue::Returns;
use crate::record::batches::Batches;
use crate::record::documents::Documents;
use crate::request::dataset::DatasetRequests;
use crate::request::fan_out::{BroadcastAnswer, FanOut};
use crate::request::requests::{RequestAnswer, Requests};
use crate::schedule::{Schedule, ScheduleAnswer};
use crate::submit::lookup::Estimator;
use crate::submit::planned::Submitted;
use crate::submit::reconcile::Reconciler;
use crate::submit::submitter::{OrderAnswer, Submitter};
use crate::sweep::Sweeper;
use crate::verdict::job_ends::JobEnds;

/// What handles events, one part for each kind.
#[derive(Debug)]
pub struct Trigger<B> {
    pub(crate) documents: Documents,
    pub(crate) submitter: Arc<Submitter<B>>,
    pub(crate) requests: Requests<B>,
    fan_out: Arc<FanOut<B>>,
    job_ends: Arc<JobEnds<B>>,
    pub(crate) schedule: Schedule<B>,
    pub(crate) sweeper: Arc<Sweeper<B>>,
    returns: Returns,
}

/// What was done with an event.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// An order was submitted, or asked what it would do.
    Order(OrderAnswer),
    /// The rest of a submission was taken up.
    Continued(Submitted),
    /// A request was carried out.
    Request(RequestAnswer),
    /// A part of a fan-out was carried out.
    Broadcast(BroadcastAnswer),
    /// The schedule's work was done.
    Schedule(ScheduleAnswer),
    /// Several objects were dealt with.
    Several(Vec<Answer>),
    /// The messages of a queue that failed.
    Queue(SqsBatchResponse),
    /// In words.
    Words(String),
}

impl<B: Batch> Trigger<B> {
    /// The trigger of a deployment. `batch` makes the client of AWS Batch, given how long one answer
    /// may take.
    pub async fn new<F>(
        config: Config,
        s3: impl Future<Output = S3>,
        batch: impl Fn(Duration) -> F,
    ) -> Self
    where
        F: Future<Output = B>,
    {
        let batch_client = BatchClient::new(config.lease, config.batch_rate, batch);
        let (s3, batch_client) = tokio::join!(s3, batch_client);
        let (config, batch_client) = (Arc::new(config), Arc::new(batch_client));
        let documents = Documents::new(s3, config.bucket.clone());
        let batches = Batches::new(documents.clone());
        let shared = || (Arc::clone(&config), documents.clone());
        let estimator = Estimator::new(documents.clone());
        let reconciler = {
            let ((config, documents), batch) = (shared(), Arc::clone(&batch_client));
            Arc::new(Reconciler::new(config, documents, batch))
        };
        let submitter = {
            let ((config, documents), batch) = (shared(), Arc::clone(&batch_client));
            let (reconciler, estimator) = (Arc::clone(&reconciler), estimator.clone());
            let batches = batches.clone();
            Arc::new(Submitter::new(
                config, documents, batches, batch, reconciler, estimator,
            ))
        };
        let datasets = {
            let ((config, documents), batch) = (shared(), Arc::clone(&batch_client));
            let (reconciler, batches) = (Arc::clone(&reconciler), batches.clone());
            Arc::new(DatasetRequests::new(
                config, documents, batches, batch, reconciler, estimator,
            ))
        };
        let job_ends = {
            let ((config, documents), batches) = (shared(), batches.clone());
            let reconciler = Arc::clone(&reconciler);
            Arc::new(JobEnds::new(config, documents, batches, reconciler))
        };
        let sweeper = {
            let ((config, documents), batch) = (shared(), Arc::clone(&batch_client));
            let job_ends = Arc::clone(&job_ends);
            Arc::new(Sweeper::new(config, documents, batch, job_ends, reconciler))
        };
        let schedule = {
            let ((config, documents), batches) = (shared(), batches.clone());
            let (submitter, sweeper) = (Arc::clone(&submitter), Arc::clone(&sweeper));
            Schedule::new(config, documents, batches, submitter, sweeper)
        };
        let fan_out = {
            let ((config, documents), datasets) = (shared(), Arc::clone(&datasets));
            Arc::new(FanOut::new(config, documents, batch_client, datasets))
        };
        Self {
            requests: Requests::new(documents.clone(), datasets, Arc::clone(&fan_out)),
            job_ends,
            schedule,
            sweeper,
            documents,
            submitter,
            fan_out,
            returns: Returns::default(),
        }
    }

    /// The same, with a way to say when failed messages come back to their queue.
    #[must_use]
    pub fn with_returns(self, returns: Returns) -> Self {
        Self { returns, ..self }
    }

    /// Handles one event, and answers with what was done.
    ///
    /// # Errors
    /// [`TriggerError`] for an event that makes no sense or is of another deployment, and for work
    /// that could not be finished. The messages of a queue are answered one by one instead.
    pub async fn handle(
        &self,
        event: Value,
        invocation: &Invocation,
    ) -> Result<Answer, TriggerError> {
        match classify(event)? {
            Event::Queue(messages) => Ok(self.queue(messages, invocation).await),
            // Boxed, here and below, to keep the types of the futures within what compilers bear.
            other => Box::pin(self.handle_one(other, invocation)).await,
        }
    }

    async fn handle_one(
        &self,
        event: Event,
        invocation: &Invocation,
    ) -> Result<Answer, TriggerError> {
        match event {
            Event::Direct(value) => {
                let order = Order::from_value(&value)?;
                let origin = self.submitter.identity(&value).await?;
                self.order(order, &origin, invocation).await
            }
            Event::Objects(objects) => Box::pin(self.objects(objects, invocation)).await,
            Event::Job(event) => Box::pin(self.job_ends.handle(&event, invocation))
                .await
                .map(Answer::Words),
            Event::Schedule => Box::pin(self.schedule.run(invocation))
                .await
                .map(Answer::Schedule),
            Event::Test => {
                let words = "S3 tried out a notification: nothing to do";
                tracing::info!("{words}");
                Ok(Answer::Words(words.to_owned()))
            }
            Event::Queue(_) => Err(EventError::Malformed {
                kind: "SQS",
                reason: "a message wraps another queue's messages".to_owned(),
            }
            .into()),
        }
    }

    async fn order(
        &self,
        order: Order,
        origin: &str,
        invocation: &Invocation,
    ) -> Result<Answer, TriggerError> {
        Box::pin(self.submitter.order(order, origin, invocation))
            .await
            .map(Answer::Order)
    }
}

/// Logs what came of an event.
pub fn log(result: &Result<Answer, TriggerError>) {
    match result {
        Ok(answer) => {
            let answer = serde_json::to_string(answer).unwrap_or_default();
            tracing::info!(answer, "handled");
        }
        Err(error) if error.is_final() => {
            let (kind, error) = (error.kind(), explain(error).to_string());
            tracing::warn!(kind, error, "refused");
            metric::refused(kind);
        }
        Err(error) => {
            let (kind, error) = (error.kind(), explain(error).to_string());
            tracing::error!(kind, error, "not handled");
        }
    }
}
