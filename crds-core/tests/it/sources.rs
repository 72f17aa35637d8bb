//! The library's client against every set-up the documentation describes: a cache alone, object
//! storage with pickles, object storage with rules, a CRDS server, a plugin.

use std::fs;
use std::path::{Path, PathBuf};

use caldp_tests::{CrdsFault, CrdsServer, fixtures, unpack_fixture};
use crds_core::dataset::fits;
use crds_core::{AssignOptions, Client, Config, Observatory, ReferenceLocation, ReferenceOrigin};
use serde_json::Value;
use storage::hint::with_causes;

const CONTEXT: &str = "hst_9001.pmap";

fn client(variables: &[(&str, &str)]) -> Client {
    let config = Config::from_vars(variables.iter().copied()).unwrap();
    Client::new(config, Observatory::Hst)
}

fn manifest() -> Value {
    serde_json::from_slice(&fs::read(fixtures().join("manifest.json")).unwrap()).unwrap()
}

/// Every dataset of the fixtures gets what the manifest says, and its references are there.
async fn calibrates_all(client: &Client, datasets: &[&str]) {
    let manifest = manifest();
    for name in datasets {
        let folder = tempfile::tempdir().unwrap();
        let bestrefs = manifest["datasets"][name]["bestrefs"].as_object().unwrap();
        let files: Vec<PathBuf> = unpack_fixture(name, folder.path())
            .into_iter()
            .filter(|path| bestrefs.contains_key(file_name(path)))
            .collect();
        assert!(!files.is_empty());
        let assignments = client
            .assign(&files, &AssignOptions::default())
            .await
            .unwrap();
        assignments.check().unwrap();
        assert_eq!(assignments.context.as_str(), CONTEXT);
        let fetched = client
            .fetch_references(assignments.references(), &())
            .await
            .unwrap();
        assert_eq!(fetched.len(), assignments.references().len());
        for reference in &fetched {
            let original = fixtures()
                .join("crds/references/hst")
                .join(reference.name.as_str());
            assert_eq!(
                fs::read(&reference.path).unwrap(),
                fs::read(original).unwrap()
            );
        }
        for written in assignments.write().unwrap() {
            assert!(written.outcome.unwrap().unwrap().changed);
        }
        for file in &files {
            let header = fits::read(file).unwrap();
            assert_eq!(header.get("CRDS_CTX"), Some(CONTEXT));
            assert_eq!(header.get("CRDS_VER"), Some(crds_core::VERSION_TEXT));
            for (keyword, value) in bestrefs[file_name(file)].as_object().unwrap() {
                assert_eq!(header.get(keyword), value.as_str(), "{keyword}");
            }
        }
    }
}

fn file_name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

fn all_datasets() -> Vec<String> {
    let manifest = manifest();
    let datasets = manifest["datasets"].as_object().unwrap();
    let with_answers = datasets
        .iter()
        .filter(|(_, dataset)| dataset["bestrefs"].is_object());
    with_answers.map(|(name, _)| name.clone()).collect()
}

#[tokio::test]
async fn a_cache_alone_is_enough() {
    let cache = fixtures().join("crds");
    let client = client(&[
        ("CRDS_PATH", cache.to_str().unwrap()),
        ("CRDS_READONLY_CACHE", "1"),
    ]);
    let datasets = all_datasets();
    let datasets: Vec<&str> = datasets.iter().map(String::as_str).collect();
    assert!(datasets.len() >= 10);
    calibrates_all(&client, &datasets).await;
}

