//! `crds bestrefs` as its users see it: what it prints, where, what it writes, and how it ends.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;

use crate::program::{REFERENCE, cache, cache_copy, offline, raw_files, run, run_with_input};
use caldp_tests::{CrdsServer, external_data, fixtures};
use serde_json::{Value, json};

#[test]
fn bestrefs_updates_headers_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let files = raw_files("j8cb010b0", folder.path());
    let file = files[0].to_str().unwrap();
    let cache = cache();
    let asked = [
        "bestrefs",
        "-f",
        file,
        "-u",
        "--print-new-references",
        "-t",
        "darkfile",
        "biasfile",
    ];
    let first = run(&offline(&cache), &asked);
    assert_eq!(first.code, 0, "{}", first.stderr);
    assert_eq!(
        first.stdout,
        format!(
            "{0} acs biasfile none zz900004j_bia.fits\n{0} acs darkfile none zz900006j_drk.fits\n",
            file.to_lowercase()
        )
    );
    assert_eq!(
        first.stderr,
        format!(
            "CRDS - INFO -  No comparison context or source comparison requested.\n\
             CRDS - INFO -  ===> Processing {file}\n\
             CRDS - INFO -  0 errors\n\
             CRDS - INFO -  0 warnings\n\
             CRDS - INFO -  4 infos\n"
        )
    );
    let header = crds_core::dataset::fits::read(&files[0]).unwrap();
    assert_eq!(header.get("DARKFILE"), Some("jref$zz900006j_drk.fits"));
    assert_eq!(header.get("FLATFILE").filter(|v| v.contains("ref$")), None);
    let written = fs::read(&files[0]).unwrap();
    // Compared with itself there is nothing new, and other types stay as they are.
    let again = run(
        &offline(&cache),
        &[
            "bestrefs",
            "-f",
            file,
            "-u",
            "-c",
            "--print-new-references",
            "-t",
            "darkfile",
            "biasfile",
        ],
    );
    assert_eq!((again.code, again.stdout.as_str()), (0, ""));
    assert_eq!(fs::read(&files[0]).unwrap(), written);
}

#[test]
fn bestrefs_reports_what_is_wrong_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = raw_files("j8cb010b0", folder.path());
    let broken = folder.path().join("broken_raw.fits");
    fs::write(&broken, "nothing").unwrap();
    files.push(broken.clone());
    let list = folder.path().join("files.lst");
    let lines: Vec<&str> = files.iter().map(|file| file.to_str().unwrap()).collect();
    fs::write(&list, lines.join("\n")).unwrap();
    let cache = cache();
    let list = format!("@{}", list.display());
    let mixed = run(
        &offline(&cache),
        &["bestrefs", "-f", &list, "--update-bestrefs"],
    );
    assert_eq!(mixed.code, 1);
    assert!(
        mixed.stderr.contains("broken_raw.fits: not a FITS file"),
        "{}",
        mixed.stderr
    );
    assert!(
        mixed.stderr.contains("CRDS - INFO -  1 errors"),
        "{}",
        mixed.stderr
    );
    assert_eq!(fs::read(&broken).unwrap(), b"nothing");
    let header = crds_core::dataset::fits::read(&files[0]).unwrap();
    assert_eq!(header.get("CRDS_CTX"), Some("hst_9001.pmap"));
    // A withdrawn reference is an error, unless it is allowed.
    let edit = ["bestrefs", "-f", lines[0], "-n", "hst-edit"];
    let refused = run(&offline(&cache), &edit);
    assert_eq!(refused.code, 1);
    assert!(
        refused.stderr.contains("zz900098j_drk.fits was withdrawn"),
        "{}",
        refused.stderr
    );
    for (variables, extra) in [
        (offline(&cache), vec!["--allow-bad-references"]),
        (
            [offline(&cache), vec![("CRDS_ALLOW_BAD_REFERENCES", "1")]].concat(),
            vec![],
        ),
    ] {
        let allowed = run(&variables, &[edit.as_slice(), &extra].concat());
        assert_eq!(allowed.code, 0, "{}", allowed.stderr);
        assert!(
            allowed.stderr.contains("CRDS - INFO -  1 warnings"),
            "{}",
            allowed.stderr
        );
    }
}

