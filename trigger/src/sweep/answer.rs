//! What a sweep did, and how the outputs are doing that it has seen.

use std::collections::BTreeMap;

use caldp_core::dataset::Dataset;
use caldp_core::state::State;
use jiff::Timestamp;
use serde::Serialize;
use storage::uri::S3Uri;

use super::candidates::is_foreign;
use crate::output_root::OutputRoot;
use crate::overview::progress::Progress;

/// Whether a sweep does something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It settles what it finds.
    Settle,
    /// It only says what it finds.
    Tell,
}

/// What a sweep did.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct SweepAnswer {
    /// How many outputs it looked at.
    pub outputs: usize,
    /// How many datasets of them have not ended.
    pub active: usize,
    /// How many it found stuck.
    pub stuck: usize,
    /// How many of those it settled.
    pub settled: usize,
    /// Each of them; the schedule names the first.
    pub found: Vec<Found>,
    /// Those that could not be settled, and why.
    pub failed: Vec<Found>,
    /// Those there was not time for, or that others are at.
    pub left: usize,
}

/// A dataset that was stuck.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Found {
    /// The dataset.
    pub dataset: Dataset,
    /// The output it is in.
    pub output: S3Uri,
    /// What was wrong.
    pub found: &'static str,
    /// What became of it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub result: String,
}

/// How an output is doing, as a sweep that settled nothing in it has seen.
#[derive(Debug, Clone, PartialEq)]
pub struct SweptOutput {
    /// The output.
    pub root: OutputRoot,
    /// How many datasets are in each state.
    pub datasets: BTreeMap<State, usize>,
    /// Whether nothing more happens in it unless somebody asks.
    pub settled: bool,
    /// What was read of its datasets; none where that is too much to be kept.
    pub progress: Option<Progress>,
}

impl SweptOutput {
    /// The same without what was read, where that is more than there is room for.
    pub(super) fn within(mut self, most: usize, kept: &mut usize) -> Self {
        let more = self.progress.as_ref().map_or(0, |p| p.datasets.len());
        if *kept + more > most {
            self.progress = None;
        } else {
            *kept += more;
        }
        self
    }

    pub(super) fn of(root: &OutputRoot, progress: Progress, now: Timestamp) -> Self {
        let datasets = &progress.datasets;
        let mut counts = BTreeMap::new();
        for dataset in datasets {
            *counts.entry(dataset.state).or_insert(0) += 1;
        }
        Self {
            root: root.clone(),
            datasets: counts,
            settled: datasets
                .iter()
                .all(|d| d.is_settled() || is_foreign(d, now)),
            progress: Some(progress),
        }
    }
}
