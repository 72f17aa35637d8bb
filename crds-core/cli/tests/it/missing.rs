//! Files that cannot be had: they neither break a cache that worked nor keep others from coming.

use std::fs;
use std::path::Path;

use crate::program::{REFERENCE, raw_files, run};
use caldp_tests::{CrdsServer, Run, fixtures};
use serde_json::{Value, json};

/// The rules that only the second context has.
const NEW_RULES: &str = "hst_acs_darkfile_9002.rmap";

fn copied(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copied(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn crds(server: Option<&CrdsServer>, cache: &Path, arguments: &[&str]) -> Run {
    let url = server.map(CrdsServer::url);
    let mut variables = vec![("CRDS_PATH", cache.to_str().unwrap())];
    variables.extend(url.as_deref().map(|url| ("CRDS_SERVER_URL", url)));
    run(&variables, arguments)
}

#[test]
fn a_context_becomes_current_only_when_its_rules_are_in_the_cache() {
    let (cache, root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let whole = fixtures().join("crds");
    let first = CrdsServer::start(&whole, "hst_9001.pmap", "hst_9001.pmap");
    let sync = ["sync", "--contexts", "hst-operational"];
    let filled = crds(Some(&first), cache.path(), &sync);
    assert_eq!(filled.code, 0, "{}", filled.stderr);
    let current = || crds(None, cache.path(), &["list", "--operational-context"]).stdout;
    assert_eq!(current(), "hst_9001.pmap\n");

    copied(&whole, root.path());
    fs::remove_file(root.path().join("mappings/hst").join(NEW_RULES)).unwrap();
    let torn = CrdsServer::start(root.path(), "hst_9002.pmap", "hst_9002.pmap");
    let failed = crds(Some(&torn), cache.path(), &sync);
    assert_ne!(failed.code, 0);
    assert!(failed.stderr.contains(NEW_RULES), "{}", failed.stderr);
    assert_eq!(current(), "hst_9001.pmap\n");
    let offline = crds(
        None,
        cache.path(),
        &["list", "--mappings", "--contexts", "hst-operational"],
    );
    assert_eq!(offline.code, 0, "{}", offline.stderr);

    let mended = CrdsServer::start(&whole, "hst_9002.pmap", "hst_9002.pmap");
    let done = crds(Some(&mended), cache.path(), &sync);
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert_eq!(current(), "hst_9002.pmap\n");
}

#[test]
fn one_file_that_cannot_be_had_does_not_stop_the_others() {
    let (cache, root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    copied(&fixtures().join("crds"), root.path());
    let server = CrdsServer::start(root.path(), "hst_9001.pmap", "hst_9001.pmap");
    let folder = root.path().join("references/hst");
    let mut references: Vec<String> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != REFERENCE)
        .collect();
    references.sort();
    references.truncate(3);
    let gone = references.remove(1);
    fs::remove_file(folder.join(&gone)).unwrap();
    let unknown = "zz999999j_drk.fits";
    let asked = [
        "sync",
        "--files",
        unknown,
        &references[0],
        &gone,
        &references[1],
        REFERENCE,
    ];
    let ran = crds(Some(&server), cache.path(), &asked);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    for name in [references[0].as_str(), references[1].as_str(), REFERENCE] {
        let listed = crds(None, cache.path(), &["list", "--cached-references"]).stdout;
        assert!(
            listed.contains(name),
            "{name} did not come: {listed}\n{}",
            ran.stderr
        );
    }
    for name in [gone.as_str(), unknown] {
        assert!(
            ran.stderr.contains(name),
            "{name} is not told of: {}",
            ran.stderr
        );
    }
}

#[test]
fn only_the_references_of_the_datasets_are_fetched_and_kept() {
    let (cache, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = CrdsServer::start(&fixtures().join("crds"), "hst_9001.pmap", "hst_9001.pmap");
    let sync = |more: &[&str]| {
        let arguments = [
            &["sync", "--contexts", "hst_9001.pmap", "--fetch-references"],
            more,
        ];
        let ran = crds(Some(&server), cache.path(), &arguments.concat());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let listed = crds(None, cache.path(), &["list", "--cached-references"]).stdout;
        listed.lines().count()
    };
    let raw = raw_files("j8cb010b0", folder.path()).remove(0);
    let dataset = ["--dataset-files", raw.to_str().unwrap()];
    let of_dataset = sync(&dataset);
    let of_context = sync(&[]);
    assert!(
        0 < of_dataset && of_dataset < of_context,
        "{of_dataset} of {of_context}"
    );
    assert_eq!(
        sync(&[&dataset[..], &["--purge-references"]].concat()),
        of_dataset
    );
}

#[test]
fn a_name_that_tells_no_instrument_is_unknown_and_does_not_stop_the_others() {
    let cache = tempfile::tempdir().unwrap();
    let server = CrdsServer::start(&fixtures().join("crds"), "hst_9001.pmap", "hst_9001.pmap");
    let asked = ["sync", "--files", "nosuch.fits", REFERENCE];
    let done = crds(Some(&server), cache.path(), &asked);
    assert_eq!(done.code, 1);
    let said = "nosuch.fits is not among the files CRDS knows\nhint: is the name right?";
    assert!(done.stderr.contains(said), "{}", done.stderr);
    let fetched = cache.path().join("references/hst/acs").join(REFERENCE);
    assert!(fetched.exists(), "{}", done.stderr);
}

#[test]
fn a_withdrawn_reference_of_a_dataset_is_not_fetched_unless_that_is_allowed() {
    let cache = tempfile::tempdir().unwrap();
    let server = CrdsServer::start(&fixtures().join("crds"), "hst_9001.pmap", "hst_9002.pmap");
    let header = json!({
        "INSTRUME": "ACS", "DETECTOR": "WFC", "CCDAMP": "C", "CCDGAIN": "2.0",
        "DATE-OBS": "2017-03-01", "TIME-OBS": "00:00:00", "DARKCORR": "PERFORM", "BIASCORR": "OMIT", "FLATCORR": "OMIT",
    });
    let answer = json!({"J8BT06NYQ:J8BT06NYQ": header});
    server.set_answer("get_dataset_headers_by_id", answer);
    let arguments = [
        "sync",
        "--contexts",
        "hst_9002.pmap",
        "--dataset-ids",
        "J8BT06NYQ",
        "--json",
    ];
    let url = server.url();
    let variables = [
        ("CRDS_PATH", cache.path().to_str().unwrap()),
        ("CRDS_SERVER_URL", &url),
    ];
    let sync = |more: &[(&str, &str)]| run(&[&variables, more].concat(), &arguments);
    let names = |done: &Run| {
        let done: Value = serde_json::from_str(&done.stdout).unwrap();
        let references = done["references"].as_array().unwrap().clone();
        let names = references
            .iter()
            .map(|r| r["name"].as_str().unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    let done = sync(&[]);
    assert_eq!(done.code, 1);
    let withdrawn = "zz900098j_drk.fits";
    assert!(done.stderr.contains(withdrawn), "{}", done.stderr);
    let others = names(&done);
    assert!(others.iter().any(|name| name == REFERENCE), "{others:?}");
    assert!(!others.iter().any(|name| name == withdrawn), "{others:?}");
    assert_eq!(server.count(&format!("references/hst/{withdrawn}")), 0);

    let allowed = sync(&[("CRDS_ALLOW_BAD_REFERENCES", "1")]);
    assert_eq!(allowed.code, 0, "{}", allowed.stderr);
    assert!(names(&allowed).iter().any(|name| name == withdrawn));
}
