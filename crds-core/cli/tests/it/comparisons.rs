//! `crds bestrefs` of headers in JSON files, and under two contexts.

use std::fs;
use std::path::Path;

use crate::program::{cache, cache_copy, offline, raw_files, run};
use caldp_tests::external_data;
use serde_json::json;

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
    // Another reference than the header says is an error, told once more by its kind.
    let named = folder.path().join("named.json");
    let header = json!({"INSTRUME": "ACS", "DETECTOR": "WFC", "DATE-OBS": "2010-01-01",
        "TIME-OBS": "00:00:00", "CCDTAB": "FOO_CCD.FITS"});
    fs::write(&named, json!({"A:A": header}).to_string()).unwrap();
    let asked = [
        "bestrefs",
        "-p",
        named.to_str().unwrap(),
        "-g",
        "-t",
        "ccdtab",
    ];
    let regression = run(&offline(&cache), &asked);
    assert_eq!(regression.code, 1);
    let told =
        "type='CCDTAB' data='A' ::  Comparison difference: 'foo_ccd.fits' --> 'zz900001j_ccd.fits'";
    assert!(regression.stderr.contains(told), "{}", regression.stderr);
    let by_kind = "000001 errors like:: instrument='ACS' type='CCDTAB' data='A'";
    assert!(regression.stderr.contains(by_kind), "{}", regression.stderr);
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
