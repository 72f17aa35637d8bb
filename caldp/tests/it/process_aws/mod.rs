//! `caldp-process-aws` as AWS Batch runs it: the built binary, an S3 server, the real `calcos`.

mod calcloud;
mod locations;
mod operators;

use caldp_tests::{S3Server, fixtures};
use serde_json::Value;
use std::collections::BTreeSet;
use std::process::{Command, Output};

use crate::whole::{Host, files_below};

const DATASET: &str = "lbgu17qnq";
const BATCH: &str = "s3://hst/batch-1";

/// A host with the dataset's inputs on S3, whose results go to a batch's folder.
fn host() -> Host {
    let host = Host::new().storing_below("batch-1/");
    host.add(DATASET);
    host
}

/// What AWS Batch runs, with results at `output`.
fn command(host: &Host, output: &str, dataset: &str) -> Command {
    let mut command = host.worker();
    command
        .args(["process-aws", output, dataset])
        .env("CALDP_INPUT_URI", "s3://hst/inputs")
        .env("AWSDPVER", "1.2.3");
    command
}

fn run(host: &Host) -> Output {
    command(host, BATCH, DATASET).output().unwrap()
}

/// The keys of the batch, without what they all start with.
fn keys(host: &Host) -> BTreeSet<String> {
    let keys = host.world.keys().into_iter();
    keys.filter_map(|key| Some(key.strip_prefix("batch-1/")?.to_owned()))
        .collect()
}

/// The messages of the batch.
fn states(host: &Host) -> Vec<String> {
    let keys = keys(host).into_iter();
    keys.filter_map(|key| Some(key.strip_prefix("messages/")?.to_owned()))
        .collect()
}

/// One paragraph with a remedy on stderr, and the exit code.
fn assert_failed(output: &Output, code: i32, words: &[&str]) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{text}");
    let last: Vec<&str> = text.lines().rev().take(2).collect();
    assert!(last[0].starts_with("hint: "), "{text}");
    for word in words {
        assert!(last.concat().contains(word), "{word} is not in\n{text}");
    }
}

