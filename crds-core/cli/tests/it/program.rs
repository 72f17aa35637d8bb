//! The built `crds` program as its users run it, with chosen variables and no others.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use caldp_tests::{Run, S3Server, fixtures, unpack_fixture};

pub(crate) const CRDS: &str = env!("CARGO_BIN_EXE_crds");
pub(crate) const REFERENCE: &str = "zz900001j_ccd.fits";

pub(crate) fn command(variables: &[(&str, &str)], arguments: &[&str]) -> Command {
    let mut command = Command::new(CRDS);
    command
        .args(arguments)
        .env_clear()
        .envs(variables.iter().copied())
        .env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
}

pub(crate) fn run(variables: &[(&str, &str)], arguments: &[&str]) -> Run {
    Run::of(&mut command(variables, arguments))
}

pub(crate) fn run_with_input(variables: &[(&str, &str)], arguments: &[&str], input: &[u8]) -> Run {
    Run::reading(&mut command(variables, arguments), input)
}

pub(crate) fn cache() -> String {
    fixtures().join("crds").to_str().unwrap().to_owned()
}

/// The settings that read the fixtures' cache and leave it alone.
pub(crate) fn offline(cache: &str) -> Vec<(&str, &str)> {
    vec![("CRDS_PATH", cache), ("CRDS_READONLY_CACHE", "1")]
}

pub(crate) fn raw_files(dataset: &str, folder: &Path) -> Vec<PathBuf> {
    let files = unpack_fixture(dataset, folder).into_iter();
    files
        .filter(|path| path.to_str().unwrap().ends_with("_raw.fits"))
        .collect()
}

/// A server of the fixtures in object storage, as `s3://hst-crds/{config,...}/hst/`.
pub(crate) fn storage() -> S3Server {
    let server = S3Server::start(&["hst-crds"]);
    for part in ["config", "mappings", "pickles", "references"] {
        let folder = fixtures().join("crds").join(part).join("hst");
        server.put_directory("hst-crds", &format!("{part}/hst"), &folder);
    }
    server
}

pub(crate) fn with<'v>(
    server: &'v [(&'static str, String)],
    more: &[(&'v str, &'v str)],
) -> Vec<(&'v str, &'v str)> {
    let server = server.iter().map(|(name, value)| (*name, value.as_str()));
    server.chain(more.iter().copied()).collect()
}

/// Writes a FITS file of one header, from cards without their padding.
pub(crate) fn fits_file(path: &Path, cards: &[&str]) {
    let cards = cards.iter().map(|card| format!("{card:80}"));
    let cards = cards.collect::<Vec<_>>().concat();
    let blocks = (cards.len() + 80).div_ceil(2880);
    fs::write(
        path,
        format!(
            "{cards}{:width$}",
            "END",
            width = blocks * 2880 - cards.len()
        ),
    )
    .unwrap();
}

/// A copy of the fixtures' cache that may be written to: configuration and rules, no references.
pub(crate) fn cache_copy(folder: &Path) -> PathBuf {
    let cache = folder.join("cache");
    for part in ["config/hst", "mappings/hst"] {
        fs::create_dir_all(cache.join(part)).unwrap();
        for entry in fs::read_dir(fixtures().join("crds").join(part)).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, cache.join(part).join(path.file_name().unwrap())).unwrap();
        }
    }
    cache
}
