//! The answers of a lookup.

use super::Outcome;
use crate::names::ReferenceType;

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
