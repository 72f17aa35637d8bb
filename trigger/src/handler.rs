//! The table of contents: from an event to what handles it, and its answer.

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse};
use caldp_core::batch::BatchName;
use caldp_core::layout::{BatchListFormat, Broadcast, KeyKind, ParsedKey};
use serde_json::{Value, json};
use storage::s3::ErrorKind;
use storage::uri::S3Uri;

use crate::desk::{Call, Desk};
use crate::dry_run;
use crate::error::TriggerError;
use crate::event::{Created, Event, EventError, Queued, classify};
use crate::jobs::Batch;
use crate::names::{self, MAX_LIST_BYTES};
use crate::order::{Order, OrderError};
use crate::place::Place;

impl<B: Batch> Desk<B> {
    /// Handles one event, and answers with what was done.
    ///
    /// # Errors
    /// [`TriggerError`] for an event that makes no sense or is of another deployment, and for work
    /// that could not be finished. The messages of a queue are answered one by one instead.
    pub async fn handle(&self, event: Value, call: &Call) -> Result<Value, TriggerError> {
        match classify(event)? {
            Event::Queue(messages) => Ok(self.queue(messages, call).await),
            // Boxed, here and below, to keep the types of the futures within what compilers bear.
            other => Box::pin(self.handle_one(other, call)).await,
        }
    }

    async fn handle_one(&self, event: Event, call: &Call) -> Result<Value, TriggerError> {
        match event {
            Event::Direct(value) => {
                let origin = format!("invocation:{}", call.id);
                self.order(Order::from_value(&value)?, &origin, call).await
            }
            Event::Objects(objects) => {
                let mut answers = vec![];
                for created in &objects {
                    answers.push(self.created(created, call).await?);
                }
                Ok(match answers.len() {
                    1 => answers.remove(0),
                    _ => Value::Array(answers),
                })
            }
            Event::Job(event) => Box::pin(self.job_changed(&event, call))
                .await
                .map(Value::String),
            Event::Schedule => self.scheduled().await,
            Event::Test => {
                tracing::info!("S3 tried out a notification: nothing to do");
                Ok(json!("S3 tried out a notification: nothing to do"))
            }
            Event::Queue(_) => Err(EventError::Malformed {
                kind: "SQS",
                reason: "a message wraps another queue's messages".to_owned(),
            }
            .into()),
        }
    }

    /// Messages of a queue: those that failed go back to it, alone.
    async fn queue(&self, messages: Vec<Queued>, call: &Call) -> Value {
        let mut failures = vec![];
        for message in messages {
            let mine = Call {
                id: format!("message:{}", message.id),
                budget: call.budget,
            };
            let result = match serde_json::from_str(&message.body) {
                Err(error) => Err(EventError::Malformed {
                    kind: "SQS",
                    reason: format!("the body is not JSON: {error}"),
                }
                .into()),
                Ok(event) => match classify(event) {
                    Err(error) => Err(error.into()),
                    Ok(event) => Box::pin(self.handle_one(event, &mine)).await,
                },
            };
            match result {
                Ok(answer) => tracing::info!(message = message.id, %answer, "handled"),
                Err(error) => {
                    tracing::error!(message = message.id, %error, "not handled");
                    let mut failure = BatchItemFailure::default();
                    failure.item_identifier = message.id;
                    failures.push(failure);
                }
            }
        }
        let mut response = SqsBatchResponse::default();
        response.batch_item_failures = failures;
        json!(response)
    }

    /// Submits an order, or says what would be submitted.
    ///
    /// # Errors
    /// As [`Desk::submit`].
    pub async fn order(
        &self,
        order: Order,
        origin: &str,
        call: &Call,
    ) -> Result<Value, TriggerError> {
        if order.dry_run {
            let plan = self.dry_run(order, origin).await?;
            return Ok(json!(plan));
        }
        Box::pin(self.submit(order, origin, call))
            .await
            .map(|s| json!(s))
    }

    /// An object was created.
    async fn created(&self, created: &Created, call: &Call) -> Result<Value, TriggerError> {
        if created.bucket != self.config.bucket {
            return Err(self.foreign_bucket(&created.bucket));
        }
        let located = ParsedKey::find(&normal(&created.key))?;
        let root = S3Uri::new(&created.bucket, &located.root)?;
        let place = Place::new(root, located.layout);
        match located.kind {
            KeyKind::BatchList(name, format) => {
                let uri = S3Uri::new(&created.bucket, &created.key)?;
                self.batch_list(&uri, &name, format, created, call).await
            }
            KeyKind::Request(verb, target) => {
                let uri = S3Uri::new(&created.bucket, &created.key)?;
                let origin = &created.origin;
                Box::pin(self.requested(&uri, &place, verb, &target, origin, call)).await
            }
            KeyKind::Broadcast(Broadcast::Part(id)) => {
                Box::pin(self.broadcast(&place, &id, call)).await
            }
            KeyKind::Broadcast(Broadcast::Kill) => Ok(json!(
                "fan-outs stop and none begins until this message is deleted"
            )),
            // Messages about states are this system's own words: notifications of them mean that
            // the filter of the notification is too wide, which harms nobody.
            _ => Ok(json!(format!(
                "{} is no request: nothing to do",
                created.key
            ))),
        }
    }

    /// A list of datasets was put where batches are ordered.
    async fn batch_list(
        &self,
        uri: &S3Uri,
        name: &str,
        format: BatchListFormat,
        created: &Created,
        call: &Call,
    ) -> Result<Value, TriggerError> {
        let bytes = match self.s3.get_bytes(uri, MAX_LIST_BYTES).await {
            Ok((bytes, _)) => bytes,
            Err(e) if e.kind() == ErrorKind::NotFound => {
                return Ok(json!(format!(
                    "{uri} is gone: it was handled before, or withdrawn"
                )));
            }
            Err(e) => return Err(e.into()),
        };
        if let Some(id) = continued(name, &bytes) {
            let answer = Box::pin(self.resume(&id, call)).await?;
            self.s3.delete(uri).await?;
            return Ok(json!(answer));
        }
        let order = match format {
            BatchListFormat::Lines => {
                Order::of(names::from_bytes(&bytes).map_err(OrderError::from)?)
            }
            BatchListFormat::Json | BatchListFormat::Yaml => Order::from_document(&bytes)?,
        };
        self.order(order, &created.origin, call).await
    }

    /// What an order would do.
    ///
    /// # Errors
    /// [`TriggerError`] when the order makes no sense or S3 fails.
    pub async fn dry_run(
        &self,
        order: Order,
        origin: &str,
    ) -> Result<dry_run::Forecast, TriggerError> {
        let pinned = self.understand(order, origin, jiff::Timestamp::now())?;
        self.forecast(&pinned).await
    }
}

/// The submission a list continues, when it is a continuation this system wrote.
fn continued(name: &str, bytes: &[u8]) -> Option<BatchName> {
    if !name.starts_with("continue-") {
        return None;
    }
    let value: Value = serde_json::from_slice(bytes).ok()?;
    value.get("continue")?.as_str()?.parse().ok()
}

/// Keys of the calcloud deployment write the ids of jobs with `_` for `-`.
fn normal(key: &str) -> String {
    let Some(start) = key.rfind("messages/cancel-") else {
        return key.to_owned();
    };
    let (prefix, id) = key.split_at(start + "messages/cancel-".len());
    let dashed = id.replace('_', "-");
    if dashed.parse::<caldp_core::batch::JobId>().is_ok() {
        format!("{prefix}{dashed}")
    } else {
        key.to_owned()
    }
}
