//! The `crds` program as its users see it: what it prints, where, and how it ends.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use caldp_tests::{CrdsServer, S3Server, external_data, fixtures, unpack_fixture};
use serde_json::{Value, json};

const CRDS: &str = env!("CARGO_BIN_EXE_crds");
const REFERENCE: &str = "zz900001j_ccd.fits";

/// A run of the program with these variables and no others.
struct Run {
    stdout: String,
    stderr: String,
    code: i32,
}

fn command(variables: &[(&str, &str)], arguments: &[&str]) -> Command {
    let mut command = Command::new(CRDS);
    command
        .args(arguments)
        .env_clear()
        .envs(variables.iter().copied())
        .env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
}

fn seen(output: Output) -> Run {
    Run {
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
        code: output.status.code().unwrap_or(-1),
    }
}

fn run(variables: &[(&str, &str)], arguments: &[&str]) -> Run {
    seen(command(variables, arguments).output().unwrap())
}

fn run_with_input(variables: &[(&str, &str)], arguments: &[&str], input: &[u8]) -> Run {
    let mut child = command(variables, arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    let writer = std::thread::spawn(move || {
        // It may stop reading when it has seen enough.
        let _ = stdin.write_all(&input);
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    seen(output)
}

fn cache() -> String {
    fixtures().join("crds").to_str().unwrap().to_owned()
}

/// The settings that read the fixtures' cache and leave it alone.
fn offline(cache: &str) -> Vec<(&str, &str)> {
    vec![("CRDS_PATH", cache), ("CRDS_READONLY_CACHE", "1")]
}

fn raw_files(dataset: &str, folder: &Path) -> Vec<PathBuf> {
    let files = unpack_fixture(dataset, folder).into_iter();
    files
        .filter(|path| path.to_str().unwrap().ends_with("_raw.fits"))
        .collect()
}

#[test]
fn bestrefs_updates_headers_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let files = raw_files("j8cb010b0", folder.path());
    let file = files[0].to_str().unwrap();
    let cache = cache();
    let asked = [
        "bestrefs",
        "-f",
        file,
        "-u",
        "--print-new-references",
        "-t",
        "darkfile",
        "biasfile",
    ];
    let first = run(&offline(&cache), &asked);
    assert_eq!(first.code, 0, "{}", first.stderr);
    assert_eq!(
        first.stdout,
        format!(
            "{0} acs biasfile none zz900004j_bia.fits\n{0} acs darkfile none zz900006j_drk.fits\n",
            file.to_lowercase()
        )
    );
    assert_eq!(
        first.stderr,
        format!(
            "CRDS - INFO -  No comparison context or source comparison requested.\n\
             CRDS - INFO -  ===> Processing {file}\n\
             CRDS - INFO -  0 errors\n\
             CRDS - INFO -  0 warnings\n\
             CRDS - INFO -  4 infos\n"
        )
    );
    let header = crds_core::dataset::fits::read(&files[0]).unwrap();
    assert_eq!(header.get("DARKFILE"), Some("jref$zz900006j_drk.fits"));
    assert_eq!(header.get("FLATFILE").filter(|v| v.contains("ref$")), None);
    let written = fs::read(&files[0]).unwrap();
    // Compared with itself there is nothing new, and other types stay as they are.
    let again = run(
        &offline(&cache),
        &[
            "bestrefs",
            "-f",
            file,
            "-u",
            "-c",
            "--print-new-references",
            "-t",
            "darkfile",
            "biasfile",
        ],
    );
    assert_eq!((again.code, again.stdout.as_str()), (0, ""));
    assert_eq!(fs::read(&files[0]).unwrap(), written);
}

#[test]
fn bestrefs_reports_what_is_wrong_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = raw_files("j8cb010b0", folder.path());
    let broken = folder.path().join("broken_raw.fits");
    fs::write(&broken, "nothing").unwrap();
    files.push(broken.clone());
    let list = folder.path().join("files.lst");
    let lines: Vec<&str> = files.iter().map(|file| file.to_str().unwrap()).collect();
    fs::write(&list, lines.join("\n")).unwrap();
    let cache = cache();
    let list = format!("@{}", list.display());
    let mixed = run(
        &offline(&cache),
        &["bestrefs", "-f", &list, "--update-bestrefs"],
    );
    assert_eq!(mixed.code, 1);
    assert!(
        mixed.stderr.contains("broken_raw.fits: not a FITS file"),
        "{}",
        mixed.stderr
    );
    assert!(
        mixed.stderr.contains("CRDS - INFO -  1 errors"),
        "{}",
        mixed.stderr
    );
    assert_eq!(fs::read(&broken).unwrap(), b"nothing");
    let header = crds_core::dataset::fits::read(&files[0]).unwrap();
    assert_eq!(header.get("CRDS_CTX"), Some("hst_9001.pmap"));
    // A withdrawn reference is an error, unless it is allowed.
    let edit = ["bestrefs", "-f", lines[0], "-n", "hst-edit"];
    let refused = run(&offline(&cache), &edit);
    assert_eq!(refused.code, 1);
    assert!(
        refused.stderr.contains("zz900098j_drk.fits was withdrawn"),
        "{}",
        refused.stderr
    );
    for (variables, extra) in [
        (offline(&cache), vec!["--allow-bad-references"]),
        (
            [offline(&cache), vec![("CRDS_ALLOW_BAD_REFERENCES", "1")]].concat(),
            vec![],
        ),
    ] {
        let allowed = run(&variables, &[edit.as_slice(), &extra].concat());
        assert_eq!(allowed.code, 0, "{}", allowed.stderr);
        assert!(
            allowed.stderr.contains("CRDS - INFO -  1 warnings"),
            "{}",
            allowed.stderr
        );
    }
}

#[test]
fn wrong_use_and_impossible_settings_are_told_apart() {
    let cache = cache();
    let nothing = run(&offline(&cache), &["bestrefs"]);
    assert_eq!(nothing.code, 0);
    assert!(nothing.stdout.contains("--update-bestrefs"));
    let no_source = run(&offline(&cache), &["bestrefs", "-u"]);
    assert_eq!(no_source.code, 1);
    assert!(
        no_source.stderr.contains("hint: give --files"),
        "{}",
        no_source.stderr
    );
    assert_eq!(
        run(&offline(&cache), &["bestrefs", "--no-such-option"]).code,
        2
    );
    let bad = run(&[("CRDS_MODE", "fast")], &["list", "--status"]);
    assert_eq!(bad.code, 255);
    assert!(
        bad.stderr.contains("CRDS_MODE is \"fast\""),
        "{}",
        bad.stderr
    );
    let empty = tempfile::tempdir().unwrap();
    let empty = run(
        &[("CRDS_PATH", empty.path().to_str().unwrap())],
        &["list", "--latest-context"],
    );
    assert_eq!(empty.code, 255);
    assert!(empty.stderr.contains("hint:"), "{}", empty.stderr);
    let remote = run(
        &[offline(&cache), vec![("CRDS_MODE", "remote")]].concat(),
        &["bestrefs", "--headers", "-"],
    );
    assert_eq!(remote.code, 255);
    assert!(remote.stderr.contains("computed here"), "{}", remote.stderr);
    let misspelt = run(
        &[offline(&cache), vec![("CRDS_REDONLY_CACHE", "1")]].concat(),
        &["list", "--latest-context"],
    );
    assert_eq!(misspelt.code, 0);
    assert!(
        misspelt
            .stderr
            .contains("WARNING -  CRDS_REDONLY_CACHE is set but means nothing")
    );
    assert!(run(&[], &["--version"]).stdout.starts_with("crds 0."));
    assert!(
        run(&[], &["completions", "bash"])
            .stdout
            .contains("bestrefs")
    );
    assert!(run(&[], &["man", "bestrefs"]).stdout.contains(".TH"));
}

#[test]
fn headers_in_bulk_are_answered_in_order() {
    let cache = cache();
    let header = json!({"INSTRUME": "ACS", "DETECTOR": "WFC", "DATE-OBS": "2010-01-01", "TIME-OBS": "00:00:00"});
    let mut input = Vec::new();
    for line in [
        json!({"id": 1, "header": header}).to_string(),
        String::new(),
        "{\"id\": 2,".to_owned(),
        json!({"id": {"a": [3]}, "context": "hst_9000.pmap", "header": header}).to_string(),
        json!({"id": 4, "context": "hst_1.pmap", "header": header}).to_string(),
        json!({"id": 5, "header": {"INSTRUME": "FOS"}}).to_string(),
        json!({"id": 6, "path": "raw", "header": header}).to_string(),
    ] {
        writeln!(input, "{line}").unwrap();
    }
    let asked = ["bestrefs", "--headers", "-", "--types", "ccdtab", "--json"];
    let answered = run_with_input(&offline(&cache), &asked, &input);
    let lines: Vec<Value> = answered
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let file = json!({"ccdtab": {"file": REFERENCE}});
    assert_eq!(lines[0], json!({"id": 1, "bestrefs": file}));
    assert_eq!(lines[1]["id"], Value::Null);
    assert!(lines[1]["error"].as_str().unwrap().starts_with("line 3: "));
    assert_eq!(lines[2], json!({"id": {"a": [3]}, "bestrefs": file}));
    assert!(lines[3]["error"].as_str().unwrap().contains("hst_1.pmap"));
    assert!(lines[4]["error"].as_str().unwrap().contains("\"fos\""));
    assert_eq!(lines[5], json!({"id": 6, "bestrefs": file}));
    assert_eq!((lines.len(), answered.code), (6, 1));
    let first = input.split(|&b| b == b'\n').next().unwrap();
    assert_eq!(run_with_input(&offline(&cache), &asked, first).code, 0);
}

#[test]
fn headers_of_json_files_are_compared() {
    let folder = tempfile::tempdir().unwrap();
    let cache = cache();
    let saved = folder.path().join("saved.json");
    let files = raw_files("j8cb010b0", folder.path());
    let file = files[0].to_str().unwrap();
    let saving = run(
        &offline(&cache),
        &["bestrefs", "-f", file, "-a", saved.to_str().unwrap()],
    );
    assert_eq!(saving.code, 0, "{}", saving.stderr);
    let compared = run(
        &offline(&cache),
        &[
            "bestrefs",
            "-p",
            saved.to_str().unwrap(),
            "-o",
            "hst_9000.pmap",
            "--print-affected-details",
            "--print-new-references",
        ],
    );
    let id = file.to_lowercase();
    assert_eq!(
        compared.stdout,
        format!("{id} acs darkfile zz900097j_drk.fits zz900006j_drk.fits\n{id} acs darkfile\n")
    );
    let dropped = run(
        &offline(&cache),
        &[
            "bestrefs",
            "-p",
            saved.to_str().unwrap(),
            "--print-new-references",
            "--drop-ids",
            file,
        ],
    );
    assert_eq!((dropped.code, dropped.stdout.as_str()), (0, ""));
}

#[test]
fn datasets_of_the_server_are_evaluated() {
    let server = CrdsServer::start(&fixtures().join("crds"), "hst_9001.pmap", "hst_9002.pmap");
    let header = json!({"INSTRUME": "ACS", "DETECTOR": "WFC", "DATE-OBS": "2010-01-01", "TIME-OBS": "00:00:00"});
    server.set_answer(
        "get_dataset_headers_by_id",
        json!({"J8CB01U2Q:J8CB01U2Q": header, "X": "NOT FOUND"}),
    );
    let folder = tempfile::tempdir().unwrap();
    let url = server.url();
    let variables = [
        ("CRDS_PATH", folder.path().to_str().unwrap()),
        ("CRDS_SERVER_URL", url.as_str()),
    ];
    let asked = [
        "bestrefs",
        "-d",
        "j8cb01u2q",
        "-t",
        "ccdtab",
        "--print-new-references",
    ];
    let answered = run(&variables, &asked);
    assert_eq!(
        answered.stdout,
        format!("j8cb01u2q:j8cb01u2q acs ccdtab none {REFERENCE}\n")
    );
    assert_eq!(answered.code, 1, "{}", answered.stderr);
    let serverless = run(&offline(&cache()), &asked);
    assert_eq!(serverless.code, 255);
    assert!(
        serverless.stderr.contains("needs a CRDS server"),
        "{}",
        serverless.stderr
    );
}

#[test]
fn matches_are_the_rows_of_the_rules() {
    let cache = cache();
    let found = run(&offline(&cache), &["matches", "--files", REFERENCE]);
    assert_eq!(
        found.stdout,
        " zz900001j_ccd.fits : ACS CCDTAB DETECTOR='HRC' DATE-OBS='1992-01-01' TIME-OBS='00:00:00'\n \
          zz900001j_ccd.fits : ACS CCDTAB DETECTOR='WFC' DATE-OBS='1992-01-01' TIME-OBS='00:00:00'\n"
    );
    let two = run(
        &offline(&cache),
        &[
            "matches",
            "--contexts",
            "hst_9000.pmap",
            "hst-edit",
            "--files",
            "zz900097j_drk.fits",
            "-o",
            "-b",
        ],
    );
    assert!(
        two.stdout.contains("hst_9000.pmap zz900097j_drk.fits : '")
            && two.stdout.lines().all(|line| !line.contains("DETECTOR"))
    );
    let unknown = run(&offline(&cache), &["matches", "--files", "x.fits"]);
    assert_eq!((unknown.code, unknown.stdout.as_str()), (0, ""));
}

#[test]
fn lists_say_what_is_there() {
    let cache = cache();
    let list = |arguments: &[&str]| {
        let ran = run(&offline(&cache), &[&["list"], arguments].concat());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        ran.stdout
    };
    assert_eq!(list(&["--operational-context"]), "hst_9001.pmap\n");
    let names = ["hst-edit", "hst-2026-02-01", "hst-acs-2026-02-01", "latest"];
    assert_eq!(
        list(&[&["--resolve-contexts", "--contexts"], names.as_slice()].concat()),
        "hst_9002.pmap\nhst_9000.pmap\nhst_acs_9000.imap\nhst_9001.pmap\n"
    );
    assert_eq!(list(&["--cached-pickles"]).lines().count(), 3);
    assert!(list(&["--status"]).contains("Effective Context = 'hst_9001.pmap'"));
    assert!(list(&["--config"]).contains("CRDS_READONLY_CACHE=1  (environment)"));
    assert!(list(&["--required-parkeys"]).contains("cos = ["));
    assert!(list(&["--references", "--contexts", "hst_9001.pmap"]).contains(REFERENCE));
    assert!(
        list(&["--mappings", "--contexts", "hst_acs_9001.imap"]).starts_with("hst_acs_9001.imap\n")
    );
    assert!(
        list(&["--cached-references", "--full-path"])
            .contains(&format!("/references/hst/{REFERENCE}\n"))
    );
    assert!(list(&["--cat", "hst_9001.pmap"]).contains("'parkey' : ('INSTRUME',)"));
    let json: Value = serde_json::from_str(&list(&["--latest-context", "--json"])).unwrap();
    assert_eq!(json, json!({"latest_context": ["hst_9001.pmap"]}));
}

/// A server of the fixtures in object storage, as `s3://hst-crds/{config,...}/hst/`.
fn storage() -> S3Server {
    let server = S3Server::start(&["hst-crds"]);
    for part in ["config", "mappings", "pickles", "references"] {
        let folder = fixtures().join("crds").join(part).join("hst");
        server.put_directory("hst-crds", &format!("{part}/hst"), &folder);
    }
    server
}

fn with<'v>(
    server: &'v [(&'static str, String)],
    more: &[(&'v str, &'v str)],
) -> Vec<(&'v str, &'v str)> {
    let server = server.iter().map(|(name, value)| (*name, value.as_str()));
    server.chain(more.iter().copied()).collect()
}

