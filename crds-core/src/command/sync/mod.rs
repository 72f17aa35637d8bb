//! `crds sync`: fills a cache, checks it, sorts it anew, empties it.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::progress::{Downloads, readable};
use super::{Failure, log, options};
use crate::cache::context::ContextName;
use crate::cache::inventory::{self, CachedFile, Depth, Finding};
use crate::cache::lock::Locks;
use crate::cache::organize::organize;
use crate::client::{AssignOptions, Client, ClientError};
use crate::config::{Config, SubdirMode};

/// Brings rules and references into the cache; checks, repairs, sorts and clears it
///
/// Exit status: 0 without errors, 1 with some, 2 for wrong arguments, 255 if nothing could be done.
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub(super) struct Args {
    /// These contexts
    #[arg(long, num_args = 1.., value_name = "CONTEXT", group = "which")]
    contexts: Vec<ContextName>,
    /// All contexts that the server knows
    #[arg(long, group = "which")]
    all: bool,
    /// The contexts with numbers in this range
    #[arg(long, value_name = "A:B", value_parser = range, group = "which")]
    range: Option<(u32, u32)>,
    /// The newest contexts
    #[arg(long, value_name = "N", group = "which")]
    last_n_contexts: Option<usize>,
    /// All contexts up to this one
    #[arg(long, value_name = "CONTEXT", group = "which")]
    up_to_context: Option<ContextName>,
    /// This context and all after it
    #[arg(long, value_name = "CONTEXT", group = "which")]
    after_context: Option<ContextName>,
    /// These files, rules or references; @LIST reads names from a file
    #[arg(short, long, num_args = 1.., value_name = "FILE")]
    files: Vec<String>,
    /// The references of these datasets
    #[arg(long, num_args = 1.., value_name = "FILE")]
    dataset_files: Vec<String>,
    /// Also all references of the contexts
    #[arg(long)]
    fetch_references: bool,
    /// Delete references that the contexts do not use
    #[arg(long)]
    purge_references: bool,
    /// Delete rules that the contexts do not use
    #[arg(long)]
    purge_mappings: bool,
    /// Check the sizes of files in the cache
    #[arg(long)]
    check_files: bool,
    /// Check their SHA-1 sums, too
    #[arg(short = 'k', long)]
    check_sha1sum: bool,
    /// Fetch files anew that are found to be wrong
    #[arg(short, long)]
    repair_files: bool,
    /// Sort the references into folders: flat or instrument
    #[arg(short, long, value_name = "MODE", num_args = 0..=1, default_missing_value = "instrument")]
    organize: Option<SubdirMode>,
    /// Copy the files into this folder instead of the cache
    #[arg(long, value_name = "FOLDER")]
    output_dir: Option<PathBuf>,
    /// Not possible: pickles are written by the Python client only
    #[arg(long)]
    save_pickles: bool,
    /// Delete the pickled contexts
    #[arg(long)]
    clear_pickles: bool,
    /// Delete the lock files that nobody holds, and what was left unfinished
    #[arg(long)]
    clear_locks: bool,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
    /// Fetch files that are there, too
    #[arg(short = 'I', long)]
    ignore_cache: bool,
}

fn range(text: &str) -> Result<(u32, u32), String> {
    let (first, last) = text.split_once(':').ok_or("write A:B")?;
    let number = |text: &str| {
        text.parse()
            .map_err(|_| format!("{text:?} is not a number"))
    };
    Ok((number(first)?, number(last)?))
}

pub(super) async fn run(args: &Args, config: Config, _json: bool) -> Result<u8, Failure> {
    if args.save_pickles {
        return Err(Failure::usage(
            "pickles are Python programs and are not written here; rules load as fast without them",
        ));
    }
    let names = args.files.iter().map(String::as_str);
    let mut contexts = args
        .contexts
        .iter()
        .chain(&args.up_to_context)
        .chain(&args.after_context);
    let client = options::client(config, contexts.next(), names);
    if client.config().readonly_cache && !args.dry_run && args.output_dir.is_none() {
        return Err(Failure::fatal(
            "the cache may not be written to\n  hint: leave out --readonly-cache or CRDS_READONLY_CACHE, or give --dry-run",
        ));
    }
    clear(args, &client)?;
    let wanted = wanted(args, &client).await?;
    fetch(args, &client, &wanted).await?;
    purge(args, &client, &wanted)?;
    check(args, &client, &wanted).await?;
    if let Some(mode) = args.organize {
        sort(args, &client, mode)?;
    }
    log::counts();
    Ok(u8::from(log::errors() > 0))
}

