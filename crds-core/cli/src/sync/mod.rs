//! `crds sync`: fills a cache, checks it, sorts it anew, empties it.

mod report;
mod upkeep;
mod which;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use report::Report;
use upkeep::{check, clear, purge, sort};
use which::{Wanted, wanted};

use crate::failure::Failure;
use crate::progress::{Downloads, readable};
use crate::{json, log, options};
use crds_core::cache::inventory;
use crds_core::config::{Config, SubdirMode};
use crds_core::names::ContextName;
use crds_core::{Client, ClientError, Reuse};
use storage::hint::{explain, parsed};

/// Brings rules and references into the cache; checks, repairs, sorts and clears it
///
/// Exit status: 0 without errors, 1 with some, 2 for wrong arguments, 255 if nothing could be done,
/// 130 if interrupted (143 by SIGTERM): then the same command goes on.
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub(crate) struct Args {
    /// These contexts
    #[arg(long, num_args = 1.., value_name = "CONTEXT", value_parser = parsed::<ContextName>, group = "which")]
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
    #[arg(long, value_name = "CONTEXT", value_parser = parsed::<ContextName>, group = "which")]
    up_to_context: Option<ContextName>,
    /// This context and all after it
    #[arg(long, value_name = "CONTEXT", value_parser = parsed::<ContextName>, group = "which")]
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
    #[arg(short, long, value_name = "MODE", num_args = 0..=1, default_missing_value = "instrument", value_parser = parsed::<SubdirMode>)]
    organize: Option<SubdirMode>,
    /// Copy the files into this folder, too
    #[arg(long, value_name = "FOLDER")]
    output_dir: Option<PathBuf>,
    /// Not possible: pickles are written by the Python client only
    #[arg(long)]
    save_pickles: bool,
    /// Delete the pickled contexts
    #[arg(long)]
    clear_pickles: bool,
    /// Delete the lock files that nobody holds
    #[arg(long)]
    clear_locks: bool,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
}

fn range(text: &str) -> Result<(u32, u32), String> {
    let (first, last) = text.split_once(':').ok_or("write A:B")?;
    let number = |text: &str| {
        text.parse()
            .map_err(|_| format!("{text:?} is not a number"))
    };
    Ok((number(first)?, number(last)?))
}

pub(crate) async fn run(
    args: &Args,
    config: Config,
    reuse: Reuse,
    json: bool,
) -> Result<u8, Failure> {
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
        return Err(Failure::refused(
            "the cache may not be written to",
            "leave out --readonly-cache or CRDS_READONLY_CACHE, or give --dry-run",
        ));
    }
    let mut report = Report {
        dry_run: args.dry_run,
        ..Report::default()
    };
    if !args.dry_run && !client.config().readonly_cache {
        let cleared = inventory::remove_abandoned(client.layout());
        // Whatever cannot be read is said where it is needed.
        report.unfinished = cleared.unwrap_or(0);
    }
    clear(args, &client, &mut report)?;
    let wanted = wanted(args, &client).await?;
    fetch(args, &client, reuse, &wanted, &mut report).await?;
    purge(args, &client, &wanted, &mut report)?;
    check(args, &client, &wanted, &mut report).await?;
    if let Some(mode) = args.organize {
        sort(args, &client, mode, &mut report)?;
    }
    report.contexts = wanted.contexts;
    report.errors = log::errors();
    if json {
        json::print(&report)?;
    } else {
        let mut out = std::io::stdout().lock();
        for name in &report.missing {
            writeln!(out, "{name}")?;
        }
    }
    log::counts();
    Ok(u8::from(log::errors() > 0))
}

async fn fetch(
    args: &Args,
    client: &Client,
    reuse: Reuse,
    wanted: &Wanted,
    report: &mut Report,
) -> Result<(), Failure> {
    if wanted.mappings.is_empty() && wanted.references.is_empty() {
        return Ok(());
    }
    if args.dry_run {
        let catalogue = client.server_config().await?.catalogue();
        let catalogue = catalogue.map_err(ClientError::from)?;
        let folders = client.references()?;
        let mut bytes = 0;
        for name in wanted.mappings.iter().chain(&wanted.references) {
            let there = match name.parse() {
                Ok(plain) if wanted.references.contains(name) => {
                    folders.path(&plain).is_ok_and(|path| path.exists())
                }
                _ => client.layout().mapping(name).exists(),
            };
            if !there && catalogue.expected(name).is_none() {
                tracing::error!("{name} is not among the files CRDS knows");
            } else if !there {
                bytes += catalogue.expected(name).and_then(|e| e.size).unwrap_or(0);
                report.missing.push(name.clone());
            }
        }
        report.missing_bytes = bytes;
        tracing::info!("DRYRUN: would fetch {} bytes", readable(bytes));
        return Ok(());
    }
    client
        .store_mappings(reuse, wanted.mappings.iter().map(String::as_str))
        .await?;
    let names = wanted.references.iter().map(String::as_str);
    let progress = Downloads::new();
    let fetched = match client.fetch_unless(reuse, names, &progress).await {
        Ok(fetched) => fetched,
        Err(error) => {
            tracing::error!("{}", explain(&error));
            return Ok(());
        }
    };
    report.mappings = wanted.mappings.iter().cloned().collect();
    report.references = fetched.iter().map(json::reference).collect();
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

#[cfg(test)]
mod tests {
    use super::which::number;
    use super::*;

    #[test]
    fn contexts_have_numbers_and_ranges_too() {
        assert_eq!(number("hst_0729.pmap"), Some(729));
        assert_eq!(number("hst.pmap"), None);
        assert_eq!(range("3:12"), Ok((3, 12)));
        assert!(range("3-12").is_err() && range("x:1").is_err());
    }
}
