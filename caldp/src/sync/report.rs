//! What a run did, as `--json` gives it and as people read it. The fields are described in `caldp/SYNC.md`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use caldp_core::batch::BatchName;
use caldp_core::dataset::Dataset;
use caldp_core::layout::Layout;
use caldp_core::state::State;
use jiff::Timestamp;
use serde::Serialize;
use storage::hint::{Hint as _, with_causes, with_hint};

use super::bring::OnSite;
use super::error::{Consequence, DatasetError};
use super::site::Checked;
use crate::duration::duration;

/// So many lines of a kind are shown to people.
const MOST_LINES: usize = 20;

/// What a run did with one output.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) output: String,
    pub(super) layout: Layout,
    pub(super) directory: PathBuf,
    pub(super) at: Timestamp,
    pub(super) dry_run: bool,
    /// How many datasets are in each state now.
    pub(super) states: BTreeMap<State, usize>,
    /// Datasets that came on site, or with a dry run would be looked at.
    pub(super) synced: u64,
    pub(super) files: Files,
    /// Datasets that others bring.
    pub(super) elsewhere: Vec<Elsewhere>,
    pub(super) failures: Vec<Failure>,
    /// Files that were changed on site, and are kept.
    pub(super) changed: Vec<PathBuf>,
    /// Files of datasets on site that are not there any more.
    pub(super) missing: Vec<PathBuf>,
    /// Datasets that were brought to another directory, and of which this one has nothing.
    pub(super) not_here: Vec<Dataset>,
    /// Acknowledgements that were carried up.
    pub(super) archived: u64,
    pub(super) batches: Vec<BatchReport>,
    pub(super) stopped: bool,
    pub(super) notes: Vec<String>,
    pub(super) seconds: f64,
}

/// Files of datasets that came.
#[derive(Debug, Default, Serialize)]
pub(super) struct Files {
    /// How many were fetched, or with a dry run are delivered.
    pub(super) fetched: u64,
    /// Bytes that were fetched, or with a dry run are delivered.
    pub(super) bytes: u64,
    /// How many were there and what was delivered.
    pub(super) there: u64,
    /// By what they are known.
    pub(super) checked: BTreeMap<Checked, u64>,
}

/// A dataset that others bring.
#[derive(Debug, Serialize)]
pub(super) struct Elsewhere {
    pub(super) dataset: Dataset,
    pub(super) by: String,
}

/// A dataset that did not come.
#[derive(Debug, Serialize)]
pub(super) struct Failure {
    pub(super) dataset: Dataset,
    /// Whether it is an error now; otherwise it was put back.
    pub(super) is_error: bool,
    pub(super) reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) remedy: Option<String>,
    /// Whether it will be so until somebody does something on site.
    #[serde(skip)]
    pub(super) lasts: bool,
}

/// A batch and its state.
#[derive(Debug, Serialize)]
pub(super) struct BatchReport {
    pub(super) batch: BatchName,
    pub(super) state: String,
}

impl Failure {
    pub(super) fn of(dataset: Dataset, error: &DatasetError) -> Self {
        Self {
            dataset,
            lasts: matches!(error, DatasetError::Changed(_)),
            is_error: error.consequence() == Consequence::Failed,
            reason: with_causes(error).to_string(),
            remedy: error.hint().map(std::borrow::Cow::into_owned),
        }
    }
}

impl Report {
    pub(super) fn begin(output: String, layout: Layout, directory: PathBuf) -> Self {
        Self {
            output,
            layout,
            directory,
            at: Timestamp::now(),
            dry_run: false,
            states: BTreeMap::new(),
            synced: 0,
            files: Files::default(),
            elsewhere: vec![],
            failures: vec![],
            changed: vec![],
            missing: vec![],
            not_here: vec![],
            archived: 0,
            batches: vec![],
            stopped: false,
            notes: vec![],
            seconds: 0.0,
        }
    }

    /// Adds a dataset that is on site.
    pub(super) fn add(&mut self, files: OnSite) {
        self.synced += 1;
        self.files.there += files.files.len() as u64 - files.fetched.min(files.files.len() as u64);
        for checked in files.files.into_values() {
            *self.files.checked.entry(checked).or_default() += 1;
        }
        self.changed.extend(files.kept);
    }

    /// Whether anything happened that is worth a word while watching.
    pub(super) fn has_news(&self) -> bool {
        self.synced > 0
            || self.archived > 0
            || !self.failures.is_empty()
            || !self.changed.is_empty()
            || !self.batches.is_empty()
    }

