//! What two contexts do differently: in their rules, and for datasets, whose tables may have changed in rows that they do
//! not use; and which contexts name a file.

use std::fs;
use std::process::Stdio;

use caldp_tests::{CrdsServer, fixtures, publish_other_table};

use serde_json::{Value, json};

use crate::program::{cache, cache_copy, command, offline, run};

#[test]
fn a_table_without_a_changed_row_is_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = cache_copy(folder.path());
    publish_other_table(&path.join("mappings/hst"));
    let tables = ["zz900004l_1dx.fits", "zz900104l_1dx.fits"];
    let [old, new] = tables.map(|name| path.join("references/hst").join(name));
    fs::create_dir_all(old.parent().unwrap()).unwrap();
    fs::copy(fixtures().join("crds/references/hst").join(tables[0]), &old).unwrap();
    fs::copy(&old, &new).unwrap();
    let mode = |cenwave: u32| {
        format!(
            r#"{{"LBGU{cenwave}": {{"INSTRUME": "COS", "DETECTOR": "NUV", "OBSTYPE": "SPECTROSCOPIC", "LIFE_ADJ": "1.0",
            "DATE-OBS": "2017-01-15", "TIME-OBS": "00:00:00", "OPT_ELEM": "G230L", "CENWAVE": "{cenwave}", "APERTURE": "PSA"}}}}"#
        )
    };
    let headers = path.join("headers.json");
    fs::write(
        &headers,
        [mode(2950), mode(3000)].join("\n").replace("\n ", " "),
    )
    .unwrap();
    let cache = path.to_str().unwrap();
    let variables = [
        ("CRDS_PATH", cache),
        ("CRDS_READONLY_CACHE", "1"),
        ("CRDS_IGNORE_MAPPING_CHECKSUM", "1"),
        // The size that the catalogue has is of the other table.
        ("CRDS_DOWNLOAD_LENGTHS", "0"),
    ];
    let affected = |more: &[&str]| {
        let words = [
            "bestrefs",
            "-n",
            "hst_9003.pmap",
            "-o",
            "hst_9000.pmap",
            "--print-affected",
            "-p",
        ];
        let run = run(
            &variables,
            &[&words, &[headers.to_str().unwrap()][..], more].concat(),
        );
        assert_eq!(run.code, 0, "{}", run.stderr);
        run.stdout
    };
    assert_eq!(affected(&[]), "lbgu2950\nlbgu3000\n");
    assert_eq!(affected(&["-z"]), "");
    let mut table = fs::read(&old).unwrap();
    // The slope of the first row, of CENWAVE 2950.
    let data = table.len() - 2880;
    table[data + 4 + 8 + 4 + 4 + 7] ^= 1;
    fs::write(&new, &table).unwrap();
    assert_eq!(affected(&["-z"]), "lbgu2950\n");
    fs::write(&new, "torn").unwrap();
    assert_eq!(affected(&["--optimize-tables"]), "lbgu2950\nlbgu3000\n");
}

