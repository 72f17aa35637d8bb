//! The calcloud layout, as today's on-premise pollers read it: under the bucket, one archive for a
//! dataset.

use super::{DATASET, assert_failed, command};
use crate::whole::Host;
use caldp_core::layout::Layout;
use caldp_tests::fixtures;
use serde_json::Value;
use std::collections::BTreeSet;
use std::process::Command;

const ARCHIVE: &str = "outputs/lbgu17qnq/lbgu17qnq.tar.gz";

/// A host of this layout, whose results go under the bucket.
fn host() -> Host {
    let host = Host::new().in_layout(Layout::Calcloud);
    host.add(DATASET);
    host
}

/// Every key of the bucket but the inputs.
fn results(host: &Host) -> BTreeSet<String> {
    let keys = host.world.keys().into_iter();
    keys.filter(|key| !key.starts_with("inputs/")).collect()
}

/// The names in an archive, as GNU tar lists them.
fn members(host: &Host, key: &str) -> BTreeSet<String> {
    let path = host.world.path().join("stored.tar.gz");
    std::fs::write(&path, host.world.stored(key)).unwrap();
    let listed = Command::new("tar").arg("-tzf").arg(&path).output().unwrap();
    assert!(listed.status.success());
    let names = String::from_utf8(listed.stdout).unwrap();
    names.lines().map(str::to_owned).collect()
}

fn keys(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

const LOGS: [&str; 5] = [
    "outputs/lbgu17qnq/preview.txt",
    "outputs/lbgu17qnq/preview_metrics.txt",
    "outputs/lbgu17qnq/process.txt",
    "outputs/lbgu17qnq/process_metrics.txt",
    "outputs/lbgu17qnq/provenance.json",
];

#[test]
fn a_dataset_becomes_an_archive_and_a_trigger_that_names_it() {
    let host = host();
    // What a failure before left goes with success.
    host.world.put("messages/error-lbgu17qnq", "it failed");
    let left = "outputs/lbgu17qnq/lbgu17qnq-failed.tar.gz";
    host.world.put(left, "inputs");
    let output = command(&host, "s3://hst", DATASET).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    host.assert_clean();

    let mut expected = keys(&LOGS);
    expected.extend(keys(&[ARCHIVE, "messages/processed-lbgu17qnq.trigger"]));
    assert_eq!(results(&host), expected);
    let trigger = host.world.get("messages/processed-lbgu17qnq.trigger");
    assert_eq!(trigger.unwrap(), format!("s3://hst/{ARCHIVE}"));

    let manifest = std::fs::read(fixtures().join("manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    let products = manifest["datasets"][DATASET]["products"]
        .as_array()
        .unwrap();
    let products = products.iter().map(|p| p.as_str().unwrap().to_owned());
    let previews = ["x1d.png", "x1d_thumb.png", "x1d_prev.fits"];
    let previews = previews.map(|name| format!("previews/{DATASET}_{name}"));
    let members = members(&host, ARCHIVE);
    for name in products.chain(previews) {
        assert!(
            members.contains(&format!("{DATASET}/{name}")),
            "{name}: {members:?}"
        );
    }
    let record = host.world.get(LOGS[4]).unwrap();
    let record: Value = serde_json::from_slice(&record).unwrap();
    let outputs = record["outputs"].as_array().unwrap();
    assert_eq!(outputs.len(), members.len() + 1);
    assert_eq!(outputs[0]["name"], "lbgu17qnq.tar.gz");
    assert!(
        outputs[1..]
            .iter()
            .all(|o| o["archive"] == "lbgu17qnq.tar.gz")
    );
    // The versions of what made them.
    assert_eq!(record["versions"]["calcos"], "3.6.2");
    let references = record["references"].as_array().unwrap();
    assert!(
        references
            .iter()
            .all(|r| r["sha1"].as_str().unwrap().len() == 40)
    );
}

#[test]
fn a_failed_run_never_has_the_name_of_a_good_one() {
    let host = host();
    let output = command(&host, "s3://hst", DATASET)
        .env("PATH", "/nowhere")
        .output()
        .unwrap();
    assert_failed(&output, 23, &["calcos"]);
    let failed = "outputs/lbgu17qnq/lbgu17qnq-failed.tar.gz";
    let results = results(&host);
    assert!(!results.contains(ARCHIVE), "{results:?}");
    assert!(
        results.contains("outputs/lbgu17qnq/process.txt"),
        "{results:?}"
    );
    let messages: Vec<_> = results
        .iter()
        .filter(|k| k.starts_with("messages/"))
        .collect();
    assert_eq!(messages, ["messages/error-lbgu17qnq"]);
    assert_eq!(
        members(&host, failed),
        keys(&["lbgu17qnq/lbgu17qnq_rawtag.fits"])
    );
}
