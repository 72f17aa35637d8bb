//! One dataset on its way to its answers: its header, and what is wrong with them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::ClientError;
use super::assignment::{Assigned, FileAssignment};
use super::problem::Problem;
use crate::bestrefs::{LookupFailure, Outcome};
use crate::dataset;
use crate::dataset::NoMatch;
use crate::header::Header;
use crate::names::ReferenceType;

/// What is read of one dataset before any rules are; what [`Client::assign_headers`](crate::Client::assign_headers) takes.
///
/// A header from elsewhere has its id for a path.
#[derive(Debug)]
pub struct DatasetHeader {
    pub(super) path: PathBuf,
    pub(super) instrument: String,
    pub(super) header: Header,
}

/// A dataset whose header is of no use.
#[derive(Debug)]
pub struct UnreadableDataset {
    pub(super) path: PathBuf,
    pub(super) problem: Problem,
}

impl DatasetHeader {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self, Box<UnreadableDataset>> {
        match dataset::read(path) {
            Ok(header) => Self::new(path, header),
            Err(error) => Err(Box::new(UnreadableDataset {
                path: path.to_owned(),
                problem: error.into(),
            })),
        }
    }

    /// Takes a header that names its instrument as `INSTRUME`, as
    /// [`set_instrument`](crate::dataset::set_instrument) makes it do.
    pub fn new(path: &Path, header: Header) -> Result<Self, Box<UnreadableDataset>> {
        let named = header.get("INSTRUME").map(str::to_lowercase);
        match named.filter(|name| !name.is_empty() && name != "undefined") {
            Some(instrument) => Ok(Self {
                path: path.to_owned(),
                instrument,
                header,
            }),
            None => Err(Box::new(UnreadableDataset {
                path: path.to_owned(),
                problem: Problem::NoInstrument(path.to_owned()),
            })),
        }
    }

    pub(super) fn failed(&self, error: Arc<ClientError>) -> FileAssignment {
        let problem = Problem::Rules {
            path: self.path.clone(),
            source: error,
        };
        FileAssignment::failed(&self.path, self.instrument.clone(), problem)
    }

    pub(super) fn assigned(&self, reference_type: &ReferenceType, outcome: &Outcome) -> Assigned {
        let keyword = reference_type.as_str().to_uppercase();
        Assigned {
            reference_type: reference_type.clone(),
            before: self.header.get(&keyword).map(str::to_owned),
            outcome: outcome.clone(),
        }
    }

    /// What is wrong with an outcome, if it is a failure.
    pub(super) fn problem(
        &self,
        reference_type: &ReferenceType,
        outcome: &Outcome,
        no_match: NoMatch,
    ) -> Option<Problem> {
        let path = self.path.clone();
        let instrument = self.instrument.clone();
        let reference_type = reference_type.clone();
        match outcome {
            Outcome::Error(failure) => Some(Problem::Lookup {
                path,
                instrument,
                reference_type,
                failure: LookupFailure::clone(failure),
            }),
            Outcome::Ambiguous(names) => Some(Problem::Ambiguous {
                path,
                instrument,
                reference_type,
                names: names.iter().map(ToString::to_string).collect(),
            }),
            Outcome::NoMatch if no_match == NoMatch::Failure => Some(Problem::NoMatch {
                path,
                instrument,
                reference_type,
            }),
            _ => None,
        }
    }
}
