//! `caldp estimate` and `caldp learn`, as people and scripts call them.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use caldp_tests::{Run, S3Server, fixtures, unpack_fixture};

use crate::CALDP;

fn caldp(directory: &Path, arguments: &[&str]) -> Run {
    let mut command = Command::new(CALDP);
    Run::of(command.args(arguments).current_dir(directory).env_clear())
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
    let lines: Vec<serde_json::Value> = output
        .ended(0)
        .stdout
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
    let said = caldp(directory.path(), &["estimate", "jcnw14060", "octka6010"])
        .ended(0)
        .stdout;
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
    assert_eq!(output.code, 1);
    assert_eq!(output.stdout.lines().count(), 2);
    let said = output.stderr;
    assert!(said.contains("f.csv:2: \"nonsense\""), "{said}");
    assert!(
        said.contains("f.csv:3: jcnw14060: n_files cannot be true; estimated from its name"),
        "{said}"
    );
    fs::write(directory.path().join("g.csv"), "name\n1\n").unwrap();
    let refused = caldp(directory.path(), &["estimate", "--features", "g.csv"]);
    assert!(
        refused
            .stderr
            .contains("no column \"dataset\"\nhint: a table is CSV"),
        "{refused:?}"
    );
    let absent = caldp(directory.path(), &["learn", "none.csv"]).stderr;
    assert!(
        absent.contains("cannot read none.csv: No such file"),
        "{absent}"
    );
    assert!(absent.contains("\nhint: check the path"), "{absent}");
    fs::write(directory.path().join("h.csv"), HEAD).unwrap();
    let empty = caldp(directory.path(), &["estimate", "--features", "h.csv"]);
    assert_eq!(empty.code, 1);
    let said = empty.stderr;
    assert!(said.contains("there are no datasets in h.csv"), "{said}");
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
    let learnt = caldp(here, &["learn", "runs.csv", "--install=file:bucket"]).ended(0);
    let said = &learnt.stdout;
    assert!(
        said.starts_with("40 runs, 1 left out\nthe model in use: cost 1.000"),
        "{said}"
    );
    assert!(said.contains("on proposals they have not seen: "), "{said}");
    assert!(
        learnt
            .stderr
            .contains("runs.csv:42: \"o99ka6010\": n_files cannot be true")
    );
    let model = "bucket/control/resources.json";
    let said = caldp(here, &["estimate", "o00ka6020", "--model", model])
        .ended(0)
        .stdout;
    assert!(said.contains("40 measured runs (40 proposals)"), "{said}");
    let said = caldp(here, &["estimate", "jcnw14060", "--model", model])
        .ended(0)
        .stdout;
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
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(
        refused
            .stderr
            .contains("the new model is not installed: it costs"),
        "{refused:?}"
    );
    assert!(!here.join("bucket/control/resources.json").exists());
    caldp(here, &["learn", "runs.csv", "--output", "model.json"]).ended(0);
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
    let learnt = caldp(here, &["learn", "out", "--output", "model.json"]).ended(0);
    assert!(
        learnt.stdout.starts_with("5 runs, 1 left out\n"),
        "{learnt:?}"
    );
    let said = caldp(here, &["estimate", "lbgu17010", "--model", "model.json"])
        .ended(0)
        .stdout;
    assert!(said.contains("5 measured runs"), "{said}");
    let nothing = caldp(here, &["learn", "out/logs/cos/lbgu07010"]);
    assert!(
        nothing.stderr.contains("nothing to learn from"),
        "{nothing:?}"
    );
}

/// Raw files on S3 as datasets have them there: loose ones, one of them large, and an archive.
fn raw_files_on_s3() -> S3Server {
    let s3 = S3Server::start(&["hst-in", "hst-out"]);
    let folder = tempfile::tempdir().unwrap();
    unpack_fixture("j8cb010b0", folder.path());
    for entry in fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let mut content = fs::read(entry.path()).unwrap();
        if name == "j8cb01u2q_raw.fits" {
            content.resize(30_000_000, 0);
        }
        s3.put("hst-in", &format!("raw/{name}"), content);
    }
    let archive = fs::read(fixtures().join("raw/j8cb02u4q.tar.gz")).unwrap();
    s3.put("hst-in", "raw/j8cb02u4q.tar.gz", archive);
    s3
}

fn on_s3(s3: &S3Server, arguments: &[&str]) -> Run {
    let mut command = Command::new(CALDP);
    Run::of(command.args(arguments).env_clear().envs(s3.environment()))
}

#[test]
fn raw_files_say_what_datasets_need_by_their_first_blocks() {
    let s3 = raw_files_on_s3();
    let names = ["estimate", "j8cb010b0", "j8cb02u4q", "j8zz010b0"];
    let from_names = on_s3(&s3, &names).ended(0).stdout;
    s3.reset_counts();
    let output = on_s3(
        &s3,
        &[&names[..], &["--inputs", "s3://hst-in/raw"]].concat(),
    );
    let output = output.ended(0);
    let said = &output.stdout;
    // One listing for each; the association table and the first block of a raw file; the archive.
    assert_eq!(s3.count("ListObjectsV2"), 3, "{:?}", s3.requests());
    assert_eq!(s3.count("GetObject"), 3, "{:?}", s3.requests());
    assert_ne!(*said, from_names);
    assert_eq!(
        from_names
            .matches("the size of its inputs is not known")
            .count(),
        3
    );
    assert_eq!(
        said.matches("the size of its inputs is not known").count(),
        1,
        "{said}"
    );
    assert!(said.contains("large detector"), "{said}");
    let told = output.stderr;
    assert!(
        told.contains("j8zz010b0: neither j8zz010b0.tar.gz nor raw files are there; estimated without its inputs"),
        "{told}"
    );
}

#[test]
fn an_order_is_estimated_by_its_raw_files_where_they_are_known() {
    let s3 = raw_files_on_s3();
    let read = || -> u64 {
        let reads = s3.reads().into_iter();
        reads
            .filter(|(key, _)| key.starts_with("hst-in/"))
            .map(|(_, count)| count)
            .sum()
    };
    let forecast = |more: &[&str]| {
        let before = read();
        let words = "submit j8cb010b0 j8cb02u4q --output s3://hst-out/data/x --dry-run --json";
        let mut command = Command::new(CALDP);
        command
            .args(words.split(' '))
            .args(more)
            .env_clear()
            .envs(s3.environment());
        for name in ["JOBQUEUES", "JOBDEFINITIONS"] {
            command.env(name, "a,b,c,d");
        }
        (Run::of(&mut command).ended(0).stdout, read() - before)
    };
    let (from_names, read) = forecast(&[]);
    assert_eq!(read, 0, "nobody said where they are");
    let (from_inputs, read) = forecast(&["--inputs", "s3://hst-in/raw"]);
    assert_eq!(read, 3);
    assert_ne!(from_names, from_inputs);
    // Those of the output itself are found without being named.
    let archive = fs::read(fixtures().join("raw/j8cb02u4q.tar.gz")).unwrap();
    s3.put("hst-out", "data/x/inputs/j8cb02u4q.tar.gz", archive);
    let (found, read) = forecast(&[]);
    assert_eq!(read, 0);
    assert_ne!(from_names, found);
    assert_eq!(
        s3.reads().get("hst-out/data/x/inputs/j8cb02u4q.tar.gz"),
        Some(&1)
    );
}