#[test]
fn the_documented_storage_set_ups_work() {
    let server = storage();
    let environment = server.environment();
    let uris = [
        ("CRDS_CONFIG_URI", "s3://hst-crds/config/hst/"),
        ("CRDS_REFERENCE_URI", "s3://hst-crds/references/hst/"),
        ("CRDS_SERVER_URL", "https://hst-crds-serverless.stsci.edu"),
        ("CRDS_DOWNLOAD_MODE", "plugin"),
    ];
    let plugin_of_hst = "/home/developer/crds_s3_get ${SOURCE_URL} ${OUTPUT_PATH} --file-size ${FILE_SIZE} --file-sha1sum ${FILE_SHA1SUM}";
    let plugin_of_roman =
        "crds_s3_get ${FILENAME} -d ${OUTPUT_PATH} -s ${FILE_SIZE} -c ${FILE_SHA1SUM}";
    for (requests, more) in [
        // server_config, the pickle, the reference
        (
            3,
            [
                ("CRDS_PICKLE_URI", "s3://hst-crds/pickles/hst/"),
                ("CRDS_DOWNLOAD_PLUGIN", plugin_of_hst),
            ],
        ),
        // server_config, the pipeline's, the instrument's and 18 tables' rules, the reference
        (
            22,
            [
                ("CRDS_MAPPING_URI", "s3://hst-crds/mappings/hst/"),
                ("CRDS_DOWNLOAD_PLUGIN", plugin_of_roman),
            ],
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let cache = folder.path().join("cache");
        let file = raw_files("j8cb010b0", folder.path()).remove(0);
        let path = [
            ("CRDS_PATH", cache.to_str().unwrap()),
            ("CRDS_S3_ENABLED", "1"),
        ];
        let variables = with(&environment, &[uris.as_slice(), &more, &path].concat());
        server.reset_counts();
        let asked = [
            "bestrefs",
            "-f",
            file.to_str().unwrap(),
            "-u",
            "-s",
            "1",
            "-t",
            "ccdtab",
        ];
        let ran = run(&variables, &asked);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert!(cache.join("references/hst/acs").join(REFERENCE).exists());
        let asked = server.count("GetObject");
        assert!(asked <= requests, "{asked} requests");
        assert!(!cache.join("mappings").exists());
    }
}

#[test]
fn s3_get_speaks_both_dialects_and_its_exit_status_means_something() {
    let server = storage();
    let environment = server.environment();
    let folder = tempfile::tempdir().unwrap();
    let source = format!("s3://hst-crds/references/hst/{REFERENCE}");
    let original = fs::read(fixtures().join("crds/references/hst").join(REFERENCE)).unwrap();
    let size = original.len().to_string();
    let sum = caldp_core::checksum::Sha1Sum::of(&original).to_string();
    let target = folder.path().join(REFERENCE);
    let target_text = target.to_str().unwrap();
    let program = folder.path().join("crds_s3_get");
    std::os::unix::fs::symlink(CRDS, &program).unwrap();
    let get = |arguments: &[&str]| {
        let output = Command::new(&program)
            .args(arguments)
            .env_clear()
            .envs(with(
                &environment,
                &[("CRDS_REFERENCE_URI", "s3://hst-crds/references/hst")],
            ))
            .output();
        seen(output.unwrap())
    };
    let right = |run: Run| {
        assert_eq!(run.code, 0, "{}", run.stderr);
        assert_eq!(fs::read(&target).unwrap(), original);
        fs::remove_file(&target).unwrap();
    };
    right(get(&[
        &source,
        target_text,
        "--file-size",
        &size,
        "--file-sha1sum",
        &sum,
    ]));
    right(get(&[
        REFERENCE,
        "-d",
        target_text,
        "-s",
        &size,
        "-c",
        &sum,
    ]));
    right(get(&[
        REFERENCE,
        "-d",
        folder.path().to_str().unwrap(),
        "-c",
        "none",
    ]));
    let wrong_sum = "0".repeat(40);
    for (code, arguments) in [
        (10, [source.as_str(), target_text, "-s", "1"]),
        (11, [source.as_str(), target_text, "-c", &wrong_sum]),
        (
            404 % 256,
            [
                "s3://hst-crds/none/zz900001j_ccd.fits",
                target_text,
                "-s",
                "1",
            ],
        ),
        (2, [source.as_str(), target_text, "-s", "one"]),
        (2, ["ftp://x/y.fits", target_text, "-s", "1"]),
    ] {
        let ran = get(&arguments);
        assert_eq!(ran.code, code, "{}", ran.stderr);
        assert!(!target.exists() && !ran.stderr.is_empty());
    }
    // What is there is kept, unless it is to be fetched anew.
    fs::write(&target, "old").unwrap();
    assert_eq!(get(&[&source, target_text]).code, 0);
    assert_eq!(fs::read(&target).unwrap(), b"old");
    right(get(&[&source, target_text, "-I"]));
}

#[test]
fn sync_fills_checks_repairs_sorts_and_purges() {
    let server = CrdsServer::start(&fixtures().join("crds"), "hst_9001.pmap", "hst_9002.pmap");
    let folder = tempfile::tempdir().unwrap();
    let url = server.url();
    let variables = [
        ("CRDS_PATH", folder.path().to_str().unwrap()),
        ("CRDS_SERVER_URL", url.as_str()),
    ];
    let sync = |arguments: &[&str]| run(&variables, &[&["sync"], arguments].concat());
    let dry = sync(&["--contexts", "hst_9000.pmap", "--dry-run"]);
    assert_eq!(
        (dry.code, dry.stdout.lines().count() > 40),
        (0, true),
        "{}",
        dry.stderr
    );
    let all = sync(&["--all", "--fetch-references"]);
    assert_eq!(all.code, 0, "{}", all.stderr);
    let count = |part: &str| {
        let arguments = ["list", part];
        run(&variables, &arguments).stdout.lines().count()
    };
    let originals = |part: &str| {
        fs::read_dir(fixtures().join("crds").join(part))
            .unwrap()
            .count()
    };
    assert_eq!(count("--cached-mappings"), originals("mappings/hst"));
    let references = count("--cached-references");
    assert!(references > 40);
    // Damage is found, and repaired.
    let victim = folder.path().join("references/hst/acs").join(REFERENCE);
    let mut bytes = fs::read(&victim).unwrap();
    bytes[100] ^= 1;
    fs::write(&victim, bytes).unwrap();
    assert_eq!(sync(&["--check-files"]).code, 0);
    let found = sync(&["--check-sha1sum"]);
    assert_eq!(found.code, 1);
    assert!(found.stderr.contains(REFERENCE), "{}", found.stderr);
    let told = |arguments: &[&str]| -> Value {
        let done = sync(&[arguments, &["--json"]].concat());
        assert_eq!(done.code, 0, "{}", done.stderr);
        serde_json::from_str(&done.stdout).unwrap()
    };
    let repaired = told(&["--check-sha1sum", "--repair-files"]);
    assert_eq!(repaired["findings"][0]["path"], victim.to_str().unwrap());
    assert_eq!(repaired["findings"][0]["repaired"], true);
    assert_eq!(repaired["findings"].as_array().unwrap().len(), 1);
    assert_eq!(sync(&["--check-sha1sum"]).code, 0);
    // Sorted anew, nothing is lost.
    assert_eq!(told(&["--organize=flat"])["organized"]["moved"], references);
    assert!(
        folder
            .path()
            .join("references/hst")
            .join(REFERENCE)
            .exists()
    );
    assert_eq!(count("--cached-references"), references);
    let purged = sync(&[
        "--contexts",
        "hst_9000.pmap",
        "--purge-references",
        "--purge-mappings",
    ]);
    assert_eq!(purged.code, 0, "{}", purged.stderr);
    assert!(count("--cached-references") < references);
    assert!(!folder.path().join("mappings/hst/hst_9002.pmap").exists());
    assert_eq!(sync(&["--purge-mappings"]).code, 2);
    assert_eq!(sync(&["--save-pickles"]).code, 2);
    assert!(told(&["--clear-locks"])["cleared"]["locks"].is_u64());
    let dry = told(&["--contexts", "hst_9002.pmap", "--dry-run"]);
    assert_eq!(dry["contexts"], json!(["hst_9002.pmap"]));
    assert!(!dry["missing"].as_array().unwrap().is_empty() && dry["missing_bytes"] != 0);
}

#[test]
fn real_rules_are_answered_as_python_answers_them() {
    let what = "the command line against the oracle of real rules";
    let (Some(oracle), Some(cache)) = (
        external_data("oracle/hst_bestrefs_dev.jsonl.gz", what),
        external_data("crds-cache", what),
    ) else {
        return;
    };
    let mut text = String::new();
    let file = fs::File::open(oracle).unwrap();
    flate2::read::GzDecoder::new(file)
        .read_to_string(&mut text)
        .unwrap();
    // The oracle's lines are what the command reads; it ignores the answers on them.
    let answered = run_with_input(
        &offline(cache.to_str().unwrap()),
        &["bestrefs", "--headers", "-", "--json"],
        text.as_bytes(),
    );
    assert_eq!(answered.code, 0, "{}", answered.stderr);
    assert_eq!(answered.stdout.lines().count(), text.lines().count());
    for (asked, answer) in text.lines().zip(answered.stdout.lines()) {
        let asked: Value = serde_json::from_str(asked).unwrap();
        let answer: Value = serde_json::from_str(answer).unwrap();
        assert_eq!(asked["id"], answer["id"]);
        let Some(wanted) = asked["bestrefs"].as_object() else {
            assert!(answer["error"].is_string(), "{answer}");
            continue;
        };
        let given = answer["bestrefs"].as_object().unwrap();
        let id = &asked["id"];
        assert_eq!(given.len(), wanted.len(), "{id}");
        for (name, wanted) in wanted {
            let class = match wanted.as_str() {
                None => "ambiguous".to_owned(),
                Some("NOT FOUND n/a") => "na".to_owned(),
                Some("NOT FOUND No match found.") => "no_match".to_owned(),
                Some(text) if text.starts_with("NOT FOUND") => "error".to_owned(),
                Some(file) => format!("file {file}"),
            };
            let (key, value) = given[name].as_object().unwrap().iter().next().unwrap();
            let found = match (key.as_str(), value.as_str()) {
                ("file", Some(file)) => format!("file {file}"),
                (key, _) => key.to_owned(),
            };
            assert_eq!(found, class, "{id} {name}");
        }
    }
}

/// The examples of README.md: every `$ command` of its `console` blocks, and what follows it.
#[test]
fn the_examples_of_the_readme_are_true() {
    let readme =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    unpack_fixture("j8cb010b0", folder.path());
    let bin = Path::new(CRDS).parent().unwrap();
    let mut path = std::ffi::OsString::from(bin);
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap());
    let mut examples = 0;
    for block in readme.split("```console\n").skip(1) {
        let block = block.split("```").next().unwrap();
        for example in block.split("$ ").skip(1) {
            let (command, expected) = example.split_once('\n').unwrap();
            let output = Command::new("bash")
                .args(["-c", command])
                .current_dir(folder.path())
                .env_clear()
                .env("PATH", &path)
                .env("CRDS_PATH", cache())
                .env("CRDS_READONLY_CACHE", "1")
                .output()
                .unwrap();
            assert_eq!(
                String::from_utf8(output.stdout).unwrap(),
                expected,
                "{command}"
            );
            examples += 1;
        }
    }
    assert_eq!(examples, 5);
}
