//! `caldp submit`, `rescue`, `cancel`, `clean` and `sweep` as operators use them: the built binary against
//! S3 and a stand-in for AWS Batch, and against moto.

use std::io::Write;
use std::process::{Command, Stdio};

use caldp_tests::{BatchServer, Moto, S3Server, SubmittedJob};
use serde_json::Value;

const BUCKET: &str = "hst-out";
const OUTPUT: &str = "s3://hst-out/o";

pub(crate) struct World {
    s3: S3Server,
    batch: BatchServer,
}

/// What a command wrote, and its exit status.
struct Said {
    status: i32,
    out: String,
    err: String,
}

impl Said {
    fn succeeded(&self) {
        assert_eq!(self.status, 0, "{}", self.err);
    }

    fn json(&self) -> Value {
        self.succeeded();
        serde_json::from_str(&self.out).unwrap()
    }
}

/// A line of words for `caldp`.
fn command(environment: &[(&str, String)], line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_caldp"));
    command
        .args(line.split_whitespace())
        .env_clear()
        .env("JOBQUEUES", "q2,q8,q16,q64")
        .env("JOBDEFINITIONS", "d2,d8,d16,d64")
        .envs(environment.iter().map(|(name, value)| (name, value)));
    command
}

/// Runs a line of words as `caldp`, with something on standard input.
fn caldp(environment: &[(&str, String)], line: &str, input: &str) -> Said {
    let mut child = command(environment, line)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // a command that refuses its arguments does not read on
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    Said {
        status: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            s3: S3Server::start(&[BUCKET]),
            batch: BatchServer::start(),
        }
    }

    fn caldp(&self, line: &str) -> Said {
        self.caldp_reading(line, "")
    }

    fn caldp_reading(&self, line: &str, input: &str) -> Said {
        caldp(
            &self.environment(),
            &format!("{line} --output {OUTPUT}"),
            input,
        )
    }

    pub(crate) fn command(&self, line: &str) -> Command {
        command(&self.environment(), &format!("{line} --output {OUTPUT}"))
    }

    fn environment(&self) -> Vec<(&'static str, String)> {
        let mut environment = self.s3.environment();
        environment.push(("AWS_ENDPOINT_URL_BATCH", self.batch.endpoint()));
        environment
    }

    fn keys(&self) -> Vec<String> {
        self.s3.keys(BUCKET)
    }

    /// Whether a dataset is in a state, and in no other.
    fn is(&self, dataset: &str, state: &str) -> bool {
        let keys = self.keys();
        let messages = keys.iter().filter(|k| k.starts_with("o/messages/dataset-"));
        let mut of = messages.filter(|k| k.ends_with(dataset));
        let right = format!("o/messages/dataset-{state}/{dataset}");
        of.next() == Some(&right) && of.next().is_none()
    }

    fn last_job(&self) -> SubmittedJob {
        self.batch.jobs().last().unwrap().clone()
    }
}

#[test]
fn names_are_submitted_once() {
    let world = World::new();
    let line = "submit J8CB010B0 lcyid1030 J8cb010b0 --batch-name spring --json";
    let first = world.caldp(line).json();
    assert_eq!(
        (&first["submitted"], &first["jobs"]),
        (&2.into(), &2.into()),
        "{first}"
    );
    assert!(world.is("j8cb010b0", "submitted") && world.is("lcyid1030", "submitted"));
    assert!(
        world
            .keys()
            .contains(&"o/messages/batch-new/spring.json".to_owned())
    );
    // the same batch again is the same batch
    assert_eq!(world.caldp(line).json(), first);
    assert_eq!(world.batch.jobs().len(), 2);
    let words = world.caldp("submit j8cb010b0 j8ne53znq --batch-name summer");
    assert!(
        words
            .out
            .contains("summer: 1 of 2 datasets submitted as 1 job"),
        "{}",
        words.out
    );
    assert!(
        words.out.contains("j8cb010b0"),
        "what was left alone is named: {}",
        words.out
    );
}

