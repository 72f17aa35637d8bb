#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::cache::server_config::ServerConfig;
use crate::config::Config;
use crate::observatory::Observatory;

pub(in crate::cache) fn layout_at(path: &Path) -> CacheLayout {
    let config = Config::from_vars([("CRDS_PATH", path)]).unwrap();
    CacheLayout::new(&config.locations, Observatory::Hst)
}

#[test]
fn the_bundled_cache_is_as_it_should_be() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/crds");
    let layout = layout_at(&path);
    let config = ServerConfig::load(&layout).unwrap();
    let catalogue = config.catalogue().unwrap();
    let mut files = mappings(&layout).unwrap();
    assert_eq!(files.first().unwrap().name, "hst_9000.pmap");
    files.extend(references(&layout).unwrap());
    assert_eq!(files.len(), catalogue.files().count());
    let seen = AtomicUsize::new(0);
    let count = |_: &CachedFile| {
        seen.fetch_add(1, Ordering::Relaxed);
    };
    assert!(check(files.clone(), catalogue, Depth::Sums, count).is_empty());
    assert_eq!(seen.into_inner(), files.len());
}

#[test]
fn damage_and_strangers_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let layout = layout_at(folder.path());
    assert!(references(&layout).unwrap().is_empty());
    let acs = layout.references.join("acs");
    fs::create_dir_all(&acs).unwrap();
    std::os::unix::fs::symlink("acs", layout.references.join("jref")).unwrap();
    fs::write(acs.join("aj_drk.fits"), "abc").unwrap();
    fs::write(acs.join("bj_drk.fits"), "abd").unwrap();
    fs::write(acs.join("cj_drk.fits"), "ab").unwrap();
    fs::write(layout.references.join("dj_drk.fits"), "").unwrap();
    fs::write(acs.join(".unfinished-x"), "").unwrap();
    let catalogue =
        Catalogue::of_files(["aj_drk.fits", "bj_drk.fits", "cj_drk.fits"].map(|name| {
            let sum = "a9993e364706816aba3e25717850c26c9cd0d89d";
            let expected = Expected {
                size: Some(3),
                sha1: sum.parse().ok(),
                ..Expected::default()
            };
            (name, expected)
        }));
    let files = references(&layout).unwrap();
    assert_eq!(files.len(), 4);
    let names = |depth| -> Vec<String> {
        let findings = check(files.clone(), &catalogue, depth, |_| {});
        let text = |finding: Finding| {
            let problem = finding
                .problem
                .map_or("unknown".into(), |problem| problem.to_string());
            format!("{} {problem}", finding.file.name)
        };
        findings.into_iter().map(text).collect()
    };
    let sizes = names(Depth::Sizes);
    assert_eq!(sizes.len(), 2);
    assert!(sizes[0].contains("has 2 bytes, should have 3") && sizes[1] == "dj_drk.fits unknown");
    assert!(
        names(Depth::Sums)[0].starts_with("bj_drk.fits") && names(Depth::Sums)[0].contains("SHA-1")
    );
}

#[test]
fn what_killed_processes_left_is_removed_and_what_is_being_written_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let layout = layout_at(folder.path());
    let acs = layout.references.join("acs");
    fs::create_dir_all(&acs).unwrap();
    let writing = storage::atomic::Pending::create(&acs.join("c.fits")).unwrap();
    for name in [".unfinished-a.fits-1", ".unfinished-c.fits-1", "c.fits"] {
        fs::write(acs.join(name), "").unwrap();
    }
    fs::create_dir_all(acs.join(".unfinished-b.fits-1/x")).unwrap();
    assert_eq!(remove_abandoned(&layout).unwrap(), 3);
    assert_eq!(fs::read_dir(&acs).unwrap().count(), 2);
    drop(writing);
    assert_eq!(fs::read_dir(&acs).unwrap().count(), 1);
}
