//! The built function as AWS Lambda runs it: a process under the Runtime API, every kind of event,
//! killed and retried, against S3 and AWS Batch with faults and limits, and against moto.
//!
//! `CALDP_TEST_LONG=1` runs the long variants too. `CALDP_TEST_FUNCTION` names another binary than
//! the one cargo built, to measure a release build.

mod events;
mod killed;
mod limits;
mod moto;
mod shares;

use std::path::PathBuf;

use caldp_tests::{DEFINITIONS, LambdaFunction, QUEUES};

use crate::world::BUCKET;

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
