//! What `crds sync --json` says it did.

use std::path::PathBuf;

use serde::Serialize;
use serde_json::Value;

/// Everything that was done, or with `--dry-run` would be.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    pub(super) dry_run: bool,
    pub(super) contexts: Vec<String>,
    /// The rules that the cache has now.
    pub(super) mappings: Vec<String>,
    /// The references that the cache has now, each with its path and where it was fetched from.
    pub(super) references: Vec<Value>,
    /// With `--dry-run`, the files the cache lacks, and their size in bytes.
    pub(super) missing: Vec<String>,
    pub(super) missing_bytes: u64,
    /// How many files were compared with the server's catalogue.
    pub(super) checked: Option<usize>,
    pub(super) findings: Vec<Found>,
    /// Files that were deleted.
    pub(super) removed: Vec<PathBuf>,
    pub(super) organized: Option<Organized>,
    /// How many files that killed processes left unfinished are gone.
    pub(super) unfinished: usize,
    /// With `--clear-locks`, how many locks are gone.
    pub(super) locks: Option<usize>,
    pub(super) errors: u64,
}

/// A file that is not what the catalogue says.
#[derive(Debug, Serialize)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    /// What is wrong; nothing if the server does not know the file.
    pub(super) problem: Option<String>,
    pub(super) repaired: bool,
}

/// The references in their new folders.
#[derive(Debug, Serialize)]
pub(super) struct Organized {
    pub(super) mode: &'static str,
    pub(super) moved: usize,
    pub(super) left: Vec<PathBuf>,
}
