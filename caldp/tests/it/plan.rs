//! `caldp plan`, as operators call it: from every source, between the bundled contexts and the real
//! ones.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use caldp_tests::{
    CrdsServer, S3Server, external_data, fixtures, publish_other_table, unpack_fixture,
};
use serde_json::{Value, json};

const NOTHING: i32 = 0;
const CHANGES: i32 = 3;
const UNKNOWN: i32 = 4;

/// A directory with a cache of the bundled rules.
struct World(tempfile::TempDir);

impl World {
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

    fn plan(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    fn command(&self, words: &[&str]) -> Command {
        let published = fixtures().join("crds");
        let uri = |part: &str| format!("{}/{part}/hst", published.display());
        let mut command = Command::new(env!("CARGO_BIN_EXE_caldp"));
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
        let output = self.plan(&[words, &["--json"]].concat());
        assert_eq!(output.status.code(), Some(status), "{output:?}");
        lines(&output)
    }
}

fn lines(output: &Output) -> (Vec<Value>, Value) {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let mut lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
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
    let world = World::new();
    let mut text = line("j8cb010b0:j8cb01u2q", &header("2017-01-15"));
    text += &line("j8cb010b0:j8cb01u3q", &header("2017-01-15"));
    text += &line("j8cb02u4q", &header("2016-01-15"));
    let mut off = header("2017-01-15");
    off["DARKCORR"] = json!("OMIT");
    text += &line("j8cb03u4q", &off);
    world.write("headers.jsonl", &text);
    let ask = ["--from=headers.jsonl", OLD, NEW, "--ids=list.ids"];
    let (found, summary) = world.json(&ask, CHANGES);
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
    let list = fs::read_to_string(world.path().join("list.ids")).unwrap();
    assert_eq!(
        list.lines().skip(1).collect::<Vec<_>>(),
        ["j8cb010b0 # DARKFILE zz900097j_drk.fits -> zz900006j_drk.fits"]
    );

    let words = String::from_utf8(world.plan(&ask).stdout).unwrap();
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
        let (found, _) = world.json(&ask, NOTHING);
        assert_eq!(found, Vec::<Value>::new(), "{narrowed}");
    }
}

#[test]
fn what_cannot_be_told_is_listed_and_never_counts_as_unchanged() {
    let world = World::new();
    let text = line("j8cb02u4q", &json!({"DETECTOR": "WFC"}))
        + "no json\n"
        + &line("j8cb03u4q", &header("nonsense"));
    world.write("headers.jsonl", &text);
    let (found, summary) = world.json(&["--from=headers.jsonl", OLD, NEW], UNKNOWN);
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
    world.write("own.jsonl", &line("j8cb02u4q", &header("2017-01-15")));
    let (found, _) = world.json(&["--from=own.jsonl", NEW], UNKNOWN);
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
    let world = World::new();
    let mut text = String::new();
    for n in 0..5 {
        text += &line(&format!("j8cb0{n}u4q"), &header("2017-03-15"));
    }
    world.write("headers.jsonl", &text);
    let ask = ["--from=headers.jsonl", "--old-context=hst_9002.pmap"];
    let back = [&ask[..], &["--new-context=hst_9001.pmap"]].concat();
    let (found, summary) = world.json(&back, CHANGES);
    assert_eq!(found[0]["changes"][0]["note"], "withdrawn");
    let one = summary["expected_cost"].as_f64().unwrap() / 5.0;
    let limit = format!("--limit-cost={}", one * 2.5);
    let (_, summary) = world.json(&[&back[..], &[&limit]].concat(), CHANGES);
    assert_eq!(
        (
            &summary["affected"],
            &summary["listed"],
            &summary["beyond_limit_cost"]
        ),
        (&json!(5), &json!(2), &json!(3))
    );
    let same = [&ask[..], &["--new-context=hst_9002.pmap"]].concat();
    let (found, _) = world.json(&same, CHANGES);
    assert_eq!(
        found[0]["changes"][0]["note"], "withdrawn",
        "the rules still choose it"
    );
}

#[test]
fn fits_files_of_a_directory_are_read() {
    let world = World::new();
    let raw = world.path().join("raw");
    fs::create_dir(&raw).unwrap();
    unpack_fixture("j8cb010b0", &raw);
    let (_, summary) = world.json(
        &["--from=raw", OLD, OLD.replace("old", "new").as_str()],
        NOTHING,
    );
    assert!(summary["asked"].as_u64() > Some(1), "{summary}");
    fs::write(raw.join("j8cb01zzq_raw.fits"), "no FITS").unwrap();
    let (found, summary) = world.json(&["--from=raw", OLD, NEW], CHANGES);
    assert_eq!(found[0]["dataset"], "j8cb010b0", "its association");
    assert_eq!(
        (&summary["affected"], &summary["unknown"]),
        (&json!(1), &json!(1))
    );
    let unknown = found.last().unwrap()["unknown"].as_str().unwrap();
    assert!(unknown.contains("FITS"), "{found:?}");
}

