//! What differs between both sides for one header: the changed files, and why a change may not matter.

use crds_core::bestrefs::{Difference, Outcome, Side};
use crds_core::header::Fields;
use crds_core::names::{ReferenceName, ReferenceType};

use super::finding::{Change, FailedDataset, Finding, Note};
use super::judge::Question;
use super::rules::Rules;
use super::sums::Sums;
use super::tables::Tables;

/// What differs between both sides for one header, with what is to be known of each difference.
pub(super) struct Differences<'a, 'r> {
    pub(super) rules: &'r Rules,
    pub(super) sums: &'r Sums<'r>,
    pub(super) tables: &'a mut Tables<'r>,
    pub(super) question: &'r Question,
    pub(super) finding: &'a mut Finding,
}

impl Differences<'_, '_> {
    /// Takes down the answers for one type, if they differ or the file was withdrawn.
    pub(super) fn judge(
        &mut self,
        header: &(impl Fields + ?Sized),
        name: &ReferenceType,
        old: Option<&Outcome>,
        new: Option<&Outcome>,
    ) {
        let types = &self.question.types;
        if !types.is_empty() && !types.iter().any(|t| t == name.as_str()) {
            return;
        }
        match Difference::of(old, new) {
            Difference::None => {
                if let Some(file) = self.sums.withdrawn(new) {
                    add(&mut self.finding.changes, withdrawn(name, file));
                }
            }
            Difference::Files { old, new } => {
                let note = self.note(header, name, old.as_ref(), new.as_ref());
                let change = Change {
                    reference_type: name.clone(),
                    old,
                    new,
                    note,
                };
                add(&mut self.finding.changes, change);
            }
            Difference::Failures { old, new } => {
                for (side, reason) in [(Side::Old, old), (Side::New, new)] {
                    let failure = reason.map(|reason| FailedDataset {
                        reference_type: name.clone(),
                        side,
                        reason,
                    });
                    self.finding.failures.extend(failure);
                }
            }
        }
    }

    /// Why another file may not matter to the dataset.
    fn note(
        &mut self,
        header: &(impl Fields + ?Sized),
        name: &ReferenceType,
        old: Option<&ReferenceName>,
        new: Option<&ReferenceName>,
    ) -> Note {
        let instrument = &self.finding.instrument;
        if !self.question.all_types
            && let Some(switch) = self.rules.switched_off(instrument, name, header.pairs())
        {
            return Note::SwitchedOff(switch.to_owned());
        }
        match (self.sums.note(old, new), old, new) {
            (Note::None, Some(old), Some(new)) => {
                self.tables.note(instrument, name, (old, new), header)
            }
            (note, ..) => note,
        }
    }
}

/// Adds a change; of the same change in several headers one that counts stands for all.
fn add(changes: &mut Vec<Change>, change: Change) {
    let same = |known: &&mut Change| {
        known.reference_type == change.reference_type
            && known.old == change.old
            && known.new == change.new
    };
    match changes.iter_mut().find(same) {
        None => changes.push(change),
        Some(known) if !known.note.counts() && change.note.counts() => *known = change,
        Some(_) => {}
    }
}

fn withdrawn(reference_type: &ReferenceType, file: &ReferenceName) -> Change {
    Change {
        reference_type: reference_type.clone(),
        old: Some(file.clone()),
        new: Some(file.clone()),
        note: Note::Withdrawn,
    }
}
