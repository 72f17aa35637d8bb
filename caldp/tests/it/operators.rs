//! `caldp submit`, `rescue`, `cancel`, `clean` and `sweep` as operators use them: the built binary against
//! S3 and a stand-in for AWS Batch, and against moto.

use std::process::Command;

use caldp_tests::{DEFINITIONS, Moto, QUEUES, Run, World};
use serde_json::Value;

use crate::CALDP;

const OUTPUT: &str = "s3://hst-out/o";

/// A line of words for `caldp` in a deployment, with the variables that say where AWS is.
fn command_in(environment: &[(&str, String)], line: &str) -> Command {
    let mut command = Command::new(CALDP);
    command
        .args(line.split_whitespace())
        .env_clear()
        .env("JOBQUEUES", QUEUES.join(","))
        .env("JOBDEFINITIONS", DEFINITIONS.join(","))
        .envs(environment.iter().map(|(name, value)| (name, value)));
    command
}

pub(crate) fn command(world: &World, line: &str) -> Command {
    command_in(&world.environment(), &format!("{line} --output {OUTPUT}"))
}

fn caldp(world: &World, line: &str) -> Run {
    Run::of(&mut command(world, line))
}

/// Whether a dataset is in a state, and in no other.
fn is(world: &World, dataset: &str, state: &str) -> bool {
    let states = world.states("o/");
    states.get(dataset).is_some_and(|states| states == &[state])
}

