//! `crds bestrefs --headers`: one answer a line, in order, and as Python's.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;

use crate::program::{REFERENCE, cache, cache_copy, offline, run_with_input};
use caldp_tests::external_data;
use serde_json::{Value, json};

#[test]
fn headers_in_bulk_are_answered_in_order() {
    let cache = cache();
    let header = json!({"INSTRUME": "ACS", "DETECTOR": "WFC", "DATE-OBS": "2010-01-01", "TIME-OBS": "00:00:00"});
    let mut input = Vec::new();
    for line in [
        json!({"id": 1, "header": header}).to_string(),
        String::new(),
        "{\"id\": 2,".to_owned(),
        json!({"id": {"a": [3]}, "context": "hst_9000.pmap", "header": header}).to_string(),
        json!({"id": 4, "context": "hst_1.pmap", "header": header}).to_string(),
        json!({"id": 5, "header": {"INSTRUME": "FOS"}}).to_string(),
        json!({"id": 6, "path": "raw", "header": header}).to_string(),
    ] {
        writeln!(input, "{line}").unwrap();
    }
    let asked = ["bestrefs", "--headers", "-", "--types", "ccdtab", "--json"];
    let answered = run_with_input(&offline(&cache), &asked, &input);
    let lines: Vec<Value> = answered
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let file = json!({"ccdtab": {"file": REFERENCE}});
    assert_eq!(lines[0], json!({"id": 1, "bestrefs": file}));
    assert_eq!(lines[1]["id"], Value::Null);
    assert!(lines[1]["error"].as_str().unwrap().starts_with("line 3: "));
    assert_eq!(lines[2], json!({"id": {"a": [3]}, "bestrefs": file}));
    assert!(lines[3]["error"].as_str().unwrap().contains("hst_1.pmap"));
    assert!(lines[4]["error"].as_str().unwrap().contains("\"fos\""));
    assert_eq!(lines[5], json!({"id": 6, "bestrefs": file}));
    assert_eq!((lines.len(), answered.code), (6, 1));
    let first = input.split(|&b| b == b'\n').next().unwrap();
    assert_eq!(run_with_input(&offline(&cache), &asked, first).code, 0);
}

#[test]
fn withdrawn_files_are_refused_in_bulk_too() {
    let folder = tempfile::tempdir().unwrap();
    let cache = cache_copy(folder.path());
    let cache = cache.to_str().unwrap();
    let header = json!({"INSTRUME": "ACS", "DETECTOR": "WFC", "CCDAMP": "C", "CCDGAIN": "2.0",
        "DARKCORR": "PERFORM", "DATE-OBS": "2018-01-01", "TIME-OBS": "00:00:00"});
    let line = json!({"id": "x", "context": "hst_9002.pmap", "header": header}).to_string();
    let asked = ["bestrefs", "--headers", "-", "-t", "darkfile", "ccdtab"];
    let refused = run_with_input(&offline(cache), &asked, line.as_bytes());
    let answer: Value = serde_json::from_str(&refused.stdout).unwrap();
    assert_eq!(answer["withdrawn"], json!(["zz900098j_drk.fits"]));
    assert_eq!(refused.code, 1);
    assert!(
        refused
            .stderr
            .contains("line 1: zz900098j_drk.fits, which CRDS has withdrawn"),
        "{}",
        refused.stderr
    );
    let mut allowing = asked.to_vec();
    allowing.push("--allow-bad-references");
    let allowed = run_with_input(&offline(cache), &allowing, line.as_bytes());
    assert_eq!(allowed.code, 0, "{}", allowed.stderr);
    assert!(allowed.stderr.contains("WARNING"), "{}", allowed.stderr);
    // Rules are withdrawn by the name of the instrument's map or of any of its tables.
    let config = Path::new(cache).join("config/hst/server_config");
    let text = fs::read_to_string(&config).unwrap();
    let changed = text.replacen("'zz900098j_drk.fits'", "'hst_acs_biasfile_9000.rmap'", 1);
    fs::write(&config, changed).unwrap();
    let refused = run_with_input(&offline(cache), &asked, line.as_bytes());
    let answer: Value = serde_json::from_str(&refused.stdout).unwrap();
    assert_eq!(answer["withdrawn"], json!(["hst_acs_biasfile_9000.rmap"]));
    assert_eq!(refused.code, 1, "{}", refused.stderr);
}

