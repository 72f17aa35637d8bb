//! `crds bestrefs` as its users see it: what it prints, where, what it writes, and how it ends.

use std::fs;
use std::process::Stdio;

use crate::program::{REFERENCE, cache, cache_copy, command, offline, raw_files, run};
use caldp_tests::{CrdsServer, fixtures};
use serde_json::json;

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
        refused
            .stderr
            .contains("ERROR -  instrument='ACS' type='DARKFILE' data='")
            && refused.stderr.contains(
                "' ::  zz900098j_drk.fits was withdrawn by CRDS as scientifically wrong\nhint: "
            ),
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
fn a_reader_that_has_seen_enough_does_not_keep_headers_from_being_written() {
    let folder = tempfile::tempdir().unwrap();
    let file = &raw_files("j8cb010b0", folder.path())[0];
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let path = file.to_str().unwrap();
    let asked = [
        "bestrefs",
        "-u",
        "--print-new-references",
        "-t",
        "darkfile",
        "-f",
        path,
    ];
    let status = command(&offline(&cache()), &asked)
        .stdout(writer)
        .stderr(Stdio::null())
        .status();
    assert_eq!(status.unwrap().code(), Some(0));
    let header = crds_core::dataset::fits::read(file).unwrap();
    assert_eq!(header.get("DARKFILE"), Some("jref$zz900006j_drk.fits"));
    // What went wrong still counts.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let asked = [
        "bestrefs",
        "--print-new-references",
        "-f",
        path,
        "none.fits",
    ];
    let status = command(&offline(&cache()), &asked)
        .stdout(writer)
        .stderr(Stdio::null())
        .status();
    assert_eq!(status.unwrap().code(), Some(1));
}

#[test]
fn a_slip_in_a_type_to_skip_is_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let file = &raw_files("j8cb010b0", folder.path())[0];
    let path = file.to_str().unwrap();
    let skip = |name| {
        let asked = ["bestrefs", "-t", "darkfile", "-f", path, "-k", name];
        run(&offline(&cache()), &asked)
    };
    let typo = skip("darkfil");
    let said = "WARNING -  --skip-types darkfil: no dataset has references of that type\nhint: did you mean darkfile?";
    assert!(typo.stderr.contains(said), "{}", typo.stderr);
    assert!(!skip("DARKFILE").stderr.contains("WARNING"));
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
    // A file of headers corrects what the catalogue says.
    let corrections = folder.path().join("corrections.json");
    let corrected = json!({"J8CB01U2Q:J8CB01U2Q": {"DETECTOR": "SBC"}});
    fs::write(&corrections, corrected.to_string()).unwrap();
    let saved = folder.path().join("saved.json");
    let both = [
        &asked[..],
        &["-p", corrections.to_str().unwrap()],
        &["-a", saved.to_str().unwrap()],
    ]
    .concat();
    run(&variables, &both);
    let saved = fs::read_to_string(saved).unwrap();
    assert!(
        saved.contains("\"DETECTOR\":\"SBC\"") && saved.contains("2010-01-01"),
        "{saved}"
    );
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
