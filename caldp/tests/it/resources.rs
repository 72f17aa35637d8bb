//! `caldp estimate` and `caldp learn`, as people and scripts call them.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn caldp(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_caldp"))
        .args(arguments)
        .current_dir(directory)
        .env_clear()
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

const HEAD: &str = "dataset,n_files,total_mb,drizcorr,pctecorr,crsplit,subarray,large_detector";

#[test]
fn an_estimate_is_one_json_object_a_line() {
    let directory = tempfile::tempdir().unwrap();
    let table = format!(
        "{HEAD},memory_gb,wallclock_s\n\
         jcnw14060,5,69,PERFORM,PERFORM,1,0,1,2.80485,5217\nieib04ylq,2,9,PERFORM,OMIT,1,1,1,0.85,111\n"
    );
    fs::write(directory.path().join("runs.csv"), table).unwrap();
    let output = caldp(
        directory.path(),
        &["estimate", "--features", "runs.csv", "--json"],
    );
    let lines: Vec<serde_json::Value> = stdout(&output)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2);
    let names: Vec<&String> = lines[0].as_object().unwrap().keys().collect();
    assert_eq!(
        names,
        [
            "dataset",
            "memory_bin",
            "timeout_seconds",
            "expected_seconds",
            "expected_peak_gb"
        ]
    );
    assert_eq!(lines[0]["dataset"], "jcnw14060");
    assert_eq!(lines[0]["memory_bin"], 1);
    assert_eq!(lines[1]["memory_bin"], 0);
    assert!(lines[0]["timeout_seconds"].as_u64().unwrap() > 2 * 5217);
    let peak = lines[0]["expected_peak_gb"].as_f64().unwrap();
    assert!((2.5..3.2).contains(&peak), "{peak}");
}

#[test]
fn an_estimate_says_what_it_rests_on() {
    let directory = tempfile::tempdir().unwrap();
    let said = stdout(&caldp(
        directory.path(),
        &["estimate", "jcnw14060", "octka6010"],
    ));
    assert!(
        said.starts_with("jcnw14060: memory bin 1 (8 GiB), stopped after 48 h"),
        "{said}"
    );
    assert!(
        said.contains("the size of its inputs is not known"),
        "{said}"
    );
    assert!(said.contains("limits are wide"), "{said}");
}

#[test]
fn what_a_table_says_wrongly_is_told_and_counts_as_unknown() {
    let directory = tempfile::tempdir().unwrap();
    let table = format!("{HEAD}\nnonsense,1,1,,,,,\njcnw14060,1e9,1,,,,,\nieib04ylq,2,9,,,,,\n");
    fs::write(directory.path().join("f.csv"), table).unwrap();
    let output = caldp(
        directory.path(),
        &["estimate", "--features", "f.csv", "--json"],
    );
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 2);
    let said = stderr(&output);
    assert!(said.contains("f.csv:2: \"nonsense\""), "{said}");
    assert!(
        said.contains("f.csv:3: jcnw14060: n_files cannot be true; estimated from its name"),
        "{said}"
    );
    fs::write(directory.path().join("g.csv"), "name\n1\n").unwrap();
    let refused = caldp(directory.path(), &["estimate", "--features", "g.csv"]);
    assert!(
        stderr(&refused).contains("no column \"dataset\"\nhint: a table is CSV"),
        "{refused:?}"
    );
}

/// Forty runs of STIS, each with another peak and time.
fn stis(peak: fn(u32) -> f64) -> String {
    let mut table = format!("{HEAD},memory_gb,wallclock_s,vcpus\n");
    for i in 0..40 {
        let seconds = 30 + i;
        writeln!(table, "o{i:02}ka6010,2,20,,,1,,,{},{seconds},1", peak(i)).unwrap();
    }
    table
}

#[test]
fn a_model_is_learnt_installed_and_used() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let table = stis(|i| 0.4 + f64::from(i) / 1000.0) + "o99ka6010,-1,20,,,1,,,1,1,1\n";
    fs::write(here.join("runs.csv"), table).unwrap();
    let learnt = caldp(here, &["learn", "runs.csv", "--install=file:bucket"]);
    let said = stdout(&learnt);
    assert!(
        said.starts_with("40 runs, 1 left out\nthe model in use: cost 1.000"),
        "{said}"
    );
    assert!(said.contains("on proposals they have not seen: "), "{said}");
    assert!(stderr(&learnt).contains("runs.csv:42: \"o99ka6010\": n_files cannot be true"));
    let model = "bucket/control/resources.json";
    let said = stdout(&caldp(here, &["estimate", "o00ka6020", "--model", model]));
    assert!(said.contains("40 measured runs (40 proposals)"), "{said}");
    let said = stdout(&caldp(here, &["estimate", "jcnw14060", "--model", model]));
    assert!(
        said.contains("463 measured runs"),
        "what was not measured again stays: {said}"
    );
}

#[test]
fn a_model_that_does_worse_is_not_installed() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let table = stis(|i| if i % 5 == 0 { 1.83 } else { 0.4 });
    fs::write(here.join("runs.csv"), table).unwrap();
    let refused = caldp(here, &["learn", "runs.csv", "--install=file:bucket"]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(
        stderr(&refused).contains("the new model is not installed: it costs"),
        "{refused:?}"
    );
    assert!(!here.join("bucket/control/resources.json").exists());
    stdout(&caldp(
        here,
        &["learn", "runs.csv", "--output", "model.json"],
    ));
    assert!(here.join("model.json").exists());
}

#[test]
fn records_of_finished_runs_are_learnt_from() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    for i in 0..6 {
        let dataset = format!("lbgu{i}7010");
        let logs = here.join(format!("out/logs/cos/{dataset}"));
        fs::create_dir_all(&logs).unwrap();
        let record = serde_json::json!({
            "dataset": dataset, "state": if i == 0 { "error" } else { "processed" },
            "inputs": [{"name": "a", "size": 9_000_000}, {"name": "b", "size": 1_000_000}],
            "needs": {"wall_seconds": 200.0 + f64::from(i), "container_peak_kib": 1_500_000, "vcpus": 2.0},
        });
        fs::write(logs.join("provenance.json"), record.to_string()).unwrap();
    }
    let learnt = caldp(here, &["learn", "out", "--output", "model.json"]);
    assert!(
        stdout(&learnt).starts_with("5 runs, 1 left out\n"),
        "{learnt:?}"
    );
    let said = stdout(&caldp(
        here,
        &["estimate", "lbgu17010", "--model", "model.json"],
    ));
    assert!(said.contains("5 measured runs"), "{said}");
    let nothing = caldp(here, &["learn", "out/logs/cos/lbgu07010"]);
    assert!(
        stderr(&nothing).contains("nothing to learn from"),
        "{nothing:?}"
    );
}