/// The record of a processed dataset, as the worker writes it.
fn record(dataset: &str, date: &str) -> Value {
    let header = header(date);
    let values = header.as_object().unwrap().iter();
    let mut parkeys: BTreeMap<String, Value> = values
        .map(|(key, value)| {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            (key.clone(), json!({"raw": text, "conditioned": text}))
        })
        .collect();
    for key in KEYS.split_whitespace() {
        let absent = json!({"raw": null, "conditioned": "UNDEFINED"});
        parkeys.entry(key.to_owned()).or_insert(absent);
    }
    json!({
        "dataset": dataset, "state": "processed", "context": "hst_9000.pmap",
        "headers": [{"file": format!("{dataset}_raw.fits"), "keywords": {}, "parkeys": parkeys}],
        "inputs": [{"name": "a", "size": 9_000_000}], "steps": [{"step": "all", "seconds": 100.0}],
        "programs": [{"peak_memory_kib": 900_000}],
    })
}

/// What the rules of ACS in the bundled contexts look at besides.
const KEYS: &str = "RPTCORR BIASCORR CRCORR DQICORR FLATCORR REFTYPE SHADCORR FILTER1 FILTER2 OBSTYPE FW1OFFST \
    FW2OFFST FWSOFFST APERTURE NAXIS1 NAXIS2 LTV1 LTV2 XCORNER YCORNER CCDCHIP NUMCOLS NUMROWS";

#[test]
fn records_of_an_output_are_enough_and_every_other_dataset_has_its_reason() {
    let world = World::new();
    let put = |dataset: &str, text: &str| {
        world.write(
            &format!("out/data/acs/{dataset}/logs/provenance.json"),
            text,
        );
    };
    put("j8cb010b0", &record("j8cb010b0", "2017-01-15").to_string());
    put("j8cb020b0", &record("j8cb020b0", "2016-01-15").to_string());
    put("j8cb030b0", "{\"dataset\": \"j8cb030b0\", \"sta");
    let mut older = record("j8cb040b0", "2017-01-15");
    older["headers"][0]["parkeys"] = json!({});
    put("j8cb040b0", &older.to_string());
    let mut less = record("j8cb050b0", "2017-01-15");
    less["headers"][0]["parkeys"]
        .as_object_mut()
        .unwrap()
        .remove("CCDAMP");
    put("j8cb050b0", &less.to_string());
    world.write("out/data/acs/j8cb060b0/j8cb060b0_drz.fits", "");
    let mut beside = older.clone();
    beside["dataset"] = json!("j8cb010b1");
    beside["headers"][0]["file"] = json!("j8cb01u2q_raw.fits");
    put("j8cb010b1", &beside.to_string());
    unpack_fixture("j8cb010b0", &world.path().join("out/data/acs/j8cb010b1"));
    let mut failed = record("j8cb070b0", "2017-01-15");
    failed["state"] = json!("error");
    put("j8cb070b0", &failed.to_string());

    let (found, summary) = world.json(&["--from=out", NEW, "--ids=list.ids"], CHANGES);
    let by_name: BTreeMap<&str, &Value> = found
        .iter()
        .map(|line| (line["dataset"].as_str().unwrap(), line))
        .collect();
    assert_eq!(by_name["j8cb010b0"]["affected"], true);
    assert_eq!(
        by_name["j8cb010b0"]["expected_seconds"], 100.0,
        "as its own run took"
    );
    assert!(!by_name.contains_key("j8cb020b0"), "its dark file stays");
    assert_eq!(
        by_name["j8cb010b1"]["affected"], true,
        "an older record, and the raw file beside it"
    );
    for (dataset, reason) in [
        ("j8cb030b0", "cannot be read"),
        ("j8cb040b0", "is older"),
        ("j8cb040b0", "j8cb040b0_raw.fits is gone"),
        ("j8cb050b0", "CCDAMP, which the new rules look at"),
        ("j8cb060b0", "no provenance.json"),
        ("j8cb070b0", "its last run failed"),
    ] {
        let unknown = by_name[dataset]["unknown"].as_str().unwrap();
        assert!(unknown.contains(reason), "{dataset}: {unknown}");
    }
    assert_eq!(
        (&summary["asked"], &summary["unknown"]),
        (&json!(8), &json!(5))
    );
    let list = fs::read_to_string(world.path().join("list.ids")).unwrap();
    assert!(list.contains("j8cb010b0 # DARKFILE"), "{list}");
}

