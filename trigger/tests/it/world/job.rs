//! A job as it was submitted, read back from the request that arrived.

use std::time::Duration;

use caldp_core::batch::JobId;
use caldp_tests::SubmittedJob;
use caldp_trigger::batch::NewJob;
use caldp_trigger::resources::Priority;
use serde_json::Value;

/// A job that AWS Batch was given.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) id: JobId,
    pub(crate) new: NewJob,
    pub(crate) terminated: Option<String>,
}

impl Job {
    pub(crate) fn of(job: &SubmittedJob) -> Self {
        Self {
            id: job.id.parse().unwrap(),
            new: new_job(&job.request),
            terminated: job.terminated.clone(),
        }
    }
}

fn new_job(request: &Value) -> NewJob {
    let text = |at: &str| Some(request.pointer(at)?.as_str()?.to_owned());
    let number = |at: &str| request.pointer(at).and_then(Value::as_u64);
    let list = |at: &str| request.pointer(at).and_then(Value::as_array);
    let command = list("/containerOverrides/command").into_iter().flatten();
    let environment = list("/containerOverrides/environment")
        .into_iter()
        .flatten();
    let of = |pair: &Value, name: &str| pair[name].as_str().unwrap().to_owned();
    NewJob {
        name: text("/jobName").unwrap(),
        queue: text("/jobQueue").unwrap(),
        definition: text("/jobDefinition").unwrap(),
        share: text("/shareIdentifier"),
        priority: number("/schedulingPriorityOverride").map(|n| Priority::try_from(n).unwrap()),
        batch: text("/tags/caldp-batch").map(|name| name.parse().unwrap()),
        command: command.map(|w| w.as_str().unwrap().to_owned()).collect(),
        environment: environment
            .map(|pair| (of(pair, "name"), of(pair, "value")))
            .collect(),
        timeout: Duration::from_secs(number("/timeout/attemptDurationSeconds").unwrap()),
        array_size: number("/arrayProperties/size").map(|n| usize::try_from(n).unwrap()),
        memory_mib: text("/containerOverrides/resourceRequirements/0/value")
            .map(|mib| mib.parse().unwrap()),
    }
}
