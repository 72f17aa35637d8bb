//! `caldp status` and `caldp explain`: the built binary against outputs on disk and on S3.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use caldp_core::layout::Layout;
use caldp_core::state::State;
use caldp_tests::{Fault, Faults, Run, S3Server};
use serde_json::{Value, json};

use crate::CALDP;

pub(crate) const BUCKET: &str = "hst-out";

/// The files of an output by their keys: twelve datasets in all states.
pub(crate) fn output(layout: Layout) -> Vec<(String, Vec<u8>)> {
    let mut files = vec![];
    let states = State::ALL.into_iter().cycle().take(12).enumerate();
    for (number, state) in states {
        let dataset = format!("j8cb01{number:02}0").parse().unwrap();
        let body = match state {
            State::Error => "it broke".to_owned(),
            _ => String::new(),
        };
        files.push((layout.message(state, &dataset), body.into_bytes()));
        let failed = matches!(state, State::Error | State::Terminated);
        // one failure is known only by its message
        if number != 11 {
            let record = record(dataset.name(), failed, number);
            files.push((layout.attempts(&dataset), record.to_string().into_bytes()));
        }
    }
    files
}

fn record(dataset: &str, failed: bool, number: usize) -> Value {
    let (result, code) = if failed {
        (json!({"failed": "other"}), 23)
    } else {
        (json!("succeeded"), 0)
    };
    json!({"dataset": dataset, "terminated": false, "settings": {"layout": "tree", "why": "DARKFILE a -> b"},
        "attempts": [{"number": 1, "reason": "batch", "origin": "o", "rung": number % 4, "timeout_seconds": 3600,
            "job_name": "n", "job_id": "11111111-2222-3333-4444-555555555555", "claimed_at": "2026-03-01T00:00:00Z",
            "outcome": {"result": result, "explanation": "what was <seen>", "exit_code": code,
                "ran_seconds": 3600, "at": "2026-03-01T01:00:00Z"}}]})
}

fn write(directory: &Path, files: &[(String, Vec<u8>)]) {
    for (key, body) in files {
        let path = directory.join(key);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, body).unwrap();
    }
}

