//! `caldp-process` on local directories, as an astronomer runs it, with the real `calcos`.

use caldp_tests::{MastServer, S3Server, fixtures, registry_programs, unpack_fixture};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::CALDP;
use crate::small_disk::SmallDisk;

const DATASET: &str = "lbgu17qnq";

/// The worker under its own name, in a directory of its own, with the bundled cache.
fn caldp_process(home: &Path, arguments: &[&str]) -> Command {
    let program = home.join("caldp-process");
    if !program.exists() {
        std::os::unix::fs::symlink(CALDP, &program).unwrap();
    }
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(home)
        .env_clear()
        .env("PATH", registry_programs())
        .env("HOME", home)
        .env("CRDS_PATH", fixtures().join("crds"));
    command
}

fn succeed(mut command: Command) -> Output {
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    output
}

fn products(output: &Path) -> PathBuf {
    output.join(format!("data/cos/{DATASET}"))
}

#[test]
fn loose_files_in_the_current_directory_are_enough() {
    let home = tempfile::tempdir().unwrap();
    let raw = unpack_fixture(DATASET, home.path());
    let before = fs::read(&raw[0]).unwrap();
    succeed(caldp_process(home.path(), &[DATASET]));
    assert!(
        products(home.path())
            .join(format!("{DATASET}_x1d.fits"))
            .is_file()
    );
    assert_eq!(fs::read(&raw[0]).unwrap(), before, "the input was changed");

    // On a file system the message lists what there is to archive, by absolute paths.
    let message = home
        .path()
        .join(format!("messages/dataset-processed/{DATASET}"));
    let listed = fs::read_to_string(message).unwrap();
    assert!(listed.lines().count() > 5, "{listed}");
    for path in listed.lines() {
        assert!(
            Path::new(path).is_absolute() && Path::new(path).is_file(),
            "{path}"
        );
    }
}

#[test]
fn an_archive_in_a_directory_is_unpacked_and_results_go_where_they_are_wanted() {
    let home = tempfile::tempdir().unwrap();
    let inputs = home.path().join("in");
    fs::create_dir(&inputs).unwrap();
    let name = format!("{DATASET}.tar.gz");
    fs::copy(fixtures().join("raw").join(&name), inputs.join(&name)).unwrap();
    let arguments = [
        "LBGU17QNQ",
        "file:in",
        "file:out",
        "caldp-config-onsite",
        "--json",
    ];
    let output = succeed(caldp_process(home.path(), &arguments));
    assert!(
        products(&home.path().join("out"))
            .join(format!("{DATASET}_x1d.fits"))
            .is_file()
    );
    let record: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(record["state"], "processed");
    assert_eq!(record["context"], "hst_9001.pmap");
    // what `caldp plan` asks other rules with
    let parkeys = &record["headers"][0]["parkeys"];
    assert_eq!(parkeys["INSTRUME"]["conditioned"], "COS", "{parkeys}");
    assert!(parkeys["DATE-OBS"]["raw"].is_string(), "{parkeys}");
}

#[test]
fn inputs_come_from_mast() {
    let home = tempfile::tempdir().unwrap();
    let server = MastServer::with_fixtures(&[DATASET]);
    let mut command = caldp_process(home.path(), &[DATASET, "astroquery:", "file:out"]);
    command.env("CALDP_MAST_URL", server.url());
    succeed(command);
    assert!(
        products(&home.path().join("out"))
            .join(format!("{DATASET}_x1d.fits"))
            .is_file()
    );
}

#[test]
fn inputs_come_from_the_public_bucket_without_credentials() {
    let home = tempfile::tempdir().unwrap();
    let raw = home.path().join("raw");
    fs::create_dir(&raw).unwrap();
    unpack_fixture(DATASET, &raw);
    let bucket = S3Server::start(&["stpubdata"]);
    bucket.make_public("stpubdata");
    bucket.put_directory("stpubdata", &format!("hst/public/lbgu/{DATASET}"), &raw);
    let mast = MastServer::start();
    let mut command = caldp_process(home.path(), &[DATASET, "stpubdata:", "file:out"]);
    command
        .env("AWS_ENDPOINT_URL", bucket.endpoint())
        .env("CALDP_MAST_URL", mast.url());
    succeed(command);
    assert!(
        products(&home.path().join("out"))
            .join(format!("{DATASET}_x1d.fits"))
            .is_file()
    );
    assert_eq!(mast.seen(), [], "MAST was asked for what the bucket has");
}

