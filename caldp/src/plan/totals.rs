//! What all findings come to.

use std::collections::{BTreeMap, HashMap, HashSet};

use caldp_core::dataset::Dataset;
use crds_core::names::{ReferenceName, ReferenceType};
use serde::Serialize;

use super::finding::{Finding, Note};
use super::judge::Answered;

/// How many different changes of a file are counted by themselves.
const MAX_CHANGES: usize = 100_000;

/// Counts, and what the runs will cost.
#[derive(Debug, Default)]
pub(super) struct Totals {
    /// Headers or datasets that were asked about, by instrument.
    pub(super) asked: BTreeMap<Box<str>, u64>,
    pub(super) left_out: u64,
    /// Affected datasets by instrument.
    pub(super) affected: BTreeMap<Box<str>, u64>,
    pub(super) unknown: u64,
    pub(super) failed: u64,
    /// Changes that count, by type and files.
    pub(super) changes: HashMap<ChangeKey, u64>,
    /// Changes beyond those counted by themselves.
    pub(super) more_changes: u64,
    /// Changes among them of tables whose rows were not compared.
    pub(super) rows_not_compared: u64,
    pub(super) not_counted: NotCounted,
    pub(super) seconds: f64,
    pub(super) cost: f64,
    pub(super) listed: u64,
    /// Affected datasets that a list leaves out, since their cost would be too high.
    pub(super) beyond_limit: u64,
    seen: Seen,
}

/// A type, its old and its new file.
pub(super) type ChangeKey = (ReferenceType, Option<ReferenceName>, Option<ReferenceName>);

/// Changes that do not count, by why.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(super) struct NotCounted {
    pub(super) switched_off: u64,
    pub(super) renamed: u64,
    pub(super) same_rows: u64,
}

/// What an affected dataset is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Listing {
    /// To be listed now.
    New,
    /// Another line of it was affected before.
    Known,
    /// Beyond the limit of the cost.
    TooMuch,
    /// No dataset that a batch can have.
    Nameless,
}

impl Totals {
    pub(super) fn add_asked(&mut self, answered: &Answered) {
        for (instrument, count) in &answered.asked {
            *self.asked.entry(instrument.clone()).or_default() += count;
        }
        self.left_out += answered.left_out;
    }

    /// Takes a finding in, and says what becomes of its dataset; none when it is not affected.
    pub(super) fn add(&mut self, finding: &Finding, limit: Option<f64>) -> Option<Listing> {
        self.unknown += u64::from(finding.unknown.is_some());
        self.failed += u64::from(!finding.failures.is_empty());
        for change in &finding.changes {
            match change.note {
                Note::SwitchedOff(_) => self.not_counted.switched_off += 1,
                Note::Renamed => self.not_counted.renamed += 1,
                Note::SameRows => self.not_counted.same_rows += 1,
                Note::None | Note::Withdrawn | Note::RowsNotCompared(_) => {
                    let uncompared = matches!(change.note, Note::RowsNotCompared(_));
                    self.rows_not_compared += u64::from(uncompared);
                    let (old, new) = (change.old.clone(), change.new.clone());
                    self.count((change.reference_type.clone(), old, new));
                }
            }
        }
        if !finding.is_affected() {
            return None;
        }
        let is_new = finding.dataset.as_ref().is_none_or(|d| self.seen.insert(d));
        if !is_new {
            return Some(Listing::Known);
        }
        *self.affected.entry(finding.instrument.clone()).or_default() += 1;
        let cost = finding.needs.map_or(0.0, |needs| needs.cost);
        if limit.is_some_and(|limit| self.cost + cost > limit) {
            self.beyond_limit += 1;
            return Some(Listing::TooMuch);
        }
        self.cost += cost;
        self.seconds += finding.needs.map_or(0.0, |needs| needs.seconds);
        if finding.dataset.is_none() {
            return Some(Listing::Nameless);
        }
        self.listed += 1;
        Some(Listing::New)
    }

    fn count(&mut self, key: ChangeKey) {
        if let Some(count) = self.changes.get_mut(&key) {
            *count += 1;
        } else if self.changes.len() < MAX_CHANGES {
            self.changes.insert(key, 1);
        } else {
            self.more_changes += 1;
        }
    }

    pub(super) fn all_asked(&self) -> u64 {
        self.asked.values().sum()
    }

    pub(super) fn all_affected(&self) -> u64 {
        self.affected.values().sum()
    }
}

/// The datasets that were affected before: a million of them in 20 MB.
#[derive(Debug, Default)]
struct Seen {
    exposures: HashSet<[u8; 9]>,
    others: HashSet<Box<str>>,
}

impl Seen {
    /// Whether the dataset is new.
    fn insert(&mut self, dataset: &Dataset) -> bool {
        match dataset.name().as_bytes().try_into() {
            Ok(name) => self.exposures.insert(name),
            Err(_) => self.others.insert(dataset.name().into()),
        }
    }
}
