//! `caldp plan`, as operators call it: from every source, between the bundled contexts and the real
//! ones.

mod figures;
mod judged;
mod oracle;
mod outputs;
mod server;
mod tables;

use std::fs;
use std::path::Path;
use std::process::Command;

use caldp_tests::{Run, fixtures, unpack_fixture};
use serde_json::{Value, json};

use crate::CALDP;

const NOTHING: i32 = 0;
const CHANGES: i32 = 3;
const UNKNOWN: i32 = 4;

/// A directory with a cache of the bundled rules.
struct PlanDirectory(tempfile::TempDir);

impl PlanDirectory {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn plan(&self, words: &[&str]) -> Run {
        Run::of(&mut self.command(words))
    }

    fn command(&self, words: &[&str]) -> Command {
        let published = fixtures().join("crds");
        let uri = |part: &str| format!("{}/{part}/hst", published.display());
        let mut command = Command::new(CALDP);
        command
            .arg("plan")
            .args(words)
            .current_dir(self.path())
            .env_clear()
            .env("CRDS_PATH", self.path().join("cache"))
            .env("CRDS_CONFIG_URI", uri("config"))
            .env("CRDS_MAPPING_URI", uri("mappings"));
        command
    }

    /// The lines of `--json`, the summary apart.
    fn json(&self, words: &[&str], status: i32) -> (Vec<Value>, Value) {
        lines(&self.plan(&[words, &["--json"]].concat()).ended(status))
    }
}

fn lines(run: &Run) -> (Vec<Value>, Value) {
    let mut lines = run.json_lines();
    let mut last = lines.pop().unwrap();
    (lines, last["summary"].take())
}

/// A header of ACS that the bundled rules have dark files for.
fn header(date: &str) -> Value {
    json!({"INSTRUME": "ACS", "DETECTOR": "WFC", "CCDAMP": "C", "CCDGAIN": 2.0, "DATE-OBS": date,
        "TIME-OBS": "00:00:00", "DARKCORR": "PERFORM", "DRIZCORR": "PERFORM", "BIASCORR": "OMIT", "FLATCORR": "OMIT"})
}

fn line(id: &str, header: &Value) -> String {
    format!("{}\n", json!({"id": id, "header": header}))
}

const OLD: &str = "--old-context=hst_9000.pmap";
const NEW: &str = "--new-context=hst_9001.pmap";

#[test]
fn lines_of_headers_give_the_datasets_whose_dark_file_changes() {
    let directory = PlanDirectory::new();
    let mut text = line("j8cb010b0:j8cb01u2q", &header("2017-01-15"));
    text += &line("j8cb010b0:j8cb01u3q", &header("2017-01-15"));
    text += &line("j8cb02u4q", &header("2016-01-15"));
    let mut off = header("2017-01-15");
    off["DARKCORR"] = json!("OMIT");
    text += &line("j8cb03u4q", &off);
    directory.write("headers.jsonl", &text);
    let ask = ["--from=headers.jsonl", OLD, NEW, "--ids=list.ids"];
    let (found, summary) = directory.json(&ask, CHANGES);
    assert_eq!(found.len(), 2, "one a header: {found:?}");
    assert_eq!(found[0]["dataset"], "j8cb010b0");
    assert_eq!(
        found[0]["changes"],
        json!([{"type": "darkfile", "old": "zz900097j_drk.fits", "new": "zz900006j_drk.fits", "counts": true}])
    );
    assert_eq!(
        (&summary["asked"], &summary["affected"]),
        (&json!(4), &json!(1))
    );
    assert!(summary["expected_cost"].as_f64() > Some(0.0), "{summary}");
    let list = fs::read_to_string(directory.path().join("list.ids")).unwrap();
    assert_eq!(
        list.lines().skip(1).collect::<Vec<_>>(),
        ["j8cb010b0 # DARKFILE zz900097j_drk.fits -> zz900006j_drk.fits"]
    );

    let words = directory.plan(&ask).stdout;
    for part in [
        "1 affected",
        "darkfile",
        "zz900097j_drk.fits -> zz900006j_drk.fits",
        "expected: ",
    ] {
        assert!(words.contains(part), "{part} in {words}");
    }
    for narrowed in [
        "--types=biasfile",
        "--instrument=cos",
        "--since=2017-02-01",
        "--new-context=hst_9000.pmap",
    ] {
        let mut ask = vec!["--from=headers.jsonl", OLD, narrowed];
        if !narrowed.starts_with("--new") {
            ask.push(NEW);
        }
        let (found, _) = directory.json(&ask, NOTHING);
        assert_eq!(found, Vec::<Value>::new(), "{narrowed}");
    }
}

#[test]
fn what_cannot_be_told_is_listed_and_never_counts_as_unchanged() {
    let directory = PlanDirectory::new();
    let text = line("j8cb02u4q", &json!({"DETECTOR": "WFC"}))
        + "no json\n"
        + &line("j8cb03u4q", &header("nonsense"));
    directory.write("headers.jsonl", &text);
    let (found, summary) = directory.json(&["--from=headers.jsonl", OLD, NEW], UNKNOWN);
    assert!(
        found[0]["unknown"].as_str().unwrap().contains("INSTRUME"),
        "{found:?}"
    );
    assert!(
        found[1]["unknown"].as_str().unwrap().contains("line 2"),
        "{found:?}"
    );
    assert_eq!(found[2]["errors"][0]["rules"], "old");
    assert_eq!(
        (&summary["unknown"], &summary["errors"]),
        (&json!(2), &json!(1))
    );
    directory.write("own.jsonl", &line("j8cb02u4q", &header("2017-01-15")));
    let (found, _) = directory.json(&["--from=own.jsonl", NEW], UNKNOWN);
    assert!(
        found[0]["unknown"]
            .as_str()
            .unwrap()
            .contains("which context"),
        "{found:?}"
    );
}