#[test]
fn an_empty_directory_is_named_with_what_was_looked_for() {
    let home = tempfile::tempdir().unwrap();
    let output = caldp_process(home.path(), &[DATASET]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(21), "{text}");
    assert!(
        text.contains("lbgu17qnq.tar.gz") && text.contains("hint:"),
        "{text}"
    );
    let message = home
        .path()
        .join(format!("messages/dataset-error/{DATASET}"));
    assert!(
        fs::read_to_string(message)
            .unwrap()
            .contains("lbgu17qnq.tar.gz")
    );
}

#[test]
fn an_error_is_said_once_with_its_own_hint() {
    let home = tempfile::tempdir().unwrap();
    let output = caldp_process(home.path(), &[DATASET, "file:nope"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(21), "{text}");
    assert_eq!(text.matches("inputs failed").count(), 1, "{text}");
    assert_eq!(text.matches("hint: ").count(), 1, "{text}");
    assert!(text.contains("hint: check the path"), "{text}");
    let log = home.path().join(format!("data/cos/{DATASET}"));
    let log = fs::read_dir(log)
        .unwrap()
        .map(|entry| entry.unwrap().path().join("process.txt"))
        .find(|file| file.is_file())
        .unwrap();
    let log = fs::read_to_string(log).unwrap();
    assert_eq!(log.matches("inputs failed").count(), 1, "{log}");
    assert_eq!(log.matches("hint: check the path").count(), 1, "{log}");
}

#[test]
fn the_configuration_is_printed_with_its_origins_and_nothing_is_run() {
    let home = tempfile::tempdir().unwrap();
    let output = succeed(caldp_process(home.path(), &[DATASET, "--print-config"]));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("CRDS_READONLY_CACHE=1  # caldp-config-onsite"),
        "{text}"
    );
    assert!(
        text.lines()
            .any(|l| l.starts_with("CRDS_PATH=") && l.ends_with("# environment")),
        "{text}"
    );
    assert!(!home.path().join("data").exists() && !home.path().join("messages").exists());
}

#[test]
fn an_output_directory_that_cannot_be_written_has_a_hint_about_directories() {
    let home = tempfile::tempdir().unwrap();
    unpack_fixture(DATASET, home.path());
    fs::write(home.path().join("taken"), "").unwrap();
    let output = caldp_process(home.path(), &[DATASET, "file:.", "file:taken"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(25), "{text}");
    let hint = text.lines().find(|line| line.starts_with("hint: "));
    assert!(hint.is_some_and(|hint| hint.contains("path")), "{text}");
    assert!(!text.contains("role"), "{text}");
}

#[test]
fn a_full_working_directory_loses_neither_the_logs_nor_the_reason() {
    let home = tempfile::tempdir().unwrap();
    let scratch = home.path().join("scratch");
    fs::create_dir(&scratch).unwrap();
    let Some(_disk) = SmallDisk::mount(&scratch, 1) else {
        eprintln!("left out: a full disk: this user may not mount a file system in memory");
        return;
    };
    let inputs = format!("file:{}", fixtures().join("raw").display());
    let output = caldp_process(home.path(), &[DATASET, &inputs, "file:out"])
        .env("CALDP_HOME", &scratch)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(23), "{errors}");
    assert!(
        errors.contains("caldp: lbgu17qnq: calibration failed: "),
        "{errors}"
    );
    assert!(
        errors.contains("hint: make room, or set CALDP_HOME"),
        "{errors}"
    );
    let out = home.path().join("out");
    let logs = products(&out).join("logs");
    let record: Value =
        serde_json::from_slice(&fs::read(logs.join("provenance.json")).unwrap()).unwrap();
    assert_eq!(
        (&record["state"], &record["exit_code"]),
        (&"error".into(), &23.into())
    );
    assert!(
        products(&out)
            .join(format!("failed/{DATASET}_rawtag.fits"))
            .is_file()
    );
    let log = String::from_utf8_lossy(&fs::read(logs.join("process.txt")).unwrap()).into_owned();
    assert!(log.contains("CALCOS version"), "{log}");
    let message =
        fs::read_to_string(out.join(format!("messages/dataset-error/{DATASET}"))).unwrap();
    assert!(message.contains("calibration failed"), "{message}");

    // what the run advised is what `caldp explain` says is next, on a line of its own
    let output = Command::new(CALDP)
        .args(["explain", DATASET, "--output", "file:out"])
        .current_dir(home.path())
        .output()
        .unwrap();
    let story = String::from_utf8(output.stdout).unwrap();
    let next = "\nnext: make room, or set CALDP_HOME to a directory on a larger disk\n";
    assert!(story.contains(next) && !story.contains("hint:"), "{story}");
}
