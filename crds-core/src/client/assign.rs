//! Which references files are to have: the question, and how it is answered.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use super::applicable::Applicable;
use super::assignment::{Assignments, BadFiles, FileAssignment};
use super::dataset::{DatasetHeader, UnreadableDataset};
use super::problem::Problem;
use super::{Client, ClientError, VERSION_TEXT};
use crate::bestrefs::{BestReferences, LookupPath, Outcome, Types};
use crate::cache::server_config::ServerConfig;
use crate::dataset::{NoMatch, ReferenceCards};
use crate::names::ContextName;
use crate::rules::Context;
use crate::table_rows::columns_of_instrument;

/// How files are to be evaluated. The default is what pipelines want.
#[derive(Debug, Clone)]
pub struct AssignOptions {
    /// The rules; without them those of `CRDS_CONTEXT`, else those in use.
    pub context: Option<ContextName>,
    /// Which types of references are looked at.
    pub types: TypeChoice,
    /// Types, in lower case, that are not looked at all the same.
    pub skip: Vec<String>,
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
            types: TypeChoice::Applicable,
            skip: Vec::new(),
            no_match: NoMatch::NotApplicable,
            bad_files: BadFiles::Refuse,
        }
    }
}

/// Which reference types are looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum TypeChoice {
    /// Those that calibrating the dataset takes: of JWST what its exposure type's pipelines use,
    /// where the rules tell; of others all of the instrument.
    #[default]
    Applicable,
    /// All types of the instrument.
    All,
    /// These, in lower case.
    Only(Vec<String>),
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
        let datasets = files
            .into_iter()
            .map(|path| DatasetHeader::read(path))
            .collect();
        self.assign_headers(datasets, options).await
    }

    /// Like [`Client::assign`], for what has been read already.
    pub async fn assign_headers(
        &self,
        datasets: Vec<Result<DatasetHeader, Box<UnreadableDataset>>>,
        options: &AssignOptions,
    ) -> Result<Assignments, ClientError> {
        self.refuse_remote()?;
        let context = self.context_file(options.context.as_ref()).await?;
        let bad = self.server_config().await?;
        let mut rules: BTreeMap<String, Result<Arc<Context>, Arc<ClientError>>> = BTreeMap::new();
        let mut tables = Applicable::default();
        let mut answers = Vec::with_capacity(datasets.len());
        for dataset in datasets {
            let dataset = match dataset {
                Ok(dataset) => dataset,
                Err(unreadable) => {
                    let UnreadableDataset { path, problem } = *unreadable;
                    answers.push(FileAssignment::failed(&path, String::new(), problem));
                    continue;
                }
            };
            let instrument = dataset.instrument.clone();
            if !rules.contains_key(&instrument) {
                let loaded = self.rules(&context, Some(&instrument)).await;
                rules.insert(instrument.clone(), loaded.map_err(Arc::new));
            }
            let applicable = match options.types {
                TypeChoice::Applicable => {
                    self.applicable_types(&context, &dataset.header, &mut tables)
                        .await
                }
                TypeChoice::All | TypeChoice::Only(_) => None,
            };
            answers.push(match rules.get(&instrument) {
                Some(Ok(rules)) => self.evaluate(&dataset, rules, bad, options, applicable),
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
        dataset: &DatasetHeader,
        rules: &Context,
        server: &ServerConfig,
        options: &AssignOptions,
        applicable: Option<BTreeSet<String>>,
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
        let names = || answers.iter().map(|(name, _)| name.as_str());
        // Types of other instruments are in the tables, too: if there are no others, all count.
        let applicable = applicable.filter(|types| names().any(|name| types.contains(name)));
        let wanted = |name: &str| {
            let applies = applicable.as_ref().is_none_or(|types| types.contains(name));
            applies && !options.skip.iter().any(|skipped| skipped == name)
        };
        let chosen: BestReferences = answers
            .iter()
            .filter(|(reference_type, _)| wanted(reference_type.as_str()))
            .map(|(reference_type, outcome)| (reference_type.clone(), outcome.clone()))
            .collect();
        let mut file = FileAssignment::new(&dataset.path, dataset.instrument.clone());
        file.parkeys = parkeys(dataset, rules);
        self.note_problems(&mut file, dataset, &chosen, rules, server, options);
        // Other observatories' headers are never written, see `Assignments::write`.
        file.updates = ReferenceCards::new(
            &dataset.instrument,
            rules.name().as_str(),
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

    /// Adds to a file's answers what is wrong with them: lookups that failed, rules and references that
    /// were withdrawn.
    fn note_problems(
        &self,
        file: &mut FileAssignment,
        dataset: &DatasetHeader,
        chosen: &BestReferences,
        rules: &Context,
        server: &ServerConfig,
        options: &AssignOptions,
    ) {
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
    }
}

/// What a header says under each key that the rules look at or that selects rows of tables.
fn parkeys(dataset: &DatasetHeader, rules: &Context) -> Vec<(String, Option<String>)> {
    let mut keys = rules.needed_keys(&dataset.instrument).unwrap_or_default();
    keys.extend(columns_of_instrument(&dataset.instrument));
    let mut seen = HashSet::new();
    keys.retain(|key| seen.insert(key.to_uppercase()));
    keys.into_iter()
        .map(|key| (key.to_owned(), dataset.header.get(key).map(str::to_owned)))
        .collect()
}
