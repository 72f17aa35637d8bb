//! What somebody at a terminal sees of every `crds` command, word for word: help, results, errors.

use caldp_tests::{CrdsServer, Transcript, fixtures};
use insta::assert_snapshot;

use crate::program::{REFERENCE, cache, cache_copy, command, offline, raw_files};

const COMMANDS: [&str; 9] = [
    "bestrefs", "sync", "list", "matches", "diff", "uses", "env", "s3-get", "s3-set",
];

fn transcript(cache: &str) -> Transcript {
    Transcript::new()
        .hiding(cache, "[CACHE]")
        .hiding(env!("CARGO_PKG_VERSION"), "[VERSION]")
}

#[test]
fn help() {
    let mut seen = transcript("/no-cache");
    seen.run(&mut command(&[], &["--help"]));
    for name in COMMANDS {
        seen.run(&mut command(&[], &[name, "--help"]));
    }
    assert_snapshot!(seen.text());
}

#[test]
fn what_the_cache_has() {
    let cache = cache();
    let mut seen = transcript(&cache);
    for line in [
        "list --status",
        "list --latest-context",
        "list --edit-context",
        "list --contexts hst_acs_9000.imap --mappings",
        "list --contexts hst_acs_9000.imap --references",
        "list --cached-pickles --full-path",
        "list --file-properties zz900001j_ccd.fits",
        "list --required-parkeys --contexts hst_9001.pmap",
        "matches --contexts hst_9001.pmap --files zz900003i_bpx.fits",
        "env",
        "s3-set hst ops",
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        seen.run(&mut command(&offline(&cache), &words));
    }
    assert_snapshot!(seen.text());
}

#[test]
fn best_references() {
    let (cache, above) = (cache(), tempfile::tempdir().unwrap());
    // Ids are printed in lower case, whatever letters the folder's own name happens to have.
    let folder = above.path().join("RAW");
    std::fs::create_dir(&folder).unwrap();
    let raw = raw_files("j8cb02u4q", &folder).remove(0);
    let raw = raw.to_str().unwrap();
    let mut seen = transcript(&cache).hiding_path(&folder, "[FOLDER]");
    for words in [
        &["bestrefs", "--files", raw, "--print-affected"][..],
        &["bestrefs", "--files", raw, "--types", "darkfile", "--json"],
        &["bestrefs", "--files", raw, "--update-bestrefs"],
        &["bestrefs", "--files", raw, "--update-bestrefs"],
    ] {
        seen.run(&mut command(&offline(&cache), words));
    }
    assert_snapshot!(seen.text());
}

#[test]
fn a_cache_is_filled_checked_and_cleared() {
    let folder = tempfile::tempdir().unwrap();
    let server = CrdsServer::start(&fixtures().join("crds"), "hst_9001.pmap", "hst_9002.pmap");
    let cache = cache_copy(folder.path());
    let cache = cache.to_str().unwrap();
    let (url, mut seen) = (server.url(), transcript(cache));
    let settings = [("CRDS_PATH", cache), ("CRDS_SERVER_URL", url.as_str())];
    for line in [
        "sync --contexts hst_9001.pmap",
        "sync --files zz900001j_ccd.fits",
        "sync --contexts hst_9001.pmap --check-files --check-sha1sum",
        "list --cached-references",
        "sync --files none.fits",
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        seen.run(&mut command(&settings, &words));
    }
    assert_snapshot!(seen.text());
}

#[test]
fn errors() {
    let (cache, folder) = (cache(), tempfile::tempdir().unwrap());
    let raw = raw_files("j8cb02u4q", folder.path()).remove(0);
    let raw = raw.to_str().unwrap();
    let empty = folder.path().to_str().unwrap();
    let mut seen = transcript(&cache).hiding_path(folder.path(), "[FOLDER]");
    let offline = offline(&cache);
    for words in [
        &["no-such"][..],
        &["bestrefs", "--no-such-option"],
        &["bestrefs", "-u"],
        &["bestrefs", "-f", "none.fits"],
        &["bestrefs", "-t", "darkfil", "-f", raw],
        &["bestrefs", "-f", raw, "--new-context", "hst_1234.pmap"],
        &["list", "--cat", "none.rmap"],
        &[
            "matches",
            "--contexts",
            "hst_1234.pmap",
            "--files",
            REFERENCE,
        ],
        &["s3-get", "not-a-uri", "here"],
        &["s3-set", "mars", "ops"],
        &["man", "bestref"],
    ] {
        seen.run(&mut command(&offline, words));
    }
    for variable in [
        ("CRDS_MODE", "fast"),
        ("CRDS_MODE", "remote"),
        ("CRDS_REDONLY_CACHE", "1"),
        ("CRDS_CONTEXT", "hst_1234.pmap"),
        ("CRDS_PATH", empty),
    ] {
        seen.add(&format!("{}={}\n", variable.0, variable.1));
        let variables = [offline.as_slice(), &[variable]].concat();
        seen.run(&mut command(&variables, &["bestrefs", "-f", raw]));
    }
    assert_snapshot!(seen.text());
}
