//! What is measured for `provenance.json`; the record itself is [`caldp_core::provenance`].

use crate::process::metrics::Metrics;
use caldp_core::provenance::{FileRecord, ProgramRecord};
use std::io;
use std::path::Path;
use storage::blocking;
use storage::checksum::sums_of_file;

/// The record of a file, under `name`.
///
/// # Errors
/// When the file cannot be read.
pub async fn file_record(path: &Path, name: &str) -> io::Result<FileRecord> {
    let (path, name) = (path.to_owned(), name.to_owned());
    blocking::run(move || {
        let (sha1, crc64) = sums_of_file(&path)?;
        Ok(FileRecord {
            size: path.metadata()?.len(),
            sha1: sha1.to_string(),
            crc64: Some(crc64.to_string()),
            name,
            archive: None,
        })
    })
    .await
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