#[tokio::test]
async fn an_empty_cache_is_filled_from_a_server() {
    let cache = tempfile::tempdir().unwrap();
    let server = CrdsServer::start(&fixtures().join("crds"), CONTEXT, "hst_9002.pmap");
    server.fail_next(2, CrdsFault::BadGateway);
    let url = server.url();
    let variables = [
        ("CRDS_PATH", cache.path().to_str().unwrap()),
        ("CRDS_SERVER_URL", url.as_str()),
        ("CRDS_CLIENT_RETRY_COUNT", "3"),
    ];
    calibrates_all(&client(&variables), &["j8cb010b0"]).await;
    let asked = server.requests().len();
    assert_eq!(server.count("get_server_info"), 3);
    assert!(cache.path().join("mappings/hst/hst_9001.pmap").exists());
    assert!(cache.path().join("config/hst/server_config").exists());
    // Again: only the configuration is asked for.
    calibrates_all(&client(&variables), &["j8cb010b0"]).await;
    assert_eq!(server.requests().len(), asked + 1);
    // Without the server: the cache knows all.
    drop(server);
    calibrates_all(&client(&variables), &["j8cb010b0"]).await;
}

#[tokio::test]
async fn damage_on_the_way_is_noticed_and_repaired_by_another_try() {
    let cache = tempfile::tempdir().unwrap();
    let root = fixtures().join("crds");
    let server = CrdsServer::start(&root, CONTEXT, "hst_9002.pmap");
    let url = server.url();
    let reference = "zz900001j_ccd.fits";
    for fault in [CrdsFault::Damage, CrdsFault::Truncate] {
        let variables = |tries| {
            client(&[
                ("CRDS_PATH", cache.path().to_str().unwrap()),
                ("CRDS_SERVER_URL", url.as_str()),
                ("CRDS_CLIENT_RETRY_COUNT", tries),
            ])
        };
        let client = variables("1");
        client.server_config().await.unwrap();
        server.fail_next(1, fault);
        let error = client.fetch_references([reference], &()).await.unwrap_err();
        assert!(
            with_causes(&error).to_string().contains("should have"),
            "{error}"
        );
        let places = client.references().unwrap();
        let path = places.path(&reference.parse().unwrap()).unwrap();
        assert!(!path.exists());
        let client = variables("2");
        client.server_config().await.unwrap();
        server.fail_next(1, fault);
        let fetched = client.fetch_references([reference], &()).await.unwrap();
        let [one] = fetched.as_slice() else {
            panic!("one reference");
        };
        assert!(matches!(one.origin, ReferenceOrigin::Fetched { .. }));
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        fs::remove_file(path).unwrap();
    }
}

#[tokio::test]
async fn a_withdrawn_reference_never_reaches_a_header() {
    let cache = fixtures().join("crds");
    let folder = tempfile::tempdir().unwrap();
    let files: Vec<PathBuf> = unpack_fixture("j8cb010b0", folder.path())
        .into_iter()
        .filter(|path| path.to_str().unwrap().ends_with("_raw.fits"))
        .collect();
    let variables = |allow| {
        client(&[
            ("CRDS_PATH", cache.to_str().unwrap()),
            ("CRDS_READONLY_CACHE", "1"),
            ("CRDS_CONTEXT", "hst-edit"),
            ("CRDS_ALLOW_BAD_REFERENCES", allow),
        ])
    };
    let before: Vec<Vec<u8>> = files.iter().map(|file| fs::read(file).unwrap()).collect();
    let options = AssignOptions::default();
    let refused = variables("0").assign(&files, &options).await.unwrap();
    let error = refused.check().unwrap_err().to_string();
    assert!(
        error.contains("zz900098j_drk.fits was withdrawn"),
        "{error}"
    );
    for written in refused.write().unwrap() {
        assert!(written.outcome.is_none());
    }
    let after: Vec<Vec<u8>> = files.iter().map(|file| fs::read(file).unwrap()).collect();
    assert!(before == after);
    let allowed = variables("1").assign(&files, &options).await.unwrap();
    allowed.check().unwrap();
    assert!(allowed.files.iter().all(|file| file.warnings.len() == 1));
}

