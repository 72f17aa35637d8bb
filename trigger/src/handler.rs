//! From an event to what handles it, and its answer: the table of contents of the trigger.

use std::sync::Arc;
use std::time::Duration;

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse};
use caldp_core::batch::{BatchName, JobId};
use caldp_core::layout::{BatchListFormat, Broadcast, KeyKind, ParsedKey};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use storage::hint::explain;
use storage::s3::S3;
use storage::uri::S3Uri;
use tracing::{Instrument, info_span};

use crate::batch::Batch;
use crate::batch::client::BatchClient;
use crate::config::Config;
use crate::error::TriggerError;
use crate::event::{Created, Event, EventError, Queued, classify};
use crate::invocation::Invocation;
use crate::order::Order;
use crate::order::dataset_list::MAX_LIST_BYTES;
use crate::output_root::OutputRoot;
use crate::overview::{Overview, OverviewAnswer};
use crate::record::documents::Documents;
use crate::request::dataset::DatasetRequests;
use crate::request::fan_out::{BroadcastAnswer, FanOut};
use crate::request::requests::{RequestAnswer, Requests};
use crate::submit::lookup::Estimator;
use crate::submit::planned::Submitted;
use crate::submit::reconcile::Reconciler;
use crate::submit::submitter::{OrderAnswer, Submitter};
use crate::verdict::job_ends::JobEnds;

/// What handles events, one part for each kind.
#[derive(Debug)]
pub struct Trigger<B> {
    pub(crate) documents: Documents,
    pub(crate) submitter: Arc<Submitter<B>>,
    pub(crate) requests: Requests<B>,
    fan_out: Arc<FanOut<B>>,
    job_ends: JobEnds<B>,
    overview: Overview<B>,
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
    Overview(OverviewAnswer),
    /// Several objects were dealt with.
    Several(Vec<Answer>),
    /// The messages of a queue that failed.
    Queue(SqsBatchResponse),
    /// In words.
    Words(String),
}

