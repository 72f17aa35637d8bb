#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;

fn layout(variables: &[(&str, &str)]) -> CacheLayout {
    let config = Config::from_vars(variables.iter().copied()).unwrap();
    CacheLayout::new(&config.locations, Observatory::Hst)
}

fn name(text: &str) -> FileName {
    text.parse().unwrap()
}

#[test]
fn each_part_is_where_the_closest_variable_says() {
    let default = layout(&[]);
    assert_eq!(default.mappings, Path::new("/grp/crds/cache/mappings/hst"));
    let multi = layout(&[("CRDS_PATH", "/c//")]);
    assert_eq!(multi.references, Path::new("/c/references/hst"));
    assert_eq!(
        multi.pickle("hst_1.pmap"),
        Path::new("/c/pickles/hst/hst_1.pmap.pkl")
    );
    let all = [
        ("CRDS_PATH", "/c"),
        ("CRDS_PATH_SINGLE", "/s"),
        ("CRDS_MAPPATH", "/m"),
        ("CRDS_REFPATH", "/r"),
        ("CRDS_REFPATH_SINGLE", "/rs"),
    ];
    let mixed = layout(&all);
    assert_eq!(mixed.server_config(), Path::new("/s/config/server_config"));
    assert_eq!(mixed.mapping("hst.pmap"), Path::new("/m/hst/hst.pmap"));
    assert_eq!(mixed.mapping("./hst.pmap"), Path::new("./hst.pmap"));
    assert_eq!(mixed.references, Path::new("/rs"));
}

/// An empty cache, and its layout.
fn empty() -> (tempfile::TempDir, CacheLayout) {
    let folder = tempfile::tempdir().unwrap();
    let layout = layout(&[("CRDS_PATH", folder.path().to_str().unwrap())]);
    (folder, layout)
}

fn open(layout: &CacheLayout, variables: &[(&str, &str)]) -> Result<References, ReferenceError> {
    let config = Config::from_vars(variables.iter().copied()).unwrap();
    References::open(layout, &config, |name| {
        (name == "jref").then(|| "/old/acs/".into())
    })
}

#[test]
fn an_empty_cache_is_sorted_by_instrument_and_says_so() {
    let (_folder, layout) = empty();
    assert_eq!(
        open(&layout, &[("CRDS_READONLY_CACHE", "1")])
            .unwrap()
            .mode(),
        SubdirMode::Instrument
    );
    assert!(!layout.subdir_mode().exists());
    let references = open(&layout, &[]).unwrap();
    assert_eq!(
        fs::read_to_string(layout.subdir_mode()).unwrap(),
        "instrument"
    );
    let path = references.prepare(&name("zz900004j_bia.fits")).unwrap();
    assert_eq!(path, layout.references.join("acs/zz900004j_bia.fits"));
    let link = layout.references.join("jref");
    assert_eq!(fs::read_link(&link).unwrap(), Path::new("acs"));
    assert!(link.is_dir());
    references.prepare(&name("zz900005j_sat.fits")).unwrap();
    let error = references
        .path(&name("foobar.fits"))
        .unwrap_err()
        .to_string();
    assert!(error.contains("does not tell its instrument"), "{error}");
}

#[test]
fn a_full_folder_is_taken_for_a_flat_cache() {
    let (_folder, layout) = empty();
    fs::create_dir_all(&layout.references).unwrap();
    for number in 0..=FLAT_FROM {
        fs::write(layout.references.join(number.to_string()), "").unwrap();
    }
    let references = open(&layout, &[]).unwrap();
    assert_eq!(
        references.path(&name("foobar.fits")).unwrap(),
        layout.references.join("foobar.fits")
    );
    assert_eq!(
        references.instrument_folder("ACS"),
        Some(layout.references.clone())
    );
    assert_eq!(fs::read_to_string(layout.subdir_mode()).unwrap(), "flat");
}

#[test]
fn what_the_cache_says_counts_more_than_the_variable() {
    let (_folder, layout) = empty();
    write_mode(&layout, SubdirMode::Legacy).unwrap();
    let references = open(&layout, &[]).unwrap();
    assert_eq!(
        references.path(&name("x1j_bia.fits")).unwrap(),
        Path::new("/old/acs/x1j_bia.fits")
    );
    let error = references
        .path(&name("x1o_bia.fits"))
        .unwrap_err()
        .to_string();
    assert!(error.contains("$oref") && error.contains("stis"), "{error}");
    let flat = ("CRDS_REF_SUBDIR_MODE", "flat");
    assert_eq!(open(&layout, &[flat]).unwrap().mode(), SubdirMode::Legacy);
    fs::write(layout.subdir_mode(), "deep\n").unwrap();
    let error = open(&layout, &[]).unwrap_err().to_string();
    assert!(error.contains("\"deep\""), "{error}");
}

#[test]
fn the_variable_is_for_new_caches() {
    let flat = ("CRDS_REF_SUBDIR_MODE", "flat");
    let (_folder, layout) = empty();
    assert_eq!(open(&layout, &[flat]).unwrap().mode(), SubdirMode::Flat);
    assert_eq!(fs::read_to_string(layout.subdir_mode()).unwrap(), "flat");
    let (_folder, layout) = empty();
    fs::create_dir_all(layout.references.join("acs")).unwrap();
    assert_eq!(
        open(&layout, &[flat]).unwrap().mode(),
        SubdirMode::Instrument
    );
}

#[test]
fn names_that_lead_elsewhere_are_no_names() {
    for text in [
        "", ".", "..", "a/b", "/a", "-x", ".x", "a b", "a\0", "é.fits",
    ] {
        assert!(text.parse::<FileName>().is_err(), "{text:?}");
    }
}
