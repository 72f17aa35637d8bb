//! The `crds` program as its users see it: what it prints, where, and how it ends.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::program::{CRDS, REFERENCE, cache, offline, raw_files, run};
use caldp_tests::unpack_fixture;
use serde_json::{Value, json};

#[test]
fn wrong_use_and_impossible_settings_are_told_apart() {
    let cache = cache();
    let nothing = run(&offline(&cache), &["bestrefs"]);
    assert_eq!(nothing.code, 2);
    assert!(nothing.stderr.contains("--update-bestrefs"));
    let no_source = run(&offline(&cache), &["bestrefs", "-u"]);
    assert_eq!(no_source.code, 1);
    assert!(
        no_source.stderr.contains("hint: give --files"),
        "{}",
        no_source.stderr
    );
    assert_eq!(
        run(&offline(&cache), &["bestrefs", "--no-such-option"]).code,
        2
    );
    let folder = tempfile::tempdir().unwrap();
    let dataset = &raw_files("j8cb010b0", folder.path())[0];
    let asked = ["bestrefs", "-t", "darkfil", "-f", dataset.to_str().unwrap()];
    let misspelt = run(&offline(&cache), &asked);
    assert_eq!(misspelt.code, 1);
    assert!(
        misspelt.stderr.contains("hint: did you mean darkfile?"),
        "{}",
        misspelt.stderr
    );
    let bad = run(&[("CRDS_MODE", "fast")], &["list", "--status"]);
    assert_eq!(bad.code, 255);
    assert!(
        bad.stderr.contains("CRDS_MODE is \"fast\""),
        "{}",
        bad.stderr
    );
    let empty = tempfile::tempdir().unwrap();
    let empty = run(
        &[("CRDS_PATH", empty.path().to_str().unwrap())],
        &["list", "--latest-context"],
    );
    assert_eq!(empty.code, 255);
    assert!(empty.stderr.contains("hint:"), "{}", empty.stderr);
    let remote = run(
        &[offline(&cache), vec![("CRDS_MODE", "remote")]].concat(),
        &["bestrefs", "--headers", "-"],
    );
    assert_eq!(remote.code, 255);
    assert!(remote.stderr.contains("computed here"), "{}", remote.stderr);
    let misspelt = run(
        &[offline(&cache), vec![("CRDS_REDONLY_CACHE", "1")]].concat(),
        &["list", "--latest-context"],
    );
    assert_eq!(misspelt.code, 0);
    assert!(
        misspelt
            .stderr
            .contains("WARNING -  CRDS_REDONLY_CACHE is set but means nothing")
    );
    assert!(run(&[], &["--version"]).stdout.starts_with("crds 0."));
    assert!(
        run(&[], &["completions", "bash"])
            .stdout
            .contains("bestrefs")
    );
    assert!(run(&[], &["man", "bestrefs"]).stdout.contains(".TH"));
    let no_page = run(&[], &["man", "bestref"]);
    assert_eq!(no_page.code, 2);
    assert!(
        no_page.stderr.contains("no command bestref"),
        "{}",
        no_page.stderr
    );
    let nobody = [
        ("CRDS_PATH", "/nonexistent"),
        ("CRDS_SERVER_URL", "http://127.0.0.1:9"),
    ];
    let unreachable = run(&nobody, &["list", "--latest-context"]);
    assert_eq!(unreachable.code, 255);
    assert!(
        unreachable
            .stderr
            .contains("hint: is CRDS_SERVER_URL right"),
        "{}",
        unreachable.stderr
    );
}

#[test]
fn matches_are_the_rows_of_the_rules() {
    let cache = cache();
    let found = run(&offline(&cache), &["matches", "--files", REFERENCE]);
    assert_eq!(
        found.stdout,
        " zz900001j_ccd.fits : ACS CCDTAB DETECTOR='HRC' DATE-OBS='1992-01-01' TIME-OBS='00:00:00'\n \
          zz900001j_ccd.fits : ACS CCDTAB DETECTOR='WFC' DATE-OBS='1992-01-01' TIME-OBS='00:00:00'\n"
    );
    let two = run(
        &offline(&cache),
        &[
            "matches",
            "--contexts",
            "hst_9000.pmap",
            "hst-edit",
            "--files",
            "zz900097j_drk.fits",
            "-o",
            "-b",
        ],
    );
    assert!(
        two.stdout.contains("hst_9000.pmap zz900097j_drk.fits :  '")
            && two.stdout.lines().all(|line| !line.contains("DETECTOR"))
    );
    let rows = |arguments: &[&str]| {
        let asked = [&["matches", "--files", REFERENCE], arguments].concat();
        run(&offline(&cache), &asked).stdout
    };
    // As the Python client writes them.
    assert!(rows(&["-t"]).starts_with(
        " zz900001j_ccd.fits : (('OBSERVATORY', 'HST'), ('INSTRUMENT', 'ACS'), ('FILEKIND', 'CCDTAB'), \
         ('DETECTOR', 'HRC'), ('DATE-OBS', '1992-01-01'), ('TIME-OBS', '00:00:00'))\n"
    ));
    assert!(
        rows(&["-t", "-b", "-o"])
            .starts_with(" zz900001j_ccd.fits : ('HRC', '1992-01-01', '00:00:00')\n")
    );
    let wfc = rows(&["--filters", "DETECTOR=WFC"]);
    assert_eq!(wfc.lines().count(), 1);
    assert_eq!(rows(&["--filters", "detector=wfc", "CCDGAIN=1.0"]), wfc);
    assert_eq!(rows(&["--filters", "DETECTOR=SBC"]), "");
    let unknown = run(&offline(&cache), &["matches", "--files", "x.fits"]);
    assert_eq!((unknown.code, unknown.stdout.as_str()), (1, ""));
    assert!(
        unknown.stderr.contains("chooses x.fits"),
        "{}",
        unknown.stderr
    );
}