#[test]
fn a_dataset_goes_from_raw_files_on_s3_to_products_on_s3() {
    let host = host();
    let output = run(&host);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    host.assert_clean();

    let manifest = std::fs::read(fixtures().join("manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    let expected = &manifest["datasets"][DATASET];
    let products = expected["products"].as_array().unwrap().iter();
    let mut wanted: Vec<String> = products.map(|p| p.as_str().unwrap().to_owned()).collect();
    let logs = [
        "process.txt",
        "preview.txt",
        "process_metrics.txt",
        "preview_metrics.txt",
    ];
    wanted.extend(logs.map(|name| format!("logs/{name}")));
    let previews = ["x1d.png", "x1d_thumb.png", "x1d_prev.fits"];
    wanted.extend(previews.map(|name| format!("previews/{DATASET}_{name}")));
    for name in wanted {
        assert!(!host.stored(DATASET, &name).is_empty(), "{name} is empty");
    }
    assert_eq!(states(&host), [format!("dataset-processed/{DATASET}")]);

    let raw = format!("{DATASET}_rawtag.fits");
    let path = host.world.path().join(&raw);
    std::fs::write(&path, host.stored(DATASET, &raw)).unwrap();
    let header = crds_core::dataset::fits::read(&path).unwrap();
    for (keyword, value) in expected["bestrefs"][&raw].as_object().unwrap() {
        assert_eq!(header.get(keyword), value.as_str(), "{keyword}");
    }
    for (keyword, value) in [
        ("CRDS_CTX", "hst_9001.pmap"),
        ("AWSDPVER", "1.2.3"),
        ("CSYS_VER", "UNDEFINED"),
        ("AWSYSVER", "UNDEFINED"),
        ("RANDSEED", "1"),
    ] {
        assert_eq!(header.get(keyword), Some(value), "{keyword}");
    }

    let log = host.stored(DATASET, "logs/process.txt");
    let log = String::from_utf8_lossy(&log);
    assert!(
        log.contains("CALCOS version"),
        "the program's output is not in process.txt"
    );
    let (_, secret) = host.world.s3.credentials();
    assert!(!log.contains(secret), "process.txt has the secret key");

    // A second run finds the references in the cache and replaces what the first one stored.
    let stored = keys(&host);
    let fetched = |record: &Value| {
        let references = record["references"].as_array().unwrap().clone();
        references.iter().filter(|r| r["fetched"] == true).count()
    };
    assert_eq!(fetched(&host.provenance(DATASET)), 6);
    assert!(run(&host).status.success());
    assert_eq!(fetched(&host.provenance(DATASET)), 0);
    assert_eq!(keys(&host), stored);
}

#[test]
fn a_wrong_dataset_name_is_refused_before_anything_is_written() {
    let host = host();
    let output = command(&host, BATCH, "notadataset").output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(
        text.contains("notadataset") && text.contains("hint:"),
        "{text}"
    );
    assert!(keys(&host).is_empty());
    assert!(!host.world.path().join("caldp-work").exists());
}

#[test]
fn a_missing_input_is_named() {
    let host = host();
    let output = command(&host, BATCH, "lbgu99qnq").output().unwrap();
    assert_failed(&output, 26, &["lbgu99qnq.tar.gz", "s3://hst/inputs"]);
    assert_eq!(states(&host), ["dataset-error/lbgu99qnq"]);
    host.assert_clean();
}

#[test]
fn a_truncated_archive_leaves_nothing_of_itself() {
    let host = host();
    let key = format!("inputs/{DATASET}.tar.gz");
    let whole = host.world.get(&key).unwrap();
    host.world.put(&key, whole.slice(..whole.len() / 2));
    assert_failed(&run(&host), 21, &["lbgu17qnq.tar.gz", "is damaged"]);
    assert_eq!(states(&host), [format!("dataset-error/{DATASET}")]);
    let keys = keys(&host);
    assert!(!keys.iter().any(|key| key.contains(".fits")), "{keys:?}");
    host.assert_clean();
}

#[test]
fn a_corrupted_reference_never_enters_the_cache() {
    let host = host();
    let name = "zz900004l_1dx.fits";
    let key = format!("references/hst/{name}");
    let mut bytes = host.world.s3.get("crds", &key).unwrap().to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    host.world.s3.put("crds", &key, bytes);
    assert_failed(&run(&host), 27, &[name]);
    assert_eq!(states(&host), [format!("dataset-error/{DATASET}")]);
    let cached = files_below(&host.world.path().join("crds_cache"));
    let placed = format!("/{name}");
    assert!(
        !cached.iter().any(|file| file.ends_with(&placed)),
        "{cached:?}"
    );
    // What is delivered for debugging: the inputs and the logs, nothing that looks like a product.
    assert!(
        !host
            .stored(DATASET, &format!("failed/{DATASET}_rawtag.fits"))
            .is_empty()
    );
    assert_eq!(host.provenance(DATASET)["exit_code"], 27);
    host.assert_clean();
}

#[test]
fn a_server_that_is_down_is_said_to_be() {
    let host = host();
    let down = S3Server::start(&[]);
    let environment = down.environment();
    drop(down);
    let output = command(&host, BATCH, DATASET)
        .envs(environment)
        .output()
        .unwrap();
    assert_failed(&output, 25, &["s3://hst/batch-1"]);
    host.assert_clean();
}

#[test]
fn a_missing_program_is_named_with_where_to_get_it() {
    let host = host();
    let output = command(&host, BATCH, DATASET)
        .env("PATH", "/nowhere")
        .output()
        .unwrap();
    assert_failed(&output, 23, &["calcos", "/nowhere"]);
    assert_eq!(states(&host), [format!("dataset-error/{DATASET}")]);
}
