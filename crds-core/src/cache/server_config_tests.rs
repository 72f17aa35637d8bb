#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::Path;

use storage::hint::explain;

use super::*;
use crate::config::Config;

fn fixture() -> CacheLayout {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/crds");
    let config = Config::from_vars([("CRDS_PATH", path.as_os_str())]).unwrap();
    CacheLayout::new(&config.locations, Observatory::Hst)
}

fn resolved(config: &ServerConfig, name: &str) -> String {
    config.resolve(Some(&name.parse().unwrap())).unwrap().file
}

#[test]
fn the_bundled_configuration_says_what_is_in_use() {
    let config = ServerConfig::load(&fixture()).unwrap();
    assert_eq!(config.resolve(None).unwrap().file, "hst_9001.pmap");
    assert_eq!(resolved(&config, "hst-operational"), "hst_9001.pmap");
    assert_eq!(resolved(&config, "hst-edit"), "hst_9002.pmap");
    assert_eq!(resolved(&config, "hst_0001.pmap"), "hst_0001.pmap");
    assert_eq!(
        resolved(&config, "hst-2026-11-01T02:00:00"),
        "hst_9001.pmap"
    );
    assert_eq!(resolved(&config, "2026-11-01T01:59:59.9"), "hst_9000.pmap");
    let acs = config
        .resolve(Some(&"hst-acs-2026-02-01".parse().unwrap()))
        .unwrap();
    assert_eq!(
        (acs.file.as_str(), acs.part.instrument.as_deref()),
        ("hst_9000.pmap", Some("acs"))
    );
    let early = config
        .resolve(Some(&"2025-12-31".parse().unwrap()))
        .unwrap_err()
        .to_string();
    assert!(early.contains("the first, hst_9000.pmap"), "{early}");
    assert!(config.is_bad("zz900098j_drk.fits") && !config.is_bad("zz900097j_drk.fits"));
}

#[test]
fn the_catalogue_agrees_with_the_bundled_files() {
    let layout = fixture();
    let config = ServerConfig::load(&layout).unwrap();
    let mut checked = 0;
    for folder in [&layout.mappings, &layout.references] {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            let expected = config.catalogue().unwrap().expected(name).unwrap();
            assert!(expected.size.is_some() && expected.sha1.is_some());
            super::super::verified_file::check(&path, &expected).unwrap();
            checked += 1;
        }
    }
    assert_eq!(checked, config.catalogue().unwrap().files().count());
}

#[test]
fn the_real_configurations_are_read() {
    let Some(data) = std::env::var_os("CALDP_TEST_DATA") else {
        eprintln!("left out: CALDP_TEST_DATA is not set, so there are no real server_configs");
        return;
    };
    let path = Path::new(&data).join("crds-cache");
    let config = Config::from_vars([("CRDS_PATH", path.as_os_str())]).unwrap();
    for (observatory, context, files) in [
        (Observatory::Hst, "hst_0729.pmap", 43_768),
        (Observatory::Jwst, "jwst_0541.pmap", 1000),
        (Observatory::Roman, "roman_0004.pmap", 5),
    ] {
        let layout = CacheLayout::new(&config.locations, observatory);
        let config = ServerConfig::load(&layout).unwrap();
        assert_eq!(config.resolve(None).unwrap().file, context);
        assert!(
            config.catalogue().unwrap().files().count() >= files,
            "{observatory}"
        );
    }
}

fn parse(text: &str) -> Result<ServerConfig, ServerConfigError> {
    ServerConfig::parse(text.as_bytes(), Observatory::Hst, "here")
}

#[test]
fn other_texts_are_refused_with_the_reason() {
    for (text, part) in [
        ("", "here is damaged"),
        ("[1]", "not a dictionary"),
        ("{'observatory': 'jwst'}", "about \"jwst\", not about hst"),
        ("{}", "about \"\", not about hst"),
        (
            "{'observatory': 'hst', 'download_metadata': {}}",
            "not encoded as it should be",
        ),
        (
            "{'observatory': 'hst', 'download_metadata': {'crds_encoded': '2.0'}}",
            "unknown way",
        ),
    ] {
        let error = parse(text).unwrap_err().to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
    let text =
        "{'observatory': 'hst', 'download_metadata': {'crds_encoded': '1.0', 'crds_payload': '%'}}";
    let error = parse(text).unwrap().catalogue().unwrap_err().to_string();
    assert!(
        error.contains("here is damaged: download_metadata"),
        "{error}"
    );
    let bare = parse("{'observatory': 'hst', 'edit_context': ''}").unwrap();
    let error = bare.resolve(None).unwrap_err().to_string();
    assert_eq!(
        error,
        "the server's configuration does not say what latest is"
    );
    assert!(bare.resolve(Some(&"hst-edit".parse().unwrap())).is_err());
    let latest = parse(
        "{'observatory': 'hst', 'operational_context': 'a.pmap', 'latest_context': 'b.pmap'}",
    );
    assert_eq!(latest.unwrap().resolve(None).unwrap().file, "b.pmap");
}

#[test]
fn a_configuration_from_a_server_is_kept_in_the_cache() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config::from_vars([("CRDS_PATH", folder.path())]).unwrap();
    let layout = CacheLayout::new(&config.locations, Observatory::Hst);
    let missing = explain(&ServerConfig::load(&layout).unwrap_err()).to_string();
    assert!(missing.contains("hint: set CRDS_PATH"), "{missing}");
    let text = b"{'observatory': 'hst', 'bad_files_list': ['b.fits', 'a.rmap']}";
    let parsed = ServerConfig::parse(text, Observatory::Hst, "server").unwrap();
    parsed.store(text, &layout).unwrap();
    assert!(ServerConfig::load(&layout).unwrap().is_bad("a.rmap"));
    assert_eq!(
        fs::read_to_string(layout.bad_files()).unwrap(),
        "a.rmap\nb.fits"
    );
}
