//! Which contexts, rules and references a cache is to have.

use std::collections::{BTreeSet, HashSet};
use std::path::PathBuf;

use super::Args;
use crate::catalogue;
use crate::failure::Failure;
use crate::options;
use crds_core::cache::inventory::Depth;
use crds_core::names::{ContextNameError, MappingName};
use crds_core::{
    AssignOptions, Assignments, Client, DatasetHeader, Judgement, Problem, Reading, Reuse, Storing,
    WrongRules,
};
use storage::hint::explain;

/// What the cache is to have.
#[derive(Default)]
pub(super) struct Wanted {
    pub(super) contexts: Vec<String>,
    pub(super) mappings: BTreeSet<String>,
    pub(super) references: BTreeSet<String>,
    /// All that the contexts can give, or give to the datasets if there are any, whether or not it
    /// is to be fetched.
    pub(super) used: BTreeSet<String>,
    /// Those of the rules that were compared with the catalogue.
    pub(super) judged: BTreeSet<String>,
    /// Those of them that were wrong.
    pub(super) wrong: Vec<WrongRules>,
    /// Whether something of the contexts cannot be read, so that what they use is not all known.
    pub(super) is_partial: bool,
}

pub(super) async fn wanted(args: &Args, client: &Client, reuse: Reuse) -> Result<Wanted, Failure> {
    let mut wanted = Wanted::default();
    if args.wants_contexts() {
        wanted.contexts = args.contexts.files(client).await?;
        wanted.read_contexts(client, args.reading(reuse)).await?;
    }
    // With datasets, their references are meant.
    let has_datasets = !args.dataset_files.is_empty() || !args.dataset_ids.is_empty();
    if args.fetch_references && !has_datasets {
        wanted.references.extend(wanted.used.iter().cloned());
    }
    for name in options::expanded(&args.files)? {
        let plain = name.rsplit('/').next().unwrap_or(&name).to_owned();
        if plain.parse::<MappingName>().is_ok() {
            wanted.mappings.insert(plain);
        } else {
            wanted.references.insert(plain);
        }
    }
    if has_datasets {
        let chosen = of_datasets(args, client, &wanted.contexts).await?;
        wanted.used = chosen.used;
        wanted.references.extend(chosen.accepted);
    }
    if args.purges_bad() {
        let server = client.server_config().await?;
        wanted.references.retain(|name| !server.is_bad(name));
    }
    Ok(wanted)
}

impl Args {
    /// Whether contexts are meant: named ones, or the one in use where nothing else is asked for.
    fn wants_contexts(&self) -> bool {
        let has_datasets = !self.dataset_files.is_empty() || !self.dataset_ids.is_empty();
        let keeps_order = self.checks()
            || self.organize.is_some()
            || self.clear_pickles
            || self.clear_locks
            || self.purge_mappings
            || self.purge_references;
        let is_more = !self.files.is_empty() || (keeps_order && !self.fetch_references);
        self.contexts.are_given() || has_datasets || !is_more
    }

    /// Whether withdrawn files are to go.
    pub(super) fn purges_bad(&self) -> bool {
        self.purge_rejected || self.purge_blacklisted
    }

    /// Whether files of the cache are to be compared with the catalogue.
    pub(super) fn checks(&self) -> bool {
        self.check_files || self.check_sha1sum || self.repair_files || self.purges_bad()
    }

    /// Whether files of the cache that are wrong stay as they are.
    pub(super) fn only_checks(&self) -> bool {
        self.checks() && !self.repair_files
    }

    fn reading(&self, reuse: Reuse) -> Reading {
        // Rules are small: where they are to be right, their sums are looked at.
        let depth = if self.check_sha1sum || self.repair_files {
            Depth::Sums
        } else {
            Depth::Sizes
        };
        Reading {
            reuse,
            storing: Storing::Missing,
            judgement: Some(Judgement {
                depth,
                replacing: !self.only_checks(),
            }),
        }
    }
}

impl Wanted {
    async fn read_contexts(&mut self, client: &Client, reading: Reading) -> Result<(), Failure> {
        let names = self.contexts.iter().map(String::as_str);
        let mut rules = client.rule_files(names, reading).await?;
        let is_lost = |name: &MappingName| self.contexts.iter().any(|c| c == name.as_str());
        let lost = rules.failures.iter().filter(|(name, _)| is_lost(name));
        let contexts: BTreeSet<&String> = self.contexts.iter().collect();
        // Where not a single context can be had, there is nothing to do.
        if lost.count() == contexts.len() {
            return Err(rules.failures.swap_remove(0).1.into());
        }
        for (_, error) in &rules.failures {
            tracing::error!("{}", explain(error));
        }
        self.judged = rules.mappings.iter().map(ToString::to_string).collect();
        self.mappings.clone_from(&self.judged);
        self.used = rules.references;
        self.wrong = rules.wrong;
        self.is_partial = !rules.complete;
        Ok(())
    }
}

/// The references of datasets.
#[derive(Default)]
struct OfDatasets {
    /// All that the rules choose.
    used: BTreeSet<String>,
    /// Those that may be fetched: neither they nor the rules that choose them were withdrawn, unless
    /// the settings allow that.
    accepted: BTreeSet<String>,
}

/// The references of the datasets, with the rules of each context.
async fn of_datasets(
    args: &Args,
    client: &Client,
    contexts: &[String],
) -> Result<OfDatasets, Failure> {
    let files: Vec<PathBuf> = options::expanded(&args.dataset_files)?
        .into_iter()
        .map(PathBuf::from)
        .collect();
    let ids = options::expanded(&args.dataset_ids)?;
    let mut chosen = OfDatasets::default();
    for context in contexts {
        let name = context.parse();
        let name = name.map_err(|error: ContextNameError| Failure::new(Failure::FATAL, error))?;
        let options = AssignOptions {
            context: Some(name),
            ..AssignOptions::default()
        };
        for file in &files {
            tracing::info!("Syncing context '{context}' dataset '{}'.", file.display());
        }
        if !files.is_empty() {
            chosen.take(&client.assign(&files, &options).await?);
        }
        if !ids.is_empty() {
            let headers = catalogue::headers(client, context, &ids).await?;
            let missing = |id: &&String| !headers.keys().any(|known| catalogue::same_id(id, known));
            for id in ids.iter().filter(missing) {
                tracing::error!("the server has no header of {id}");
            }
            let datasets = headers.into_iter();
            let datasets = datasets.map(|(id, header)| DatasetHeader::new(id.as_ref(), header));
            let assigned = client.assign_headers(datasets.collect(), &options).await?;
            chosen.take(&assigned);
        }
    }
    Ok(chosen)
}

impl OfDatasets {
    /// Says what is wrong with datasets, and takes what is right.
    fn take(&mut self, assigned: &Assignments) {
        for file in &assigned.files {
            let mut withdrawn = HashSet::new();
            let mut by_withdrawn_rules = false;
            for error in &file.errors {
                tracing::error!("{}", explain(error));
                match error {
                    Problem::BadReference { name, .. } => _ = withdrawn.insert(name.as_str()),
                    Problem::BadRules { .. } => by_withdrawn_rules = true,
                    _ => {}
                }
            }
            for name in file.references() {
                self.used.insert(name.to_owned());
                if !by_withdrawn_rules && !withdrawn.contains(name) {
                    self.accepted.insert(name.to_owned());
                }
            }
        }
    }
}
