//! A world to test in: S3 in process and a stand-in for AWS Batch that keeps its documented rules, both asked over HTTP.

mod job;
pub(crate) mod story;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_config::{ConfigLoader, Region};
use aws_sdk_batch::config::Credentials;
use caldp_core::dataset::Dataset;
use caldp_tests::{BatchFault, BatchServer, S3Server};
use caldp_trigger::batch::aws::AwsBatch;
use caldp_trigger::config::Config;
use caldp_trigger::error::TriggerError;
use caldp_trigger::handler::Trigger;
use caldp_trigger::invocation::{Budget, Invocation};
use serde_json::{Value, json};
use storage::retry::RetryPolicy;
use storage::s3::{Access, S3, S3Options, Timeouts};

pub(crate) use job::Job;

pub(crate) const BUCKET: &str = "hst-out";

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

/// S3 and AWS Batch.
pub(crate) struct World {
    pub(crate) s3: S3Server,
    pub(crate) batch: BatchServer,
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            s3: S3Server::start(&[BUCKET]),
            batch: BatchServer::start(),
        }
    }

    /// The trigger in this world; variables override those of a usual deployment.
    pub(crate) async fn service(&self, variables: &[(&str, &str)]) -> Service {
        self.service_with(variables, |config| config.lease = Duration::from_secs(20))
            .await
    }

    /// The same, with what no variable says.
    pub(crate) async fn service_with(
        &self,
        variables: &[(&str, &str)],
        settings: impl FnOnce(&mut Config),
    ) -> Service {
        let mut config = Config::from_lookup(|name| {
            let given = variables.iter().find(|(n, _)| *n == name);
            let usual = match name {
                "BUCKET" => Some(BUCKET),
                "JOBQUEUES" => Some("q2,q8,q16,q64"),
                "JOBDEFINITIONS" => Some("d2,d8,d16,d64"),
                "CALDP_BATCH_RATE" => Some("1000"),
                "CALDP_CONCURRENCY" => Some("32"),
                "CALDP_ALLOWED_OUTPUTS" | "CALDP_ALLOWED_QUEUES" | "CALDP_ALLOWED_DEFINITIONS" => {
                    Some("*")
                }
                _ => None,
            };
            given.map(|(_, v)| *v).or(usual).map(str::to_owned)
        })
        .unwrap();
        settings(&mut config);
        let s3 = self.client();
        let sharing = config.sharing;
        let batch = |answer| AwsBatch::load(self.batch_loader(), answer, sharing);
        Service(Box::pin(Trigger::new(config, s3, batch)).await)
    }

    /// How the server of AWS Batch is reached.
    fn batch_loader(&self) -> ConfigLoader {
        aws_config::from_env()
            .endpoint_url(self.batch.endpoint())
            .region(Region::from_static("us-east-1"))
            .credentials_provider(Credentials::new("id", "secret", None, None, "tests"))
    }

    /// One in `one_in` requests to AWS Batch fails from now on, done or not; none with 0.
    pub(crate) fn fail_one_in(&self, one_in: u32, seed: u64) {
        let faults = [
            BatchFault::Throttled,
            BatchFault::InternalError,
            BatchFault::LateError,
        ];
        self.batch.set_faults(one_in, &faults, seed);
    }

    /// The jobs that were submitted, in that order.
    pub(crate) fn jobs(&self) -> Vec<Job> {
        self.batch.jobs().iter().map(Job::of).collect()
    }

    /// A job ends, as the detail of its event says.
    pub(crate) fn end(&self, event: &Value) {
        let detail = event["detail"].clone();
        let id = detail["jobId"].as_str().unwrap().to_owned();
        self.batch.end(&id, detail);
    }

    /// A client of the S3 server that tries again long enough.
    pub(crate) fn client(&self) -> impl Future<Output = S3> {
        let (id, secret) = self.s3.credentials();
        S3::new(S3Options {
            access: Access::Key {
                id: id.to_owned(),
                secret: secret.to_owned(),
            },
            endpoint: Some(self.s3.endpoint()),
            retry: RetryPolicy {
                tries: 40,
                total: Duration::from_mins(1),
                base: Duration::from_millis(1),
                cap: Duration::from_millis(20),
            },
            timeouts: Timeouts::default(),
        })
    }

    /// How many jobs each dataset of a root has, array children resolved by their lists.
    pub(crate) fn jobs_per_dataset(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for job in self.jobs() {
            let work = match job.new.command.as_slice() {
                [program, _, work] if program == "caldp-process-aws" => work.clone(),
                [program, dataset, ..] if program == "caldp-process" => dataset.clone(),
                other => unreachable!("{other:?}"),
            };
            let datasets = match work.strip_prefix('@') {
                None => vec![work],
                Some(list) => {
                    let key = list.strip_prefix(&format!("s3://{BUCKET}/")).unwrap();
                    let list = self.s3.get(BUCKET, key).unwrap();
                    let text = String::from_utf8(list.to_vec()).unwrap();
                    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
                    assert_eq!(Some(lines.len()), job.new.array_size);
                    lines
                }
            };
            for dataset in datasets {
                *counts.entry(dataset).or_insert(0) += 1;
            }
        }
        counts
    }

    /// Every dataset has one job, one `submitted` message and no other, and is in the batch record.
    pub(crate) fn assert_submitted(&self, root: &str, batch: &str, expected: &[Dataset]) {
        let expected: BTreeSet<String> = expected.iter().map(ToString::to_string).collect();
        let jobs = self.jobs_per_dataset();
        for (dataset, count) in &jobs {
            assert_eq!(*count, 1, "{dataset} has {count} jobs");
        }
        assert_eq!(jobs.into_keys().collect::<BTreeSet<_>>(), expected);
        let states = self.states(root);
        assert_eq!(states.keys().cloned().collect::<BTreeSet<_>>(), expected);
        for (dataset, states) in states {
            assert_eq!(states, ["submitted"], "{dataset}");
        }
        let key = format!("{root}messages/batch-new/{batch}.json");
        let record: Value = serde_json::from_slice(&self.s3.get(BUCKET, &key).unwrap()).unwrap();
        let names = record.get("datasets").unwrap().as_array().unwrap();
        let names: Vec<String> = names
            .iter()
            .map(|n| n.as_str().unwrap().to_owned())
            .collect();
        assert_eq!(names.len(), expected.len());
        assert_eq!(names.into_iter().collect::<BTreeSet<_>>(), expected);
    }

    /// The states each dataset has a message of, in the tree layout below a root.
    pub(crate) fn states(&self, root: &str) -> BTreeMap<String, Vec<String>> {
        let mut states: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let prefix = format!("{root}messages/dataset-");
        for key in self.s3.keys(BUCKET) {
            if let Some((state, dataset)) =
                key.strip_prefix(&prefix).and_then(|k| k.split_once('/'))
            {
                states
                    .entry(dataset.to_owned())
                    .or_default()
                    .push(state.to_owned());
            }
        }
        states
    }

    pub(crate) fn json(&self, key: &str) -> Value {
        let bytes = self
            .s3
            .get(BUCKET, key)
            .unwrap_or_else(|| panic!("{key} is missing"));
        serde_json::from_slice(&bytes).unwrap()
    }
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

/// Real dataset names for a test, from the external lists when they are there.
pub(crate) fn names(count: usize) -> Vec<Dataset> {
    (0..count)
        .map(|n| {
            let letter = ["j", "i", "o", "l"][n % 4];
            let end = if n % 3 == 0 { "0" } else { "q" };
            format!("{letter}{n:07}{end}").parse().unwrap()
        })
        .collect()
}
