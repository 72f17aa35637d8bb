//! The trigger in a world of the tests: S3 in process and a stand-in for AWS Batch that keeps its documented rules,
//! both asked over HTTP; events as AWS sends them.

mod fanned_out;
mod job;
pub(crate) mod story;

use std::time::Duration;

use aws_config::Region;
use aws_sdk_batch::config::Credentials;
use caldp_core::dataset::Dataset;
use caldp_tests::{BatchFault, DEFINITIONS, QUEUES, World};
use caldp_trigger::batch::aws::AwsBatch;
use caldp_trigger::config::Config;
use caldp_trigger::error::TriggerError;
use caldp_trigger::handler::Trigger;
use caldp_trigger::invocation::{Budget, Invocation};
use serde_json::{Value, json};
use storage::retry::RetryPolicy;
use storage::s3::{Access, S3, S3Options, Timeouts};

pub(crate) use fanned_out::{FannedOut, assert_submitted};
pub(crate) use job::Job;

pub(crate) const BUCKET: &str = World::BUCKET;

/// The trigger as AWS Lambda sees it: its answers are JSON.
pub(crate) struct Service(Trigger<AwsBatch>);

impl Service {
    pub(crate) async fn handle(
        &self,
        event: Value,
        invocation: &Invocation,
    ) -> Result<Value, TriggerError> {
        let answer = self.0.handle(event, invocation).await?;
        Ok(serde_json::to_value(answer).unwrap())
    }
}

/// The trigger in this world; variables override those of a usual deployment.
pub(crate) async fn service(world: &World, variables: &[(&str, &str)]) -> Service {
    let settings = |config: &mut Config| config.lease = Duration::from_secs(20);
    service_with(world, variables, settings).await
}

/// The same, with what no variable says.
pub(crate) async fn service_with(
    world: &World,
    variables: &[(&str, &str)],
    settings: impl FnOnce(&mut Config),
) -> Service {
    let mut config = Config::from_lookup(|name| {
        let given = variables.iter().find(|(n, _)| *n == name);
        let usual = match name {
            "BUCKET" => Some(BUCKET.to_owned()),
            "JOBQUEUES" => Some(QUEUES.join(",")),
            "JOBDEFINITIONS" => Some(DEFINITIONS.join(",")),
            "CALDP_BATCH_RATE" => Some("1000".to_owned()),
            "CALDP_CONCURRENCY" => Some("32".to_owned()),
            "CALDP_ALLOWED_OUTPUTS" | "CALDP_ALLOWED_QUEUES" | "CALDP_ALLOWED_DEFINITIONS" => {
                Some("*".to_owned())
            }
            _ => None,
        };
        given.map(|(_, v)| (*v).to_owned()).or(usual)
    })
    .unwrap();
    settings(&mut config);
    let s3 = client(world);
    let sharing = config.sharing;
    let batch = |answer| {
        let loader = aws_config::from_env()
            .endpoint_url(world.batch.endpoint())
            .region(Region::from_static("us-east-1"))
            .credentials_provider(Credentials::new("id", "secret", None, None, "tests"));
        AwsBatch::load(loader, answer, sharing)
    };
    Service(Box::pin(Trigger::new(config, s3, batch)).await)
}

/// One in `one_in` requests to AWS Batch fails from now on, done or not; none with 0.
pub(crate) fn fail_one_in(world: &World, one_in: u32, seed: u64) {
    let faults = [
        BatchFault::Throttled,
        BatchFault::InternalError,
        BatchFault::LateError,
    ];
    world.batch.set_faults(one_in, &faults, seed);
}

/// The jobs that were submitted, in that order.
pub(crate) fn all_jobs(world: &World) -> Vec<Job> {
    world.batch.jobs().iter().map(Job::of).collect()
}

/// A job ends, as the detail of its event says.
pub(crate) fn end_job(world: &World, event: &Value) {
    let detail = event["detail"].clone();
    let id = detail["jobId"].as_str().unwrap().to_owned();
    world.batch.end(&id, detail);
}

/// A client of the S3 server that tries again long enough.
pub(crate) fn client(world: &World) -> impl Future<Output = S3> {
    let (id, secret) = world.s3.credentials();
    S3::new(S3Options {
        access: Access::Key {
            id: id.to_owned(),
            secret: secret.to_owned(),
        },
        endpoint: Some(world.s3.endpoint()),
        retry: RetryPolicy {
            tries: 40,
            total: Duration::from_mins(1),
            base: Duration::from_millis(1),
            cap: Duration::from_millis(20),
        },
        timeouts: Timeouts::default(),
    })
}

pub(crate) fn call(id: &str) -> Invocation {
    Invocation {
        id: id.to_owned(),
        budget: Budget::UNLIMITED,
    }
}

/// The event S3 sends for a created object.
pub(crate) fn created(key: &str, sequencer: &str) -> Value {
    created_in(BUCKET, key, sequencer)
}

pub(crate) fn created_in(bucket: &str, key: &str, sequencer: &str) -> Value {
    json!({"Records": [{
        "eventVersion": "2.1", "eventSource": "aws:s3", "eventTime": "2026-03-01T00:00:00.000Z",
        "eventName": "ObjectCreated:Put", "userIdentity": {}, "requestParameters": {},
        "s3": {"bucket": {"name": bucket}, "object": {"key": key, "sequencer": sequencer}},
    }]})
}

/// The event `EventBridge` sends for a job.
pub(crate) fn job_event(
    job: &Job,
    child: Option<usize>,
    status: &str,
    exit: Option<i64>,
    reason: &str,
) -> Value {
    let mut container = json!({"command": job.new.command, "environment": []});
    let pairs: Vec<Value> = job
        .new
        .environment
        .iter()
        .map(|(name, value)| json!({"name": name, "value": value}))
        .collect();
    container["environment"] = json!(pairs);
    if let Some(code) = exit {
        container["exitCode"] = json!(code);
    }
    let id = child.map_or(job.id.to_string(), |n| format!("{}:{n}", job.id));
    let mut detail = json!({
        "jobId": id, "jobName": job.new.name, "status": status, "statusReason": reason,
        "jobQueue": format!("arn:aws:batch:us-east-1:123456789012:job-queue/{}", job.new.queue),
        "attempts": [], "container": container,
    });
    if let Some(index) = child {
        detail["arrayProperties"] = json!({"index": index});
    }
    json!({"version": "0", "id": "e", "source": "aws.batch", "detail-type": "Batch Job State Change", "detail": detail})
}

/// Made-up names, of every instrument, exposures and associations.
pub(crate) fn names(count: usize) -> Vec<Dataset> {
    (0..count)
        .map(|n| {
            let letter = ["j", "i", "o", "l"][n % 4];
            let end = if n % 3 == 0 { "0" } else { "q" };
            format!("{letter}{n:07}{end}").parse().unwrap()
        })
        .collect()
}

/// A batch list of these.
pub(crate) fn lines(datasets: &[Dataset]) -> String {
    let lines = datasets.iter().map(|d| format!("{d}\n"));
    lines.collect::<Vec<_>>().concat()
}