#[tokio::test]
async fn pickles_alone_are_enough_and_are_fetched_once() {
    let cache = tempfile::tempdir().unwrap();
    let root = fixtures().join("crds");
    let uri = |part: &str| root.join(part).join("hst").to_str().unwrap().to_owned();
    let (config, pickles, references) = (uri("config"), uri("pickles"), uri("references"));
    let mut variables = vec![
        ("CRDS_PATH", cache.path().to_str().unwrap()),
        ("CRDS_CONFIG_URI", &config),
        ("CRDS_PICKLE_URI", &pickles),
        ("CRDS_REFERENCE_URI", &references),
    ];
    calibrates_all(&client(&variables), &["j8cb010b0", "ib8t02a3q"]).await;
    let kept = cache.path().join("pickles/hst/hst_9001.pmap.pkl");
    assert!(kept.exists());
    assert!(!cache.path().join("mappings").exists());
    // A read-only cache is no reason not to read from the URIs.
    fs::remove_file(&kept).unwrap();
    variables.push(("CRDS_READONLY_CACHE", "1"));
    calibrates_all(&client(&variables), &["j8cb010b0", "ib8t02a3q"]).await;
    assert!(!kept.exists());
}

#[tokio::test]
async fn a_plugin_fetches_whatever_the_paths_are_called() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("it's \"the\" $(cache)");
    let root = fixtures().join("crds");
    let uri = |part: &str| root.join(part).join("hst").to_str().unwrap().to_owned();
    let (config, mappings, references) = (uri("config"), uri("mappings"), uri("references"));
    let with_plugin = |plugin: &str| {
        client(&[
            ("CRDS_PATH", cache.to_str().unwrap()),
            ("CRDS_CONFIG_URI", &config),
            ("CRDS_MAPPING_URI", &mappings),
            ("CRDS_REFERENCE_URI", &references),
            ("CRDS_DOWNLOAD_PLUGIN", plugin),
        ])
    };
    calibrates_all(
        &with_plugin("cp ${SOURCE_URL} ${OUTPUT_PATH}"),
        &["octka6030"],
    )
    .await;
    let reference = "zz900001j_ccd.fits";
    for (plugin, part) in [
        ("echo no >&2; exit 3", "exit status: 3: no"),
        ("exit 2", "was interrupted"),
        ("true", "did not write"),
        ("echo x > '${OUTPUT_PATH}'", "should have"),
    ] {
        let error = with_plugin(plugin)
            .fetch_references([reference], &())
            .await
            .unwrap_err();
        assert!(with_causes(&error).to_string().contains(part), "{error}");
        let places = with_plugin(plugin).references().unwrap();
        let path = places.path(&reference.parse().unwrap()).unwrap();
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 0);
    }
}

#[tokio::test]
async fn programs_get_uris_instead_of_files_where_that_is_asked() {
    let cache = tempfile::tempdir().unwrap();
    let storage = fixtures().join("crds/references/hst");
    let variables = [
        ("CRDS_PATH", cache.path().to_str().unwrap()),
        ("CRDS_REFERENCE_URI", storage.to_str().unwrap()),
        ("CRDS_S3_RETURN_URI", "1"),
    ];
    let name = "zz900001j_ccd.fits";
    let located = client(&variables)
        .locate_references([name], &())
        .await
        .unwrap();
    let uri = ReferenceLocation::Uri(storage.join(name).display().to_string());
    assert_eq!(located, [(name.parse().unwrap(), uri)]);
    assert_eq!(fs::read_dir(cache.path()).unwrap().count(), 0);
    let config = fixtures().join("crds/config/hst");
    let fetching = [
        variables[0],
        variables[1],
        ("CRDS_CONFIG_URI", config.to_str().unwrap()),
    ];
    let located = client(&fetching)
        .locate_references([name], &())
        .await
        .unwrap();
    let path = cache.path().join("references/hst/acs").join(name);
    assert!(path.exists());
    assert_eq!(
        located,
        [(name.parse().unwrap(), ReferenceLocation::Path(path))]
    );
}
