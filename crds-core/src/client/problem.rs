//! What can be wrong with one file of many, in words a user can act on.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;
use storage::hint::Hint;

use super::ClientError;
use crate::bestrefs::LookupFailure;
use crate::dataset::ReadError;
use crate::names::ReferenceType;

/// Something wrong with one file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The header cannot be read.
    #[error(transparent)]
    Header(#[from] ReadError),
    /// The header names no instrument.
    #[error("{}: the header does not say which instrument it is from", .0.display())]
    NoInstrument(PathBuf),
    /// There are no answers at all.
    #[error("{}: no references can be chosen", .path.display())]
    Rules {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Arc<ClientError>,
    },
    /// No answer for one type.
    #[error("{}: {instrument} {reference_type}: {failure}", .path.display())]
    Lookup {
        /// The file.
        path: PathBuf,
        /// Its instrument.
        instrument: String,
        /// The type.
        reference_type: ReferenceType,
        /// Why.
        failure: LookupFailure,
    },
    /// The rules have nothing for the dataset, and that was to be an error.
    #[error("{}: {instrument} {reference_type}: no row of the rules matches", .path.display())]
    NoMatch {
        /// The file.
        path: PathBuf,
        /// Its instrument.
        instrument: String,
        /// The type.
        reference_type: ReferenceType,
    },
    /// Several answers are equally good.
    #[error("{}: {instrument} {reference_type}: several files fit equally well: {}", .path.display(), .names.join(", "))]
    Ambiguous {
        /// The file.
        path: PathBuf,
        /// Its instrument.
        instrument: String,
        /// The type.
        reference_type: ReferenceType,
        /// The candidates.
        names: Vec<String>,
    },
    /// The answer was withdrawn by CRDS.
    #[error("{}: {reference_type}: {name} was withdrawn by CRDS as scientifically wrong", .path.display())]
    BadReference {
        /// The file.
        path: PathBuf,
        /// The type.
        reference_type: ReferenceType,
        /// The reference.
        name: String,
    },
    /// The rules were withdrawn by CRDS.
    #[error("{}: the rules {} were withdrawn by CRDS as scientifically wrong", .path.display(), .names.join(", "))]
    BadRules {
        /// The file.
        path: PathBuf,
        /// The rules.
        names: Vec<String>,
    },
}

impl Hint for Problem {
    fn hint(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Header(error) => error.hint(),
            Self::Rules { source, .. } => source.hint(),
            Self::Lookup { failure, .. } => failure.hint(),
            Self::BadReference { .. } => {
                Some("use a newer context; CRDS_ALLOW_BAD_REFERENCES=1 accepts it".into())
            }
            Self::BadRules { .. } => {
                Some("use a newer context; CRDS_ALLOW_BAD_RULES=1 accepts them".into())
            }
            Self::NoInstrument(_) | Self::NoMatch { .. } | Self::Ambiguous { .. } => None,
        }
    }
}

/// Some files are in error.
#[derive(Debug, thiserror::Error)]
#[error("best references failed for {failed} of {of} files: {first}{}", more(.errors))]
pub struct AssignError {
    pub(super) failed: usize,
    pub(super) of: usize,
    pub(super) first: String,
    pub(super) errors: usize,
    /// That of the first.
    pub(super) hint: Option<String>,
}

impl Hint for AssignError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        self.hint.as_deref().map(Cow::from)
    }
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "the form thiserror passes fields in"
)]
fn more(errors: &usize) -> String {
    match errors {
        0 | 1 => String::new(),
        errors => format!("\n  and {} more errors", errors - 1),
    }
}
