#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use storage::hint::explain;

use super::*;

fn config(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    Config::from_vars(variables.iter().copied())
}

#[test]
fn the_document_is_in_step_with_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("ENVIRONMENT.md");
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    let fresh = std::env::temp_dir().join("ENVIRONMENT.md");
    if written != markdown() {
        std::fs::write(&fresh, markdown()).unwrap();
    }
    assert!(
        written == markdown(),
        "out of step; copy {} over it",
        fresh.display()
    );
}

#[test]
fn every_default_in_the_table_is_the_default() {
    for variable in VARIABLES
        .iter()
        .filter(|variable| !variable.default.is_empty())
    {
        let mut config = Config::default();
        config
            .assign(variable, variable.default, Origin::Default)
            .unwrap();
        config.given.clear();
        // These two have no value until a program decides what their absence means.
        if variable.name == "CRDS_PATH" {
            config.locations.cache.all = None;
        }
        if variable.name == "CRDS_SERVER_URL" {
            assert!(config.is_serverless() && Config::default().is_serverless());
            config.server_url = None;
        }
        assert_eq!(config, Config::default(), "{}", variable.name);
    }
}

#[test]
fn the_worker_set_up_is_understood() {
    let config = config(&[
        ("CRDS_PATH", "/home/user/crds_cache/"),
        (
            "CRDS_CONFIG_URI",
            "s3://Bucket-is-lower/".to_lowercase().as_str(),
        ),
        ("CRDS_REFERENCE_URI", "s3://crds-cache/references/Hst/"),
        ("CRDS_PICKLE_URI", "/srv/Pickles"),
        ("CRDS_SERVER_URL", "https://hst-crds-serverless.stsci.edu"),
        (
            "CRDS_DOWNLOAD_PLUGIN",
            "crds_s3_get ${SOURCE_URL} ${OUTPUT_PATH}",
        ),
        ("CRDS_DOWNLOAD_MODE", "plugin"),
        ("CRDS_S3_ENABLED", "True"),
        ("CRDS_CLIENT_RETRY_COUNT", "4"),
        ("CRDS_CONTEXT", "hst-operational"),
        ("CRDS_LOCKING_MODE", "filelock"),
        ("CRDS_VERBOSITY", ""),
        ("CRDS_REDONLY_CACHE", "1"),
        ("HOME", "/home/user"),
    ])
    .unwrap();
    assert_eq!(
        config.locations.cache.all.as_deref(),
        Some(Path::new("/home/user/crds_cache"))
    );
    let reference = config.reference_uri.clone().unwrap().file("x.fits");
    assert_eq!(reference, "s3://crds-cache/references/Hst/x.fits");
    assert_eq!(config.pickle_uri, Some(FileUri::Dir("/srv/Pickles".into())));
    assert!(config.s3_enabled && config.is_serverless());
    assert_eq!(config.retry_count, 4);
    assert_eq!(
        config.observatory_for([]),
        Some(crate::observatory::Observatory::Hst)
    );
    assert_eq!(config.unknown(), ["CRDS_REDONLY_CACHE"]);
    let settings: Vec<Setting> = config.settings().collect();
    let find = |name| {
        settings
            .iter()
            .find(|setting| setting.name == name)
            .unwrap()
    };
    assert_eq!(find("CRDS_S3_ENABLED").origin, Origin::Environment);
    assert_eq!(find("CRDS_VERBOSITY").origin, Origin::Default);
    assert_eq!(find("CRDS_VERBOSITY").value, "0");
}

#[test]
fn bad_values_are_refused_by_name_value_and_what_is_allowed() {
    for (name, value, part) in [
        ("CRDS_MODE", "fast", "`local`, `auto`, `s3`, `remote`"),
        ("CRDS_READONLY_CACHE", "yes", "`0`, `1`"),
        ("CRDS_CLIENT_RETRY_COUNT", "0", "from 1"),
        ("CRDS_CLIENT_RETRY_COUNT", "many", "from 1"),
        ("CRDS_CONTEXT", "hst_acs_0001.imap", "one instrument"),
        ("CRDS_CONTEXT", "foo-edit", "it begins with no known"),
        ("CRDS_SERVER_URL", "hst-crds", "https://"),
        ("CRDS_CONFIG_URI", "ftp://x", "ftp"),
        ("CRDS_CONFIG_URI", "s3://", "bucket"),
        ("CRDS_REF_SUBDIR_MODE", "deep", "`legacy`"),
        ("CRDS_OBSERVATORY", "tess", "`roman`"),
        ("CRDS_LOCKING_MODE", "never", "`filelock`"),
        ("CRDS_FITS_IGNORE_MISSING_END", "1", "never used"),
    ] {
        let error = explain(&config(&[(name, value)]).unwrap_err()).to_string();
        assert!(
            error.starts_with(&format!("{name} is {value:?}")),
            "{error}"
        );
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn options_override_and_say_so() {
    let mut config = config(&[("CRDS_READONLY_CACHE", "0")]).unwrap();
    config
        .set("CRDS_READONLY_CACHE", "1", "--readonly-cache")
        .unwrap();
    assert!(config.readonly_cache);
    let shown = config
        .settings()
        .find(|setting| setting.name == "CRDS_READONLY_CACHE")
        .unwrap();
    assert_eq!(shown.origin, Origin::Option("--readonly-cache"));
    assert!(config.set("CRDS_NOTHING", "1", "--x").is_err());
}

#[test]
fn a_leading_tilde_is_the_home_directory_in_every_path() {
    let home = ("HOME", "/home/user");
    let paths = VARIABLES
        .iter()
        .filter(|variable| variable.kind == ValueKind::Path);
    let names: Vec<&str> = paths.map(|variable| variable.name).collect();
    for variable in VARIABLES {
        let is_path = variable.name.contains("PATH") || variable.allowed == variables::URI;
        assert_eq!(is_path, names.contains(&variable.name), "{}", variable.name);
    }
    for name in names {
        let of = |path| config(&[(name, path), home]).unwrap();
        let (mut short, mut long) = (of("~/crds"), of("/home/user/crds"));
        short.given.clear();
        long.given.clear();
        assert_eq!(short, long, "{name}");
        let error = config(&[(name, "~other/crds"), home]).unwrap_err();
        assert!(error.reason.contains("another user"), "{error}");
        let error = config(&[(name, "~/crds")]).unwrap_err();
        assert!(error.reason.contains("HOME is not set"), "{error}");
    }
}

#[test]
fn what_the_python_client_leaves_in_the_environment_does_no_harm() {
    let left = config(&[
        ("CRDS_OBSERVATORY", "None"),
        ("CRDS_CONFIG_URI", "None"),
        ("CRDS_MAPPING_URI", "none"),
        ("CRDS_REFERENCE_URI", "None"),
        ("CRDS_PICKLE_URI", "None"),
        ("CRDS_ADD_LOG_MSG_COUNTER", "False"),
        ("CRDS_ALLOW_BAD_PARKEY_VALUES", "False"),
        ("CRDS_ALLOW_BAD_USEAFTER", "False"),
        ("CRDS_ALLOW_SCHEMA_VIOLATIONS", "False"),
        ("CRDS_EXPLICIT_GARBAGE_COLLECTION", "True"),
    ])
    .unwrap();
    assert_eq!(left.observatory, None);
    assert!(left.config_uri.is_none() && left.mapping_uri.is_none());
    assert!(left.reference_uri.is_none() && left.pickle_uri.is_none());
    assert!(left.unknown().is_empty(), "{:?}", left.unknown());
}