#[test]
fn an_output_on_s3_is_read_record_by_record() {
    let world = World::new();
    let s3 = S3Server::start(&["hst-out"]);
    for n in 0..300 {
        let dataset = format!("j8c{n:03}010");
        let date = if n % 3 == 0 {
            "2017-01-15"
        } else {
            "2016-01-15"
        };
        let key = format!("batch/data/acs/{dataset}/logs/provenance.json");
        s3.put("hst-out", &key, record(&dataset, date).to_string());
        let product = format!("batch/data/acs/{dataset}/{dataset}_drz.fits");
        s3.put("hst-out", &product, "");
    }
    s3.reset_counts();
    let output = world
        .command(&["--from=s3://hst-out/batch", NEW, "--json"])
        .envs(s3.environment())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(CHANGES), "{output:?}");
    let (found, summary) = lines(&output);
    assert_eq!(found.len(), 100);
    assert_eq!(
        (&summary["asked"], &summary["affected"]),
        (&json!(300), &json!(100))
    );
    assert_eq!(s3.count("GetObject"), 300, "nothing is read twice");
}

/// A record of the time before header values were recorded, of one raw file.
fn older_record(dataset: &str, file: &str) -> Value {
    let mut older = record(dataset, "2017-01-15");
    older["headers"][0] = json!({"file": file, "keywords": {}});
    older
}

#[test]
fn older_records_on_s3_bring_the_first_blocks_of_raw_files() {
    let world = World::new();
    let raw = world.path().join("raw");
    fs::create_dir(&raw).unwrap();
    unpack_fixture("j8cb010b0", &raw);
    let file = "j8cb01u2q_raw.fits";
    let content = fs::read(raw.join(file)).unwrap();
    let s3 = S3Server::start(&["hst-out"]);
    let put = |dataset: &str, record: &Value| {
        let key = format!("data/acs/{dataset}/logs/provenance.json");
        s3.put("hst-out", &key, record.to_string());
    };
    put("j8cb010b0", &older_record("j8cb010b0", file));
    s3.put(
        "hst-out",
        &format!("data/acs/j8cb010b0/{file}"),
        content.clone(),
    );
    put("j8cb020b0", &older_record("j8cb020b0", file));
    put("j8cb030b0", &older_record("j8cb030b0", file));
    s3.put(
        "hst-out",
        &format!("data/acs/j8cb030b0/{file}"),
        content[..9000].to_vec(),
    );

    // As CALCLOUD delivers: everything in one archive, whose record says what is where.
    let packed = |sizes: [u64; 2]| {
        let mut older = older_record("j8cb040b0", file);
        older["layout"] = json!("calcloud");
        older["outputs"] = json!([
            {"name": "j8cb040b0.tar.gz", "size": 1},
            {"name": "j8cb01u2q_flt.fits", "size": sizes[0], "archive": "j8cb040b0.tar.gz"},
            {"name": file, "size": sizes[1], "archive": "j8cb040b0.tar.gz"},
        ]);
        older
    };
    let archive = |dataset: &str| {
        let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let mut tar = tar::Builder::new(gzip);
        for (name, content) in [("j8cb01u2q_flt.fits", &b"product"[..]), (file, &content)] {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            let name = format!("{dataset}/{name}");
            tar.append_data(&mut header, name, content).unwrap();
        }
        tar.into_inner().unwrap().finish().unwrap()
    };
    for (dataset, size) in [("j8cb040b0", 7), ("j8cb050b0", 300 << 20), ("j8cb060b0", 7)] {
        let mut older = packed([size, content.len() as u64]);
        older["dataset"] = json!(dataset);
        for output in older["outputs"].as_array_mut().unwrap() {
            for text in ["name", "archive"] {
                if output[text] == "j8cb040b0.tar.gz" {
                    output[text] = json!(format!("{dataset}.tar.gz"));
                }
            }
        }
        s3.put(
            "hst-out",
            &format!("outputs/{dataset}/provenance.json"),
            older.to_string(),
        );
        if dataset != "j8cb060b0" {
            s3.put(
                "hst-out",
                &format!("outputs/{dataset}/{dataset}.tar.gz"),
                archive(dataset),
            );
        }
    }
    let output = world
        .command(&["--from=s3://hst-out", NEW, "--json"])
        .envs(s3.environment())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(CHANGES), "{output:?}");
    let (found, summary) = lines(&output);
    let by_name: BTreeMap<&str, &Value> = found
        .iter()
        .map(|line| (line["dataset"].as_str().unwrap(), line))
        .collect();
    for dataset in ["j8cb010b0", "j8cb040b0"] {
        assert_eq!(by_name[dataset]["affected"], true, "{:?}", by_name[dataset]);
    }
    for (dataset, reason) in [
        ("j8cb020b0", "j8cb01u2q_raw.fits is gone"),
        ("j8cb030b0", "truncated"),
        ("j8cb050b0", "300 MB deep in j8cb050b0.tar.gz"),
        ("j8cb060b0", "j8cb060b0.tar.gz is gone"),
    ] {
        let unknown = by_name[dataset]["unknown"].as_str().unwrap();
        assert!(
            unknown.contains(reason) && unknown.contains("is older"),
            "{dataset}: {unknown}"
        );
    }
    assert_eq!(
        (&summary["asked"], &summary["affected"], &summary["unknown"]),
        (&json!(6), &json!(2), &json!(4))
    );
}