/// What the cache is to have.
#[derive(Default)]
struct Wanted {
    contexts: Vec<String>,
    mappings: BTreeSet<String>,
    references: BTreeSet<String>,
    /// All that the contexts can give, whether or not it is to be fetched.
    used: BTreeSet<String>,
}

async fn wanted(args: &Args, client: &Client) -> Result<Wanted, Failure> {
    let mut wanted = Wanted {
        contexts: contexts(args, client).await?,
        ..Wanted::default()
    };
    for context in &wanted.contexts {
        tracing::info!("Symbolic context resolves to {context}");
        let rules = client.stored_rules(context, args.dry_run).await?;
        wanted
            .mappings
            .extend(rules.mappings().into_iter().map(ToString::to_string));
        wanted
            .used
            .extend(rules.references().into_iter().map(str::to_owned));
    }
    if args.fetch_references {
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
            tracing::error!("{error}");
        }
        wanted
            .references
            .extend(assigned.references().into_iter().map(str::to_owned));
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
fn number(context: &str) -> Option<u32> {
    let (_, number) = context.strip_suffix(".pmap")?.rsplit_once('_')?;
    number.parse().ok()
}

async fn fetch(args: &Args, client: &Client, wanted: &Wanted) -> Result<(), Failure> {
    if wanted.mappings.is_empty() && wanted.references.is_empty() {
        return Ok(());
    }
    if args.dry_run {
        let catalogue = client.server_config().await?.catalogue();
        let catalogue = catalogue.map_err(ClientError::from)?;
        let places = client.references()?;
        let mut bytes = 0;
        let mut out = std::io::stdout().lock();
        for name in wanted.mappings.iter().chain(&wanted.references) {
            let there = match name.parse() {
                Ok(plain) if wanted.references.contains(name) => {
                    places.path(&plain).is_ok_and(|path| path.exists())
                }
                _ => client.layout().mapping(name).exists(),
            };
            if !there {
                bytes += catalogue.expected(name).and_then(|e| e.size).unwrap_or(0);
                writeln!(out, "{name}")?;
            }
        }
        tracing::info!("DRYRUN: would fetch {} bytes", readable(bytes));
        return Ok(());
    }
    if args.ignore_cache {
        for name in &wanted.references {
            let plain = name.parse();
            let plain = plain.map_err(|error| Failure::usage(format!("{error}")))?;
            remove(&client.place(&plain)?);
        }
    }
    client
        .store_mappings(wanted.mappings.iter().map(String::as_str))
        .await?;
    let names = wanted.references.iter().map(String::as_str);
    let fetched = match client.fetch_references(names, &Downloads::new()).await {
        Ok(fetched) => fetched,
        Err(error) => {
            tracing::error!("{error}");
            return Ok(());
        }
    };
    if let Some(folder) = &args.output_dir {
        let failed = |path: &Path, error| Failure::fatal(format!("{}: {error}", path.display()));
        std::fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
        let mappings = wanted
            .mappings
            .iter()
            .map(|name| client.layout().mapping(name));
        for path in fetched.into_iter().map(|file| file.path).chain(mappings) {
            let target = folder.join(path.file_name().unwrap_or_default());
            std::fs::copy(&path, &target).map_err(|error| failed(&target, error))?;
        }
    }
    Ok(())
}

fn purge(args: &Args, client: &Client, wanted: &Wanted) -> Result<(), Failure> {
    let io = |error: std::io::Error| Failure::fatal(format!("the cache cannot be read: {error}"));
    if (args.purge_mappings || args.purge_references) && wanted.contexts.is_empty() {
        return Err(Failure::usage(
            "what is to be kept? name contexts with --contexts, --all and so on",
        ));
    }
    let mut purged = Vec::new();
    if args.purge_mappings {
        let files = inventory::mappings(client.layout()).map_err(io)?;
        purged.extend(
            files
                .into_iter()
                .filter(|file| !wanted.mappings.contains(&file.name)),
        );
    }
    if args.purge_references {
        let files = inventory::references(client.layout()).map_err(io)?;
        purged.extend(
            files
                .into_iter()
                .filter(|file| !wanted.used.contains(&file.name)),
        );
    }
    for file in purged {
        tracing::info!("Removing {}", file.path.display());
        if !args.dry_run {
            remove(&file.path);
        }
    }
    Ok(())
}

fn remove(path: &Path) {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            tracing::error!("{} cannot be removed: {error}", path.display());
        }
        _ => {}
    }
}