    fn count(&self, states: &[State]) -> usize {
        states
            .iter()
            .filter_map(|state| self.states.get(state))
            .sum()
    }

    /// Datasets that have not ended, or that others bring.
    pub(super) fn is_under_way(&self) -> bool {
        self.count(&[
            State::Submitted,
            State::Processing,
            State::Processed,
            State::Syncing,
        ]) > 0
    }

    /// Whether some datasets have failed, in this run or before, or are not where they were to be.
    pub(super) fn has_failed(&self) -> bool {
        self.count(&[State::Error, State::Terminated]) > 0 || !self.not_here.is_empty()
    }

    /// Whether this run could not do what it was to do.
    pub(super) fn did_fail(&self) -> bool {
        !self.failures.is_empty()
    }

    /// What people read.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        let all: usize = self.states.values().sum();
        let on_site = self.count(&[State::Synced, State::Archived]);
        let here = on_site.saturating_sub(self.not_here.len());
        let _ = writeln!(
            text,
            "{}: {here} of {all} datasets on site in {}",
            self.output,
            self.directory.display()
        );
        self.write_work(&mut text);
        let states: Vec<String> = self
            .states
            .iter()
            .filter(|(state, _)| !matches!(state, State::Synced | State::Archived))
            .map(|(state, count)| format!("{count} {state}"))
            .collect();
        if !states.is_empty() {
            let _ = writeln!(text, "others: {}", states.join(", "));
        }
        let mut write = |title: &str, lines: Vec<String>| {
            for line in lines.iter().take(MOST_LINES) {
                let _ = writeln!(text, "{title}: {line}");
            }
            if let Some(more) = lines.len().checked_sub(MOST_LINES).filter(|n| *n > 0) {
                let _ = writeln!(text, "{title}: {more} more, which --json lists");
            }
        };
        let failures = self.failures.iter().map(|failure| {
            let sentence = format!("{}: {}", failure.dataset, failure.reason);
            with_hint(sentence, failure.remedy.as_deref()).replace('\n', "\n  ")
        });
        write("failed", failures.collect());
        let elsewhere = self.elsewhere.iter();
        let elsewhere = elsewhere.map(|one| format!("{}: {}", one.dataset, one.by));
        write("elsewhere", elsewhere.collect());
        let shown = |paths: &[PathBuf]| paths.iter().map(|p| p.display().to_string()).collect();
        write("changed on site and kept", shown(&self.changed));
        write("not there any more", shown(&self.missing));
        let not_here = self.not_here.iter().map(ToString::to_string);
        write("on another site, not in this directory", not_here.collect());
        if !self.not_here.is_empty() {
            text += "hint: --restore brings to this directory what another has\n";
        }
        if self.archived > 0 {
            let _ = writeln!(
                text,
                "{} acknowledgements of the archive carried up",
                self.archived
            );
        }
        for batch in &self.batches {
            let _ = writeln!(text, "batch {}: {}", batch.batch, batch.state);
        }
        text
    }

    fn write_work(&self, text: &mut String) {
        let Files {
            fetched,
            bytes,
            there,
            checked,
        } = &self.files;
        if self.dry_run {
            let _ = writeln!(
                text,
                "would look at {} datasets: {fetched} files, {}",
                self.synced,
                size(*bytes)
            );
            return;
        }
        if self.synced == 0 && *fetched == 0 {
            return;
        }
        let _ = writeln!(
            text,
            "brought {} datasets in {}: {fetched} files fetched, {} ({}/s); {there} were there",
            self.synced,
            duration(self.seconds),
            size(*bytes),
            size(rate(*bytes, self.seconds))
        );
        let count = |of| checked.get(&of).copied().unwrap_or_default();
        let _ = writeln!(
            text,
            "checked by the sum of the run's record: {}, by the checksum of S3: {}, by size alone: {}",
            count(Checked::Recorded),
            count(Checked::Store),
            count(Checked::Size)
        );
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a figure for people"
)]
pub(super) fn rate(bytes: u64, seconds: f64) -> u64 {
    (bytes as f64 / seconds.max(1e-3)) as u64
}

/// Bytes as people read them.
#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
pub(super) fn size(bytes: u64) -> String {
    let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    let unit = units.into_iter().find(|(shift, _)| bytes >> shift > 0);
    match unit {
        Some((shift, unit)) => format!("{:.1} {unit}", bytes as f64 / (1_u64 << shift) as f64),
        None => format!("{bytes} bytes"),
    }
}