#[test]
fn an_omission_that_python_overlooks_is_overlooked_and_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let cache = cache_copy(folder.path());
    for name in ["hst_acs_ccdtab_9000.rmap", "hst_acs_bpixtab_9000.rmap"] {
        let table = cache.join("mappings/hst").join(name);
        let rules = fs::read_to_string(&table).unwrap();
        let omitted = rules.replacen("header = {", "header = {'rmap_omit': 'True', ", 1);
        assert_ne!(rules, omitted);
        fs::write(table, omitted).unwrap();
    }
    let files = raw_files("j8cb010b0", folder.path());
    let variables = [
        offline(cache.to_str().unwrap()),
        vec![("CRDS_IGNORE_MAPPING_CHECKSUM", "1")],
    ]
    .concat();
    let file = files[0].to_str().unwrap();
    let asked = [
        "bestrefs",
        "-f",
        file,
        "-t",
        "ccdtab",
        "--print-new-references",
    ];
    let answered = run(&variables, &asked);
    assert!(answered.stdout.contains(REFERENCE), "{}", answered.stderr);
    let warnings = answered.stderr.matches("omits nothing").count();
    assert_eq!((answered.code, warnings), (0, 1), "{}", answered.stderr);
}

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
fn headers_in_json_and_yaml_are_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let json = json!({"INSTRUME": "ACS", "detector": "WFC", "CCDGAIN": 2.0, "DATE-OBS": "2010-01-01",
        "TIME-OBS": "00:00:00"});
    fs::write(path("a.json"), json.to_string()).unwrap();
    let yaml = "INSTRUME: ACS\nDETECTOR: WFC\nCCDGAIN: 2.0\nDATE-OBS: '2010-01-01'\nTIME-OBS: '00:00:00'\n";
    fs::write(path("b.yaml"), yaml).unwrap();
    fs::write(path("c.json"), "[1, 2]").unwrap();
    let cache = cache();
    let asked = |name: &str| {
        let path = path(name);
        let asked = [
            "bestrefs",
            "-f",
            &path,
            "-t",
            "ccdtab",
            "--print-new-references",
        ];
        run(&offline(&cache), &asked)
    };
    for name in ["a.json", "b.yaml"] {
        let answered = asked(name);
        assert_eq!(answered.code, 0, "{}", answered.stderr);
        assert!(
            answered
                .stdout
                .ends_with(&format!("{name} acs ccdtab none {REFERENCE}\n")),
            "{}",
            answered.stdout
        );
    }
    let wrong = asked("c.json");
    assert_eq!(wrong.code, 1);
    assert!(
        wrong.stderr.contains("no mapping of keys"),
        "{}",
        wrong.stderr
    );
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
fn headers_of_json_files_are_compared() {
    let folder = tempfile::tempdir().unwrap();
    let cache = cache();
    let saved = folder.path().join("saved.json");
    let files = raw_files("j8cb010b0", folder.path());
    let file = files[0].to_str().unwrap();
    let saving = run(
        &offline(&cache),
        &["bestrefs", "-f", file, "-a", saved.to_str().unwrap()],
    );
    assert_eq!(saving.code, 0, "{}", saving.stderr);
    let compared = run(
        &offline(&cache),
        &[
            "bestrefs",
            "-p",
            saved.to_str().unwrap(),
            "-o",
            "hst_9000.pmap",
            "--print-affected-details",
            "--print-new-references",
        ],
    );
    let id = file.to_lowercase();
    assert_eq!(
        compared.stdout,
        format!("{id} acs darkfile zz900097j_drk.fits zz900006j_drk.fits\n{id} acs darkfile\n")
    );
    let dropped = run(
        &offline(&cache),
        &[
            "bestrefs",
            "-p",
            saved.to_str().unwrap(),
            "--print-new-references",
            "--drop-ids",
            file,
        ],
    );
    assert_eq!((dropped.code, dropped.stdout.as_str()), (0, ""));
}

