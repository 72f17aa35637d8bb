//! What two sets of rules say differently about one dataset.
//!
//! Whether a difference is worth reprocessing is for the caller: here are the facts.

use super::question::{LookupError, Types};
use super::{Lookups, Outcome};
use crate::header::{Fields, LookupPath};
use crate::names::{ReferenceName, ReferenceType};

/// Which of two sets of rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    /// Those that were used.
    Old,
    /// Those that are asked now.
    New,
}

/// What the rules say about one reference type, old and new; nothing where a type is omitted, does
/// not apply or has nothing that fits: a dataset gets no file of it then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// The same on both sides.
    None,
    /// Another file, or one where there was none, or none where there was one.
    Files {
        /// The file of the old rules.
        old: Option<ReferenceName>,
        /// The file of the new rules.
        new: Option<ReferenceName>,
    },
    /// At least one side has no answer, and why.
    Failures {
        /// Of the old rules.
        old: Option<String>,
        /// Of the new rules.
        new: Option<String>,
    },
}

impl Difference {
    /// The difference of two outcomes for one type.
    pub fn of(old: Option<&Outcome>, new: Option<&Outcome>) -> Self {
        if let (Some(Outcome::File(old)), Some(Outcome::File(new))) = (old, new) {
            return if old == new {
                Self::None
            } else {
                Self::Files {
                    old: Some(old.clone()),
                    new: Some(new.clone()),
                }
            };
        }
        match (failure(old), failure(new)) {
            (None, None) => match (file(old), file(new)) {
                (None, None) => Self::None,
                (old, new) => Self::Files {
                    old: old.cloned(),
                    new: new.cloned(),
                },
            },
            (old, new) => Self::Failures { old, new },
        }
    }
}

fn file(outcome: Option<&Outcome>) -> Option<&ReferenceName> {
    match outcome {
        Some(Outcome::File(name)) => Some(name),
        _ => None,
    }
}

fn failure(outcome: Option<&Outcome>) -> Option<String> {
    match outcome? {
        Outcome::Error(failure) => Some(failure.to_string()),
        Outcome::Ambiguous(names) => Some(format!(
            "several files fit equally well: {}",
            names.join(", ")
        )),
        Outcome::File(_) | Outcome::NotApplicable | Outcome::NoMatch => None,
    }
}

/// Two sets of rules, asked about one header after the other.
#[derive(Debug)]
pub struct Comparison<'c, 'l> {
    old: &'l mut Lookups<'c>,
    new: &'l mut Lookups<'c>,
    before: &'l mut Vec<OldAnswer>,
}

/// What the old rules said about a type, and whether the new rules have the type, too.
#[derive(Debug)]
pub struct OldAnswer {
    reference_type: ReferenceType,
    outcome: Outcome,
    met: bool,
}

impl<'c, 'l> Comparison<'c, 'l> {
    /// A comparison of these rules; `space` is what an earlier one used.
    pub fn new(
        old: &'l mut Lookups<'c>,
        new: &'l mut Lookups<'c>,
        space: &'l mut Vec<OldAnswer>,
    ) -> Self {
        let before = space;
        Self { old, new, before }
    }

    /// Tells, for every type that either side has an outcome for, both outcomes; first the types of
    /// the new rules in their order.
    ///
    /// # Errors
    /// When a side cannot be asked at all.
    pub fn each_type(
        self,
        header: &(impl Fields + ?Sized),
        path: LookupPath,
        tell: &mut impl FnMut(&ReferenceType, Option<&Outcome>, Option<&Outcome>),
    ) -> Result<(), (Side, LookupError)> {
        let before = self.before;
        before.clear();
        let asked = self
            .old
            .each_reference(header, path, Types::All, &mut |name, outcome| {
                before.push(OldAnswer {
                    reference_type: name.clone(),
                    outcome: outcome.clone(),
                    met: false,
                });
            });
        asked.map_err(|error| (Side::Old, error))?;
        // Both sides have their types in much the same order: the next is looked at first.
        let mut next = 0;
        let asked = self
            .new
            .each_reference(header, path, Types::All, &mut |name, outcome| {
                let is_it = |answer: &OldAnswer| answer.reference_type == *name;
                if !before.get(next).is_some_and(is_it) {
                    next = before.iter().position(is_it).unwrap_or(before.len());
                }
                let same = before.get_mut(next);
                next += usize::from(same.is_some());
                let old = same.map(|answer| {
                    answer.met = true;
                    &answer.outcome
                });
                tell(name, old, Some(outcome));
            });
        asked.map_err(|error| (Side::New, error))?;
        for answer in before.iter().filter(|answer| !answer.met) {
            tell(&answer.reference_type, Some(&answer.outcome), None);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str) -> Outcome {
        Outcome::File(ReferenceName::new(name.into()))
    }

    #[test]
    fn nothing_is_nothing_by_whatever_name() {
        let none = [None, Some(Outcome::NotApplicable), Some(Outcome::NoMatch)];
        for old in &none {
            for new in &none {
                let difference = Difference::of(old.as_ref(), new.as_ref());
                assert_eq!(difference, Difference::None);
            }
            let appeared = Difference::of(old.as_ref(), Some(&file("a.fits")));
            assert!(matches!(
                appeared,
                Difference::Files {
                    old: None,
                    new: Some(_)
                }
            ));
            let gone = Difference::of(Some(&file("a.fits")), old.as_ref());
            assert!(matches!(
                gone,
                Difference::Files {
                    old: Some(_),
                    new: None
                }
            ));
        }
        let same = Difference::of(Some(&file("a.fits")), Some(&file("a.fits")));
        assert_eq!(same, Difference::None);
    }

    #[test]
    fn a_failure_on_either_side_is_no_change() {
        let failed = Outcome::Ambiguous(["a.fits".into(), "b.fits".into()].into());
        let new = Difference::of(Some(&file("a.fits")), Some(&failed));
        assert!(matches!(
            new,
            Difference::Failures {
                old: None,
                new: Some(_)
            }
        ));
        let both = Difference::of(Some(&failed), Some(&failed));
        assert!(matches!(
            both,
            Difference::Failures {
                old: Some(_),
                new: Some(_)
            }
        ));
    }
}
