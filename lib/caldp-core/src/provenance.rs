//! `provenance.json`: how a dataset's products came to be.
//!
//! The worker writes the record when a run ends, whichever way, beside the run's logs. The trigger
//! learns from it what later runs need, the downloader which checksums files must have, and people
//! read it years later; so fields are added, never renamed. What is read may be older than the
//! reader: what it lacks is empty.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::dataset::Dataset;
use crate::layout::Layout;
use crate::state::State;

/// The name of the record among a run's logs.
pub const FILE: &str = "provenance.json";

/// The record of one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// The dataset.
    pub dataset: Dataset,
    /// The state the run left the dataset in: `processed` or `error`.
    pub state: State,
    /// What the process exited with.
    #[serde(default)]
    pub exit_code: u8,
    /// Why the run failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The program that ran the dataset.
    #[serde(default)]
    pub worker: Worker,
    /// Where inputs came from, as given on the command line.
    #[serde(default)]
    pub input: String,
    /// Where results went, as given on the command line.
    #[serde(default)]
    pub output: String,
    /// How results are laid out there.
    #[serde(default)]
    pub layout: Layout,
    /// When the run started.
    #[serde(default)]
    pub started: Timestamp,
    /// Wall-clock time of each step, in order.
    #[serde(default)]
    pub steps: Vec<StepTime>,
    /// The CRDS context that chose the references.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// For each raw file, the reference keywords written into it.
    #[serde(default)]
    pub headers: Vec<HeaderRecord>,
    /// Every reference file used.
    #[serde(default)]
    pub references: Vec<ReferenceRecord>,
    /// Every program run, in order.
    #[serde(default)]
    pub programs: Vec<ProgramRecord>,
    /// The version of each program, as it says itself or wrote into its products.
    #[serde(default)]
    pub versions: BTreeMap<String, String>,
    /// The raw files as they were received.
    #[serde(default)]
    pub inputs: Vec<FileRecord>,
    /// Everything delivered but this record and the logs.
    #[serde(default)]
    pub outputs: Vec<FileRecord>,
    /// What later estimates are learnt from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needs: Option<Needs>,
    /// What is worth knowing of a success, such as a status that is no failure.
    #[serde(default)]
    pub notes: Vec<String>,
    /// What went wrong without making the run fail.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// The program that ran the dataset.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
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

/// What a run needed and what was known of it before: see [`crate::resources`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Needs {
    /// Seconds from the start of the run to its end.
    pub wall_seconds: f64,
    /// The most memory the whole container held, in KiB, without copies of files that the kernel can
    /// drop; where its control group says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_peak_kib: Option<u64>,
    /// Processors that the run could use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vcpus: Option<f64>,
    /// The type of the EC2 instance, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_type: Option<String>,
    /// Whether `DRIZCORR` is `PERFORM` in the raw files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drizzle: Option<bool>,
    /// Whether `PCTECORR` is `PERFORM` in the raw files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cte: Option<bool>,
    /// The number of exposures of a cosmic-ray split.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crsplit: Option<u32>,
    /// Whether only a part of the detector was read out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subarray: Option<bool>,
    /// The detector, as `DETECTOR` names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detector: Option<String>,
}

/// The wall-clock time of one step.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StepTime {
    /// The step.
    pub step: String,
    /// Seconds.
    pub seconds: f64,
}

/// The references one raw file was given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HeaderRecord {
    /// The raw file.
    pub file: String,
    /// Keyword and value, as written into its primary header.
    pub keywords: BTreeMap<String, String>,
    /// Every key that the rules of its instrument look at or that selects rows of its tables, so that
    /// other rules can be asked later without the file; empty in older records.
    pub parkeys: BTreeMap<String, Parkey>,
}

/// What a raw file's header says under one key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Parkey {
    /// The text of the value, as CRDS reads it; none when the header lacks the key.
    pub raw: Option<String>,
    /// The form in which the rules compare it.
    pub conditioned: String,
}

/// One reference file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
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
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
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
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FileRecord {
    /// Its name, relative to the dataset's directory.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// The SHA-1 of its bytes, in hexadecimal.
    pub sha1: String,
    /// Their CRC-64/NVME, in hexadecimal, of what is stored by itself: older records have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crc64: Option<String>,
    /// The archive that holds it, where it is not stored by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archive: Option<String>,
}

impl Provenance {
    /// The record of a run that begins now.
    pub fn begin(dataset: Dataset, layout: Layout) -> Self {
        Self {
            dataset,
            state: State::Processing,
            exit_code: 0,
            error: None,
            worker: Worker::default(),
            input: String::new(),
            output: String::new(),
            layout,
            started: Timestamp::now(),
            steps: vec![],
            context: None,
            headers: vec![],
            references: vec![],
            programs: vec![],
            versions: BTreeMap::new(),
            inputs: vec![],
            outputs: vec![],
            needs: None,
            notes: vec![],
            warnings: vec![],
        }
    }

    /// The most memory the run needed, in KiB: the worker and its largest program are in memory
    /// together. None when no program ran.
    pub fn peak_memory_kib(&self) -> Option<u64> {
        let largest = self.programs.iter().map(|p| p.peak_memory_kib).max()?;
        Some(largest.saturating_add(self.worker.peak_memory_kib.unwrap_or(0)))
    }

    /// Wall-clock seconds of all steps together.
    pub fn seconds(&self) -> f64 {
        self.steps.iter().map(|step| step.seconds.max(0.0)).sum()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_record_reads_back_as_it_was_written() {
        let mut record = Provenance::begin("j8cb010b0".parse().unwrap(), Layout::Calcloud);
        record.state = State::Processed;
        record.steps.push(StepTime {
            step: "inputs".to_owned(),
            seconds: 1.5,
        });
        let text = serde_json::to_string(&record).unwrap();
        assert!(
            text.starts_with(
                r#"{"dataset":"j8cb010b0","state":"processed","exit_code":0,"worker":"#
            ),
            "{text}"
        );
        assert!(text.contains(r#""layout":"calcloud""#), "{text}");
        assert_eq!(serde_json::from_str::<Provenance>(&text).unwrap(), record);
    }

    #[test]
    fn an_older_record_is_read_with_what_it_has() {
        let text = r#"{"dataset": "j8cb010b0", "state": "processed", "more": 1,
            "worker": {"peak_memory_kib": 1000},
            "steps": [{"step": "a", "seconds": 1.5}, {"step": "b", "seconds": 10.0}],
            "programs": [{"peak_memory_kib": 5000}, {"peak_memory_kib": 7000}]}"#;
        let record: Provenance = serde_json::from_str(text).unwrap();
        assert_eq!(record.peak_memory_kib(), Some(8000));
        assert!((record.seconds() - 11.5).abs() < 1e-9);
        assert!(record.context.is_none() && record.outputs.is_empty());
    }
}