#[test]
fn names_in_lists_and_beginnings_of_options_are_understood() {
    let cache = cache();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let inner = format!("@{}", path("inner"));
    std::fs::write(path("inner"), "zz900097j_drk.fits\r\n").unwrap();
    let outer = format!("# darks\r\n{REFERENCE} zz900006j_drk.fits\r\n{inner}\r\n");
    std::fs::write(path("outer"), outer).unwrap();
    let list = format!("@{}", path("outer"));
    let found = run(
        &offline(&cache),
        &[
            "matches",
            "--omit",
            "--files",
            &list,
            "--context",
            "hst_9001.pmap",
        ],
    );
    assert_eq!(found.code, 0, "{}", found.stderr);
    for name in [REFERENCE, "zz900006j_drk.fits", "zz900097j_drk.fits"] {
        assert!(found.stdout.contains(name), "{name}: {}", found.stdout);
    }
    std::fs::write(path("nothing"), "# nothing\n").unwrap();
    let nothing = format!("@{}", path("nothing"));
    for command in [
        ["matches", "--files", &nothing],
        ["bestrefs", "--files", &nothing],
    ] {
        let refused = run(&offline(&cache), &command);
        assert_eq!(refused.code, 2, "{}", refused.stderr);
    }
    std::fs::write(path("none.json"), "{}").unwrap();
    let none = run(
        &offline(&cache),
        &["bestrefs", "--load-pick", &path("none.json")],
    );
    assert_eq!(none.code, 1, "{}", none.stderr);
    // Of several options it is none.
    let ambiguous = run(&offline(&cache), &["bestrefs", "--print-aff"]);
    assert_eq!(ambiguous.code, 2);
}

#[test]
fn lists_say_what_is_there() {
    let cache = cache();
    let list = |arguments: &[&str]| {
        let ran = run(&offline(&cache), &[&["list"], arguments].concat());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        ran.stdout
    };
    assert_eq!(list(&["--operational-context"]), "hst_9001.pmap\n");
    let names = ["hst-edit", "hst-2026-02-01", "hst-acs-2026-02-01", "latest"];
    assert_eq!(
        list(&[&["--resolve-contexts", "--contexts"], names.as_slice()].concat()),
        "hst_9002.pmap\nhst_9000.pmap\nhst_acs_9000.imap\nhst_9001.pmap\n"
    );
    assert_eq!(list(&["--cached-pickles"]).lines().count(), 3);
    assert!(list(&["--status"]).contains("Effective Context = 'hst_9001.pmap'"));
    assert!(list(&["--config"]).contains("CRDS_READONLY_CACHE=1  (environment)"));
    assert!(list(&["--required-parkeys"]).contains("cos = ["));
    assert!(list(&["--references", "--contexts", "hst_9001.pmap"]).contains(REFERENCE));
    assert!(
        list(&["--mappings", "--contexts", "hst_acs_9001.imap"]).starts_with("hst_acs_9001.imap\n")
    );
    assert!(
        list(&["--cached-references", "--full-path"])
            .contains(&format!("/references/hst/{REFERENCE}\n"))
    );
    assert!(list(&["--cat", "hst_9001.pmap"]).contains("'parkey' : ('INSTRUME',)"));
    let json: Value = serde_json::from_str(&list(&["--latest-context", "--json"])).unwrap();
    assert_eq!(json, json!({"latest_context": ["hst_9001.pmap"]}));
}

/// The examples of README.md: every `$ command` of its `console` blocks, and what follows it.
#[test]
fn the_examples_of_the_readme_are_true() {
    let readme =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    unpack_fixture("j8cb010b0", folder.path());
    let bin = Path::new(CRDS).parent().unwrap();
    let mut path = std::ffi::OsString::from(bin);
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap());
    let mut examples = 0;
    for block in readme.split("```console\n").skip(1) {
        let block = block.split("```").next().unwrap();
        for example in block.split("$ ").skip(1) {
            let (command, expected) = example.split_once('\n').unwrap();
            let output = Command::new("bash")
                .args(["-c", command])
                .current_dir(folder.path())
                .env_clear()
                .env("PATH", &path)
                .env("CRDS_PATH", cache())
                .env("CRDS_READONLY_CACHE", "1")
                .output()
                .unwrap();
            assert_eq!(
                String::from_utf8(output.stdout).unwrap(),
                expected,
                "{command}"
            );
            examples += 1;
        }
    }
    assert_eq!(examples, 7);
}
