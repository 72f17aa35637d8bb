//! Plans between real contexts, beside what Python CRDS answered.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use caldp_tests::Run;
use caldp_tests::external_data;
use serde_json::{Value, json};

use super::{CHANGES, PlanDirectory, lines};
use crate::CALDP;

/// A value of the oracle as a file, nothing, or a failure.
fn class(value: Option<&Value>) -> Result<Option<&str>, ()> {
    match value.map(Value::as_str) {
        None | Some(Some("NOT FOUND n/a" | "NOT FOUND No match found.")) => Ok(None),
        Some(Some(text)) if !text.starts_with("NOT FOUND") => Ok(Some(text)),
        Some(_) => Err(()),
    }
}

/// What Python CRDS answered for real headers, asked again between every two real contexts: each old
/// answer that is on record is the old side of the plan, in one direction and its reverse.
#[test]
fn old_and_new_sides_are_what_python_crds_answered() {
    let Some(cache) = external_data("crds-cache", "plans between real contexts") else {
        return;
    };
    for (oracle, contexts) in [
        (
            "hst",
            &["hst_0052.pmap", "hst_0462.pmap", "hst_0729.pmap"][..],
        ),
        ("roman", &["roman_0004.pmap", "roman_0005.pmap"]),
    ] {
        let path = cache.join(format!("../oracle/{oracle}_bestrefs_dev.jsonl.gz"));
        let lines = records(&path);
        let directory = PlanDirectory::new();
        for old in contexts {
            for new in contexts.iter().filter(|new| new != &old) {
                compare(&directory, &cache, &lines, old, new);
            }
        }
    }
}

pub(super) fn records(path: &Path) -> Vec<Value> {
    let file = flate2::read::GzDecoder::new(fs::File::open(path).unwrap());
    let text = std::io::read_to_string(file).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    lines.collect()
}

fn compare(directory: &PlanDirectory, cache: &Path, records: &[Value], old: &str, new: &str) {
    let mut text = String::new();
    for (number, record) in records.iter().enumerate() {
        let line = json!({"id": number, "path": record["path"], "header": record["header"]});
        writeln!(text, "{line}").unwrap();
    }
    directory.write("headers.jsonl", &text);
    let output = Run::of(
        Command::new(CALDP)
            .args(["plan", "--from=headers.jsonl", "--json", "--all-types"])
            .args(["--old-context", old, "--new-context", new])
            .current_dir(directory.path())
            .env_clear()
            .env("CRDS_PATH", cache)
            .env("CRDS_READONLY_CACHE", "1")
            .env("CRDS_SERVER_URL", "https://crds-serverless-mode.stsci.edu"),
    );
    assert_eq!(output.code, CHANGES, "{old} {new}");
    let (found, summary) = lines(&output);
    assert_eq!(summary["asked"].as_u64(), Some(records.len() as u64));
    let found: BTreeMap<u64, Value> = found
        .into_iter()
        .map(|line| (line["id"].as_u64().unwrap(), line))
        .collect();
    let mut checked = 0;
    for (number, record) in (0..).zip(records) {
        let side = if record["context"] == old {
            "old"
        } else if record["context"] == new {
            "new"
        } else {
            continue;
        };
        let none = json!({});
        let found = found.get(&number).unwrap_or(&none);
        let Some(answers) = record["bestrefs"].as_object() else {
            assert!(found["unknown"].is_string(), "{number}: {record}");
            continue;
        };
        let changed = found["changes"].as_array().into_iter().flatten();
        for change in changed.filter(|change| change["note"] != "withdrawn") {
            let name = change["type"].as_str().unwrap();
            let expected = class(answers.get(name)).unwrap().unwrap_or("N/A");
            assert_eq!(
                change[side], expected,
                "{number} {name} {side} of {old} {new}"
            );
            checked += 1;
        }
        // what fails on this side is said to fail on this side, and nothing else is
        let errors = found["errors"].as_array().into_iter().flatten();
        let errors: BTreeSet<&str> = errors
            .filter(|error| error["rules"] == side)
            .map(|error| error["type"].as_str().unwrap())
            .collect();
        let failing: BTreeSet<&str> = answers
            .iter()
            .filter(|(_, value)| class(Some(value)).is_err())
            .map(|(name, _)| name.as_str())
            .collect();
        if found["unknown"].is_null() {
            assert_eq!(errors, failing, "{number} {side} of {old} {new}");
        }
    }
    assert!(checked > 0, "{old} {new}");
}
