//! The built function as AWS Lambda runs it: a process under the Runtime API, every kind of event,
//! killed and retried, against S3 and AWS Batch with faults and limits, and against moto.
//!
//! `CALDP_TEST_LONG=1` runs the long variants too. `CALDP_TEST_FUNCTION` names another binary than
//! the one cargo built, to measure a release build.

mod check;
mod events;
mod killed;
mod limits;
mod moto;
mod shares;

use std::path::PathBuf;

use caldp_core::dataset::Dataset;
use caldp_tests::{BatchServer, LambdaFunction, S3Server};
use serde_json::{Value, json};

const BUCKET: &str = "hst-out";
const QUEUES: [&str; 4] = ["q2", "q8", "q16", "q64"];
const DEFINITIONS: [&str; 4] = ["d2", "d8", "d16", "d64"];

/// Whether the long variants are wanted; says so when they are not.
fn long(what: &str) -> bool {
    let long = std::env::var_os("CALDP_TEST_LONG").is_some();
    if !long {
        eprintln!("left out: {what}, because CALDP_TEST_LONG is not set");
    }
    long
}

/// The function in a usual deployment, in an environment that says where AWS is.
pub(crate) fn function(
    aws: Vec<(&'static str, String)>,
    extra: &[(&'static str, &str)],
) -> LambdaFunction {
    let program = std::env::var_os("CALDP_TEST_FUNCTION").map_or_else(
        || PathBuf::from(env!("CARGO_BIN_EXE_bootstrap")),
        PathBuf::from,
    );
    let mut variables = aws;
    variables.extend([
        ("BUCKET", BUCKET.to_owned()),
        ("JOBQUEUES", QUEUES.join(",")),
        ("JOBDEFINITIONS", DEFINITIONS.join(",")),
        ("CALDP_ALLOWED_OUTPUTS", "*".to_owned()),
        ("CALDP_ALLOWED_QUEUES", "*".to_owned()),
        ("CALDP_ALLOWED_DEFINITIONS", "*".to_owned()),
    ]);
    variables.extend(
        extra
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned())),
    );
    LambdaFunction::start(&program, &variables)
}

/// Where the two stand-ins are.
pub(crate) fn servers(s3: &S3Server, batch: &BatchServer) -> Vec<(&'static str, String)> {
    let mut variables = s3.environment();
    variables.push(("AWS_ENDPOINT_URL_BATCH", batch.endpoint()));
    variables
}

/// The event of an S3 notification, with no more fields than every server sends.
fn created(key: &str, mark: &str) -> Value {
    json!({"Records": [{
        "eventSource": "aws:s3", "eventTime": "2026-03-01T00:00:00.000Z", "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": BUCKET}, "object": {"key": key, "sequencer": mark}},
    }]})
}

/// Made-up names, of every instrument, exposures and associations.
fn names(count: usize) -> Vec<Dataset> {
    (0..count)
        .map(|n| {
            let letter = ["j", "i", "o", "l"][n % 4];
            let end = if n % 3 == 0 { "0" } else { "q" };
            format!("{letter}{n:07}{end}").parse().unwrap()
        })
        .collect()
}

fn lines(datasets: &[Dataset]) -> String {
    let lines = datasets.iter().map(|d| format!("{d}\n"));
    lines.collect::<Vec<_>>().concat()
}
