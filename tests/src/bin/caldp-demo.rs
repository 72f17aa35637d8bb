//! The demonstration: what AWS Batch would do for one dataset, on this machine alone.
//!
//! An S3 server on loopback is loaded with a small CRDS cache as the real HST bucket has it
//! (configuration, references and a pickled context, no rule files) and with a raw dataset; the
//! real worker binary runs `caldp-process-aws` against it; then what it left on S3 is brought into
//! a directory and summarised. Nothing leaves the machine and nothing keeps running.

#![allow(
    clippy::print_stdout,
    reason = "the summary is what this program is for"
)]

use caldp_tests::{S3Server, fixtures};
use clap::Parser;
use serde_json::Value;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

const CRDS_BUCKET: &str = "crds";
const BUCKET: &str = "hst";
const BATCH: &str = "batch-demo";

/// Calibrate a bundled dataset against an S3 server on loopback.
#[derive(Debug, Parser)]
struct Arguments {
    /// The worker binary
    #[arg(long)]
    worker: PathBuf,
    /// The directory of the calibration programs
    #[arg(long)]
    programs: PathBuf,
    /// Where the CRDS cache and the results are kept
    #[arg(long)]
    directory: PathBuf,
    /// A bundled COS dataset
    #[arg(long, default_value = "lbgu17qnq")]
    dataset: String,
}

fn main() -> ExitCode {
    match demonstrate(&Arguments::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("caldp-demo: {error}");
            ExitCode::FAILURE
        }
    }
}

fn demonstrate(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let home = arguments.directory.join("home");
    fs::create_dir_all(&home)?;
    let home = home.canonicalize()?;
    let programs = arguments.programs.canonicalize()?;
    let worker = arguments.worker.canonicalize()?;

    let server = S3Server::start(&[CRDS_BUCKET, BUCKET]);
    load(&server, &arguments.dataset)?;
    println!(
        "S3 server on {} with the CRDS cache and {}\n",
        server.endpoint(),
        arguments.dataset
    );

    let path = std::env::var("PATH").unwrap_or_default();
    let started = Instant::now();
    let status = Command::new(&worker)
        .args([
            "process-aws",
            &format!("s3://{BUCKET}/{BATCH}"),
            &arguments.dataset,
        ])
        .env_clear()
        .envs(server.environment())
        .env("PATH", format!("{}:{path}", programs.display()))
        .env("HOME", &home)
        .env("CALDP_HOME", &home)
        .env("CRDSBUCKET", format!("s3://{CRDS_BUCKET}"))
        .env("CALDP_INPUT_URI", format!("s3://{BUCKET}/inputs"))
        .envs([
            ("CSYS_VER", "demo"),
            ("AWSDPVER", "demo"),
            ("AWSYSVER", "demo"),
        ])
        .status()?;
    let elapsed = started.elapsed();

    let results = arguments.directory.join(BATCH);
    bring(&server, &results)?;
    drop(server);
    summarise(&results, &arguments.dataset, elapsed)?;
    look(&worker, &results)?;
    if !status.success() {
        println!("\nThe run failed with {status}.");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// What an operator sees of the batch: on the terminal, then the path of its page.
fn look(caldp: &Path, results: &Path) -> Result<(), Box<dyn Error>> {
    let output = format!("file:{}", results.display());
    for command in ["status", "page"] {
        println!("\n$ caldp {command} {output}");
        // what it says of a failed dataset by its status, this program says by its own
        Command::new(caldp).args([command, &output]).status()?;
    }
    Ok(())
}

/// What the real buckets hold: no `mappings/`.
fn load(server: &S3Server, dataset: &str) -> Result<(), Box<dyn Error>> {
    for part in ["config", "pickles", "references"] {
        server.put_directory(CRDS_BUCKET, part, &fixtures().join("crds").join(part));
    }
    let archive = format!("{dataset}.tar.gz");
    let bytes = fs::read(fixtures().join("raw").join(&archive))
        .map_err(|e| format!("there is no bundled dataset {dataset}: {e}"))?;
    server.put(BUCKET, &format!("inputs/{archive}"), bytes);
    Ok(())
}

/// Everything of the batch, from S3 into a directory that held an earlier run's.
fn bring(server: &S3Server, results: &Path) -> Result<(), Box<dyn Error>> {
    if results.exists() {
        fs::remove_dir_all(results)?;
    }
    for key in server.keys(BUCKET) {
        let Some(relative) = key.strip_prefix(&format!("{BATCH}/")) else {
            continue;
        };
        let target = results.join(relative);
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(target, server.get(BUCKET, &key).unwrap_or_default())?;
    }
    Ok(())
}

fn summarise(results: &Path, dataset: &str, elapsed: Duration) -> Result<(), Box<dyn Error>> {
    let folder = results.join("data/cos").join(dataset);
    let record = folder.join("logs/provenance.json");
    let record: Value = match fs::read(&record) {
        Ok(bytes) => serde_json::from_slice(&bytes)?,
        Err(_) => return Ok(()),
    };
    println!(
        "\n=== {dataset}, calibrated in {:.1} s ===",
        elapsed.as_secs_f64()
    );
    println!("\nReferences, chosen by {}", text(&record["context"]));
    for header in list(&record["headers"]) {
        for (keyword, value) in header["keywords"].as_object().into_iter().flatten() {
            if text(value).contains('$') {
                println!(
                    "  {:<28} {keyword:<9} {}",
                    text(&header["file"]),
                    text(value)
                );
            }
        }
    }
    let fetched = list(&record["references"])
        .filter(|r| r["fetched"] == true)
        .count();
    println!(
        "  {fetched} fetched from S3, {} in the cache already",
        list(&record["references"]).count() - fetched
    );
    println!("\nPrograms");
    let mut programs = 0.0;
    for program in list(&record["programs"]) {
        let seconds = program["seconds"].as_f64().unwrap_or_default();
        programs += seconds;
        println!(
            "  {seconds:6.2} s {:>7} MiB  {}",
            program["peak_memory_kib"].as_u64().unwrap_or_default() / 1024,
            text(&program["command"])
        );
    }
    println!(
        "  {:6.2} s {:>7} MiB  the worker itself, everything else",
        elapsed.as_secs_f64() - programs,
        record["worker"]["peak_memory_kib"]
            .as_u64()
            .unwrap_or_default()
            / 1024,
    );
    println!("\nProducts in {}", folder.display());
    for file in list(&record["outputs"]) {
        println!(
            "  {:>10}  {}",
            file["size"].as_u64().unwrap_or_default(),
            text(&file["name"])
        );
    }
    println!("\nMessages");
    for state in fs::read_dir(results.join("messages"))?.flatten() {
        for message in fs::read_dir(state.path())?.flatten() {
            println!("  {}", message.path().display());
        }
    }
    Ok(())
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("?")
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}
