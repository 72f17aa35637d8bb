//! `caldp-process-aws` as AWS Batch runs it: the built binary, an S3 server, the real `calcos`.

mod calcloud;
mod locations;
mod operators;

use caldp_tests::{S3Server, fixtures, registry_programs};
use serde_json::Value;
use std::collections::BTreeSet;
use std::process::{Command, Output};
use tempfile::TempDir;

use crate::CALDP;
use crate::whole::files_below;

const DATASET: &str = "lbgu17qnq";
const BATCH: &str = "s3://hst/batch-1";

/// An S3 server with the CRDS cache as the real bucket has it, and the dataset's inputs.
struct System {
    server: S3Server,
    home: TempDir,
    /// Where results go.
    output: &'static str,
}

impl System {
    fn start() -> Self {
        Self::start_for(BATCH)
    }

    fn start_for(output: &'static str) -> Self {
        let server = S3Server::start(&["crds", "hst"]);
        for part in ["config", "pickles", "references"] {
            server.put_directory("crds", part, &fixtures().join("crds").join(part));
        }
        let archive = std::fs::read(fixtures().join(format!("raw/{DATASET}.tar.gz"))).unwrap();
        server.put("hst", &format!("inputs/{DATASET}.tar.gz"), archive);
        let home = tempfile::tempdir().unwrap();
        Self {
            server,
            home,
            output,
        }
    }

    fn command(&self, dataset: &str) -> Command {
        let mut command = Command::new(CALDP);
        command
            .args(["process-aws", self.output, dataset])
            .env_clear()
            .envs(self.server.environment())
            .env("PATH", registry_programs())
            .env("HOME", self.home.path())
            .env("CALDP_HOME", self.home.path())
            .env("CRDSBUCKET", "s3://crds")
            .env("CALDP_INPUT_URI", "s3://hst/inputs")
            .env("AWSDPVER", "1.2.3");
        command
    }

    fn run(&self) -> Output {
        self.command(DATASET).output().unwrap()
    }

    /// The keys of the batch, without what they all start with.
    fn keys(&self) -> BTreeSet<String> {
        let keys = self.server.keys("hst").into_iter();
        keys.filter_map(|key| Some(key.strip_prefix("batch-1/")?.to_owned()))
            .collect()
    }

    fn states(&self) -> Vec<String> {
        let keys = self.keys().into_iter();
        keys.filter_map(|key| Some(key.strip_prefix("messages/")?.to_owned()))
            .collect()
    }

    fn stored(&self, name: &str) -> Vec<u8> {
        let key = format!("batch-1/data/cos/{DATASET}/{name}");
        self.server.get("hst", &key).unwrap().to_vec()
    }

    fn provenance(&self) -> Value {
        serde_json::from_slice(&self.stored("logs/provenance.json")).unwrap()
    }

    /// Nothing of a run stays on the machine but the CRDS cache, and no upload half done.
    fn assert_clean(&self) {
        let left = files_below(&self.home.path().join("caldp-work"));
        assert!(left.iter().all(|file| file.ends_with("/.lock")), "{left:?}");
        assert!(left.len() <= 1, "{left:?}");
        assert_eq!(self.server.open_uploads(), 0, "uploads left open");
    }
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
    let system = System::start();
    let output = system.run();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    system.assert_clean();

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
        assert!(!system.stored(&name).is_empty(), "{name} is empty");
    }
    assert_eq!(system.states(), [format!("dataset-processed/{DATASET}")]);

    let raw = format!("{DATASET}_rawtag.fits");
    let path = system.home.path().join(&raw);
    std::fs::write(&path, system.stored(&raw)).unwrap();
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

    let log = system.stored("logs/process.txt");
    let log = String::from_utf8_lossy(&log);
    assert!(
        log.contains("CALCOS version"),
        "the program's output is not in process.txt"
    );
    let (_, secret) = system.server.credentials();
    assert!(!log.contains(secret), "process.txt has the secret key");

    // A second run finds the references in the cache and replaces what the first one stored.
    let keys = system.keys();
    let fetched = |record: &Value| {
        let references = record["references"].as_array().unwrap().clone();
        references.iter().filter(|r| r["fetched"] == true).count()
    };
    assert_eq!(fetched(&system.provenance()), 6);
    assert!(system.run().status.success());
    assert_eq!(fetched(&system.provenance()), 0);
    assert_eq!(system.keys(), keys);
}

#[test]
fn a_wrong_dataset_name_is_refused_before_anything_is_written() {
    let system = System::start();
    let output = system.command("notadataset").output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(
        text.contains("notadataset") && text.contains("hint:"),
        "{text}"
    );
    assert!(system.keys().is_empty());
    assert!(!system.home.path().join("caldp-work").exists());
}

#[test]
fn a_missing_input_is_named() {
    let system = System::start();
    let output = system.command("lbgu99qnq").output().unwrap();
    assert_failed(&output, 26, &["lbgu99qnq.tar.gz", "s3://hst/inputs"]);
    assert_eq!(system.states(), ["dataset-error/lbgu99qnq"]);
    system.assert_clean();
}

#[test]
fn a_truncated_archive_leaves_nothing_of_itself() {
    let system = System::start();
    let key = format!("inputs/{DATASET}.tar.gz");
    let whole = system.server.get("hst", &key).unwrap();
    system
        .server
        .put("hst", &key, whole.slice(..whole.len() / 2));
    assert_failed(&system.run(), 21, &["lbgu17qnq.tar.gz", "is damaged"]);
    assert_eq!(system.states(), [format!("dataset-error/{DATASET}")]);
    let keys = system.keys();
    assert!(!keys.iter().any(|key| key.contains(".fits")), "{keys:?}");
    system.assert_clean();
}

#[test]
fn a_corrupted_reference_never_enters_the_cache() {
    let system = System::start();
    let name = "zz900004l_1dx.fits";
    let key = format!("references/hst/{name}");
    let mut bytes = system.server.get("crds", &key).unwrap().to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    system.server.put("crds", &key, bytes);
    assert_failed(&system.run(), 27, &[name]);
    assert_eq!(system.states(), [format!("dataset-error/{DATASET}")]);
    let cached = files_below(&system.home.path().join("crds_cache"));
    let placed = format!("/{name}");
    assert!(
        !cached.iter().any(|file| file.ends_with(&placed)),
        "{cached:?}"
    );
    // What is delivered for debugging: the inputs and the logs, nothing that looks like a product.
    assert!(
        !system
            .stored(&format!("failed/{DATASET}_rawtag.fits"))
            .is_empty()
    );
    assert_eq!(system.provenance()["exit_code"], 27);
    system.assert_clean();
}

#[test]
fn a_server_that_is_down_is_said_to_be() {
    let system = System::start();
    let down = S3Server::start(&[]);
    let environment = down.environment();
    drop(down);
    let output = system.command(DATASET).envs(environment).output().unwrap();
    assert_failed(&output, 25, &["s3://hst/batch-1"]);
    system.assert_clean();
}

#[test]
fn a_missing_program_is_named_with_where_to_get_it() {
    let system = System::start();
    let output = system
        .command(DATASET)
        .env("PATH", "/nowhere")
        .output()
        .unwrap();
    assert_failed(&output, 23, &["calcos", "/nowhere"]);
    assert_eq!(system.states(), [format!("dataset-error/{DATASET}")]);
}