/// The rest of a submission, as it was handed on.
#[derive(Deserialize)]
struct Continuation {
    r#continue: BatchName,
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
        let shared = || (Arc::clone(&config), documents.clone());
        let estimator = Estimator::new(documents.clone());
        let reconciler = {
            let (config, documents) = shared();
            Arc::new(Reconciler::new(
                config,
                documents,
                Arc::clone(&batch_client),
            ))
        };
        let submitter = {
            let ((config, documents), batch) = (shared(), Arc::clone(&batch_client));
            let reconciler = Arc::clone(&reconciler);
            let estimator = estimator.clone();
            Arc::new(Submitter::new(
                config, documents, batch, reconciler, estimator,
            ))
        };
        let datasets = {
            let ((config, documents), batch) = (shared(), Arc::clone(&batch_client));
            let reconciler = Arc::clone(&reconciler);
            Arc::new(DatasetRequests::new(
                config, documents, batch, reconciler, estimator,
            ))
        };
        let fan_out = {
            let ((config, documents), datasets) = (shared(), Arc::clone(&datasets));
            Arc::new(FanOut::new(config, documents, batch_client, datasets))
        };
        let (job_config, job_documents) = shared();
        Self {
            requests: Requests::new(documents.clone(), datasets, Arc::clone(&fan_out)),
            job_ends: JobEnds::new(job_config, job_documents, reconciler),
            overview: Overview::new(config, documents.clone(), Arc::clone(&submitter)),
            documents,
            submitter,
            fan_out,
        }
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
                let origin = format!("invocation:{}", invocation.id);
                let order = Order::from_value(&value)?;
                self.order(order, &origin, invocation).await
            }
            Event::Objects(objects) => {
                let mut answers = vec![];
                for created in &objects {
                    answers.push(self.created(created, invocation).await?);
                }
                Ok(match answers.len() {
                    1 => answers.remove(0),
                    _ => Answer::Several(answers),
                })
            }
            Event::Job(event) => Box::pin(self.job_ends.handle(&event, invocation))
                .await
                .map(Answer::Words),
            Event::Schedule => self.overview.update().await.map(Answer::Overview),
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

    /// Messages of a queue: those that failed go back to it, alone.
    async fn queue(&self, messages: Vec<Queued>, invocation: &Invocation) -> Answer {
        let mut failures = vec![];
        for message in messages {
            let span = info_span!("message", message_id = message.id);
            let result = self.queued(&message, invocation).instrument(span.clone());
            let result = Box::pin(result).await;
            span.in_scope(|| log(&result));
            if result.is_err() {
                let mut failure = BatchItemFailure::default();
                failure.item_identifier = message.id;
                failures.push(failure);
            }
        }
        let mut response = SqsBatchResponse::default();
        response.batch_item_failures = failures;
        Answer::Queue(response)
    }

    async fn queued(
        &self,
        message: &Queued,
        invocation: &Invocation,
    ) -> Result<Answer, TriggerError> {
        let event = serde_json::from_str(&message.body).map_err(|error| EventError::Malformed {
            kind: "SQS",
            reason: format!("the body is not JSON: {error}"),
        })?;
        let of_message = Invocation {
            id: format!("message:{}", message.id),
            budget: invocation.budget,
        };
        self.handle_one(classify(event)?, &of_message).await
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

    /// An object was created.
    async fn created(
        &self,
        created: &Created,
        invocation: &Invocation,
    ) -> Result<Answer, TriggerError> {
        self.documents.check_bucket(&created.bucket)?;
        let key = ParsedKey::find(&with_dashed_job_id(&created.key))?;
        let root = OutputRoot::new(S3Uri::new(&created.bucket, &key.root)?, key.layout);
        match key.kind {
            KeyKind::BatchList(name, format) => {
                self.batch_list(&name, format, created, invocation).await
            }
            KeyKind::Request(verb, target) => {
                let uri = S3Uri::new(&created.bucket, &created.key)?;
                let origin = &created.origin;
                let request = self
                    .requests
                    .take(&uri, &root, verb, &target, origin, invocation);
                Box::pin(request).await.map(Answer::Request)
            }
            KeyKind::Broadcast(Broadcast::Part(id)) => {
                Box::pin(self.fan_out.broadcast(&root, &id, invocation))
                    .await
                    .map(Answer::Broadcast)
            }
            KeyKind::Broadcast(Broadcast::Kill) => Ok(Answer::Words(
                "fan-outs stop and none begins until this message is deleted".to_owned(),
            )),
            // Messages about states are this system's own words: notifications of them mean that
            // the filter of the notification is too wide, which harms nobody.
            _ => Ok(Answer::Words(format!(
                "{} is no request: nothing to do",
                created.key
            ))),
        }
    }

    /// A list of datasets was put where batches are ordered.
    async fn batch_list(
        &self,
        name: &str,
        format: BatchListFormat,
        created: &Created,
        invocation: &Invocation,
    ) -> Result<Answer, TriggerError> {
        let uri = S3Uri::new(&created.bucket, &created.key)?;
        let Some(bytes) = self.documents.bytes(&uri, MAX_LIST_BYTES).await? else {
            return Ok(Answer::Words(format!(
                "{uri} is gone: it was handled before, or withdrawn"
            )));
        };
        if let Some(id) = continued(name, &bytes) {
            let submitted = Box::pin(self.submitter.resume(&id, invocation)).await?;
            self.documents.delete(&uri).await?;
            return Ok(Answer::Continued(submitted));
        }
        let order = Order::from_list(&bytes, format)?;
        self.order(order, &created.origin, invocation).await
    }
}

/// Logs what came of an event.
pub fn log(result: &Result<Answer, TriggerError>) {
    match result {
        Ok(answer) => {
            let answer = serde_json::to_string(answer).unwrap_or_default();
            tracing::info!(answer, "handled");
        }
        Err(error) => {
            let (kind, error) = (error.kind(), explain(error).to_string());
            tracing::error!(kind, error, "not handled");
        }
    }
}

/// The submission a list continues, when it is a continuation this system wrote.
fn continued(name: &str, bytes: &[u8]) -> Option<BatchName> {
    if !name.starts_with("continue-") {
        return None;
    }
    let rest: Continuation = serde_json::from_slice(bytes).ok()?;
    Some(rest.r#continue)
}

/// Keys of the calcloud deployment write the ids of jobs with `_` for `-`.
fn with_dashed_job_id(key: &str) -> String {
    let Some(start) = key.rfind("messages/cancel-") else {
        return key.to_owned();
    };
    let (prefix, id) = key.split_at(start + "messages/cancel-".len());
    let dashed = id.replace('_', "-");
    if dashed.parse::<JobId>().is_ok() {
        format!("{prefix}{dashed}")
    } else {
        key.to_owned()
    }
}
