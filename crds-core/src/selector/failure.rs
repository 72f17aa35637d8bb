//! Why a lookup of one reference type fails.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use storage::hint::{Hint, known_names};

use super::moment::Moment;

/// Why no answer could be given for one reference type.
///
/// This is not "no match": a table that was searched in vain says so as an outcome of its own.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LookupFailure {
    /// The table has no row that could ever match the header's value.
    #[error("{parameter}={value:?} is not among the values of the rules: {listed}")]
    ValueNotListed {
        /// The header key.
        parameter: Arc<str>,
        /// The header's value.
        value: Box<str>,
        /// All values the column has.
        listed: ListedValues,
    },
    /// The header lacks a key that the table needs.
    #[error("the header has no {parameter}, which {selector} needs")]
    MissingParameter {
        /// The selector that needs it.
        selector: &'static str,
        /// The missing key.
        parameter: Arc<str>,
    },
    /// A key that makes up the date has no value.
    #[error("{parameter} is UNDEFINED, so there is no date to look up")]
    UndefinedDate {
        /// The header key.
        parameter: Arc<str>,
    },
    /// The header's date is in no form that CRDS knows, or there is no such day.
    #[error("{parameters} = {value:?} is not a date: {reason}")]
    InvalidDate {
        /// The header keys, separated by blanks.
        parameters: Box<str>,
        /// Their values, separated by blanks.
        value: Box<str>,
        /// What is wrong with it.
        reason: Box<str>,
    },
    /// The header's version does not start with a number.
    #[error("{value:?} is not a version")]
    InvalidVersion {
        /// The header's value.
        value: Box<str>,
    },
    /// The table's first date or version is later than the dataset's.
    #[error("the rules have nothing as early as {value}")]
    NothingEarlier {
        /// The date or version looked up.
        value: Box<str>,
    },
    /// Every entry that was tried led to a selector without a match.
    #[error("every entry that applies leads to a table without a match")]
    NestedNoMatch,
    /// Several rows fit equally well, and the table says they are not to be merged.
    #[error("several rows match equally well, and the rules do not merge them")]
    SeveralRows,
    /// Several rows fit equally well, and what they choose cannot be merged.
    #[error("several rows match equally well, and their choices cannot be merged")]
    Unmergeable,
    /// An expression that decides whether a parameter is relevant has no value for this header.
    #[error("whether {parameter} is relevant cannot be decided: {problem}")]
    Expression {
        /// The parameter whose relevance was asked.
        parameter: Arc<str>,
        /// What went wrong.
        problem: Box<str>,
    },
    /// A special rule of the instrument cannot be applied to this header.
    #[error("the special rule {rule} cannot be applied: {problem}")]
    Rule {
        /// The rule's name in the table's header.
        rule: &'static str,
        /// What went wrong.
        problem: Box<str>,
    },
    /// The instrument has no such reference type.
    #[error("{instrument} has no reference type {name:?}")]
    UnknownType {
        /// The instrument, lower-case.
        instrument: Box<str>,
        /// The type that was asked for.
        name: Box<str>,
        /// The types it has, separated by commas.
        known: Box<str>,
    },
}

impl Hint for LookupFailure {
    fn hint(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::UnknownType { name, known, .. } => {
                Some(known_names(name, known.split(", ")).into())
            }
            _ => None,
        }
    }
}

/// The values one column of a table lists, sorted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedValues(pub(crate) Arc<[Box<str>]>);

impl ListedValues {
    /// The values, in text order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|value| &**value)
    }
}

impl fmt::Display for ListedValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 20;
        for (index, value) in self.0.iter().take(SHOWN).enumerate() {
            write!(f, "{}{value}", if index == 0 { "" } else { ", " })?;
        }
        match self.0.len().checked_sub(SHOWN) {
            None | Some(0) => Ok(()),
            Some(more) => write!(f, " and {more} more"),
        }
    }
}

/// Why a selector gives nothing.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Miss {
    /// A Match has no further candidate.
    NoMatch,
    /// A table's first date is later.
    NothingBefore(Moment),
    /// Another lookup failure; a Match around it goes on with its next candidate.
    Lookup(Arc<LookupFailure>),
    /// The end of the whole lookup.
    Final(Arc<LookupFailure>),
}
