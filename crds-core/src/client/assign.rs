//! Which references files are to have: the question, and the answer as data.
//!
//! The work is done by [`Client::assign`]; nothing is changed until [`Assignments::write`].

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Client, ClientError, VERSION_TEXT};
use crate::bestrefs::{BestReferences, LookupFailure, LookupPath, Outcome, ReferenceType, Types};
use crate::cache::context::ContextName;
use crate::cache::server_config::ServerConfig;
use crate::dataset::fits::{self, CardUpdate, FitsError, NoMatch, ReferenceCards, UpdateOutcome};
use crate::dataset::{self, ReadError};
use crate::header::Header;
use crate::observatory::Observatory;
use crate::rules::{Context, MappingName};

/// How files are to be evaluated. The default is what pipelines want.
#[derive(Debug, Clone)]
pub struct AssignOptions {
    /// The rules; without them those of `CRDS_CONTEXT`, else those in use.
    pub context: Option<ContextName>,
    /// Which types of references are looked at.
    pub types: TypeChoice,
    /// What it means that the rules of a type have nothing for a dataset.
    pub no_match: NoMatch,
    /// What is done about rules and references that CRDS has withdrawn, unless the settings allow
    /// them.
    pub bad_files: BadFiles,
}

impl Default for AssignOptions {
    fn default() -> Self {
        Self {
            context: None,
            types: TypeChoice::All,
            no_match: NoMatch::NotApplicable,
            bad_files: BadFiles::Refuse,
        }
    }
}

/// Which reference types are looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum TypeChoice {
    /// All types of the instrument.
    #[default]
    All,
    /// These, in lower case.
    Only(Vec<String>),
    /// All but these, in lower case.
    Except(Vec<String>),
}

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
    #[error("{}: {source}", .path.display())]
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
    #[error("{}: {reference_type}: {name} was withdrawn by CRDS as scientifically wrong\n  hint: use a newer context; CRDS_ALLOW_BAD_REFERENCES=1 accepts it", .path.display())]
    BadReference {
        /// The file.
        path: PathBuf,
        /// The type.
        reference_type: ReferenceType,
        /// The reference.
        name: String,
    },
    /// The rules were withdrawn by CRDS.
    #[error("{}: the rules {} were withdrawn by CRDS as scientifically wrong\n  hint: use a newer context; CRDS_ALLOW_BAD_RULES=1 accepts them", .path.display(), .names.join(", "))]
    BadRules {
        /// The file.
        path: PathBuf,
        /// The rules.
        names: Vec<String>,
    },
}

/// Some files are in error.
#[derive(Debug, thiserror::Error)]
#[error("best references failed for {failed} of {of} files: {first}{}", more(.errors))]
pub struct AssignError {
    failed: usize,
    of: usize,
    first: String,
    errors: usize,
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

/// What became of one file.
#[derive(Debug)]
pub struct Written {
    /// The file.
    pub path: PathBuf,
    /// How its header was updated; nothing if it was not to be touched.
    pub outcome: Option<Result<UpdateOutcome, FitsError>>,
}

/// What is read of one file before any rules are. A header from elsewhere has its id for a path.
#[derive(Debug)]
pub(crate) struct Dataset {
    path: PathBuf,
    instrument: String,
    header: Header,
}

impl Client {
    /// Looks up the references of HST, JWST or Roman FITS files; nothing is changed.
    ///
    /// Fails only if no file can be evaluated; what is wrong with one file is in its entry.
    pub async fn assign(
        &self,
        files: &[PathBuf],
        options: &AssignOptions,
    ) -> Result<Assignments, ClientError> {
        let files: BTreeSet<&PathBuf> = files.iter().collect();
        let datasets = files.into_iter().map(|path| Dataset::read(path)).collect();
        self.assign_datasets(datasets, options).await
    }

    /// Like [`Client::assign`], for what has been read already.
    pub(crate) async fn assign_datasets(
        &self,
        datasets: Vec<Result<Dataset, Box<Unreadable>>>,
        options: &AssignOptions,
    ) -> Result<Assignments, ClientError> {
        self.refuse_remote()?;
        let context = self.context_file(options.context.as_ref()).await?;
        let bad = self.server_config().await?;
        let mut rules: BTreeMap<String, Result<Arc<Context>, Arc<ClientError>>> = BTreeMap::new();
        let mut answers = Vec::with_capacity(datasets.len());
        for dataset in datasets {
            let dataset = match dataset {
                Ok(dataset) => dataset,
                Err(unreadable) => {
                    let Unreadable { path, problem } = *unreadable;
                    answers.push(FileAssignment::failed(&path, String::new(), problem));
                    continue;
                }
            };
            let instrument = dataset.instrument.clone();
            if !rules.contains_key(&instrument) {
                let loaded = self.rules(&context, Some(&instrument)).await;
                rules.insert(instrument.clone(), loaded.map_err(Arc::new));
            }
            answers.push(match rules.get(&instrument) {
                Some(Ok(rules)) => self.evaluate(&dataset, rules, bad, options),
                Some(Err(error)) => dataset.failed(Arc::clone(error)),
                None => continue,
            });
        }
        let plain = context.rsplit('/').next().unwrap_or(&context);
        Ok(Assignments {
            context: plain.parse()?,
            files: answers,
        })
    }

