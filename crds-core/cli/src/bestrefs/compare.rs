//! What is new: the answers of one set of rules against those of another, or against headers.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use crds_core::bestrefs::Outcome;
use crds_core::names::ReferenceType;
use crds_core::{Assigned, FileAssignment};

/// What stands for a reference where none applies.
pub(super) const NOT_APPLICABLE: &str = "n/a";

/// What stands for a reference that nothing is known of.
const UNDEFINED: &str = "undefined";

/// What the answers are compared with.
pub(super) enum Old<'a> {
    /// Nothing: every answer is new.
    Nothing,
    /// What the headers say.
    Headers,
    /// What other rules say.
    Rules(HashMap<&'a Path, &'a FileAssignment>),
}

/// A type whose reference changes. All texts are in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Update {
    pub(super) instrument: String,
    pub(super) reference_type: String,
    /// Nothing if there was no comparison.
    pub(super) old: Option<String>,
    pub(super) new: String,
}

impl Update {
    pub(super) fn old_text(&self) -> &str {
        self.old.as_deref().unwrap_or("none")
    }

    /// Whether it counts as a difference; changes from and to "not applicable" may not.
    pub(super) fn matters(&self, na_differences_matter: bool) -> bool {
        let is_na = self.new == NOT_APPLICABLE || self.old.as_deref() == Some(NOT_APPLICABLE);
        na_differences_matter || !is_na
    }
}

/// What one dataset has to change, and what is wrong with it.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    /// In the order of the types' names.
    pub(super) updates: Vec<Update>,
    /// Types in lower case, with what is wrong that the answers alone do not tell.
    pub(super) faults: Vec<(String, String)>,
    /// Types that the header lacks and that do not apply.
    pub(super) absent: Vec<String>,
    /// Whether the new rules fail for some type: then the dataset cannot be processed anew.
    pub(super) failed: bool,
}

/// One side of a comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Side {
    /// A reference, or [`NOT_APPLICABLE`].
    Known(String),
    /// Nothing is said, or no row matches; this is as it was said.
    Undefined(&'static str),
    /// The lookup failed.
    Failed(String),
}

/// How differences are judged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Strictness {
    /// Finding nothing is a fault, and not the same as "not applicable".
    pub(super) undefined_matters: bool,
}

impl Side {
    /// The answer of rules; nothing if they do not have the type.
    fn of_rules(assigned: Option<&Assigned>) -> Self {
        match assigned.map(|assigned| &assigned.outcome) {
            None => Self::Undefined("UNDEFINED"),
            Some(Outcome::File(name)) => Self::Known(name.as_str().to_lowercase()),
            Some(Outcome::NotApplicable) => Self::Known(NOT_APPLICABLE.to_owned()),
            Some(Outcome::NoMatch) => Self::Undefined("NOT FOUND No match found."),
            Some(Outcome::Ambiguous(names)) => {
                Self::Failed(format!("several files fit: {}", names.join(", ")))
            }
            Some(Outcome::Error(failure)) => Self::Failed(failure.to_string()),
        }
    }

    /// What a header says, without the variable of the folder.
    fn of_header(value: &str) -> Self {
        let name = match value.split_once("ref$") {
            Some((_, name)) => name,
            None => value.strip_prefix("crds://").unwrap_or(value),
        };
        let name = name.trim().to_lowercase();
        match name.as_str() {
            "" | UNDEFINED | "none" | "*" => Self::Undefined("UNDEFINED"),
            _ if name.starts_with("not found n/a") => Self::Known(NOT_APPLICABLE.to_owned()),
            _ if name.starts_with("not found no match") => {
                Self::Undefined("NOT FOUND No match found.")
            }
            _ => match name.strip_prefix("not found ") {
                Some(reason) => Self::Failed(reason.to_owned()),
                None => Self::Known(name),
            },
        }
    }

    fn judged(self, judgement: Strictness) -> Self {
        match self {
            Self::Undefined(_) if !judgement.undefined_matters => {
                Self::Known(NOT_APPLICABLE.to_owned())
            }
            other => other,
        }
    }

