#![allow(clippy::unwrap_used, reason = "tests")]
use super::*;

fn environment(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect()
}

fn from_file(text: &str, pairs: &[(&str, &str)]) -> Result<Settings, ConfigError> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    Settings::resolve(&ConfigName::File(file.path().into()), environment(pairs))
}

#[test]
fn aws_takes_everything_from_the_bucket() {
    let settings = Settings::resolve(
        &ConfigName::Aws,
        environment(&[("CRDSBUCKET", "s3://crds/"), ("HOME", "/home/developer")]),
    )
    .unwrap();
    assert_eq!(
        settings.get("CRDS_PICKLE_URI"),
        Some("s3://crds/pickles/hst/")
    );
    assert_eq!(
        settings.get("CRDS_PATH"),
        Some("/home/developer/crds_cache")
    );
}

#[test]
fn aws_without_a_bucket_says_which_variable_is_missing() {
    let error = Settings::resolve(&ConfigName::Aws, Vec::new()).unwrap_err();
    assert!(error.to_string().contains("CRDSBUCKET"), "{error}");
}

#[test]
fn the_environment_wins_over_a_built_in_configuration() {
    let settings = Settings::resolve(
        &ConfigName::Onsite,
        environment(&[("CRDS_PATH", "/my/cache")]),
    )
    .unwrap();
    assert_eq!(settings.get("CRDS_PATH"), Some("/my/cache"));
    assert_eq!(settings.get("CRDS_READONLY_CACHE"), Some("1"));
}

#[test]
fn the_offsite_cache_is_the_mount_inside_the_image() {
    let inside = environment(&[("CALDP_DOCKER", "1"), ("HOME", "/home/developer")]);
    let settings = Settings::resolve(&ConfigName::Offsite, inside).unwrap();
    assert_eq!(settings.get("CRDS_PATH"), Some("/grp/crds/cache"));
}

#[test]
fn a_file_of_settings_is_read_as_a_shell_would() {
    let text = "#! /bin/bash\n\n# comment\nexport CRDS_PATH=${CRDS_PATH:-${HOME}/cache}  # mine\n\
                A='$HOME stays' \nB=\"$A\"/x\nexport C=\n";
    let settings = from_file(text, &[("HOME", "/h")]).unwrap();
    assert_eq!(settings.get("CRDS_PATH"), Some("/h/cache"));
    assert_eq!(settings.get("B"), Some("$HOME stays/x"));
    assert_eq!(settings.get("C"), None);
}

#[test]
fn a_file_of_settings_may_begin_with_a_built_in_configuration() {
    for source in [
        "source caldp-config-aws",
        ". /opt/bin/caldp-config-aws # mine",
        "source \"caldp-config-aws\"",
    ] {
        let text =
            format!("#!/bin/bash\n{source}\nexport CRDS_PATH=/scratch\nexport OMP_NUM_THREADS=2\n");
        let settings = from_file(&text, &[("CRDSBUCKET", "s3://crds"), ("HOME", "/h")]).unwrap();
        assert_eq!(settings.get("CRDS_PATH"), Some("/scratch"));
        assert_eq!(
            settings.get("CRDS_CONFIG_URI"),
            Some("s3://crds/config/hst/")
        );
        assert_eq!(settings.get("OMP_NUM_THREADS"), Some("2"));
    }
    let error = from_file("source caldp-config-aws\n", &[]).unwrap_err();
    assert!(matches!(error, ConfigError::Missing { .. }), "{error}");
}

#[test]
fn a_built_in_configuration_is_known_by_the_path_of_its_script() {
    assert_eq!(
        ConfigName::parse("/usr/local/bin/caldp-config-offsite"),
        ConfigName::Offsite
    );
    assert_eq!(
        ConfigName::parse("my-caldp-config-offsite"),
        ConfigName::File("my-caldp-config-offsite".into())
    );
}

#[test]
fn nothing_in_a_file_is_executed_or_guessed() {
    for (text, reason) in [
        ("A=1\nB=$(rm -rf x)\n", "run a command"),
        ("A=`id`\n", "run a command"),
        ("source other\n", "none of the configurations"),
        (". ./caldp-config-mine\n", "none of the configurations"),
        ("source $(which caldp-config-aws)\n", "run a command"),
        ("source caldp-config-aws x\n", "quote values"),
        ("source\n", "not an assignment"),
        ("A=$NOT_SET/x\n", "not set"),
        ("A=${X%y}\n", "starts no reference"),
        ("A=${X\n", "starts no reference"),
        ("A='open\n", "not closed"),
        ("A=one two\n", "quote values"),
        ("1A=x\n", "not the name"),
    ] {
        let error = from_file(text, &[]).unwrap_err().to_string();
        assert!(error.contains(reason), "{text:?}: {error}");
    }
}

#[test]
fn a_file_of_a_windows_editor_is_read() {
    let text = "\u{feff}source caldp-config-offsite\r\nCRDS_PATH=/crds\r\n";
    let settings = from_file(text, &[]).unwrap();
    assert_eq!(settings.get("CRDS_PATH"), Some("/crds"));
    assert_eq!(settings.get("CRDS_READONLY_CACHE"), Some("0"));
}
