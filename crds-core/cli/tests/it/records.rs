//! What `crds bestrefs` leaves behind: keywords in files, headers with answers, lists of errors.

use std::fs;

use crate::program::{cache, command, fits_file, offline, run};
use caldp_tests::Run;
use serde_json::Value;

const HEADERS: &str = r#"{"a:1": {"INSTRUME": "ACS", "DETECTOR": "WFC", "DATE-OBS": "2010-01-01", "TIME-OBS": "00:00:00", "CCDTAB": "old.fits"}}
{"b:2": {"INSTRUME": "ACS", "DETECTOR": "XYZ", "DATE-OBS": "2010-01-01", "TIME-OBS": "00:00:00"}}
{"c:3": {"INSTRUME": "ACS", "DETECTOR": "XYZ", "DATE-OBS": "2010-01-01", "TIME-OBS": "00:00:00"}}
"#;

#[test]
fn absent_keywords_that_are_not_applicable_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x_raw.fits");
    let cards = [
        "SIMPLE  =                    T",
        "BITPIX  =                    8",
        "NAXIS   =                    0",
        "INSTRUME= 'ACS     '",
        "DETECTOR= 'WFC     '",
        "CCDAMP  = 'C       '",
        "CCDGAIN =                  2.0",
        "BIASCORR= 'OMIT    '",
        "DATE-OBS= '2010-01-01'",
        "TIME-OBS= '00:00:00'",
    ];
    fits_file(&path, &cards);
    let path = path.to_str().unwrap();
    let asked = [
        "bestrefs", "-c", "-u", "-t", "biasfile", "ccdtab", "-f", path,
    ];
    let ran = run(&offline(&cache()), &asked);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let shown = run(&offline(&cache()), &["list", "--cat", path]).stdout;
    assert!(shown.contains("'BIASFILE': 'N/A'"), "{shown}");
    assert!(
        shown.contains("'CCDTAB': 'jref$zz900001j_ccd.fits'"),
        "{shown}"
    );
    // What was not asked for is not written.
    assert!(!shown.contains("DARKFILE"), "{shown}");
}

#[test]
fn errors_are_counted_by_kind_and_their_datasets_listed() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("x.json"), HEADERS).unwrap();
    let asked = [
        "bestrefs",
        "-p",
        "x.json",
        "-t",
        "ccdtab",
        "--check-context",
    ];
    let mut checked = command(&offline(&cache()), &asked);
    let ran = Run::of(checked.current_dir(folder.path()));
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("Loading file 'x.json'"),
        "{}",
        ran.stderr
    );
    assert!(
        ran.stderr
            .contains("000002 errors like:: instrument='ACS' type='CCDTAB' data='b:2'"),
        "{}",
        ran.stderr
    );
    assert!(
        ran.stderr.contains("All unique error types: 1\n"),
        "{}",
        ran.stderr
    );
    assert!(
        ran.stderr.contains("Untracked errors: 0\n"),
        "{}",
        ran.stderr
    );
    let ids = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    assert_eq!(ids("all_errors.ids"), "b:2\nc:3\n");
    assert_eq!(ids("unique_errors.ids"), "b:2\n");
}

#[test]
fn headers_are_saved_with_the_answers() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("x.json"), HEADERS).unwrap();
    for (more, answer) in [
        (None, "old.fits"),
        (Some("--update-pickle"), "ZZ900001J_CCD.FITS"),
    ] {
        let (from, to) = (path("x.json"), path("y.json"));
        let mut asked = vec![
            "bestrefs",
            "-p",
            &from,
            "-t",
            "ccdtab",
            "--save-pickle",
            &to,
        ];
        asked.extend(more);
        let ran = run(&offline(&cache()), &asked);
        let saved = fs::read_to_string(&to).unwrap();
        let first: Value = serde_json::from_str(saved.lines().next().unwrap()).unwrap();
        assert_eq!(first["a:1"]["CCDTAB"], answer, "{}", ran.stderr);
    }
}

#[test]
fn every_setting_is_taken_back() {
    let set = [
        ("CRDS_PATH", "/x"),
        ("CRDS_S3_ENABLED", "nonsense"),
        ("OTHER", "1"),
    ];
    let ran = run(&set, &["s3-unset"]);
    let mut lines: Vec<&str> = ran.stdout.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["unset CRDS_PATH", "unset CRDS_S3_ENABLED"]);
}