#[test]
fn the_catalogue_of_a_server_is_read_page_by_page() {
    let world = World::new();
    let server = CrdsServer::start(&fixtures().join("crds"), "hst_9001.pmap", "hst_9002.pmap");
    let mut catalogue: BTreeMap<String, Value> = (0..7)
        .map(|n| (format!("J8CB0{n}U4Q:J8CB0{n}U4Q"), header("2017-01-15")))
        .collect();
    catalogue.insert("J8CB010B0:J8CB01U2Q".to_owned(), header("2016-01-15"));
    catalogue.insert("LBGU17QNQ:LBGU17QNQ".to_owned(), json!({"INSTRUME": "COS"}));
    server.set_datasets(catalogue);
    let from = format!("--from={}", server.url());
    let ask = |words: &[&str]| {
        let words = [&[&from, OLD, NEW, "--json"], words].concat();
        // The rules come from the server as well.
        let output = world
            .command(&words)
            .env_remove("CRDS_MAPPING_URI")
            .env_remove("CRDS_CONFIG_URI")
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(CHANGES), "{output:?}");
        lines(&output)
    };
    let (found, summary) = ask(&[]);
    assert_eq!(
        (&summary["asked"], &summary["affected"]),
        (&json!(9), &json!(7))
    );
    assert_eq!(found[0]["dataset"], "j8cb00u4q");
    assert_eq!(found[0]["id"], "J8CB00U4Q:J8CB00U4Q");
    // Two at once are all that this server gives: eight of ACS, one of COS.
    assert_eq!(server.count("get_dataset_headers_by_id"), 5);
    let (_, summary) = ask(&["--instrument=acs", "--since=2016-06-01"]);
    assert_eq!(summary["asked"], 7, "what is older does not come at all");

    let output = world.plan(&[&from, NEW]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("--old-context names it"), "{said}");
    server.set_answer(
        "get_dataset_ids",
        json!(["J8CB00U4Q:J8CB00U4Q", "J8CB99U4Q"]),
    );
    let (found, _) = ask(&["--instrument=acs"]);
    let unknown = found
        .iter()
        .find(|line| line["dataset"] == "j8cb99u4q")
        .unwrap();
    assert!(
        unknown["unknown"]
            .as_str()
            .unwrap()
            .contains("says nothing of it"),
        "{found:?}"
    );
    let nowhere = world.plan(&["--from=http://127.0.0.1:9", OLD, NEW]);
    assert_eq!(nowhere.status.code(), Some(1), "{nowhere:?}");
}

#[test]
fn a_question_that_makes_no_sense_says_why() {
    let world = World::new();
    world.write("headers.jsonl", "");
    for (words, part) in [
        (
            ["--from=headers.jsonl", NEW, "--instrument=nicmos"],
            "no instrument \"nicmos\"",
        ),
        (
            ["--from=headers.jsonl", NEW, "--types=darkfiles"],
            "\"darkfiles\"",
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
        let output = world.plan(&words);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            said.contains(part) && said.contains("caldp: "),
            "{part} in {said}"
        );
    }
    let refused = world.plan(&["--from=headers.jsonl", NEW, "--ids=list.json"]);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
}

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
        let world = World::new();
        for old in contexts {
            for new in contexts.iter().filter(|new| new != &old) {
                compare(&world, &cache, &lines, old, new);
            }
        }
    }
}

fn records(path: &Path) -> Vec<Value> {
    let file = flate2::read::GzDecoder::new(fs::File::open(path).unwrap());
    let text = std::io::read_to_string(file).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    lines.collect()
}