/// Two contexts of one cache: the newer lacks a type of the older, and fails for a value.
fn contexts_that_differ(folder: &Path) -> String {
    let cache = cache_copy(folder);
    let rules = cache.join("mappings/hst");
    let imap = fs::read_to_string(rules.join("hst_acs_9002.imap")).unwrap();
    let without = |line: &&str| !line.contains("bpixtab");
    let imap: Vec<&str> = imap.lines().filter(without).collect();
    fs::write(rules.join("hst_acs_9002.imap"), imap.join("\n")).unwrap();
    cache.to_str().unwrap().to_owned()
}

#[test]
fn the_types_of_both_contexts_are_compared_and_failures_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let cache = contexts_that_differ(folder.path());
    let mut settings = offline(&cache);
    settings.push(("CRDS_IGNORE_MAPPING_CHECKSUM", "1"));
    settings.push(("CRDS_ALLOW_BAD_REFERENCES", "1"));
    let header = json!({"INSTRUME": "ACS", "DETECTOR": "WFC", "CCDAMP": "C", "CCDGAIN": "2.0",
        "DARKCORR": "PERFORM", "DATE-OBS": "2018-01-01", "TIME-OBS": "00:00:00"});
    let mut failing = header.clone();
    failing["CCDAMP"] = json!("Q");
    let headers = folder.path().join("headers.json");
    fs::write(&headers, json!({"A:A": header, "B:C": failing}).to_string()).unwrap();
    let headers = headers.to_str().unwrap();
    let mut asked = vec!["bestrefs", "-p", headers, "-n", "hst_9002.pmap"];
    asked.extend(["-k", "biasfile", "pfltfile"]);
    asked.extend([
        "-o",
        "hst_9001.pmap",
        "--print-affected",
        "--print-new-references",
    ]);
    let compared = run(&settings, &asked);
    assert!(
        compared
            .stdout
            .contains("a:a acs bpixtab zz900003j_bpx.fits n/a\n"),
        "{}{}",
        compared.stdout,
        compared.stderr
    );
    assert!(
        compared
            .stdout
            .contains("a:a acs darkfile zz900006j_drk.fits zz900098j_drk.fits\n"),
        "{}",
        compared.stdout
    );
    // What fails for one type is not affected; failures of both contexts are told and counted.
    assert!(compared.stdout.ends_with("n/a\na\n"), "{}", compared.stdout);
    for which in ["Old", "New"] {
        let said = format!("type='DARKFILE' data='B:C' ::  {which}: Bestref FAILED:  ");
        assert!(compared.stderr.contains(&said), "{}", compared.stderr);
    }
    assert_eq!(compared.code, 1);
    let line = "instrument='ACS' type='DARKFILE' data='A:A' ::  New best reference: \
                'zz900006j_drk.fits' --> 'zz900098j_drk.fits' :: Would update.";
    assert!(compared.stderr.contains(line), "{}", compared.stderr);
    // Where finding nothing matters, it is a fault on either side, and no longer n/a.
    asked.push("--undefined-differences-matter");
    let compared = run(&settings, &asked);
    assert!(
        compared
            .stderr
            .contains("type='BPIXTAB' data='A' ::  New: No match found: 'UNDEFINED'"),
        "{}",
        compared.stderr
    );
    let unaffected = compared.stdout.lines().all(|line| line.contains(' '));
    assert!(unaffected, "{}", compared.stdout);
}

