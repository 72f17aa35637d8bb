//! AWS Batch itself, behind the [`Batch`] trait.

use std::collections::HashMap;
use std::time::Duration;

use aws_config::ConfigLoader;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_batch::Client;
use aws_sdk_batch::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_batch::types::{
    ArrayProperties, ContainerOverrides, JobStatus, JobTimeout, KeyValuePair, KeyValuesPair,
    ResourceRequirement, ResourceType, RetryStrategy,
};
use caldp_core::batch::JobId;

use crate::config::Sharing;

use super::aws_detail::detail;
use super::{Batch, BatchFailure, EndStatus, FailureKind, NewJob};
use crate::event::detail::JobDescription;

/// The tag that says of which batch a job is: costs are told apart by it.
const BATCH_TAG: &str = "caldp-batch";

const CONNECT: Duration = Duration::from_secs(5);

/// AWS Batch, reached through the SDK.
#[derive(Debug, Clone)]
pub struct AwsBatch {
    client: Client,
    sharing: Sharing,
}

impl AwsBatch {
    /// The client of the environment; see [`Self::load`].
    pub async fn from_env(answer: Duration, sharing: Sharing) -> Self {
        Self::load(aws_config::from_env(), answer, sharing).await
    }

    /// The client of a configuration. Retries are off: what is tried again is decided where it is
    /// known what a failure leaves behind. `answer` bounds the wait for one answer.
    /// `sharing` is how the deployment's queues were made.
    pub async fn load(from: ConfigLoader, answer: Duration, sharing: Sharing) -> Self {
        let config = from
            .retry_config(RetryConfig::disabled())
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(CONNECT)
                    .operation_timeout(answer)
                    .build(),
            )
            .load()
            .await;
        Self {
            client: Client::new(&config),
            sharing,
        }
    }
}

impl Batch for AwsBatch {
    async fn submit(&self, job: &NewJob) -> Result<JobId, BatchFailure> {
        let mut overrides = ContainerOverrides::builder().set_command(Some(job.command.clone()));
        for (name, value) in &job.environment {
            overrides =
                overrides.environment(KeyValuePair::builder().name(name).value(value).build());
        }
        if let Some(mib) = job.memory_mib {
            overrides = overrides.resource_requirements(
                ResourceRequirement::builder()
                    .r#type(ResourceType::Memory)
                    .value(mib.to_string())
                    .build(),
            );
        }
        let seconds = i32::try_from(job.timeout.as_secs()).unwrap_or(i32::MAX);
        let size = job.array_size.map(|n| i32::try_from(n).unwrap_or(i32::MAX));
        // AWS refuses a share on a queue without such a policy, and a job without one on a queue with it
        let share = job
            .share
            .clone()
            .filter(|_| self.sharing == Sharing::FairShare);
        // a priority counts within a share only
        let priority = job.priority.filter(|_| share.is_some()).map(i32::from);
        let batch = job.batch.iter();
        let tags = batch.map(|batch| (BATCH_TAG.to_owned(), batch.to_string()));
        let tags = Some(tags.collect()).filter(|tags: &HashMap<_, _>| !tags.is_empty());
        let answer = self
            .client
            .submit_job()
            .job_name(&job.name)
            .job_queue(&job.queue)
            .job_definition(&job.definition)
            .set_scheduling_priority_override(priority)
            .set_share_identifier(share)
            .set_tags(tags)
            .propagate_tags(true)
            .container_overrides(overrides.build())
            .timeout(
                JobTimeout::builder()
                    .attempt_duration_seconds(seconds)
                    .build(),
            )
            // what is tried again, and on which memory bin, is decided by the verdict
            .retry_strategy(RetryStrategy::builder().attempts(1).build())
            .set_array_properties(size.map(|n| ArrayProperties::builder().size(n).build()))
            .send()
            .await
            .map_err(classify)?;
        job_id(answer.job_id.as_deref().unwrap_or_default())
    }