pub(crate) fn caldp(environment: &[(&'static str, String)], arguments: &[&str]) -> Run {
    let mut command = Command::new(CALDP);
    command.args(arguments).env_clear();
    Run::of(command.envs(environment.iter().map(|(name, value)| (name, value))))
}

#[test]
fn counts_failures_and_cost_are_right_on_disk_in_both_layouts() {
    for layout in Layout::ALL {
        let directory = tempfile::tempdir().unwrap();
        write(directory.path(), &output(layout));
        let place = format!("file:{}", directory.path().display());
        let arguments = [
            "status",
            &place,
            "--layout",
            layout.name(),
            "--json",
            "--failed",
        ];
        // the second time from what is remembered
        for _ in 0..2 {
            let output = caldp(&[], &arguments);
            assert_eq!(output.code, 3, "{output:?}");
            let seen = output.json();
            assert_eq!(seen["datasets"], 12);
            assert_eq!(
                seen["states"],
                json!({"submitted": 2, "processing": 2, "processed": 2, "error": 2,
                "syncing": 1, "synced": 1, "archived": 1, "terminated": 1})
            );
            let failures = seen["failures"].as_array().unwrap();
            let counts: Vec<_> = failures
                .iter()
                .map(|f| f["datasets"].as_u64().unwrap())
                .collect();
            assert_eq!(counts, [2, 1]);
            assert_eq!(seen["failed"].as_array().unwrap().len(), 3);
            // eleven hours: three of each of the first three bins, two of the last
            let cost = seen["cost_so_far"].as_f64().unwrap();
            assert!(
                (cost - (3.0 * (0.0385 + 0.086 + 0.113) + 2.0 * 0.452)).abs() < 1e-9,
                "{cost}"
            );
            assert_eq!(seen["currency"], "USD");
        }
        assert!(directory.path().join("blackboard/status.json").is_file());
    }
}

#[test]
fn what_is_remembered_is_not_read_again_and_is_never_needed() {
    let server = S3Server::start(&[BUCKET]);
    for (key, body) in output(Layout::Tree) {
        server.put(BUCKET, &format!("o/{key}"), body);
    }
    let environment = server.environment();
    let look = || caldp(&environment, &["status", "s3://hst-out/o", "--json"]).json();
    let first = look();
    server.reset_counts();
    let second = look();
    assert_eq!(first["states"], second["states"]);
    // what is remembered, and the records of the five datasets under way
    assert_eq!(server.count("GetObject"), 6, "{:?}", server.requests());
    server.put(
        BUCKET,
        "o/blackboard/status.json",
        b"{\"datasets\": 7}".to_vec(),
    );
    assert_eq!(look()["states"], first["states"]);

    let failed = caldp(&environment, &["status", "s3://hst-out/o", "--failed"]);
    let failed = failed.stdout;
    let rescue = "caldp rescue j8cb01030 --output=s3://hst-out/o\n";
    assert!(failed.contains(rescue), "{failed}");
    let explain = ["explain", "j8cb01030", "--output", "s3://hst-out/o"];
    let explained = caldp(&environment, &explain).stdout;
    assert!(explained.contains(rescue), "{explained}");
}

#[test]
fn a_person_sees_one_screen_and_nothing_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let place = format!("file:{}", directory.path().display());
    let nothing = caldp(&[], &["status", &place]);
    assert_eq!(nothing.code, 1);
    assert!(nothing.stdout.is_empty());
    assert!(nothing.stderr.contains("there are no datasets in"));

    write(directory.path(), &output(Layout::Tree));
    let seen = caldp(&[], &["status", &place]);
    let text = seen.stdout;
    for words in [
        "12 datasets",
        "error",
        "exit code 23",
        "cost so far",
        "USD",
        "--failed",
    ] {
        assert!(text.contains(words), "{words} is not in {text}");
    }
    assert!(
        !text.contains('\u{1b}'),
        "colours where there is no terminal: {text}"
    );
    // what ran here was not submitted, so there is no request to paste
    let failed = caldp(&[], &["status", &place, "--failed"]).stdout;
    assert!(
        failed.contains("j8cb01030") && !failed.contains("caldp rescue"),
        "{failed}"
    );
}

#[test]
fn a_dataset_is_explained() {
    let directory = tempfile::tempdir().unwrap();
    let place = format!("file:{}", directory.path().display());
    write(directory.path(), &output(Layout::Tree));
    let explain = |dataset: &str| caldp(&[], &["explain", dataset, "--output", &place]);

    let failed = explain("j8cb01030");
    assert_eq!(failed.code, 4);
    let text = failed.stdout;
    for words in [
        "j8cb01030: error",
        "because DARKFILE a -> b",
        "attempt 1: 64 GiB",
        "after 1 h 0 min",
        "exit code 23",
        "what was <seen>",
        "read the program's last lines",
        "results: ",
    ] {
        assert!(text.contains(words), "{words} is not in {text}");
    }
    let by_message = explain("j8cb01110").stdout;
    assert!(by_message.contains("it broke"), "{by_message}");
    assert_eq!(explain("j8cb01020").code, 0);
    assert_eq!(explain("j8cb01010").code, 3);
    let unknown = explain("j8cb01990");
    assert_eq!(unknown.code, 1);
    assert!(unknown.stderr.contains("nothing is known of j8cb01990"));
}

#[test]
fn a_watch_outlives_a_server_that_fails_for_a_while() {
    let s3 = S3Server::start(&[BUCKET]);
    let dataset = "j8cb010b0".parse().unwrap();
    let message = |state| format!("o/{}", Layout::Tree.message(state, &dataset));
    s3.put(BUCKET, &message(State::Submitted), "");
    let mut watch = Command::new(CALDP)
        .args(["status", "s3://hst-out/o", "--watch", "1", "--json"])
        .env_clear()
        .envs(s3.environment())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut looks = BufReader::new(watch.stdout.take().unwrap()).lines();
    let mut said = BufReader::new(watch.stderr.take().unwrap()).lines();
    let under_way: Value = serde_json::from_str(&looks.next().unwrap().unwrap()).unwrap();
    assert_eq!(under_way["under_way"], true, "{under_way}");
    s3.set_faults(Faults::always(Fault::AccessDenied));
    let trouble = said.next().unwrap().unwrap();
    assert!(trouble.starts_with("caldp: "), "{trouble}");
    s3.put(BUCKET, &message(State::Processed), "");
    s3.remove(BUCKET, &message(State::Submitted));
    s3.set_faults(None);
    assert!(watch.wait().unwrap().success());
    let last: Value = serde_json::from_str(&looks.last().unwrap().unwrap()).unwrap();
    assert_eq!(last["states"]["processed"], 1, "{last}");
}