#[test]
fn contexts_differ_by_types_files_and_rows() {
    let cache = cache();
    let diff = |words: &[&str]| run(&offline(&cache), &[&["diff"], words].concat());
    let same = diff(&["hst_9001.pmap", "hst_9001.pmap"]);
    assert_eq!(
        (same.code, same.stdout.as_str()),
        (0, ""),
        "{}",
        same.stderr
    );
    let newer = diff(&["hst_9000.pmap", "hst_9001.pmap"]);
    assert_eq!(newer.code, 1, "{}", newer.stderr);
    let mut lines = newer.stdout.lines();
    assert_eq!(
        lines.next(),
        Some("acs darkfile: hst_acs_darkfile_9000.rmap -> hst_acs_darkfile_9001.rmap")
    );
    assert_eq!(lines.next(), Some("  + file zz900006j_drk.fits"));
    let row = lines.next().unwrap();
    assert!(
        row.starts_with("  + row DETECTOR=WFC") && row.ends_with(": zz900006j_drk.fits"),
        "{row}"
    );
    assert_eq!(lines.next(), None);
    let back = diff(&["hst_9001.pmap", "hst_9000.pmap", "--json"]);
    assert_eq!(back.code, 1);
    let back: Value = serde_json::from_str(&back.stdout).unwrap();
    assert_eq!(
        back["types"][0]["files_removed"],
        json!(["zz900006j_drk.fits"])
    );
    assert_eq!(
        back["types"][0]["rows_removed"].as_array().unwrap().len(),
        1
    );
    let other = diff(&["hst_9000.pmap", "hst_9001.pmap", "--types", "biasfile"]);
    assert_eq!(other.code, 0, "{}", other.stdout);
    for (words, said) in [
        (
            ["--types", "darkfle"],
            "\"darkfle\"\nhint: did you mean darkfile?",
        ),
        (
            ["--instruments", "cosy"],
            "\"cosy\"\nhint: did you mean cos?",
        ),
    ] {
        let slip = diff(&[&["hst_9000.pmap", "hst_9001.pmap"], &words[..]].concat());
        assert_eq!(slip.code, 2, "{}", slip.stdout);
        assert!(slip.stderr.contains(said), "{}", slip.stderr);
    }
    // The status is the answer for a reader that has seen enough.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let words = ["diff", "hst_9000.pmap", "hst_9001.pmap"];
    let status = command(&offline(&cache), &words)
        .stdout(writer)
        .stderr(Stdio::null())
        .status();
    assert_eq!(status.unwrap().code(), Some(1));
    let unknown = diff(&["hst_9000.pmap", "hst_9999.pmap"]);
    assert_eq!(unknown.code, 2, "{}", unknown.stderr);
    assert!(
        unknown.stderr.contains("hst_9999.pmap"),
        "{}",
        unknown.stderr
    );
}

#[test]
fn rows_that_move_and_tables_that_come_and_go_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let path = cache_copy(folder.path());
    let rules = path.join("mappings/hst");
    let edit = |old: &str, new: &str, changes: &[[&str; 2]]| {
        let mut text = fs::read_to_string(rules.join(old)).unwrap();
        for [from, to] in changes {
            assert!(text.contains(from), "{from} in {text}");
            text = text.replace(from, to);
        }
        fs::write(rules.join(new), text).unwrap();
    };
    edit(
        "hst_cos_xtractab_9000.rmap",
        "hst_cos_xtractab_9004.rmap",
        &[
            [
                "'1996-10-01 00:00:00' : 'zz900004l",
                "'1997-10-01 00:00:00' : 'zz900004l",
            ],
            ["(OBSTYPE == \"SPECTROSCOPIC\")", "ALWAYS"],
        ],
    );
    edit(
        "hst_cos_9000.imap",
        "hst_cos_9004.imap",
        &[
            ["xtractab_9000", "xtractab_9004"],
            ["'hst_cos_phatab_9000.rmap'", "'N/A'"],
        ],
    );
    edit(
        "hst_9000.pmap",
        "hst_9004.pmap",
        &[["hst_cos_9000", "hst_cos_9004"]],
    );
    let variables = [
        ("CRDS_PATH", path.to_str().unwrap()),
        ("CRDS_READONLY_CACHE", "1"),
        ("CRDS_IGNORE_MAPPING_CHECKSUM", "1"),
    ];
    let found = run(&variables, &["diff", "hst_9000.pmap", "hst_9004.pmap"]);
    assert_eq!(found.code, 1, "{}", found.stderr);
    for line in [
        "cos phatab: hst_cos_phatab_9000.rmap -> N/A",
        "  ~ header rmap_relevance",
        "  ~ row DETECTOR=NUV OBSTYPE=SPECTROSCOPIC LIFE_ADJ=N/A DATE-OBS=1997-10-01 TIME-OBS=00:00:00: \
         from 1996-10-01 00:00:00 -> 1997-10-01 00:00:00: zz900004l_1dx.fits",
    ] {
        assert!(
            found.stdout.lines().any(|found| found == line),
            "{line} in {}",
            found.stdout
        );
    }
    assert!(!found.stdout.contains("file zz900004l"), "{}", found.stdout);
}