async fn check(args: &Args, client: &Client, wanted: &Wanted) -> Result<(), Failure> {
    if !(args.check_files || args.check_sha1sum || args.repair_files) {
        return Ok(());
    }
    let io = |error: std::io::Error| Failure::fatal(format!("the cache cannot be read: {error}"));
    let mut files = inventory::mappings(client.layout()).map_err(io)?;
    files.extend(inventory::references(client.layout()).map_err(io)?);
    let named = |file: &CachedFile| {
        wanted.mappings.contains(&file.name) || wanted.references.contains(&file.name)
    };
    if !(wanted.mappings.is_empty() && wanted.references.is_empty()) {
        files.retain(named);
    }
    let depth = if args.check_sha1sum {
        Depth::Sums
    } else {
        Depth::Sizes
    };
    let count = files.len();
    let catalogue = client.server_config().await?.catalogue();
    let catalogue = catalogue.map_err(ClientError::from)?;
    let findings = inventory::check(files, catalogue, depth, |_| {});
    tracing::info!("{count} files checked");
    for Finding { file, problem } in findings {
        let Some(problem) = problem else {
            tracing::warn!(
                "{}: the server does not know this file",
                file.path.display()
            );
            continue;
        };
        if !args.repair_files || args.dry_run {
            tracing::error!("{problem}");
            continue;
        }
        tracing::warn!("{problem}");
        tracing::info!("Repairing {}", file.path.display());
        remove(&file.path);
        let is_rules = file.path.starts_with(&client.layout().mappings);
        let repaired = if is_rules {
            client.store_mappings([file.name.as_str()]).await
        } else {
            let fetched = client
                .fetch_references([file.name.as_str()], &Downloads::new())
                .await;
            fetched.map(drop)
        };
        if let Err(error) = repaired {
            tracing::error!("{error}");
        }
    }
    Ok(())
}

fn sort(args: &Args, client: &Client, mode: SubdirMode) -> Result<(), Failure> {
    if args.dry_run {
        tracing::info!("DRYRUN: would sort the references: {}", mode.name());
        return Ok(());
    }
    let sorted = organize(client.layout(), client.config(), mode, |_| {});
    let sorted = sorted.map_err(|error| Failure::fatal(error.to_string()))?;
    tracing::info!(
        "Moved {} references; the cache is now {}",
        sorted.moved,
        mode.name()
    );
    for (path, reason) in sorted.left {
        tracing::error!("{} was left where it is: {reason}", path.display());
    }
    Ok(())
}

fn clear(args: &Args, client: &Client) -> Result<(), Failure> {
    if args.clear_locks && !args.dry_run {
        let failed =
            |error: std::io::Error| Failure::fatal(format!("locks cannot be removed: {error}"));
        let locks = Locks::new(client.layout(), client.config())
            .clear()
            .map_err(failed)?;
        let unfinished = inventory::remove_abandoned(client.layout()).map_err(failed)?;
        tracing::info!("Removed {locks} locks and {unfinished} unfinished files");
    }
    if args.clear_pickles {
        let entries = std::fs::read_dir(&client.layout().pickles);
        for entry in entries.into_iter().flatten().flatten() {
            let path = entry.path();
            if path.extension().is_some_and(|extension| extension == "pkl") {
                tracing::info!("Removing {}", path.display());
                if !args.dry_run {
                    remove(&path);
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_have_numbers_and_ranges_too() {
        assert_eq!(number("hst_0729.pmap"), Some(729));
        assert_eq!(number("hst.pmap"), None);
        assert_eq!(range("3:12"), Ok((3, 12)));
        assert!(range("3-12").is_err() && range("x:1").is_err());
    }
}