fn compare(world: &World, cache: &Path, records: &[Value], old: &str, new: &str) {
    let mut text = String::new();
    for (number, record) in records.iter().enumerate() {
        let line = json!({"id": number, "path": record["path"], "header": record["header"]});
        writeln!(text, "{line}").unwrap();
    }
    world.write("headers.jsonl", &text);
    let output = Command::new(env!("CARGO_BIN_EXE_caldp"))
        .args(["plan", "--from=headers.jsonl", "--json", "--all-types"])
        .args(["--old-context", old, "--new-context", new])
        .current_dir(world.path())
        .env_clear()
        .env("CRDS_PATH", cache)
        .env("CRDS_READONLY_CACHE", "1")
        .env("CRDS_SERVER_URL", "https://crds-serverless-mode.stsci.edu")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(CHANGES), "{old} {new}");
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

fn find(directory: &Path, name: &str) -> Option<std::path::PathBuf> {
    let entries = fs::read_dir(directory).unwrap();
    entries.flatten().find_map(|entry| {
        let path = entry.path();
        if path.is_dir() {
            find(&path, name)
        } else {
            (entry.file_name() == name).then_some(path)
        }
    })
}

#[test]
fn a_table_delivered_anew_counts_where_a_row_of_the_dataset_changed() {
    let world = World::new();
    publish_other_table(&world.path().join("mappings"));
    let header = |cenwave: u32| {
        json!({"INSTRUME": "COS", "DETECTOR": "NUV", "OBSTYPE": "SPECTROSCOPIC", "LIFE_ADJ": 1.0,
            "DATE-OBS": "2017-01-15", "TIME-OBS": "00:00:00", "OPT_ELEM": "G230L", "CENWAVE": cenwave, "APERTURE": "PSA"})
    };
    let text = line("lbgu17qnq", &header(2950)) + &line("lbgu18qnq", &header(3000));
    world.write("headers.jsonl", &text);
    let ask = |words: &[&str], status| {
        let words = [
            &[
                "--from=headers.jsonl",
                OLD,
                "--new-context=hst_9003.pmap",
                "--json",
            ],
            words,
        ];
        let output = world
            .command(&words.concat())
            .env("CRDS_MAPPING_URI", world.path().join("mappings"))
            .env("CRDS_REFERENCE_URI", fixtures().join("crds/references/hst"))
            .env("CRDS_IGNORE_MAPPING_CHECKSUM", "1")
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(status), "{output:?}");
        let (found, summary) = lines(&output);
        let affected = found.iter().filter(|line| line["affected"] == true);
        let affected: Vec<String> = affected
            .map(|line| line["dataset"].as_str().unwrap().to_owned())
            .collect();
        (affected, found, summary)
    };
    // Without the tables nothing can be ruled out.
    let (affected, found, summary) = ask(&["--ids=list.ids"], CHANGES);
    assert_eq!(affected, ["lbgu17qnq", "lbgu18qnq"]);
    let note = found[0]["changes"][0]["note"].as_str().unwrap();
    assert_eq!(
        note,
        "rows not compared: zz900004l_1dx.fits is not in the cache"
    );
    assert_eq!(summary["rows_not_compared"], 2);
    let list = fs::read_to_string(world.path().join("list.ids")).unwrap();
    assert!(
        list.contains("zz900104l_1dx.fits (rows not compared)\n"),
        "{list}"
    );

    let (affected, ..) = ask(&["--fetch-tables"], CHANGES);
    assert_eq!(
        affected,
        ["lbgu17qnq"],
        "neither table has a row of the other"
    );

    let old = find(world.path(), "zz900004l_1dx.fits").unwrap();
    let new = find(world.path(), "zz900104l_1dx.fits").unwrap();
    let mut table = fs::read(&old).unwrap();
    fs::write(&new, &table).unwrap();
    let (affected, found, summary) = ask(&[], NOTHING);
    assert_eq!(affected, [""; 0]);
    assert_eq!(found[0]["changes"][0]["counts"], false);
    assert_eq!(summary["not_counted"]["same_rows"], 2);

    // The slope of the first row, of CENWAVE 2950.
    let data = table.len() - 2880;
    table[data + 4 + 8 + 4 + 4 + 7] ^= 1;
    fs::write(&new, &table).unwrap();
    assert_eq!(ask(&[], CHANGES).0, ["lbgu17qnq"]);

    fs::write(&new, "torn").unwrap();
    let (affected, found, _) = ask(&[], CHANGES);
    assert_eq!(affected, ["lbgu17qnq", "lbgu18qnq"]);
    assert!(
        found[0]["changes"][0]["note"]
            .as_str()
            .unwrap()
            .contains("cannot be read")
    );
}
