//! Objects that were created: batch lists and requests, each dealt with by itself. One that will never
//! be of use is answered beside it, in an object whose key ends with [`REFUSED_SUFFIX`].

use caldp_core::batch::{BatchName, JobId};
use caldp_core::layout::{
    BatchListFormat, Broadcast, KeyError, KeyKind, ParsedKey, REFUSED_SUFFIX,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use storage::hint::{Hint, with_causes};
use storage::uri::S3Uri;

use super::{Answer, Trigger};
use crate::batch::Batch;
use crate::error::TriggerError;
use crate::event::EventError;
use crate::event::objects::Created;
use crate::invocation::Invocation;
use crate::order::Order;
use crate::order::dataset_list::MAX_LIST_BYTES;
use crate::output_root::OutputRoot;

/// The rest of a submission, as it was handed on.
#[derive(Deserialize)]
struct RestOfBatch {
    r#continue: BatchName,
}

/// Why a request or order was refused, for its author.
#[derive(Serialize)]
struct Refusal<'a> {
    refused: &'a str,
    at: Timestamp,
    kind: &'static str,
    error: String,
    hint: Option<String>,
}

impl<B: Batch> Trigger<B> {
    /// Objects were created. Whatever is wrong with one does not keep the others from being handled.
    pub(super) async fn objects(
        &self,
        objects: Vec<Result<Created, EventError>>,
        invocation: &Invocation,
    ) -> Result<Answer, TriggerError> {
        let all = objects.len();
        let (mut answers, mut errors) = (vec![], vec![]);
        for created in objects {
            let result = match created {
                Ok(created) => Box::pin(self.created_or_refused(&created, invocation)).await,
                Err(error) => Err(error.into()),
            };
            match result {
                Ok(answer) => answers.push(answer),
                Err(error) => errors.push(error),
            }
        }
        match (TriggerError::of_parts(errors, all), answers.len()) {
            (Some(error), _) => Err(error),
            (None, 1) => Ok(answers.remove(0)),
            (None, _) => Ok(Answer::Several(answers)),
        }
    }

    /// An object was created; what will never be of use is answered beside it.
    async fn created_or_refused(
        &self,
        created: &Created,
        invocation: &Invocation,
    ) -> Result<Answer, TriggerError> {
        let result = self.created(created, invocation).await;
        if let Err(error) = &result
            && error.is_final()
            && created.bucket == self.documents.bucket()
        {
            let refusal = Refusal {
                refused: &created.key,
                at: Timestamp::now(),
                kind: error.kind(),
                error: with_causes(error).to_string(),
                hint: error.hint().map(String::from),
            };
            let beside = S3Uri::new(&created.bucket, &format!("{}{REFUSED_SUFFIX}", created.key));
            if let Ok(uri) = beside {
                self.documents.put(&uri, &refusal).await?;
            }
        }
        result
    }

    /// An object was created.
    async fn created(
        &self,
        created: &Created,
        invocation: &Invocation,
    ) -> Result<Answer, TriggerError> {
        self.documents.check_bucket(&created.bucket)?;
        let key = match ParsedKey::find(&with_dashed_job_id(&created.key)) {
            Err(KeyError::Unknown(key)) => {
                let words = format!("{key} is nothing of this system's: passed over");
                tracing::info!(key, "not of this system, passed over");
                return Ok(Answer::Words(words));
            }
            found => found?,
        };
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
        let answer = self.order(order, &created.origin, invocation).await?;
        let refusal = S3Uri::new(&created.bucket, &format!("{}{REFUSED_SUFFIX}", created.key))?;
        self.documents.delete(&refusal).await?;
        Ok(answer)
    }
}

/// The submission a list continues, when it is a continuation this system wrote.
fn continued(name: &str, bytes: &[u8]) -> Option<BatchName> {
    if !name.starts_with("continue-") {
        return None;
    }
    let rest: RestOfBatch = serde_json::from_slice(bytes).ok()?;
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
