//! A request as an object: read, carried out, and deleted last of all. One that is gone was carried
//! out before or withdrawn.

use std::sync::Arc;

use caldp_core::layout::{Target, Verb};
use serde::Serialize;
use storage::uri::S3Uri;

use super::dataset::{DatasetAnswer, DatasetRequests, Request};
use super::fan_out::{FanOut, FanOutAnswer};
use crate::batch::Batch;
use crate::error::TriggerError;
use crate::invocation::Invocation;
use crate::order::RequestBody;
use crate::output_root::OutputRoot;
use crate::record::documents::Documents;

/// The largest body of a request that is read, in bytes.
const MAX_BODY: usize = 1 << 20;

/// Takes requests.
#[derive(Debug)]
pub struct Requests<B> {
    documents: Documents,
    datasets: Arc<DatasetRequests<B>>,
    fan_out: Arc<FanOut<B>>,
}

/// What came of a request's object.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RequestAnswer {
    /// The object.
    pub request: S3Uri,
    /// What came of it.
    pub result: TargetAnswer,
}

/// What came of a request for a target.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum TargetAnswer {
    /// For one dataset or job, in words.
    One(DatasetAnswer),
    /// For many datasets.
    Many(FanOutAnswer),
}

impl<B: Batch> Requests<B> {
    /// Requests of a deployment.
    pub const fn new(
        documents: Documents,
        datasets: Arc<DatasetRequests<B>>,
        fan_out: Arc<FanOut<B>>,
    ) -> Self {
        Self {
            documents,
            datasets,
            fan_out,
        }
    }

    /// Carries out the request in the object at `uri`, and deletes it.
    ///
    /// # Errors
    /// [`TriggerError`]; the request stays and can be delivered again.
    pub async fn take(
        &self,
        uri: &S3Uri,
        root: &OutputRoot,
        verb: Verb,
        target: &Target,
        origin: &str,
        invocation: &Invocation,
    ) -> Result<RequestAnswer, TriggerError> {
        let result = match self.documents.bytes(uri, MAX_BODY).await? {
            None => {
                let words = "it was carried out before, or withdrawn".to_owned();
                TargetAnswer::One(DatasetAnswer::Done(words))
            }
            Some(bytes) => {
                let body = RequestBody::from_bytes(&bytes)?;
                let request = Request {
                    root,
                    verb,
                    body: &body,
                    origin,
                };
                let result = self.perform(&request, target, invocation).await?;
                self.documents.delete_answered(uri).await?;
                result
            }
        };
        Ok(RequestAnswer {
            request: uri.clone(),
            result,
        })
    }

    /// Carries out a request for whatever it is about.
    ///
    /// # Errors
    /// [`TriggerError`]; repeated it is taken up where it stopped.
    pub async fn perform(
        &self,
        request: &Request<'_>,
        target: &Target,
        invocation: &Invocation,
    ) -> Result<TargetAnswer, TriggerError> {
        Ok(match target {
            Target::Dataset(dataset) => {
                let work = self.datasets.perform(request, dataset, invocation);
                TargetAnswer::One(work.await?)
            }
            Target::Job(id) => {
                let work = self.datasets.cancel_job(id, request.body, invocation);
                TargetAnswer::One(work.await?)
            }
            Target::All | Target::Ingested => {
                let work = self.fan_out.perform(request, target, None, invocation);
                TargetAnswer::Many(Box::pin(work).await?)
            }
        })
    }
}