#[test]
fn comparisons_are_those_of_python() {
    // What the Python client (14.0.3) prints of this header under hst_0729.pmap.
    let what = "a comparison with Python's on real rules";
    let Some(cache) = external_data("crds-cache", what) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let headers = folder.path().join("headers.json");
    let header = json!({"INSTRUME": "COS", "DETECTOR": "FUV", "OBSTYPE": "SPECTROSCOPIC",
        "OBSMODE": "ACCUM", "EXPTYPE": "EXTERNAL/SCI", "CENWAVE": "1291", "OPT_ELEM": "G130M",
        "LIFE_ADJ": "1", "FPOFFSET": "0", "APERTURE": "PSA", "DATE-OBS": "2009-08-08",
        "TIME-OBS": "02:36:05", "DISPTAB": "05D1514FL_DISP.FITS"});
    fs::write(&headers, json!({"X:X": header}).to_string()).unwrap();
    let headers = headers.to_str().unwrap();
    let compared = run(
        &offline(cache.to_str().unwrap()),
        &[
            "bestrefs",
            "-p",
            headers,
            "-n",
            "hst_0729.pmap",
            "-o",
            "hst_0052.pmap",
            "--undefined-differences-matter",
            "--print-affected",
            "--print-new-references",
        ],
    );
    let walktab = "type='WALKTAB' data='X' ::  New: No match found: 'UNDEFINED'";
    assert!(compared.stderr.contains(walktab), "{}", compared.stderr);
    assert!(
        compared.stderr.contains("Affected products = 0"),
        "{}",
        compared.stderr
    );
    assert!(
        compared.stdout.contains("x:x cos twozxtab undefined "),
        "{}",
        compared.stdout
    );
}

#[test]
fn datasets_of_the_server_are_evaluated() {
    let server = CrdsServer::start(&fixtures().join("crds"), "hst_9001.pmap", "hst_9002.pmap");
    let header = json!({"INSTRUME": "ACS", "DETECTOR": "WFC", "DATE-OBS": "2010-01-01", "TIME-OBS": "00:00:00"});
    server.set_answer(
        "get_dataset_headers_by_id",
        json!({"J8CB01U2Q:J8CB01U2Q": header, "X": "NOT FOUND"}),
    );
    let folder = tempfile::tempdir().unwrap();
    let url = server.url();
    let variables = [
        ("CRDS_PATH", folder.path().to_str().unwrap()),
        ("CRDS_SERVER_URL", url.as_str()),
    ];
    let asked = [
        "bestrefs",
        "-d",
        "j8cb01u2q",
        "-t",
        "ccdtab",
        "--print-new-references",
    ];
    let answered = run(&variables, &asked);
    assert_eq!(
        answered.stdout,
        format!("j8cb01u2q:j8cb01u2q acs ccdtab none {REFERENCE}\n")
    );
    assert_eq!(answered.code, 1, "{}", answered.stderr);
    server.set_answer("get_dataset_ids", json!(["J8CB01U2Q:J8CB01U2Q"]));
    for which in [
        ["--instruments", "acs"].as_slice(),
        &["--all-instruments", "--datasets-since", "2009-01-01"],
    ] {
        let all = [
            &["bestrefs", "-t", "ccdtab", "--print-new-references"],
            which,
        ]
        .concat();
        let all = run(&variables, &all);
        assert!(all.stdout.contains(REFERENCE), "{}", all.stderr);
    }
    // As the Python client prints them.
    let asked_for = [
        "matches",
        "-d",
        "J8CB01U2Q",
        "-c",
        "--contexts",
        "hst_9001.pmap",
    ];
    let raw = run(&variables, &asked_for);
    assert_eq!(
        raw.stdout,
        "J8CB01U2Q:J8CB01U2Q : DATE-OBS='2010-01-01' DETECTOR='WFC' INSTRUME='ACS' TIME-OBS='00:00:00'\n"
    );
    let minimal = [
        asked_for.as_slice(),
        &["hst_9000.pmap", "--minimize-headers"],
    ]
    .concat();
    let minimal = run(&variables, &minimal);
    assert!(
        minimal
            .stdout
            .starts_with("J8CB01U2Q:J8CB01U2Q : hst_9000.pmap : APERTURE='UNDEFINED' "),
        "{}",
        minimal.stdout
    );
    assert_eq!(minimal.stdout.lines().count(), 2);
    let serverless = run(&offline(&cache()), &asked);
    assert_eq!(serverless.code, 255);
    assert!(
        serverless.stderr.contains("needs a CRDS server"),
        "{}",
        serverless.stderr
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
