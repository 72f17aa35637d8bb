//! What a lookup answers.

use std::fmt;
use std::sync::Arc;

pub use crate::selector::{ListedValues, LookupFailure};

/// The name of a kind of reference file, lower-case, such as `darkfile`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReferenceType(Arc<str>);

impl ReferenceType {
    pub(crate) fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ReferenceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of a reference file, exactly as the rules write it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReferenceName(Arc<str>);

impl ReferenceName {
    pub(crate) fn new(name: Arc<str>) -> Self {
        Self(name)
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ReferenceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What the rules say about one reference type of a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// This file.
    File(ReferenceName),
    /// The type does not apply to the dataset.
    NotApplicable,
    /// The table applies, but nothing in it fits.
    NoMatch,
    /// Several answers are equally good; they are listed in rule order.
    Ambiguous(Arc<[Box<str>]>),
    /// The question makes no sense to the table.
    Error(Arc<LookupFailure>),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(name) => name.fmt(f),
            Self::NotApplicable => f.write_str("NOT FOUND n/a"),
            Self::NoMatch => f.write_str("NOT FOUND No match found."),
            Self::Ambiguous(names) => {
                write!(
                    f,
                    "NOT FOUND several files fit equally well: {}",
                    names.join(", ")
                )
            }
            Self::Error(failure) => write!(f, "NOT FOUND {failure}"),
        }
    }
}

/// The answers for one dataset, in the order of the rules; types the rules omit are absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BestReferences(Vec<(ReferenceType, Outcome)>);

impl BestReferences {
    pub(super) fn push(&mut self, name: ReferenceType, outcome: Outcome) {
        self.0.push((name, outcome));
    }

    /// The outcome for a type, given in lower case; nothing if the type is omitted.
    pub fn get(&self, reference_type: &str) -> Option<&Outcome> {
        self.iter()
            .find(|(name, _)| name.as_str() == reference_type)
            .map(|(_, outcome)| outcome)
    }

    /// All outcomes, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&ReferenceType, &Outcome)> {
        self.0.iter().map(|(name, outcome)| (name, outcome))
    }

    /// How many types have an outcome.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no type has an outcome.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(ReferenceType, Outcome)> for BestReferences {
    fn from_iter<I: IntoIterator<Item = (ReferenceType, Outcome)>>(entries: I) -> Self {
        Self(entries.into_iter().collect())
    }
}
