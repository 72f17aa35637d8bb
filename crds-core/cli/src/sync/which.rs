//! Which contexts, rules and references a cache is to have.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::Args;
use crate::failure::Failure;
use crate::options;
use crds_core::{AssignOptions, Client, Storing};
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
}

pub(super) async fn wanted(args: &Args, client: &Client) -> Result<Wanted, Failure> {
    let mut wanted = Wanted {
        contexts: contexts(args, client).await?,
        ..Wanted::default()
    };
    for context in &wanted.contexts {
        tracing::info!("Symbolic context resolves to {context}");
        let storing = if args.dry_run {
            Storing::Nothing
        } else {
            Storing::Missing
        };
        let rules = client.stored_rules(context, storing).await?;
        wanted
            .mappings
            .extend(rules.mappings().into_iter().map(ToString::to_string));
        wanted
            .used
            .extend(rules.references().into_iter().map(str::to_owned));
    }
    // with datasets, their references are meant
    if args.fetch_references && args.dataset_files.is_empty() {
        wanted.references.extend(wanted.used.iter().cloned());
    }
    for name in options::expanded(&args.files)? {
        let plain = name.rsplit('/').next().unwrap_or(&name).to_owned();
        let is_rules = [".pmap", ".imap", ".rmap"]
            .iter()
            .any(|end| plain.ends_with(end));
        if is_rules {
            wanted.mappings.insert(plain);
        } else {
            wanted.references.insert(plain);
        }
    }
    if !args.dataset_files.is_empty() {
        let files: Vec<PathBuf> = options::expanded(&args.dataset_files)?
            .into_iter()
            .map(PathBuf::from)
            .collect();
        let options = AssignOptions {
            context: args.contexts.first().cloned(),
            ..AssignOptions::default()
        };
        let assigned = client.assign(&files, &options).await?;
        for error in assigned.files.iter().flat_map(|file| &file.errors) {
            tracing::error!("{}", explain(error));
        }
        let assigned = assigned.references().into_iter().map(str::to_owned);
        wanted.used = assigned.collect();
        wanted.references.extend(wanted.used.iter().cloned());
    }
    Ok(wanted)
}

async fn contexts(args: &Args, client: &Client) -> Result<Vec<String>, Failure> {
    let mut named = Vec::new();
    for name in &args.contexts {
        named.push(client.context_file(Some(name)).await?);
    }
    let is_a_choice = args.all
        || args.range.is_some()
        || args.last_n_contexts.is_some()
        || args.up_to_context.is_some()
        || args.after_context.is_some();
    if !is_a_choice {
        return Ok(named);
    }
    let server = client.server_config().await?;
    let mut all: Vec<String> = server
        .mappings()
        .filter(|name| number(name).is_some())
        .map(str::to_owned)
        .collect();
    all.sort_unstable();
    if let Some((first, last)) = args.range {
        all.retain(|name| number(name).is_some_and(|n| (first..=last).contains(&n)));
    }
    if let Some(count) = args.last_n_contexts {
        all.drain(..all.len().saturating_sub(count));
    }
    if let Some(name) = &args.up_to_context {
        let last = client.context_file(Some(name)).await?;
        all.retain(|name| *name <= last);
    }
    if let Some(name) = &args.after_context {
        let first = client.context_file(Some(name)).await?;
        all.retain(|name| *name >= first);
    }
    Ok(all)
}

/// The number of `hst_0729.pmap`.
pub(super) fn number(context: &str) -> Option<u32> {
    let (_, number) = context.strip_suffix(".pmap")?.rsplit_once('_')?;
    number.parse().ok()
}
