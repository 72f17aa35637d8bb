//! What `crds sync` does about damage, what it asks the server for, and what it leaves alone.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::program::{REFERENCE, raw_files, run};
use caldp_tests::{CrdsServer, Run, fixtures};
use serde_json::{Value, json};

const RULES: &str = "mappings/hst/hst_acs_ccdtab_9000.rmap";

/// A server, and an empty cache that it fills.
struct ServedCache {
    server: CrdsServer,
    folder: tempfile::TempDir,
}

impl ServedCache {
    fn new() -> Self {
        Self {
            server: CrdsServer::start(&fixtures().join("crds"), "hst_9001.pmap", "hst_9002.pmap"),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn run_with(&self, more: &[(&str, &str)], arguments: &[&str]) -> Run {
        let url = self.server.url();
        let cache = [
            ("CRDS_PATH", self.folder.path().to_str().unwrap()),
            ("CRDS_SERVER_URL", url.as_str()),
        ];
        run(&[cache.as_slice(), more].concat(), arguments)
    }

    fn sync(&self, arguments: &[&str]) -> Run {
        self.run_with(&[], &[&["sync"], arguments].concat())
    }

    fn told(&self, arguments: &[&str]) -> Value {
        let done = self.sync(&[arguments, &["--json"]].concat());
        assert_eq!(done.code, 0, "{}", done.stderr);
        serde_json::from_str(&done.stdout).unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The rules that were asked for since, with repeats.
    fn rules_asked(&self, since: usize) -> Vec<String> {
        let asked = self.server.requests().split_off(since);
        asked
            .into_iter()
            .filter(|name| name.starts_with("mappings/"))
            .collect()
    }
}

fn original(name: &str) -> Vec<u8> {
    fs::read(fixtures().join("crds").join(name)).unwrap()
}

fn files_below(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.path() {
            path if path.is_dir() => files_below(&path),
            _ => 1,
        })
        .sum()
}

#[test]
fn damaged_rules_are_reported_and_repaired() {
    let site = ServedCache::new();
    let context = ["--contexts", "hst_9001.pmap"];
    assert_eq!(site.sync(&context).code, 0);
    let mut changed = original(RULES);
    let last = changed.len() - 3;
    changed[last] = b'#';
    for damaged in [&b""[..], &changed, b"what is this"] {
        fs::write(site.path(RULES), damaged).unwrap();
        // Checking changes nothing.
        let checked = site.sync(&[context.as_slice(), &["--check-files"]].concat());
        assert_eq!(checked.code, 1, "{}", checked.stderr);
        assert!(
            checked.stderr.contains("hst_acs_ccdtab_9000.rmap"),
            "{}",
            checked.stderr
        );
        assert_eq!(fs::read(site.path(RULES)).unwrap(), damaged);
        let purged = site.sync(&[context.as_slice(), &["-k", "--purge-mappings"]].concat());
        assert_eq!(purged.code, 1, "{}", purged.stderr);
        assert!(
            purged.stderr.contains("nothing is purged"),
            "{}",
            purged.stderr
        );
        // Repairing brings one file.
        let asked = site.server.requests().len();
        let repaired = site.told(&[context.as_slice(), &["--repair-files"]].concat());
        assert_eq!(repaired["findings"][0]["repaired"], true);
        assert_eq!(site.rules_asked(asked), [RULES]);
        assert_eq!(fs::read(site.path(RULES)).unwrap(), original(RULES));
    }
    // So does filling, where the size is wrong; and a map of an instrument is no different.
    for name in [
        RULES,
        "mappings/hst/hst_acs_9001.imap",
        "mappings/hst/hst_9001.pmap",
    ] {
        fs::write(site.path(name), "").unwrap();
        assert_eq!(site.sync(&context).code, 0);
        assert_eq!(fs::read(site.path(name)).unwrap(), original(name));
        fs::write(site.path(name), "").unwrap();
        let preview = site.sync(&[context.as_slice(), &["--repair-files", "--dry-run"]].concat());
        assert_eq!(preview.code, 1, "{}", preview.stderr);
        assert_eq!(fs::read(site.path(name)).unwrap(), b"");
        site.told(&[context.as_slice(), &["--repair-files"]].concat());
        assert_eq!(fs::read(site.path(name)).unwrap(), original(name));
    }
}

#[test]
fn a_short_reference_is_left_where_files_are_only_checked() {
    let site = ServedCache::new();
    let some = ["--files", REFERENCE];
    assert_eq!(site.sync(&some).code, 0);
    let path = site.path("references/hst/acs").join(REFERENCE);
    fs::write(&path, "short").unwrap();
    let checked = site.sync(&[some.as_slice(), &["--check-files"]].concat());
    assert_eq!(checked.code, 1, "{}", checked.stderr);
    assert!(checked.stderr.contains("has 5 bytes"), "{}", checked.stderr);
    assert_eq!(fs::read(&path).unwrap(), b"short");
    assert_eq!(
        site.sync(&[some.as_slice(), &["-k", "-r"]].concat()).code,
        0
    );
    assert_ne!(fs::read(&path).unwrap(), b"short");
}

#[test]
fn each_rules_file_is_asked_for_once() {
    let site = ServedCache::new();
    let all = original_rules();
    let readonly = [("CRDS_READONLY_CACHE", "1")];
    for arguments in [
        ["sync", "--dry-run", "--last-n-contexts", "3"].as_slice(),
        &["sync", "--readonly-cache", "--all"],
        &[
            "list",
            "--readonly-cache",
            "--mappings",
            "--references",
            "--all",
        ],
        &[
            "list",
            "--readonly-cache",
            "--references",
            "--contexts",
            "hst_9000.pmap",
            "hst_9001.pmap",
            "hst_9002.pmap",
        ],
        &[
            "matches",
            "--readonly-cache",
            "--files",
            REFERENCE,
            "--range",
            "9000:9002",
        ],
    ] {
        let since = site.server.requests().len();
        let ran = site.run_with(&[], arguments);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let asked = site.rules_asked(since);
        assert_eq!(
            asked.iter().cloned().collect::<BTreeSet<_>>(),
            all,
            "{arguments:?}"
        );
        assert_eq!(asked.len(), all.len(), "{arguments:?}");
        assert_eq!(files_below(site.folder.path()), 0, "{arguments:?}");
    }
    // Of two contexts, what both have.
    let folder = tempfile::tempdir().unwrap();
    let file = raw_files("j8cb010b0", folder.path()).remove(0);
    let since = site.server.requests().len();
    let asked = [
        "bestrefs",
        "-n",
        "hst_9001.pmap",
        "-o",
        "hst_9000.pmap",
        "-f",
        file.to_str().unwrap(),
    ];
    let ran = site.run_with(&readonly, &asked);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let asked = site.rules_asked(since);
    assert_eq!(asked.iter().collect::<BTreeSet<_>>().len(), asked.len());
}

fn original_rules() -> BTreeSet<String> {
    let folder = fixtures().join("crds/mappings/hst");
    let entries = fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.map(|name| format!("mappings/hst/{name}")).collect()
}

#[test]
fn without_a_word_the_context_in_use_is_meant() {
    let site = ServedCache::new();
    let preview = site.sync(&["--readonly-cache"]);
    assert_eq!(preview.code, 0, "{}", preview.stderr);
    assert!(
        preview.stdout.contains("hst_9001.pmap\n"),
        "{}",
        preview.stdout
    );
    assert!(
        preview.stderr.contains("would download"),
        "{}",
        preview.stderr
    );
    assert_eq!(files_below(site.folder.path()), 0);
    let done = site.sync(&["--verify-context-change"]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert!(
        done.stderr.contains("to 'hst_9001.pmap'"),
        "{}",
        done.stderr
    );
    assert!(site.path("mappings/hst/hst_9001.pmap").exists());
    assert!(!site.path("mappings/hst/hst_9002.pmap").exists());
    let again = site.sync(&["--verify-context-change"]);
    assert_eq!(again.code, 1);
    assert!(
        again.stderr.contains("are both 'hst_9001.pmap'"),
        "{}",
        again.stderr
    );
    let nothing = site.sync(&["--readonly-cache"]);
    assert_eq!((nothing.code, nothing.stdout.as_str()), (0, ""));
    // A hint is not given that is followed already.
    let unknown = site.sync(&["--files", "zz9j_drk.fits"]);
    assert_eq!(unknown.code, 1);
    assert!(
        unknown.stderr.contains("is the name right?") && !unknown.stderr.contains("`crds sync`"),
        "{}",
        unknown.stderr
    );
    // What is done to a cache alone brings nothing.
    let since = site.server.requests().len();
    assert_eq!(site.sync(&["--clear-locks"]).code, 0);
    assert!(site.rules_asked(since).is_empty());
}

#[test]
fn a_context_whose_rules_are_lost_comes_into_use_only_by_force() {
    let site = ServedCache::new();
    assert_eq!(site.sync(&["--contexts", "hst_9000.pmap"]).code, 0);
    let in_use = || {
        let listed = site.run_with(&[("CRDS_SERVER_URL", "")], &["list", "--latest-context"]);
        listed.stdout
    };
    assert_eq!(in_use(), "hst_9001.pmap\n");
    let newer = CrdsServer::start(&fixtures().join("crds"), "hst_9002.pmap", "hst_9002.pmap");
    let url = newer.url();
    let sync = |arguments: &[&str]| {
        let url = [("CRDS_SERVER_URL", url.as_str())];
        let ran = site.run_with(&url, &[&["sync", "--files", REFERENCE], arguments].concat());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
    };
    assert_eq!(site.sync(&[]).code, 0);
    sync(&[]);
    assert_eq!(in_use(), "hst_9001.pmap\n");
    sync(&["--force-config-update"]);
    assert_eq!(in_use(), "hst_9002.pmap\n");
}

#[test]
fn files_are_put_into_a_folder_and_the_cache_stays_as_it_is() {
    let site = ServedCache::new();
    let out = tempfile::tempdir().unwrap();
    let readonly = [("CRDS_READONLY_CACHE", "1")];
    let arguments = [
        "sync",
        "--output-dir",
        out.path().to_str().unwrap(),
        "--files",
        REFERENCE,
        "hst_9001.pmap",
    ];
    let done = site.run_with(&readonly, &arguments);
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert_eq!(files_below(out.path()), 2);
    let name = format!("references/hst/{REFERENCE}");
    assert_eq!(
        fs::read(out.path().join(REFERENCE)).unwrap(),
        original(&name)
    );
    assert_eq!(files_below(site.folder.path()), 0);
    // What the cache has is copied, and not where it is damaged.
    assert_eq!(site.sync(&["--files", REFERENCE]).code, 0);
    for requests in [0, 1] {
        let since = site.server.count(&name);
        assert_eq!(site.run_with(&readonly, &arguments).code, 0);
        assert_eq!(site.server.count(&name) - since, requests);
        assert_eq!(
            fs::read(out.path().join(REFERENCE)).unwrap(),
            original(&name)
        );
        fs::write(site.path("references/hst/acs").join(REFERENCE), "short").unwrap();
    }
    let refused = site.sync(&["--output-dir", "x", "--purge-references"]);
    assert_eq!(refused.code, 2);
}

#[test]
fn datasets_of_the_servers_catalogue_bring_their_references() {
    let site = ServedCache::new();
    let header = json!({
        "INSTRUME": "ACS", "DETECTOR": "WFC", "CCDAMP": "C", "CCDGAIN": "2.0",
        "DATE-OBS": "2010-01-01", "TIME-OBS": "00:00:00", "BIASCORR": "OMIT", "FLATCORR": "OMIT",
    });
    let answer = json!({"J8BT06NYQ:J8BT06NYQ": header});
    site.server.set_answer("get_dataset_headers_by_id", answer);
    let context = ["--contexts", "hst_9001.pmap", "--dataset-ids"];
    let done = site.sync(&[context.as_slice(), &["J8BT06NYQ", "--json"]].concat());
    let done: Value = serde_json::from_str(&done.stdout).unwrap();
    let references = done["references"].as_array().unwrap().iter();
    let names: Vec<&str> = references.map(|r| r["name"].as_str().unwrap()).collect();
    assert!(names.contains(&REFERENCE) && names.len() < 15, "{names:?}");
    let missing = site.sync(&["--dataset-ids", "nobody"]);
    assert_eq!(missing.code, 1);
    assert!(
        missing.stderr.contains("no header of nobody"),
        "{}",
        missing.stderr
    );
}

#[test]
fn withdrawn_files_are_deleted_where_that_is_asked() {
    let site = ServedCache::new();
    let all = ["--contexts", "hst_9001.pmap", "--fetch-references"];
    assert_eq!(site.sync(&all).code, 0);
    let no = json!({"rejected": "false", "blacklisted": "false"});
    site.server.set_answer(
        "get_file_info_map",
        json!({
            REFERENCE: {"rejected": "true", "blacklisted": "false"},
            "zz900097j_drk.fits": {"rejected": "false", "blacklisted": "true"},
            "zz900006j_drk.fits": no,
        }),
    );
    let path = site.path("references/hst/acs").join(REFERENCE);
    let preview = site.told(&["--purge-rejected", "--dry-run"]);
    assert_eq!(preview["removed"], json!([path]));
    assert!(path.exists());
    let done = site.told(&[all.as_slice(), &["--purge-rejected"]].concat());
    assert_eq!(done["removed"], json!([path]));
    assert!(!path.exists());
    let withdrawn = site.path("references/hst/acs/zz900097j_drk.fits");
    fs::write(&withdrawn, "").unwrap();
    site.sync(&["--purge-blacklisted"]);
    assert!(!withdrawn.exists());
}
