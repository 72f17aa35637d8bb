//! Rules: pipeline maps, instrument maps and reference tables, from files or from a pickle.
//!
//! A [`Context`] is a loaded set of rules. Loading checks and compiles everything a lookup needs;
//! how answers are found with it is in [`crate::bestrefs`]. Where rule files come from is left to
//! the caller's [`MappingSource`].

mod changes;
mod checksum;
mod compile;
mod compiled;
mod context;
mod decisive;
mod header;
mod inspect;
mod instrument;
mod mapping;
mod outcome;
mod pickle;
mod source;
mod uses;

pub use changes::{Concerned, RowChoice, RowMoved, RowReplaced, Rule, RulesChanges, TypeChanges};
pub use context::{Context, Scope, mappings_named_in};
pub use header::RuleHeader;
pub use inspect::RuleRow;
pub(crate) use inspect::{Contents, contents};
pub use mapping::Checksums;
pub(crate) use mapping::named_by_path;
pub use outcome::Outcome;
pub use source::{MappingDirectory, MappingSource};
use std::borrow::Cow;
use storage::hint::Hint;
pub use uses::Uses;

pub(crate) use compiled::{Instrument, Table, TypeRule};
pub(crate) use context::{Found, Root};
pub(crate) use pickle::MAX_BYTES as MAX_PICKLE;

use crate::names::MappingName;

/// Rules cannot be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file cannot be read.
    #[error("cannot read the rules {name}")]
    Read {
        /// The rule file.
        name: MappingName,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not UTF-8.
    #[error("the rules {name} are not UTF-8 text: byte {at} is wrong")]
    NotText {
        /// The rule file.
        name: MappingName,
        /// Where the text ends.
        at: usize,
    },
    /// The file is not written as rules are.
    #[error("the rules cannot be read")]
    Syntax(#[from] crate::literal::LiteralError),
    /// The file has no checksum.
    #[error("the rules {name} carry no sha1sum")]
    NoChecksum {
        /// The rule file.
        name: MappingName,
    },
    /// The file is not what it was when its checksum was made.
    #[error(
        "the rules {name} say their sha1sum is {stated}, but it is {actual}: the file was changed"
    )]
    WrongChecksum {
        /// The rule file.
        name: MappingName,
        /// What the file says.
        stated: Box<str>,
        /// What its content gives.
        actual: String,
    },
    /// The pickle is not one of a CRDS context.
    #[error("the pickle of {name} cannot be used: {problem}")]
    Pickle {
        /// The context.
        name: MappingName,
        /// What is wrong.
        problem: String,
    },
    /// The file is readable but its rules make no sense.
    #[error("the rules {name} cannot be used: {problem}")]
    Invalid {
        /// The rule file.
        name: MappingName,
        /// What is wrong.
        problem: String,
    },
}

impl Hint for LoadError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        let hint = match self {
            Self::NoChecksum { .. } => "CRDS_IGNORE_MAPPING_CHECKSUM=1 loads them all the same",
            Self::WrongChecksum { .. } => {
                "fetch it again, or load it as it is with CRDS_IGNORE_MAPPING_CHECKSUM=1"
            }
            Self::Pickle { .. } => "remove it, and the rules are loaded from their files",
            Self::Read { .. } | Self::NotText { .. } | Self::Syntax(_) | Self::Invalid { .. } => {
                return None;
            }
        };
        Some(hint.into())
    }
}
