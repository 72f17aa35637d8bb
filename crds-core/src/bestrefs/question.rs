//! For which types references are asked, and why asking for them may make no sense.

use std::borrow::Cow;
use std::sync::Arc;

use storage::hint::Hint;

use crate::names::MappingName;
use crate::rules::LoadError;

/// Which reference types to look up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Types<'t> {
    /// All types of the instrument, in the order of its rules.
    All,
    /// These types, in any case; one the instrument does not have is an error of its own.
    Only(&'t [&'t str]),
}

/// A header cannot be looked up at all.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum LookupError {
    /// No key names the instrument.
    #[error("the header does not say which instrument it is from: {key} is missing or UNDEFINED")]
    NoInstrument {
        /// The key that should.
        key: Box<str>,
    },
    /// The rules do not know the instrument.
    #[error("{context} has no rules for the instrument {instrument:?}")]
    UnknownInstrument {
        /// The instrument, lower-case.
        instrument: Box<str>,
        /// The rules that were asked.
        context: MappingName,
    },
    /// The rules were loaded without this instrument.
    #[error("the rules of {instrument} in {context} were not loaded")]
    NotLoaded {
        /// The instrument, lower-case.
        instrument: Box<str>,
        /// The rules that were asked.
        context: MappingName,
    },
    /// The instrument's rules could not be loaded.
    #[error("the rules of {instrument} in {context} cannot be used")]
    BrokenRules {
        /// The instrument, lower-case.
        instrument: Box<str>,
        /// The rules that were asked.
        context: MappingName,
        /// Why.
        source: Arc<LoadError>,
    },
    /// A single table was asked for a type it is not for.
    #[error("{context} is a table for {has} and has nothing for {asked:?}")]
    OtherType {
        /// The table.
        context: MappingName,
        /// The type it is for.
        has: Box<str>,
        /// The type that was asked for.
        asked: Box<str>,
    },
}

impl Hint for LookupError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::BrokenRules { source, .. } => source.hint(),
            _ => None,
        }
    }
}
