//! `provenance.json`: how a dataset's products came to be.
//!
//! The record is written when the run ends, whichever way, and lies beside the logs. Its field
//! names are read by the trigger, which learns from `peak_memory_kib` which machines later runs
//! need, and by people years later.

use crate::calibrate::metrics::Metrics;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use storage::blocking;
use storage::checksum::Sha1Sum;

/// The record of one run.
#[derive(Debug, Default, Serialize)]
pub struct Provenance {
    /// The dataset's name.
    pub dataset: String,
    /// `processed` or `error`.
    pub state: String,
    /// What the process exited with.
    pub exit_code: u8,
    /// Why the run failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The program that ran the dataset.
    pub worker: Worker,
    /// Where inputs came from and results went, as given on the command line.
    pub input: String,
    /// Where results went.
    pub output: String,
    /// `tree` or `calcloud`.
    pub layout: String,
    /// When the run started, RFC 3339, UTC.
    pub started: String,
    /// Wall-clock seconds of each step, in order.
    pub steps: Vec<StepTime>,
    /// The CRDS context that chose the references.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// For each raw file, the reference keywords written into it.
    pub headers: Vec<DatasetHeader>,
    /// Every reference file used.
    pub references: Vec<ReferenceRecord>,
    /// Every program run, in order.
    pub programs: Vec<ProgramRecord>,
    /// The version of each program, as it says itself or wrote into its products.
    pub versions: BTreeMap<String, String>,
    /// The raw files as they were received.
    pub inputs: Vec<FileRecord>,
    /// Everything delivered but this record and the logs.
    pub outputs: Vec<FileRecord>,
    /// What is worth knowing of a success, such as a status that is no failure.
    pub notes: Vec<String>,
    /// What went wrong without making the run fail.
    pub warnings: Vec<String>,
}

/// The program that ran the dataset.
#[derive(Debug, Default, Serialize)]
pub struct Worker {
    /// Its version.
    pub version: String,
    /// The image it ran in, where `CALDP_IMAGE` says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The AWS Batch job, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_id: Option<String>,
    /// The most memory the worker itself held, in KiB; programs have their own figure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_memory_kib: Option<u64>,
}

/// The wall-clock time of one step.
#[derive(Debug, Serialize)]
pub struct StepTime {
    /// The step.
    pub step: String,
    /// Seconds.
    pub seconds: f64,
}

/// The references one raw file was given.
#[derive(Debug, Clone, Serialize)]
pub struct DatasetHeader {
    /// The raw file.
    pub file: String,
    /// Keyword and value, as written into its primary header.
    pub keywords: BTreeMap<String, String>,
}

/// One reference file.
#[derive(Debug, Clone, Serialize)]
pub struct ReferenceRecord {
    /// Its name.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// The SHA-1 of its bytes: as CRDS publishes it, else as it was found.
    pub sha1: String,
    /// Whether this run fetched it; otherwise the cache had it.
    pub fetched: bool,
}

/// One program that was run.
#[derive(Debug, Serialize)]
pub struct ProgramRecord {
    /// The command line, words joined by blanks.
    pub command: String,
    /// Its exit status; none when a signal ended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<i32>,
    /// Wall-clock seconds.
    pub seconds: f64,
    /// Seconds of processor time, user and system together.
    pub cpu_seconds: f64,
    /// The most memory it held, in KiB.
    pub peak_memory_kib: u64,
}

/// One file with what identifies its contents.
#[derive(Debug, Clone, Serialize)]
pub struct FileRecord {
    /// Its name, relative to the dataset's directory.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// The SHA-1 of its bytes, in hexadecimal.
    pub sha1: String,
    /// The archive that holds it, where it is not stored by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archive: Option<String>,
}

impl FileRecord {
    /// The record of a file, under `name`.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn of(path: &Path, name: &str) -> io::Result<Self> {
        let (path, name) = (path.to_owned(), name.to_owned());
        blocking::run(move || {
            Ok(Self {
                size: path.metadata()?.len(),
                sha1: Sha1Sum::of_file(&path)?.to_string(),
                name,
                archive: None,
            })
        })
        .await
    }
}

impl From<&Metrics> for ProgramRecord {
    fn from(metrics: &Metrics) -> Self {
        let usage = &metrics.usage;
        Self {
            command: metrics.command.clone(),
            status: metrics.status.code(),
            seconds: metrics.elapsed.as_secs_f64(),
            cpu_seconds: (usage.user + usage.system).as_secs_f64(),
            peak_memory_kib: usage.peak_kib,
        }
    }
}
