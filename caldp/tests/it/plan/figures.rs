//! The figures of `caldp/PLAN.md`: printed, not judged. They take a release build and a quiet machine.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use caldp_tests::{S3Server, external_data, long_variants};
use serde_json::json;

use super::oracle::records;
use super::outputs::record;
use super::{CHANGES, NEW, OLD, PlanDirectory, header, line};

/// Runs a command under Debian's `time`, where that is installed, and prints what it took.
fn measure(what: &str, command: &Command) {
    let time = Path::new("/usr/bin/time");
    let mut timed = if time.exists() {
        let mut timed = Command::new(time);
        timed.args(["-f", "%M"]).arg(command.get_program());
        timed
    } else {
        Command::new(command.get_program())
    };
    timed.args(command.get_args()).env_clear();
    if let Some(directory) = command.get_current_dir() {
        timed.current_dir(directory);
    }
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            timed.env(name, value);
        }
    }
    let begun = Instant::now();
    let output = timed.output().unwrap();
    let seconds = begun.elapsed().as_secs_f64();
    assert_eq!(output.status.code(), Some(CHANGES), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    let kib = said
        .lines()
        .last()
        .and_then(|line| line.parse::<u64>().ok());
    let peak = kib.map_or_else(
        || "not known".to_owned(),
        |kib| format!("{} MiB", kib >> 10),
    );
    eprintln!("{what}: {seconds:.1} s, peak {peak}");
}

#[test]
fn a_million_headers() {
    const LINES: usize = 1_000_000;
    if !long_variants("one million headers") {
        return;
    }
    let directory = PlanDirectory::new();
    let real = external_data("crds-cache", "one million headers with real rules");
    let headers = match &real {
        Some(cache) => {
            let path = cache.join("../oracle/hst_bestrefs_dev.jsonl.gz");
            let records = records(&path).into_iter();
            records.map(|mut record| record["header"].take()).collect()
        }
        None => vec![header("2017-01-15"), header("2016-01-15")],
    };
    let mut out = BufWriter::new(File::create(directory.path().join("headers.jsonl")).unwrap());
    for (number, header) in (0..LINES).zip(headers.iter().cycle()) {
        out.write_all(line(&format!("j{number:07}q"), header).as_bytes())
            .unwrap();
    }
    out.flush().unwrap();
    drop(out);
    let contexts = match real {
        Some(_) => ["--old-context=hst_0462.pmap", "--new-context=hst_0729.pmap"],
        None => [OLD, NEW],
    };
    let mut command = directory.command(&["--from=headers.jsonl"]);
    command.args(contexts);
    if let Some(cache) = real {
        command
            .env_clear()
            .env("CRDS_PATH", cache)
            .env("CRDS_READONLY_CACHE", "1")
            .env("CRDS_SERVER_URL", "https://crds-serverless-mode.stsci.edu");
    }
    measure("1,000,000 headers", &command);
}

#[test]
fn ten_thousand_records_on_s3() {
    const RECORDS: usize = 10_000;
    if !long_variants("10,000 records on S3") {
        return;
    }
    let directory = PlanDirectory::new();
    let s3 = S3Server::start(&["hst-out"]);
    for number in 0..RECORDS {
        let dataset = format!("j8{number:04}010");
        let date = if number % 3 == 0 {
            "2017-01-15"
        } else {
            "2016-01-15"
        };
        let mut record = record(&dataset, date);
        // As many files as a real dataset has.
        let files = (0..30).map(|n| json!({"name": format!("{dataset}_{n}.fits"), "size": 1 << 20, "sha1": "0".repeat(40)}));
        record["outputs"] = files.collect();
        let key = format!("data/acs/{dataset}/logs/provenance.json");
        s3.put("hst-out", &key, record.to_string());
        s3.put(
            "hst-out",
            &format!("data/acs/{dataset}/{dataset}_drz.fits"),
            "",
        );
    }
    let mut command = directory.command(&["--from=s3://hst-out", NEW]);
    command.envs(s3.environment());
    measure("10,000 records on S3", &command);
}
