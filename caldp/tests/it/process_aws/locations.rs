//! `caldp-process` between S3 locations: on the S3 server of the tests and, when `CALDP_S3_TEST_INPUTS`
//! or `CALDP_S3_TEST_OUTPUTS` name them, between real ones, with the credentials of the environment.

use super::DATASET;
use crate::CALDP;
use caldp_tests::{S3Server, fixtures, real_location, registry_programs};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use storage::s3::{Access, S3, S3Options};
use storage::store::{Dir, S3Prefix, Store};
use storage::uri::Location;
use tokio::runtime::Runtime;

/// What credentials are found with, and where S3 is.
const AWS: [&str; 11] = [
    "HOME",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
];

fn store(s3: &S3, location: &str) -> Arc<dyn Store> {
    match location.parse().unwrap() {
        Location::Dir(path) => Arc::new(Dir::new(path)),
        Location::S3(uri) => Arc::new(S3Prefix::new(s3.clone(), uri)),
    }
}

/// Puts the bundled archive at `input`, has it calibrated, looks at what is at `output`, and empties
/// both.
fn goes_between(
    input: &str,
    output: &str,
    s3: &S3,
    runtime: &Runtime,
    environment: &[(&str, String)],
    home: &Path,
) {
    let archive = format!("{DATASET}.tar.gz");
    let raw = fixtures().join("raw").join(&archive);
    let (source, target) = (store(s3, input), store(s3, output));
    runtime.block_on(source.put_file(&archive, &raw)).unwrap();

    let run = Command::new(CALDP)
        .args(["process", DATASET, input, output])
        .current_dir(home)
        .env_clear()
        .env("HOME", home)
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .env("PATH", registry_programs())
        .env("CALDP_HOME", home)
        .env("CRDS_PATH", fixtures().join("crds"))
        .output()
        .unwrap();
    assert!(
        run.status.success(),
        "{input} to {output}: {}",
        String::from_utf8_lossy(&run.stderr)
    );

    let folder = format!("data/cos/{DATASET}");
    let message = format!("messages/dataset-processed/{DATASET}");
    for key in [
        &format!("{folder}/{DATASET}_x1d.fits"),
        &format!("{folder}/logs/process.txt"),
        &format!("{folder}/previews/{DATASET}_x1d.png"),
        &message,
    ] {
        let found = runtime.block_on(target.head(key)).unwrap();
        assert!(found.is_some(), "{key} is not at {output}");
    }
    let messages = keys(runtime, &*target, "messages/");
    assert_eq!(messages, [message], "{output}");

    for done in [source, target] {
        let left = keys(runtime, &*done, "");
        runtime.block_on(done.delete_many(&left)).unwrap();
        assert!(keys(runtime, &*done, "").is_empty());
    }
}

fn keys(runtime: &Runtime, store: &dyn Store, prefix: &str) -> Vec<String> {
    let listed = runtime.block_on(store.list(prefix).collect());
    listed.unwrap().into_iter().map(|found| found.key).collect()
}

#[test]
fn a_dataset_goes_from_one_prefix_to_another() {
    let server = S3Server::start(&["hst"]);
    let (id, secret) = server.credentials();
    let access = Access::Key {
        id: id.to_owned(),
        secret: secret.to_owned(),
    };
    let options = S3Options {
        access,
        endpoint: Some(server.endpoint()),
        ..S3Options::default()
    };
    let runtime = Runtime::new().unwrap();
    let s3 = runtime.block_on(S3::new(options));
    let home = tempfile::tempdir().unwrap();
    let environment = server.environment();
    let (input, output) = ("s3://hst/inputs/test-batch", "s3://hst/outputs/test-batch");
    goes_between(input, output, &s3, &runtime, &environment, home.path());
    assert_eq!(server.open_uploads(), 0, "uploads left open");
}

#[test]
fn a_dataset_goes_between_the_real_locations_that_are_named() {
    let input = real_location("CALDP_S3_TEST_INPUTS", "a dataset's inputs");
    let output = real_location("CALDP_S3_TEST_OUTPUTS", "a dataset's results");
    if input.is_none() && output.is_none() {
        return;
    }
    // Of a pair the one that is not named is a directory.
    let home = tempfile::tempdir().unwrap();
    let directory = |name| format!("file:{}", home.path().join(name).display());
    let input = input.unwrap_or_else(|| directory("inputs"));
    let output = output.unwrap_or_else(|| directory("outputs"));
    let runtime = Runtime::new().unwrap();
    let s3 = runtime.block_on(S3::from_env());
    let environment: Vec<(&str, String)> = AWS
        .into_iter()
        .filter_map(|name| Some((name, std::env::var(name).ok()?)))
        .collect();
    goes_between(&input, &output, &s3, &runtime, &environment, home.path());
}