    /// Whether the answer `new` changes nothing.
    fn stands_for(&self, new: &str) -> bool {
        match self {
            Self::Known(name) => name == new,
            Self::Undefined(_) => false,
            Self::Failed(_) => new == NOT_APPLICABLE,
        }
    }

    /// As one word.
    fn word(&self) -> String {
        match self {
            Self::Known(name) => name.clone(),
            Self::Undefined(_) => UNDEFINED.to_owned(),
            Self::Failed(_) => "failed".to_owned(),
        }
    }

    /// What is wrong with it, as it has always been logged.
    fn fault(&self, which: &str) -> Option<String> {
        match self {
            Self::Known(_) => None,
            Self::Undefined(said) => Some(format!("{which}: No match found: '{said}'")),
            Self::Failed(reason) => Some(format!("{which}: Bestref FAILED:  {reason}")),
        }
    }
}

/// A file's answer for one type.
fn answer<'a>(file: &'a FileAssignment, reference_type: &ReferenceType) -> Option<&'a Assigned> {
    let mut types = file.types.iter();
    types.find(|assigned| assigned.reference_type == *reference_type)
}

/// Compares one dataset's answers with what was before.
pub(super) fn compare(file: &FileAssignment, old: &Old<'_>, judgement: Strictness) -> Comparison {
    let mut comparison = Comparison::default();
    let before = match old {
        Old::Rules(files) => files.get(&*file.path).copied(),
        Old::Nothing | Old::Headers => None,
    };
    // Rules that gave no answers at all are no answer to compare with.
    let is_void = |file: &FileAssignment| file.types.is_empty() && !file.errors.is_empty();
    if is_void(file) || before.is_some_and(is_void) {
        comparison.failed = true;
        return comparison;
    }
    let types = file
        .types
        .iter()
        .chain(before.iter().flat_map(|file| &file.types));
    let types: BTreeSet<&ReferenceType> = types.map(|assigned| &assigned.reference_type).collect();
    for reference_type in types {
        let answer = |file| answer(file, reference_type);
        let assigned = answer(file);
        let new = Side::of_rules(assigned).judged(judgement);
        let old = match old {
            Old::Nothing => None,
            Old::Rules(_) => Some(Side::of_rules(before.and_then(answer))),
            Old::Headers => {
                let said = assigned.and_then(|assigned| assigned.before.as_deref());
                if said.is_none() && new == Side::Known(NOT_APPLICABLE.to_owned()) {
                    comparison.absent.push(reference_type.to_string());
                }
                Some(Side::of_header(said.unwrap_or_default()))
            }
        };
        let old = old.map(|old| old.judged(judgement));
        let mut fault = |side: &Side, which| {
            let fault = side.fault(which);
            let faults = fault.map(|fault| (reference_type.to_string(), fault));
            comparison.faults.extend(faults);
        };
        if let Some(old) = &old {
            fault(old, "Old");
        }
        let Side::Known(name) = &new else {
            // Of types that the rules have, the answers tell themselves.
            if assigned.is_none() {
                fault(&new, "New");
            }
            comparison.failed = true;
            continue;
        };
        if !old.as_ref().is_some_and(|old| old.stands_for(name)) {
            comparison.updates.push(Update {
                instrument: file.instrument.clone(),
                reference_type: reference_type.to_string(),
                old: old.as_ref().map(Side::word),
                new: name.clone(),
            });
        }
    }
    comparison
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_headers_are_compared_by_name() {
        for (value, name) in [
            ("jref$X_drk.fits", "x_drk.fits"),
            ("crds://x.fits", "x.fits"),
            ("N/A", "n/a"),
            ("NOT FOUND n/a", "n/a"),
            ("", "undefined"),
            ("UNDEFINED", "undefined"),
            ("NOT FOUND No match found.", "undefined"),
            ("NOT FOUND for a reason", "failed"),
            ("x.fits ", "x.fits"),
        ] {
            assert_eq!(Side::of_header(value).word(), name, "{value}");
        }
    }
}