#[test]
fn a_time_out_of_range_is_one_fault_of_all_types() {
    let cache = cache();
    let header = json!({"INSTRUME": "ACS", "DETECTOR": "WFC", "CCDAMP": "C", "CCDGAIN": "2.0",
        "DARKCORR": "PERFORM", "DATE-OBS": "2018-01-01", "TIME-OBS": "23:59:60"});
    let line = json!({"id": 1, "header": header}).to_string();
    let asked = [
        "bestrefs",
        "--headers",
        "-",
        "-t",
        "biasfile",
        "ccdtab",
        "darkfile",
    ];
    let answered = run_with_input(&offline(&cache), &asked, line.as_bytes());
    let answer: Value = serde_json::from_str(&answered.stdout).unwrap();
    for name in ["biasfile", "ccdtab", "darkfile"] {
        assert_eq!(
            answer["bestrefs"][name]["error"],
            "DATE-OBS TIME-OBS = \"2018-01-01 23:59:60\" is not a date: the second, 60, is out of range (0 to 59)",
            "{name}"
        );
    }
}

#[test]
fn headers_in_bulk_honour_or_refuse_every_option() {
    let cache = cache();
    let header = json!({"INSTRUME": "ACS", "DETECTOR": "WFC", "DATE-OBS": "2010-01-01", "TIME-OBS": "00:00:00"});
    let lines = ["a", "b", "c"].map(|id| json!({"id": id, "header": header}).to_string());
    let input = lines.join("\n");
    let asked = ["bestrefs", "--headers", "-", "-t", "ccdtab"];
    for (options, ids) in [(["--only-ids", "B"], "b"), (["--drop-ids", "A"], "bc")] {
        let all = [asked.as_slice(), &options].concat();
        let answered = run_with_input(&offline(&cache), &all, input.as_bytes());
        let ids: Vec<String> = ids
            .chars()
            .map(|id| format!("{{\"id\":\"{id}\","))
            .collect();
        assert_eq!(answered.stdout.lines().count(), ids.len());
        for (line, id) in answered.stdout.lines().zip(&ids) {
            assert!(line.starts_with(id.as_str()), "{line}");
        }
    }
    for refused in [
        ["-o", "hst_9000.pmap"].as_slice(),
        &["-c"],
        &["-u"],
        &["--print-affected"],
        &["--print-new-references"],
        &["--save-pickle", "x.json"],
    ] {
        let all = [asked.as_slice(), refused].concat();
        let answered = run_with_input(&offline(&cache), &all, input.as_bytes());
        assert_eq!(answered.code, 2, "{refused:?}: {}", answered.stderr);
    }
    // References are fetched as they are for files: here that is refused, as the cache is.
    let all = [asked.as_slice(), &["-s"]].concat();
    assert_eq!(
        run_with_input(&offline(&cache), &all, input.as_bytes()).code,
        255
    );
}

#[test]
fn real_rules_are_answered_as_python_answers_them() {
    let what = "the command line against the oracle of real rules";
    let (Some(oracle), Some(cache)) = (
        external_data("oracle/hst_bestrefs_dev.jsonl.gz", what),
        external_data("crds-cache", what),
    ) else {
        return;
    };
    let mut text = String::new();
    let file = fs::File::open(oracle).unwrap();
    flate2::read::GzDecoder::new(file)
        .read_to_string(&mut text)
        .unwrap();
    // The oracle's lines are what the command reads; it ignores the answers on them.
    // Some of its references were withdrawn since.
    let mut settings = offline(cache.to_str().unwrap());
    settings.push(("CRDS_ALLOW_BAD_REFERENCES", "1"));
    settings.push(("CRDS_ALLOW_BAD_RULES", "1"));
    let asked = ["bestrefs", "--headers", "-", "--json"];
    let answered = run_with_input(&settings, &asked, text.as_bytes());
    assert_eq!(answered.code, 0, "{}", answered.stderr);
    assert_eq!(answered.stdout.lines().count(), text.lines().count());
    for (asked, answer) in text.lines().zip(answered.stdout.lines()) {
        let asked: Value = serde_json::from_str(asked).unwrap();
        let answer: Value = serde_json::from_str(answer).unwrap();
        assert_eq!(asked["id"], answer["id"]);
        let Some(wanted) = asked["bestrefs"].as_object() else {
            assert!(answer["error"].is_string(), "{answer}");
            continue;
        };
        let given = answer["bestrefs"].as_object().unwrap();
        let id = &asked["id"];
        assert_eq!(given.len(), wanted.len(), "{id}");
        for (name, wanted) in wanted {
            let class = match wanted.as_str() {
                None => "ambiguous".to_owned(),
                Some("NOT FOUND n/a") => "na".to_owned(),
                Some("NOT FOUND No match found.") => "no_match".to_owned(),
                Some(text) if text.starts_with("NOT FOUND") => "error".to_owned(),
                Some(file) => format!("file {file}"),
            };
            let (key, value) = given[name].as_object().unwrap().iter().next().unwrap();
            let found = match (key.as_str(), value.as_str()) {
                ("file", Some(file)) => format!("file {file}"),
                (key, _) => key.to_owned(),
            };
            assert_eq!(found, class, "{id} {name}");
        }
    }
}