#[test]
fn a_table_of_features_decides_the_memory_bin() {
    let world = World::new();
    let directory = tempfile::tempdir().unwrap();
    let table = directory.path().join("features.csv");
    let rows = "dataset,n_files,total_mb,subarray\nj8cb010b0,61,950,0\nlcyid1030,1e9,1,0\nj8cb010b1,2,3,0\n";
    std::fs::write(&table, rows).unwrap();
    let line = format!(
        "submit j8cb010b0 lcyid1030 --dry-run --json --features {}",
        table.display()
    );
    let said = world.caldp(&line);
    let answer = said.json();
    assert_eq!(answer["rungs"][1]["rung"], 3, "{answer}");
    for part in [
        "features.csv:3: \"lcyid1030\": n_files cannot be true; estimated without it",
        "1 line(s) are of datasets that were not ordered",
        "of 2 datasets it has 1",
    ] {
        assert!(said.err.contains(part), "{part} in {}", said.err);
    }
    let missing = world.caldp("submit j8cb010b0 --features nowhere.csv");
    assert_eq!(missing.status, 2, "{}", missing.err);
}

#[test]
fn a_dry_run_tells_and_does_nothing() {
    let world = World::new();
    let said = world.caldp("submit j8cb010b0 lcyid1030 --dry-run --memory-bin 2");
    assert_eq!(said.status, 0, "{}", said.err);
    for part in [
        ": 2 datasets, results would go to s3://hst-out/o",
        "2    16 GiB  2         0       48 h 0 min  q16    d16",
        "would submit 2 jobs, write 8 objects, cost 0.26 USD as expected and 5.88 USD at the most",
    ] {
        assert!(said.out.contains(part), "{part} in {}", said.out);
    }
    assert!(world.keys().is_empty() && world.batch.jobs().is_empty());
    world
        .caldp("submit j8cb010b0 lcyid1030 --batch-name b")
        .succeeded();
    let before = world.keys();
    for line in [
        "cancel j8cb010b0",
        "cancel all",
        "rescue all",
        "clean j8cb010b0",
        "clean all",
    ] {
        let said = world.caldp(&format!("{line} --dry-run"));
        assert_eq!(said.status, 0, "{line}: {}", said.err);
        assert!(said.out.contains("would"), "{line}: {}", said.out);
        assert_eq!(world.keys(), before, "{line}");
    }
    assert!(
        world
            .batch
            .jobs()
            .iter()
            .all(|job| job.terminated.is_none())
    );
}

#[test]
fn lists_come_from_files_standard_input_and_s3() {
    let world = World::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("visit.ids");
    std::fs::write(&path, "# visit 01\nJ8CB010B0\n\nj8cb010b0\n").unwrap();
    let said = world.caldp(&format!("submit {} --json", path.display()));
    assert_eq!(said.json()["submitted"], 1);
    let said = world.caldp_reading("submit - --json", "lcyid1030\nj8ne53znq\n");
    assert_eq!(said.json()["submitted"], 2);
    world.s3.put(
        BUCKET,
        "lists/more.yaml",
        "datasets: [j8cb010b1]\nbatch_name: more\n",
    );
    let said = world.caldp("submit s3://hst-out/lists/more.yaml --json");
    assert_eq!(said.json()["batch"], "more");
    let before = (world.keys(), world.batch.jobs().len());
    std::fs::write(&path, "j8cb010b2\nnope\n").unwrap();
    let said = world.caldp(&format!("submit {}", path.display()));
    assert_eq!(said.status, 2);
    assert!(
        said.err.contains("line 2") && said.err.contains("nope"),
        "{}",
        said.err
    );
    let said = world.caldp("submit missing.ids");
    assert_eq!(said.status, 2);
    assert!(said.err.contains("missing.ids"), "{}", said.err);
    assert_eq!((world.keys(), world.batch.jobs().len()), before);
}

#[test]
fn datasets_are_cancelled_rescued_and_cleaned() {
    let world = World::new();
    world
        .caldp("submit j8cb010b0 j8cb010b1 --batch-name b")
        .succeeded();
    let said = world.caldp("cancel J8CB010B0");
    assert_eq!(said.status, 0, "{}", said.err);
    assert!(world.is("j8cb010b0", "terminated") && world.is("j8cb010b1", "submitted"));
    let stopped = world
        .batch
        .jobs()
        .iter()
        .filter(|job| job.terminated.is_some())
        .count();
    assert_eq!(stopped, 1);
    world
        .caldp("rescue all --memory-bin 3 --timeout-scale 2")
        .succeeded();
    assert!(world.is("j8cb010b0", "submitted"));
    assert_eq!(world.last_job().request["jobQueue"], "q64");
    world.caldp("clean j8cb010b0").succeeded();
    let keys = world.keys();
    assert!(
        !keys.iter().any(|key| key.contains("j8cb010b0")),
        "{keys:?}"
    );
    assert!(world.is("j8cb010b1", "submitted"));
    let said = world.caldp("cancel j8cb --json");
    assert_eq!(said.status, 2);
    assert!(
        said.err.contains("j8cb") && said.err.contains("hint:"),
        "{}",
        said.err
    );
}