#[test]
fn a_withdrawn_file_and_a_limit_of_the_cost() {
    let directory = PlanDirectory::new();
    let mut text = String::new();
    for n in 0..5 {
        text += &line(&format!("j8cb0{n}u4q"), &header("2017-03-15"));
    }
    directory.write("headers.jsonl", &text);
    let ask = ["--from=headers.jsonl", "--old-context=hst_9002.pmap"];
    let back = [&ask[..], &["--new-context=hst_9001.pmap"]].concat();
    let (found, summary) = directory.json(&back, CHANGES);
    assert_eq!(found[0]["changes"][0]["note"], "withdrawn");
    let one = summary["expected_cost"].as_f64().unwrap() / 5.0;
    let limit = format!("--limit-cost={}", one * 2.5);
    let (_, summary) = directory.json(&[&back[..], &[&limit]].concat(), CHANGES);
    assert_eq!(
        (
            &summary["affected"],
            &summary["listed"],
            &summary["beyond_limit_cost"]
        ),
        (&json!(5), &json!(2), &json!(3))
    );
    let same = [&ask[..], &["--new-context=hst_9002.pmap"]].concat();
    let (found, _) = directory.json(&same, CHANGES);
    assert_eq!(
        found[0]["changes"][0]["note"], "withdrawn",
        "the rules still choose it"
    );
}

#[test]
fn a_source_without_datasets_is_no_answer() {
    let directory = PlanDirectory::new();
    directory.write("empty.jsonl", "\n");
    fs::create_dir(directory.path().join("nothing")).unwrap();
    for from in ["--from=empty.jsonl", "--from=nothing"] {
        let output = directory.plan(&[from, OLD, NEW, "--ids=list.ids"]);
        assert_eq!(output.code, 1, "{output:?}");
        let said = &output.stderr;
        assert!(said.contains("there are no datasets in"), "{said}");
    }
    assert!(!directory.path().join("list.ids").exists());
}

#[test]
fn costs_are_by_the_prices_of_the_deployment() {
    let directory = PlanDirectory::new();
    directory.write(
        "headers.jsonl",
        &line("j8cb010b0:j8cb01u2q", &header("2017-01-15")),
    );
    let ask = |prices: &str, status| {
        let words = ["--from=headers.jsonl", OLD, NEW, "--json"];
        let mut command = directory.command(&words);
        let output = Run::of(command.env("CALDP_HOURLY_PRICES", prices));
        assert_eq!(output.code, status, "{output:?}");
        output
    };
    let cost = |prices: &str| {
        let (found, summary) = lines(&ask(prices, CHANGES));
        assert!(summary["hourly_prices"].is_array(), "{summary}");
        found[0]["expected_cost"].as_f64().unwrap()
    };
    // Where the variable is empty, those of the documentation of infra/.
    let usual = cost("");
    let dear = cost("38.5,86,113,452");
    assert!((dear / usual - 1000.0).abs() < 5.0, "{dear} {usual}");
    let refused = ask("1,2", 1);
    let said = &refused.stderr;
    assert!(said.contains("CALDP_HOURLY_PRICES"), "{said}");
}

#[test]
fn fits_files_of_a_directory_are_read() {
    let directory = PlanDirectory::new();
    let raw = directory.path().join("raw");
    fs::create_dir(&raw).unwrap();
    unpack_fixture("j8cb010b0", &raw);
    let (_, summary) = directory.json(
        &["--from=raw", OLD, OLD.replace("old", "new").as_str()],
        NOTHING,
    );
    assert!(summary["asked"].as_u64() > Some(1), "{summary}");
    fs::write(raw.join("j8cb01zzq_raw.fits"), "no FITS").unwrap();
    let (found, summary) = directory.json(&["--from=raw", OLD, NEW], CHANGES);
    assert_eq!(found[0]["dataset"], "j8cb010b0", "its association");
    assert_eq!(
        (&summary["affected"], &summary["unknown"]),
        (&json!(1), &json!(1))
    );
    let unknown = found.last().unwrap()["unknown"].as_str().unwrap();
    assert!(unknown.contains("FITS"), "{found:?}");
}

#[test]
fn a_question_that_makes_no_sense_says_why() {
    let directory = PlanDirectory::new();
    directory.write("headers.jsonl", "");
    for (words, part) in [
        (
            ["--from=headers.jsonl", NEW, "--instrument=nicmos"],
            "no instrument \"nicmos\"",
        ),
        (
            ["--from=headers.jsonl", NEW, "--types=darkfiles"],
            "type \"darkfiles\"\nhint: did you mean darkfile?",
        ),
        (
            ["--from=headers.jsonl", NEW, "--instrument=acss"],
            "\"acss\"\nhint: did you mean acs?",
        ),
        (["--from=nowhere", NEW, OLD], "nowhere is neither"),
        (
            ["--from=headers.jsonl", OLD, "--new-context=hst_9999.pmap"],
            "new rules",
        ),
        (
            ["--from=headers.jsonl", NEW, "--old-context=hst_9999.pmap"],
            "hst_9999.pmap",
        ),
    ] {
        let output = directory.plan(&words);
        assert_eq!(output.code, 1, "{output:?}");
        let said = &output.stderr;
        assert!(
            said.contains(part) && said.contains("caldp: "),
            "{part} in {said}"
        );
    }
    let refused = directory.plan(&["--from=headers.jsonl", NEW, "--ids=list.json"]);
    assert_eq!(refused.code, 2, "{refused:?}");
}
