//! What is new: the answers of one set of rules against those of another, or against headers.

use std::collections::HashMap;
use std::path::Path;

use crds_core::bestrefs::Outcome;
use crds_core::{Assigned, FileAssignment};

/// What stands for a reference where none applies.
pub(super) const NOT_APPLICABLE: &str = "n/a";

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

    /// The header keyword.
    pub(super) fn keyword(&self) -> String {
        self.reference_type.to_uppercase()
    }

    /// Whether it counts as a difference; changes from and to "not applicable" may not.
    pub(super) fn matters(&self, na_differences_matter: bool) -> bool {
        let is_na = self.new == NOT_APPLICABLE || self.old.as_deref() == Some(NOT_APPLICABLE);
        na_differences_matter || !is_na
    }
}

/// What changes for one dataset, in the order of the types' names.
pub(super) fn updates(file: &FileAssignment, old: &Old<'_>) -> Vec<Update> {
    let before = |assigned: &Assigned| match old {
        Old::Nothing => None,
        Old::Headers => Some(cleaned(assigned.before.as_deref().unwrap_or_default())),
        Old::Rules(files) => {
            let same = files.get(&*file.path).and_then(|file| {
                let mut types = file.types.iter();
                types.find(|other| other.reference_type == assigned.reference_type)
            });
            let name = same.and_then(|same| name(&same.outcome));
            Some(name.unwrap_or_else(|| NOT_APPLICABLE.to_owned()))
        }
    };
    let changed = |assigned: &Assigned| {
        let new = name(&assigned.outcome)?;
        let old = before(assigned);
        (old.as_ref() != Some(&new)).then(|| Update {
            instrument: file.instrument.clone(),
            reference_type: assigned.reference_type.to_string(),
            old,
            new,
        })
    };
    file.types.iter().filter_map(changed).collect()
}

/// The answer as one word; nothing for failures.
fn name(outcome: &Outcome) -> Option<String> {
    match outcome {
        Outcome::File(name) => Some(name.as_str().to_lowercase()),
        Outcome::NotApplicable | Outcome::NoMatch => Some(NOT_APPLICABLE.to_owned()),
        Outcome::Ambiguous(_) | Outcome::Error(_) => None,
    }
}

/// A header's value as one word: without the variable of its folder, `n/a` for all that means it.
fn cleaned(value: &str) -> String {
    let name = match value.split_once("ref$") {
        Some((_, name)) => name,
        None => value.strip_prefix("crds://").unwrap_or(value),
    };
    let name = name.trim().to_lowercase();
    let undefined = matches!(name.as_str(), "" | "undefined" | "none" | "*" | "n/a");
    if undefined || name.starts_with("not found n/a") || name.starts_with("not found no match") {
        return NOT_APPLICABLE.to_owned();
    }
    name
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
            ("", "n/a"),
            ("UNDEFINED", "n/a"),
            ("x.fits ", "x.fits"),
        ] {
            assert_eq!(cleaned(value), name);
        }
    }
}