#[test]
fn a_deployment_that_is_not_described_is_said() {
    let environment = [("JOBQUEUES", String::new())];
    let said = caldp(
        &environment,
        &format!("submit j8cb010b0 --output {OUTPUT}"),
        "",
    );
    assert_eq!(said.status, 2);
    assert!(said.err.contains("JOBQUEUES"), "{}", said.err);
}

#[test]
fn moto_understands_the_commands() {
    let moto = Moto::start();
    moto.create_bucket(BUCKET);
    moto.create_batch(&["q2", "q8", "q16", "q64"], &["d2", "d8", "d16", "d64"]);
    let run = |line: &str| {
        caldp(
            &moto.environment(),
            &format!("{line} --output {OUTPUT}"),
            "",
        )
    };
    let said = run("submit j8cb010b0 lcyid1030 --batch-name b --json");
    assert_eq!(said.json()["submitted"], 2);
    let jobs = |queue: &str| moto.jobs(queue).len();
    assert_eq!(jobs("q2") + jobs("q8"), 2);
    run("cancel lcyid1030").succeeded();
    let messages = moto.keys(BUCKET, "o/messages/dataset-");
    assert_eq!(
        messages,
        [
            "o/messages/dataset-submitted/j8cb010b0",
            "o/messages/dataset-terminated/lcyid1030"
        ]
    );
    run("clean all").succeeded();
    assert_eq!(moto.keys(BUCKET, "o/control/"), Vec::<String>::new());
}

/// Two jobs of which nobody heard, one of them without a record at AWS Batch.
#[test]
fn what_is_stuck_is_found_and_settled() {
    let world = World::new();
    world
        .caldp("submit j8cb010b0 lcyid1030 --batch-name spring")
        .succeeded();
    let sweep = |line: &str| caldp(&world.environment(), line, "");
    let young = sweep(&format!("sweep {OUTPUT}"));
    assert!(
        young.out.contains("2 datasets under way: 0 stuck"),
        "{}",
        young.out
    );
    young.succeeded();
    for job in world.batch.jobs() {
        let command = &job.request["containerOverrides"]["command"];
        let dataset = command[2].as_str().unwrap();
        let key = format!("o/control/{dataset}/attempts.json");
        let mut record: Value =
            serde_json::from_slice(&world.s3.get(BUCKET, &key).unwrap()).unwrap();
        record["attempts"][0]["claimed_at"] = "2026-03-01T00:00:00Z".into();
        world.s3.put(BUCKET, &key, record.to_string());
        if dataset == "lcyid1030" {
            world.batch.forget(&job.id);
            continue;
        }
        let end = serde_json::json!({
            "status": "FAILED", "statusReason": "Essential container in task exited",
            "attempts": [{"container": {"exitCode": 23}}],
        });
        world.batch.end(&job.id, end);
    }
    let dry_run = sweep(&format!("sweep {OUTPUT} --dry-run"));
    assert_eq!(dry_run.status, 3, "{}", dry_run.err);
    assert!(
        dry_run.out.contains(": 2 stuck, 0 settled"),
        "{}",
        dry_run.out
    );
    assert!(world.is("j8cb010b0", "submitted"));
    // the output is found by itself, because it is not closed
    let done: Value = sweep(&format!("sweep s3://{BUCKET} --json")).json();
    assert_eq!(
        (&done["stuck"], &done["settled"]),
        (&2.into(), &2.into()),
        "{done}"
    );
    assert!(
        world.is("j8cb010b0", "error") && world.is("lcyid1030", "submitted"),
        "{done}"
    );
    assert_eq!(world.batch.jobs().len(), 3, "{done}");
    let misspelt = sweep("sweep no/batch");
    assert_eq!(misspelt.status, 2, "{}", misspelt.err);
}
