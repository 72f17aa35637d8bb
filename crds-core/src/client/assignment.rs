//! The answers for a number of files, as data; nothing is changed until [`Assignments::write`].

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use super::ClientError;
use super::problem::{AssignError, Problem};
use crate::bestrefs::Outcome;
use crate::names::MappingName;
use crate::names::ReferenceType;
use crate::observatory::Observatory;
use fits::{CardUpdate, FitsError, UpdateOutcome};
use storage::hint::{Hint as _, with_causes};

/// What is done about withdrawn rules and references that the settings do not allow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum BadFiles {
    /// The file is in error and will not be written.
    #[default]
    Refuse,
    /// The file is in error, but written all the same, as `crds bestrefs` has always done.
    Report,
}

/// The answers for a number of files.
#[derive(Debug)]
pub struct Assignments {
    /// The rules they are from.
    pub context: MappingName,
    /// One entry for each file, in the order of their names.
    pub files: Vec<FileAssignment>,
}

/// The answers for one file.
#[derive(Debug)]
pub struct FileAssignment {
    /// The file.
    pub path: PathBuf,
    /// Its instrument in lower case; empty if the file could not be evaluated.
    pub instrument: String,
    /// For each type that was looked at and is not omitted, in the order of their names.
    pub types: Vec<Assigned>,
    /// What is wrong; such a file must not be used.
    pub errors: Vec<Problem>,
    /// What a user should know.
    pub warnings: Vec<Problem>,
    /// Every key that the rules of the instrument look at or that selects rows of its tables, and what
    /// the header says there, if it has the key: what it takes to ask other rules later.
    pub parkeys: Vec<(String, Option<String>)>,
    /// The keywords to set, in the order in which they are; none if the file is to be left alone.
    pub updates: Vec<CardUpdate>,
    /// Whether the header may be written in spite of errors.
    writable: bool,
}

/// The answer for one type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assigned {
    /// The type.
    pub reference_type: ReferenceType,
    /// What the header said before, as text, if it has the keyword.
    pub before: Option<String>,
    /// What the rules say.
    pub outcome: Outcome,
}

/// What became of one file.
#[derive(Debug)]
pub struct Written {
    /// The file.
    pub path: PathBuf,
    /// How its header was updated; nothing if it was not to be touched.
    pub outcome: Option<Result<UpdateOutcome, FitsError>>,
}

impl FileAssignment {
    pub(super) fn new(path: &Path, instrument: String) -> Self {
        Self {
            path: path.to_owned(),
            instrument,
            types: Vec::new(),
            errors: Vec::new(),
            warnings: Vec::new(),
            parkeys: Vec::new(),
            updates: Vec::new(),
            writable: true,
        }
    }

    pub(super) fn failed(path: &Path, instrument: String, problem: Problem) -> Self {
        Self {
            errors: vec![problem],
            writable: false,
            ..Self::new(path, instrument)
        }
    }

    pub(super) fn bad(&mut self, problem: Problem, allowed: bool, treatment: BadFiles) {
        if allowed {
            self.warnings.push(problem);
        } else {
            self.errors.push(problem);
            self.writable &= treatment == BadFiles::Report;
        }
    }

    /// The references the file is to have.
    pub fn references(&self) -> impl Iterator<Item = &str> {
        self.types
            .iter()
            .filter_map(|assigned| match &assigned.outcome {
                Outcome::File(name) => Some(name.as_str()),
                _ => None,
            })
    }
}

impl Assignments {
    /// Fails if any file is in error, with the first one's words.
    pub fn check(&self) -> Result<(), AssignError> {
        let errors = || self.files.iter().flat_map(|file| &file.errors);
        let Some(first) = errors().next() else {
            return Ok(());
        };
        Err(AssignError {
            failed: self.files.iter().filter(|f| !f.errors.is_empty()).count(),
            of: self.files.len(),
            first: with_causes(first).to_string(),
            errors: errors().count(),
            hint: first.hint().map(Cow::into_owned),
        })
    }

    /// The references of all files, each once, in the order of their names.
    pub fn references(&self) -> BTreeSet<&str> {
        self.files
            .iter()
            .flat_map(FileAssignment::references)
            .collect()
    }

    /// Sets the keywords in the primary headers, file by file. One that fails does not stop the
    /// rest. Files that could not be evaluated, or are to have withdrawn references, are left as
    /// they are.
    pub fn write(&self) -> Result<Vec<Written>, ClientError> {
        self.write_chosen(None)
    }

    /// Like [`Assignments::write`], for these keywords of these files only; `CRDS_` keywords go
    /// with any.
    pub fn write_only(
        &self,
        only: &HashMap<&Path, Vec<String>>,
    ) -> Result<Vec<Written>, ClientError> {
        self.write_chosen(Some(only))
    }

    fn write_chosen(
        &self,
        only: Option<&HashMap<&Path, Vec<String>>>,
    ) -> Result<Vec<Written>, ClientError> {
        let observatory = Observatory::of_name(self.context.as_str());
        if let Some(other) = observatory.filter(|o| *o != Observatory::Hst) {
            return Err(ClientError::NoUpdates(other));
        }
        let write = |file: &FileAssignment| {
            let none = Vec::new();
            let keywords = only.map(|only| only.get(&*file.path).unwrap_or(&none));
            let updates = file.updates_of(keywords);
            let update = || fits::update_primary(&file.path, &updates);
            Written {
                path: file.path.clone(),
                outcome: (!updates.is_empty()).then(update),
            }
        };
        Ok(self.files.iter().map(write).collect())
    }
}

impl FileAssignment {
    /// What is to be written: all, or the keywords that were asked for and what goes with them.
    fn updates_of(&self, only: Option<&Vec<String>>) -> Vec<CardUpdate> {
        match only {
            _ if !self.writable => Vec::new(),
            None => self.updates.clone(),
            Some(keywords) if keywords.is_empty() => Vec::new(),
            Some(keywords) => {
                let asked = |card: &&CardUpdate| {
                    card.keyword.starts_with("CRDS_") || keywords.contains(&card.keyword)
                };
                self.updates.iter().filter(asked).cloned().collect()
            }
        }
    }
}
