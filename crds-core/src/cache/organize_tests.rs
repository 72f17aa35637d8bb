#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::cache::inventory::tests::layout_at;

/// A flat cache with references of two instruments and one of none.
fn flat() -> (tempfile::TempDir, CacheLayout) {
    let folder = tempfile::tempdir().unwrap();
    let layout = layout_at(folder.path());
    fs::create_dir_all(&layout.references).unwrap();
    for name in ["1j_drk.fits", "2j_drk.fits", "3i_drk.fits", "odd.fits"] {
        fs::write(layout.references.join(name), name).unwrap();
    }
    layout::write_mode(&layout, SubdirMode::Flat).unwrap();
    (folder, layout)
}

fn names(layout: &CacheLayout) -> Vec<String> {
    let files = inventory::references(layout).unwrap();
    let relative = |file: CachedFile| {
        let path = file.path.strip_prefix(&layout.references).unwrap();
        path.display().to_string()
    };
    files.into_iter().map(relative).collect()
}

fn run(layout: &CacheLayout, mode: SubdirMode) -> Organized {
    organize(layout, &Config::default(), mode, InTheWay::Kept, |_| {}).unwrap()
}

const SORTED: [&str; 4] = [
    "acs/1j_drk.fits",
    "acs/2j_drk.fits",
    "wfc3/3i_drk.fits",
    "odd.fits",
];

#[test]
fn there_and_back_again() {
    let (_folder, layout) = flat();
    let before = names(&layout);
    let done = run(&layout, SubdirMode::Instrument);
    assert_eq!((done.moved, done.left.len()), (3, 1));
    assert!(done.left[0].1.contains("does not tell its instrument"));
    assert_eq!(names(&layout), SORTED);
    assert!(layout.references.join("jref/1j_drk.fits").exists());
    assert_eq!(run(&layout, SubdirMode::Instrument).moved, 0);
    let done = run(&layout, SubdirMode::Flat);
    assert_eq!((done.moved, done.left.len()), (3, 0));
    assert_eq!(names(&layout), before);
    assert_eq!(fs::read_dir(&layout.references).unwrap().count(), 4);
    assert_eq!(fs::read_to_string(layout.subdir_mode()).unwrap(), "flat");
}

#[test]
fn an_interrupted_run_is_finished_by_the_next() {
    let (_folder, layout) = flat();
    let acs = layout.references.join("acs");
    fs::create_dir(&acs).unwrap();
    // Linked, not yet removed.
    fs::hard_link(
        layout.references.join("1j_drk.fits"),
        acs.join("1j_drk.fits"),
    )
    .unwrap();
    // Fetched by another process meanwhile.
    fs::write(acs.join("2j_drk.fits"), "2j_drk.fits").unwrap();
    // The cache said so already.
    layout::write_mode(&layout, SubdirMode::Instrument).unwrap();
    assert_eq!(run(&layout, SubdirMode::Instrument).moved, 3);
    assert_eq!(names(&layout), SORTED);
}

#[test]
fn nothing_is_lost_where_two_files_claim_a_name() {
    let (_folder, layout) = flat();
    fs::create_dir(layout.references.join("acs")).unwrap();
    fs::write(layout.references.join("acs/1j_drk.fits"), "other").unwrap();
    let done = run(&layout, SubdirMode::Instrument);
    assert_eq!((done.moved, done.left.len()), (2, 2));
    assert!(layout.references.join("1j_drk.fits").exists());
    // Unless what is in the way is to go.
    let mode = SubdirMode::Instrument;
    let done = organize(&layout, &Config::default(), mode, InTheWay::Deleted, |_| {}).unwrap();
    assert_eq!((done.moved, done.left.len()), (1, 1));
    let there = fs::read_to_string(layout.references.join("acs/1j_drk.fits"));
    assert_eq!(there.unwrap(), "1j_drk.fits");
}

#[test]
fn some_wishes_are_refused() {
    let (_folder, layout) = flat();
    let readonly = Config::from_vars([("CRDS_READONLY_CACHE", "1")]).unwrap();
    let refused = |config: &Config, mode| organize(&layout, config, mode, InTheWay::Kept, |_| {});
    assert!(refused(&readonly, SubdirMode::Flat).is_err());
    assert!(refused(&Config::default(), SubdirMode::Legacy).is_err());
}
