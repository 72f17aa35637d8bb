//! Every environment variable the trigger reads: one table that also is its documentation.

use caldp_core::resources::judge::PRICES_TEXT;

/// One environment variable: its name, what it is when unset, what it means.
#[derive(Debug, Clone, Copy)]
pub struct Variable {
    /// The name, as deployed.
    pub name: &'static str,
    /// The value when unset; none when it must be set.
    pub default: Option<&'static str>,
    /// What it decides, with units.
    pub meaning: &'static str,
}

pub(super) const METRICS_NAMESPACE: &str = "CALDP_METRICS_NAMESPACE";
pub(super) const HOURLY_PRICES: &str = "CALDP_HOURLY_PRICES";

/// Every variable the trigger reads; credentials and region are read by the AWS SDK.
pub const VARIABLES: [Variable; 20] = [
    Variable {
        name: "BUCKET",
        default: None,
        meaning: "the bucket of this deployment, with or without s3://; events of others are refused",
    },
    Variable {
        name: "JOBQUEUES",
        default: None,
        meaning: "four names of job queues, separated by commas, smallest memory first",
    },
    Variable {
        name: "JOBDEFINITIONS",
        default: None,
        meaning: "four names of job definitions, in the order of JOBQUEUES",
    },
    Variable {
        name: "CALDP_ON_DEMAND_QUEUES",
        default: Some(""),
        meaning: "four names of job queues without spot instances, in the order of JOBQUEUES, for datasets whose \
                  instance was reclaimed twice; none, and they stay where they are",
    },
    Variable {
        name: "CALDP_FAIR_SHARE",
        default: Some("0"),
        meaning: "1 where the deployment's queues have a fair-share policy, which AWS Batch then wants of every job; else 0",
    },
    Variable {
        name: "MAX_MEMORY_RETRIES",
        default: Some("4"),
        meaning: "how often a dataset that ran out of memory is tried again, a memory bin higher",
    },
    Variable {
        name: "MAX_DOCKER_RETRIES",
        default: Some("4"),
        meaning: "how often a dataset is tried again on the same memory bin when the infrastructure failed",
    },
    Variable {
        name: "MAX_TIMEOUT_RETRIES",
        default: Some("1"),
        meaning: "how often a dataset that ran longer than its limit is tried again with twice the limit",
    },
    Variable {
        name: "CALDP_LAYOUT",
        default: Some("tree"),
        meaning: "where results and messages go: tree or calcloud",
    },
    Variable {
        name: "CALDP_ALLOWED_QUEUES",
        default: Some(""),
        meaning: "names of other job queues that orders may ask for, separated by commas; * for any",
    },
    Variable {
        name: "CALDP_ALLOWED_DEFINITIONS",
        default: Some(""),
        meaning: "names of other job definitions that orders may ask for, separated by commas; * for any",
    },
    Variable {
        name: "CALDP_ALLOWED_OUTPUTS",
        default: Some(""),
        meaning: "folders of the bucket besides data in which orders may have their results, separated by commas; * \
                  for any",
    },
    Variable {
        name: "CALDP_ARRAY_THRESHOLD",
        default: Some("200"),
        meaning: "a batch of more datasets is submitted as array jobs, one of fewer as single jobs",
    },
    Variable {
        name: "CALDP_BATCH_RATE",
        default: Some("50"),
        meaning: "requests per second sent to AWS Batch at most (SubmitJob is limited to 50)",
    },
    Variable {
        name: "CALDP_CONCURRENCY",
        default: Some("96"),
        meaning: "requests under way at the same time",
    },
    Variable {
        name: "CALDP_RESERVE_SECONDS",
        default: Some("20"),
        meaning: "what is kept of an invocation's time to hand the rest of its work on",
    },
    Variable {
        name: "CALDP_LEASE_SECONDS",
        default: Some("240"),
        meaning: "after how long without a sign of life another invocation takes work over",
    },
    Variable {
        name: "CALDP_SWEEP_AFTER_SECONDS",
        default: Some("900"),
        meaning: "how old a job is before a sweep looks after it: the event of its end may be under way",
    },
    Variable {
        name: METRICS_NAMESPACE,
        default: Some("caldp"),
        meaning: "the CloudWatch namespace of the function's metrics: Verdicts by verdict and memory bin, Refused \
                  by kind, Swept by what was found and whether it was settled",
    },
    Variable {
        name: HOURLY_PRICES,
        default: Some(PRICES_TEXT),
        meaning: "US dollars for one job-hour on each memory bin, for cost estimates only",
    },
];

/// The variable of a name.
pub(super) fn variable(name: &str) -> Variable {
    VARIABLES
        .into_iter()
        .find(|v| v.name == name)
        .unwrap_or(Variable {
            name: "",
            default: None,
            meaning: "unknown",
        })
}
