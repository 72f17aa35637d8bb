//! What the rules answer for one reference type.

use std::fmt;
use std::sync::Arc;

use crate::names::ReferenceName;
use crate::selector::LookupFailure;

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