#[test]
fn the_rule_files_that_name_a_file_are_found_up_to_the_contexts() {
    let cache = cache();
    let uses = |words: &[&str]| run(&offline(&cache), &[&["uses"], words].concat());
    let dark = uses(&["zz900006j_drk.fits"]);
    assert_eq!(
        dark.stdout.lines().collect::<Vec<_>>(),
        [
            "hst_9001.pmap",
            "hst_9002.pmap",
            "hst_acs_9001.imap",
            "hst_acs_9002.imap",
            "hst_acs_darkfile_9001.rmap",
            "hst_acs_darkfile_9002.rmap",
        ],
        "{}",
        dark.stderr
    );
    assert_eq!(dark.code, 0);
    let table = uses(&[
        "--files",
        "hst_acs_darkfile_9002.rmap",
        "hst_9002.pmap",
        "-i",
    ]);
    assert_eq!(
        table.stdout,
        "hst_acs_darkfile_9002.rmap hst_9002.pmap\nhst_acs_darkfile_9002.rmap hst_acs_9002.imap\n"
    );
    assert_eq!(
        table.code, 0,
        "nothing is above a context: {}",
        table.stderr
    );
    let unknown = uses(&["zz900006j_drk.fits", "no_such.fits", "--json"]);
    assert_eq!(unknown.code, 1);
    assert!(
        unknown.stderr.contains("no_such.fits is not known"),
        "{}",
        unknown.stderr
    );
    let known: Value = serde_json::from_str(&unknown.stdout).unwrap();
    assert_eq!(
        known["zz900006j_drk.fits"]["contexts"],
        json!(["hst_9001.pmap", "hst_9002.pmap"])
    );
}

#[test]
fn affected_datasets_of_a_catalogue_are_asked_for_since_the_first_date_that_differs() {
    let folder = tempfile::tempdir().unwrap();
    let path = cache_copy(folder.path());
    let server = CrdsServer::start(&fixtures().join("crds"), "hst_9001.pmap", "hst_9002.pmap");
    let header = |instrument: &str, date: &str| {
        json!({"INSTRUME": instrument, "DETECTOR": "WFC", "CCDAMP": "C", "CCDGAIN": "2.0", "DATE-OBS": date,
            "TIME-OBS": "00:00:00", "DARKCORR": "PERFORM"})
    };
    let catalogue = [
        ("J8CB01U2Q:J8CB01U2Q", header("ACS", "2016-01-15")),
        ("J8CB010B0:J8CB01U3Q", header("ACS", "2017-01-15")),
        ("J8CB010B0:J8CB01U4Q", header("ACS", "2017-02-15")),
        ("LBGU17QNQ:LBGU17QNQ", header("COS", "2017-02-15")),
    ];
    server.set_datasets(catalogue.map(|(id, header)| (id.to_owned(), header)).into());
    let url = server.url();
    let variables = [
        ("CRDS_PATH", path.to_str().unwrap()),
        ("CRDS_SERVER_URL", url.as_str()),
    ];
    let ask = |words: &[&str]| {
        let contexts = [
            "bestrefs",
            "-o",
            "hst_9000.pmap",
            "-n",
            "hst_9001.pmap",
            "-t",
            "darkfile",
        ];
        run(&variables, &[&contexts, words].concat())
    };
    let affected = ask(&["--affected-datasets"]);
    assert_eq!(affected.stdout, "j8cb010b0\n", "{}", affected.stderr);
    let said = "Datasets of acs may be affected since 2017-01-01 00:00:00";
    assert!(affected.stderr.contains(said), "{}", affected.stderr);
    assert!(
        affected.stderr.contains("for 2 datasets"),
        "{}",
        affected.stderr
    );
    let all = ask(&["--diffs-only", "--print-affected"]);
    assert!(all.stderr.contains("for 3 datasets"), "{}", all.stderr);
    let one = ask(&[
        "--instruments",
        "cos",
        "--datasets-since=auto",
        "--print-affected",
    ]);
    assert!(
        one.stderr.contains("No instruments were affected"),
        "{}",
        one.stderr
    );
    let same = ask(&["--affected-datasets", "-n", "hst_9000.pmap"]);
    assert_ne!(same.code, 0, "a context is given once");
    let alone = run(&variables, &["bestrefs", "--affected-datasets"]);
    assert_eq!(alone.code, 2, "{}", alone.stderr);
}