    async fn find(&self, queue: &str, name: &str) -> Result<Option<JobId>, BatchFailure> {
        let filter = KeyValuesPair::builder()
            .name("JOB_NAME")
            .values(name)
            .build();
        let (mut token, mut found) = (None, None::<(i64, String)>);
        loop {
            let page = self
                .client
                .list_jobs()
                .job_queue(queue)
                .filters(filter.clone())
                .set_next_token(token)
                .send()
                .await
                .map_err(classify)?;
            for job in page.job_summary_list.unwrap_or_default() {
                // the filter ignores case, and a child of an array has its parent's name
                let (Some(id), Some(found_name)) = (job.job_id, job.job_name) else {
                    continue;
                };
                let created = job.created_at.unwrap_or(i64::MAX);
                let earlier = found.as_ref().is_none_or(|(at, _)| created < *at);
                let child = id.parse().is_ok_and(|id: JobId| id.index().is_some());
                if found_name == name && !child && earlier {
                    found = Some((created, id));
                }
            }
            token = page.next_token.filter(|t| !t.is_empty());
            if token.is_none() {
                return found.map(|(_, id)| job_id(&id)).transpose();
            }
        }
    }

    async fn describe(&self, ids: &[JobId]) -> Result<Vec<JobDescription>, BatchFailure> {
        let ids = ids.iter().map(ToString::to_string).collect();
        let request = self.client.describe_jobs().set_jobs(Some(ids));
        let answer = request.send().await.map_err(classify)?;
        Ok(answer
            .jobs
            .unwrap_or_default()
            .into_iter()
            .map(detail)
            .collect())
    }

    async fn children(&self, array: &JobId, status: EndStatus) -> Result<Vec<JobId>, BatchFailure> {
        let status = match status {
            EndStatus::Succeeded => JobStatus::Succeeded,
            EndStatus::Failed => JobStatus::Failed,
        };
        let (mut token, mut found) = (None, vec![]);
        loop {
            let request = self.client.list_jobs().array_job_id(array.as_str());
            let request = request.job_status(status.clone()).set_next_token(token);
            let page = request.send().await.map_err(classify)?;
            for job in page.job_summary_list.unwrap_or_default() {
                found.extend(job.job_id.and_then(|id| id.parse().ok()));
            }
            token = page.next_token.filter(|t| !t.is_empty());
            if token.is_none() {
                return Ok(found);
            }
        }
    }

    async fn terminate(&self, id: &JobId, reason: &str) -> Result<(), BatchFailure> {
        let request = self
            .client
            .terminate_job()
            .job_id(id.as_str())
            .reason(reason);
        request.send().await.map(drop).map_err(classify)
    }
}

fn job_id(text: &str) -> Result<JobId, BatchFailure> {
    text.parse().map_err(|error| BatchFailure {
        kind: FailureKind::Unclear,
        text: "the answer is not understood".to_owned(),
        source: Some(Box::<caldp_core::batch::BatchError>::new(error)),
    })
}

/// Whether a refusal is about the caller's credentials or clock, which others may replace.
fn is_of_credentials(code: &str) -> bool {
    matches!(
        code,
        "ExpiredToken"
            | "ExpiredTokenException"
            | "RequestExpired"
            | "InvalidClientTokenId"
            | "UnrecognizedClientException"
            | "InvalidSignatureException"
            | "RequestTimeTooSkewed"
    )
}

/// What a failed request leaves behind. Only an answer that names its reason is believed that
/// nothing was done.
fn classify<E>(error: SdkError<E>) -> BatchFailure
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let status = error.raw_response().map_or(0, |r| r.status().as_u16());
    let code = error.code().unwrap_or_default();
    let throttled = status == 429
        || matches!(
            code,
            "TooManyRequestsException"
                | "ThrottlingException"
                | "Throttling"
                | "RequestLimitExceeded"
        );
    let kind = match &error {
        SdkError::ServiceError(_) if throttled => FailureKind::Throttled,
        SdkError::ServiceError(_) if is_of_credentials(code) => FailureKind::Throttled,
        SdkError::ServiceError(_) if status == 403 || code.starts_with("AccessDenied") => {
            FailureKind::Denied
        }
        SdkError::ServiceError(_) if (400..500).contains(&status) => FailureKind::Refused,
        SdkError::ConstructionFailure(_) => FailureKind::Refused,
        _ => FailureKind::Unclear,
    };
    let text = match (error.message(), code) {
        (Some(message), "") => message.to_owned(),
        (Some(message), code) => format!("{code}: {message}"),
        (None, _) => {
            return BatchFailure {
                kind,
                text: "the request failed".to_owned(),
                source: Some(Box::new(error)),
            };
        }
    };
    BatchFailure {
        kind,
        text,
        source: None,
    }
}