#[test]
fn names_are_submitted_once() {
    let world = World::new();
    let line = "submit J8CB010B0 lcyid1030 J8cb010b0 --batch-name spring --json";
    let first = caldp(&world, line).ended(0).json();
    assert_eq!(
        (&first["submitted"], &first["jobs"]),
        (&2.into(), &2.into()),
        "{first}"
    );
    assert!(is(&world, "j8cb010b0", "submitted") && is(&world, "lcyid1030", "submitted"));
    assert!(
        world
            .keys()
            .contains(&"o/messages/batch-new/spring.json".to_owned())
    );
    // the same batch again is the same batch
    assert_eq!(caldp(&world, line).ended(0).json(), first);
    assert_eq!(world.batch.jobs().len(), 2);
    let words = caldp(&world, "submit j8cb010b0 j8ne53znq --batch-name summer");
    assert!(
        words
            .stdout
            .contains("summer: 1 of 2 datasets submitted as 1 job"),
        "{}",
        words.stdout
    );
    assert!(
        words.stdout.contains("j8cb010b0"),
        "what was left alone is named: {}",
        words.stdout
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
    let said = caldp(&world, &line).ended(0);
    let answer = said.json();
    assert_eq!(answer["rungs"][1]["rung"], 3, "{answer}");
    for part in [
        "features.csv:3: \"lcyid1030\": n_files cannot be true; estimated without it",
        "1 line(s) are of datasets that were not ordered",
        "of 2 datasets it has 1",
    ] {
        assert!(said.stderr.contains(part), "{part} in {}", said.stderr);
    }
    let missing = caldp(&world, "submit j8cb010b0 --features nowhere.csv");
    assert_eq!(missing.code, 2, "{}", missing.stderr);
}

#[test]
fn a_dry_run_tells_and_does_nothing() {
    let world = World::new();
    let said = caldp(
        &world,
        "submit j8cb010b0 lcyid1030 --dry-run --memory-bin 2",
    );
    assert_eq!(said.code, 0, "{}", said.stderr);
    for part in [
        ": 2 datasets, results would go to s3://hst-out/o",
        "2    16 GiB  2         0       48 h 0 min  q16    d16",
        "would submit 2 jobs, write 8 objects, cost 0.26 USD as expected and 5.88 USD at the most",
    ] {
        assert!(said.stdout.contains(part), "{part} in {}", said.stdout);
    }
    assert!(world.keys().is_empty() && world.batch.jobs().is_empty());
    caldp(&world, "submit j8cb010b0 lcyid1030 --batch-name b").ended(0);
    let before = world.keys();
    for line in [
        "cancel j8cb010b0",
        "cancel all",
        "rescue all",
        "clean j8cb010b0",
        "clean all",
    ] {
        let said = caldp(&world, &format!("{line} --dry-run"));
        assert_eq!(said.code, 0, "{line}: {}", said.stderr);
        assert!(said.stdout.contains("would"), "{line}: {}", said.stdout);
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
    let said = caldp(&world, &format!("submit {} --json", path.display()));
    assert_eq!(said.ended(0).json()["submitted"], 1);
    let said = Run::reading(
        &mut command(&world, "submit - --json"),
        "lcyid1030\nj8ne53znq\n".as_bytes(),
    );
    assert_eq!(said.ended(0).json()["submitted"], 2);
    world.put(
        "lists/more.yaml",
        "datasets: [j8cb010b1]\nbatch_name: more\n",
    );
    let said = caldp(&world, "submit s3://hst-out/lists/more.yaml --json");
    assert_eq!(said.ended(0).json()["batch"], "more");
    let before = (world.keys(), world.batch.jobs().len());
    std::fs::write(&path, "j8cb010b2\nnope\n").unwrap();
    let said = caldp(&world, &format!("submit {}", path.display()));
    assert_eq!(said.code, 2);
    assert!(
        said.stderr.contains("line 2") && said.stderr.contains("nope"),
        "{}",
        said.stderr
    );
    let said = caldp(&world, "submit missing.ids");
    assert_eq!(said.code, 2);
    assert!(said.stderr.contains("missing.ids"), "{}", said.stderr);
    assert_eq!((world.keys(), world.batch.jobs().len()), before);
}

#[test]
fn datasets_are_cancelled_rescued_and_cleaned() {
    let world = World::new();
    caldp(&world, "submit j8cb010b0 j8cb010b1 --batch-name b").ended(0);
    let said = caldp(&world, "cancel J8CB010B0");
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(is(&world, "j8cb010b0", "terminated") && is(&world, "j8cb010b1", "submitted"));
    let stopped = world
        .batch
        .jobs()
        .iter()
        .filter(|job| job.terminated.is_some())
        .count();
    assert_eq!(stopped, 1);
    caldp(&world, "rescue all --memory-bin 3 --timeout-scale 2").ended(0);
    assert!(is(&world, "j8cb010b0", "submitted"));
    assert_eq!(
        world.batch.jobs().last().unwrap().request["jobQueue"],
        "q64"
    );
    caldp(&world, "clean j8cb010b0").ended(0);
    let keys = world.keys();
    assert!(
        !keys.iter().any(|key| key.contains("j8cb010b0")),
        "{keys:?}"
    );
    assert!(is(&world, "j8cb010b1", "submitted"));
    let said = caldp(&world, "cancel j8cb --json");
    assert_eq!(said.code, 2);
    assert!(
        said.stderr.contains("j8cb") && said.stderr.contains("hint:"),
        "{}",
        said.stderr
    );
}

/// A name or an output that was mistyped neither submits nor succeeds.
#[test]
fn what_is_not_there_is_neither_rescued_nor_cancelled_nor_cleaned() {
    let world = World::new();
    for command in ["rescue", "cancel", "clean"] {
        let said = caldp(&world, &format!("{command} all"));
        assert_eq!(said.code, 1, "{command}: {}", said.stdout);
        assert!(
            said.stderr.contains("there is nothing in s3://hst-out/o"),
            "{}",
            said.stderr
        );
    }
    caldp(&world, "submit j8cb010b0 --batch-name b").ended(0);
    let before = world.keys();
    for command in ["rescue", "cancel", "clean"] {
        for option in ["", " --dry-run"] {
            let said = caldp(&world, &format!("{command} j8cb010b1{option}"));
            assert_eq!(said.code, 4, "{command}{option}: {}", said.stdout);
            assert!(
                said.stdout.ends_with("nothing is known of j8cb010b1\n"),
                "{command}{option}: {}",
                said.stdout
            );
        }
    }
    // one that waits is not rescued, and those beside it are still looked at
    let said = caldp(&world, "rescue j8cb010b0 j8cb010b1");
    assert_eq!(said.code, 4, "{}", said.stdout);
    assert!(
        said.stdout.contains("has a job that has not ended"),
        "{}",
        said.stdout
    );
    let said = caldp(&world, "rescue j8cb010b0 --dry-run");
    assert_eq!(said.code, 4, "{}", said.stdout);
    assert_eq!((world.keys(), world.batch.jobs().len()), (before, 1));
    for line in [
        "clean j8cb010b0 --memory-bin 2",
        "cancel j8cb010b0 --context latest",
    ] {
        let said = caldp(&world, line);
        assert_eq!(said.code, 2, "{line}: {}", said.stdout);
    }
    let said = caldp(&world, "rescue ingested");
    assert!(
        said.stderr
            .contains("\"ingested\" is nothing that rescue takes"),
        "{}",
        said.stderr
    );
}

#[test]
fn a_context_that_crds_cannot_know_is_refused() {
    let world = World::new();
    for context in ["x", "hst_acs_0001.imap", "jwst_0100.pmap", "hst"] {
        let said = caldp(&world, &format!("submit j8cb010b0 --context {context}"));
        assert_eq!(said.code, 2, "{context}: {}", said.stdout);
        assert!(
            said.stderr.contains("no CRDS context of HST"),
            "{}",
            said.stderr
        );
        let list = format!("datasets: [j8cb010b0]\ncontext: {context}\n");
        world.put("lists/one.yaml", list);
        let said = caldp(&world, "submit s3://hst-out/lists/one.yaml");
        assert_eq!(said.code, 2, "{context}: {}", said.stdout);
    }
    assert!(world.batch.jobs().is_empty());
    for context in ["hst_0001.pmap", "latest", "hst-edit", "2018-01-21T12:46:05"] {
        caldp(
            &world,
            &format!("submit j8cb010b0 --dry-run --context {context}"),
        )
        .ended(0);
    }
}

#[test]
fn a_deployment_that_is_not_described_is_said() {
    let environment = [("JOBQUEUES", String::new())];
    let line = format!("submit j8cb010b0 --output {OUTPUT}");
    let said = Run::of(&mut command_in(&environment, &line));
    assert_eq!(said.code, 2);
    assert!(said.stderr.contains("JOBQUEUES"), "{}", said.stderr);
}

#[test]
fn moto_understands_the_commands() {
    let moto = Moto::start();
    moto.create_bucket(World::BUCKET);
    moto.create_batch(&QUEUES, &DEFINITIONS);
    let environment = moto.environment();
    let run = |line: &str| {
        let line = format!("{line} --output {OUTPUT}");
        Run::of(&mut command_in(&environment, &line))
    };
    let said = run("submit j8cb010b0 lcyid1030 --batch-name b --json");
    assert_eq!(said.ended(0).json()["submitted"], 2);
    let jobs = |queue: &str| moto.jobs(queue).len();
    assert_eq!(jobs("q2") + jobs("q8"), 2);
    run("cancel lcyid1030").ended(0);
    let messages = moto.keys(World::BUCKET, "o/messages/dataset-");
    assert_eq!(
        messages,
        [
            "o/messages/dataset-submitted/j8cb010b0",
            "o/messages/dataset-terminated/lcyid1030"
        ]
    );
    run("clean all").ended(0);
    assert_eq!(moto.keys(World::BUCKET, "o/control/"), Vec::<String>::new());
}

/// Two jobs of which nobody heard, one of them without a record at AWS Batch.
#[test]
fn what_is_stuck_is_found_and_settled() {
    let world = World::new();
    caldp(&world, "submit j8cb010b0 lcyid1030 --batch-name spring").ended(0);
    let environment = world.environment();
    let sweep = |line: &str| Run::of(&mut command_in(&environment, line));
    let young = sweep(&format!("sweep {OUTPUT}"));
    assert!(
        young.stdout.contains("2 datasets under way: 0 stuck"),
        "{}",
        young.stdout
    );
    young.ended(0);
    for job in world.batch.jobs() {
        let command = &job.request["containerOverrides"]["command"];
        let dataset = command[2].as_str().unwrap();
        let key = format!("o/control/{dataset}/attempts.json");
        let mut record = world.json(&key);
        record["attempts"][0]["claimed_at"] = "2026-03-01T00:00:00Z".into();
        world.put(&key, record.to_string());
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
    assert_eq!(dry_run.code, 3, "{}", dry_run.stderr);
    assert!(
        dry_run.stdout.contains(": 2 stuck, 0 settled"),
        "{}",
        dry_run.stdout
    );
    assert!(is(&world, "j8cb010b0", "submitted"));
    // the output is found by itself, because it is not closed
    let done: Value = sweep(&format!("sweep s3://{} --json", World::BUCKET))
        .ended(0)
        .json();
    assert_eq!(
        (&done["stuck"], &done["settled"]),
        (&2.into(), &2.into()),
        "{done}"
    );
    assert!(
        is(&world, "j8cb010b0", "error") && is(&world, "lcyid1030", "submitted"),
        "{done}"
    );
    assert_eq!(world.batch.jobs().len(), 3, "{done}");
    let misspelt = sweep("sweep no/batch");
    assert_eq!(misspelt.code, 2, "{}", misspelt.stderr);
}