    fn evaluate(
        &self,
        dataset: &Dataset,
        rules: &Context,
        server: &ServerConfig,
        options: &AssignOptions,
    ) -> FileAssignment {
        let asked: Vec<&str> = match &options.types {
            TypeChoice::Only(names) => names.iter().map(String::as_str).collect(),
            _ => Vec::new(),
        };
        let types = match options.types {
            TypeChoice::Only(_) => Types::Only(&asked),
            _ => Types::All,
        };
        let answers = match rules.best_references(&dataset.header, LookupPath::Conditioned, types) {
            Ok(answers) => answers,
            Err(error) => return dataset.failed(Arc::new(error.into())),
        };
        let chosen: BestReferences = answers
            .iter()
            .filter(|(reference_type, _)| options.types.includes(reference_type))
            .map(|(reference_type, outcome)| (reference_type.clone(), outcome.clone()))
            .collect();
        let mut file = FileAssignment::new(&dataset.path, dataset.instrument.clone());
        let names: Vec<String> = rules
            .mappings_of(&dataset.instrument)
            .unwrap_or_default()
            .into_iter()
            .filter(|name| server.is_bad(name.as_str()))
            .map(ToString::to_string)
            .collect();
        if !names.is_empty() {
            let path = dataset.path.clone();
            let allowed = self.config().allow_bad_rules;
            file.bad(
                Problem::BadRules { path, names },
                allowed,
                options.bad_files,
            );
        }
        for (reference_type, outcome) in chosen.iter() {
            file.errors
                .extend(dataset.problem(reference_type, outcome, options.no_match));
            if let Outcome::File(name) = outcome
                && server.is_bad(name.as_str())
            {
                let problem = Problem::BadReference {
                    path: dataset.path.clone(),
                    reference_type: reference_type.clone(),
                    name: name.as_str().to_owned(),
                };
                let allowed = self.config().allow_bad_references;
                file.bad(problem, allowed, options.bad_files);
            }
        }
        let context = rules.name().as_str();
        // Other observatories' headers are never written, see `Assignments::write`.
        file.updates = ReferenceCards::new(
            &dataset.instrument,
            context,
            VERSION_TEXT,
            &chosen,
            options.no_match,
        )
        .map(|cards| cards.updates)
        .unwrap_or_default();
        file.types = chosen
            .iter()
            .map(|(reference_type, outcome)| dataset.assigned(reference_type, outcome))
            .collect();
        file.types
            .sort_by(|a, b| a.reference_type.cmp(&b.reference_type));
        file
    }
}

impl TypeChoice {
    fn includes(&self, reference_type: &ReferenceType) -> bool {
        match self {
            Self::Except(names) => names.iter().all(|name| name != reference_type.as_str()),
            Self::All | Self::Only(_) => true,
        }
    }
}

/// A dataset whose header is of no use.
#[derive(Debug)]
pub(crate) struct Unreadable {
    path: PathBuf,
    problem: Problem,
}

impl Dataset {
    /// Reads a file.
    pub(crate) fn read(path: &Path) -> Result<Self, Box<Unreadable>> {
        match dataset::read(path) {
            Ok(header) => Self::new(path, header),
            Err(error) => Err(Box::new(Unreadable {
                path: path.to_owned(),
                problem: error.into(),
            })),
        }
    }

    /// Takes a header that names its instrument as `INSTRUME`.
    pub(crate) fn new(path: &Path, header: Header) -> Result<Self, Box<Unreadable>> {
        let named = header.get("INSTRUME").map(str::to_lowercase);
        match named.filter(|name| !name.is_empty() && name != "undefined") {
            Some(instrument) => Ok(Self {
                path: path.to_owned(),
                instrument,
                header,
            }),
            None => Err(Box::new(Unreadable {
                path: path.to_owned(),
                problem: Problem::NoInstrument(path.to_owned()),
            })),
        }
    }

    fn failed(&self, error: Arc<ClientError>) -> FileAssignment {
        let problem = Problem::Rules {
            path: self.path.clone(),
            source: error,
        };
        FileAssignment::failed(&self.path, self.instrument.clone(), problem)
    }

    fn assigned(&self, reference_type: &ReferenceType, outcome: &Outcome) -> Assigned {
        let keyword = reference_type.as_str().to_uppercase();
        Assigned {
            reference_type: reference_type.clone(),
            before: self.header.get(&keyword).map(str::to_owned),
            outcome: outcome.clone(),
        }
    }

    /// What is wrong with an outcome, if it is a failure.
    fn problem(
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

impl FileAssignment {
    fn new(path: &Path, instrument: String) -> Self {
        Self {
            path: path.to_owned(),
            instrument,
            types: Vec::new(),
            errors: Vec::new(),
            warnings: Vec::new(),
            updates: Vec::new(),
            writable: true,
        }
    }

    fn failed(path: &Path, instrument: String, problem: Problem) -> Self {
        Self {
            errors: vec![problem],
            writable: false,
            ..Self::new(path, instrument)
        }
    }

    fn bad(&mut self, problem: Problem, allowed: bool, treatment: BadFiles) {
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
            first: first.to_string(),
            errors: errors().count(),
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
        self.write_only(None)
    }

    /// Like [`Assignments::write`], for these keywords of these files only.
    pub(crate) fn write_only(
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
