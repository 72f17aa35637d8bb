//! The calcloud layout, as today's on-premise pollers read it: under the bucket, one archive for a
//! dataset.

use super::{DATASET, System, assert_failed};
use caldp_tests::fixtures;
use serde_json::Value;
use std::collections::BTreeSet;
use std::process::Command;

const ARCHIVE: &str = "outputs/lbgu17qnq/lbgu17qnq.tar.gz";

impl System {
    /// The command of a job definition for this layout: results go under the bucket.
    fn calcloud(&self) -> Command {
        let mut command = self.command(DATASET);
        command.env("CALDP_LAYOUT", "calcloud");
        command
    }

    /// Every key of the bucket but the inputs.
    fn results(&self) -> BTreeSet<String> {
        let keys = self.server.keys("hst").into_iter();
        keys.filter(|key| !key.starts_with("inputs/")).collect()
    }

    /// The names in an archive, as GNU tar lists them.
    fn members(&self, key: &str) -> BTreeSet<String> {
        let path = self.home.path().join("stored.tar.gz");
        std::fs::write(&path, self.server.get("hst", key).unwrap()).unwrap();
        let listed = Command::new("tar").arg("-tzf").arg(&path).output().unwrap();
        assert!(listed.status.success());
        let names = String::from_utf8(listed.stdout).unwrap();
        names.lines().map(str::to_owned).collect()
    }
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
    let system = System::start_for("s3://hst");
    // What a failure before left goes with success.
    system
        .server
        .put("hst", "messages/error-lbgu17qnq", "it failed");
    let left = "outputs/lbgu17qnq/lbgu17qnq-failed.tar.gz";
    system.server.put("hst", left, "inputs");
    let output = system.calcloud().output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    system.assert_clean();

    let mut expected = keys(&LOGS);
    expected.extend(keys(&[ARCHIVE, "messages/processed-lbgu17qnq.trigger"]));
    assert_eq!(system.results(), expected);
    let trigger = system
        .server
        .get("hst", "messages/processed-lbgu17qnq.trigger");
    assert_eq!(trigger.unwrap(), format!("s3://hst/{ARCHIVE}"));

    let manifest = std::fs::read(fixtures().join("manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    let products = manifest["datasets"][DATASET]["products"]
        .as_array()
        .unwrap();
    let products = products.iter().map(|p| p.as_str().unwrap().to_owned());
    let previews = ["x1d.png", "x1d_thumb.png", "x1d_prev.fits"];
    let previews = previews.map(|name| format!("previews/{DATASET}_{name}"));
    let members = system.members(ARCHIVE);
    for name in products.chain(previews) {
        assert!(
            members.contains(&format!("{DATASET}/{name}")),
            "{name}: {members:?}"
        );
    }
    let record = system.server.get("hst", LOGS[4]).unwrap();
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
    let system = System::start_for("s3://hst");
    let output = system.calcloud().env("PATH", "/nowhere").output().unwrap();
    assert_failed(&output, 23, &["calcos"]);
    let failed = "outputs/lbgu17qnq/lbgu17qnq-failed.tar.gz";
    let results = system.results();
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
        system.members(failed),
        keys(&["lbgu17qnq/lbgu17qnq_rawtag.fits"])
    );
}
