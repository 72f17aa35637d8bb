//! What `crds bestrefs` writes into a dataset: the rules that were used and a keyword for every
//! reference type.

use ::fits::CardUpdate;
use storage::hint::Hint;

use crate::bestrefs::{BestReferences, Outcome};

use crate::names::ReferenceType;
use crate::observatory::hst;

/// What to do with a type for which the rules have no match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoMatch {
    /// Write `N/A`, as if it did not apply.
    NotApplicable,
    /// It is a failure (`--undefined-differences-matter`).
    Failure,
}

/// The keywords for one dataset, and the types without an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReferenceCards<'b> {
    /// For [`fits::update_primary`](::fits::update_primary): `CRDS_CTX`, `CRDS_VER`, then the types in the order of the
    /// alphabet. Empty if no type has an answer: then the file should stay as it is.
    pub updates: Vec<CardUpdate>,
    /// The types whose keywords stay as they are, and why.
    pub failures: Vec<(&'b ReferenceType, &'b Outcome)>,
}

/// An instrument whose headers are not written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("references are only written into the headers of Hubble datasets, not of {0:?}")]
pub struct UnknownPrefix(String);

impl Hint for UnknownPrefix {}

impl<'b> ReferenceCards<'b> {
    /// The keywords that say `references`, chosen by `context` for a dataset of `instrument` (any
    /// case). `version` is what `CRDS_VER` is to say, at most 68 characters.
    ///
    /// A reference is written in lower case after the variable of the instrument's folder
    /// (`jref$...`), a type that does not apply as `N/A`.
    pub fn new(
        instrument: &str,
        context: &str,
        version: &str,
        references: &'b BestReferences,
        no_match: NoMatch,
    ) -> Result<Self, UnknownPrefix> {
        let variable = hst::reference_variable(instrument)
            .ok_or_else(|| UnknownPrefix(instrument.to_owned()))?;
        let mut failures = Vec::new();
        let mut cards = Vec::new();
        for (reference_type, outcome) in references.iter() {
            let value = match outcome {
                Outcome::File(name) => format!("{variable}${}", name.as_str().to_lowercase()),
                Outcome::NotApplicable => "N/A".into(),
                Outcome::NoMatch if no_match == NoMatch::NotApplicable => "N/A".into(),
                _ => {
                    failures.push((reference_type, outcome));
                    continue;
                }
            };
            cards.push(CardUpdate::text(
                reference_type.as_str().to_uppercase(),
                value,
            ));
        }
        cards.sort_by(|a, b| a.keyword.cmp(&b.keyword));
        if !cards.is_empty() {
            let about = [
                CardUpdate::text("CRDS_CTX", context),
                CardUpdate::text("CRDS_VER", version),
            ];
            cards.splice(..0, about);
        }
        Ok(Self {
            updates: cards,
            failures,
        })
    }
}
