//! `crds sync`: fills a cache, checks it, sorts it anew, empties it.

mod current;
mod output;
mod remove;
mod report;
mod upkeep;
mod which;
mod withdrawn;

use std::io::Write as _;
use std::path::PathBuf;

use report::Report;
use upkeep::{check, clear, purge, sort};
use which::{Wanted, wanted};

use crate::contexts::Choice;
use crate::failure::Failure;
use crate::progress::{Downloads, readable};
use crate::{json, log, options};
use crds_core::cache::inventory;
use crds_core::config::{Config, SubdirMode};
use crds_core::{Client, ClientError, Reuse};
use storage::hint::{explain, parsed};

/// What is done to caches makes no sense for a plain folder.
const CHANGES_OF_CACHES: [&str; 13] = [
    "purge_references",
    "purge_mappings",
    "check_files",
    "check_sha1sum",
    "repair_files",
    "purge_rejected",
    "purge_blacklisted",
    "organize",
    "save_pickles",
    "clear_pickles",
    "clear_locks",
    "verify_context_change",
    "force_config_update",
];

/// Brings rules and references into the cache; checks, repairs, sorts and clears it
///
/// Exit status: 0 without errors, 1 with some, 2 for wrong arguments, 255 if nothing could be done,
/// 130 if interrupted (143 by SIGTERM): then the same command goes on.
#[derive(Debug, clap::Args)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub(crate) struct Args {
    #[command(flatten)]
    contexts: Choice,
    /// These files, rules or references; @LIST reads names from a file
    #[arg(short, long, num_args = 1.., value_name = "FILE")]
    files: Vec<String>,
    /// The references of these datasets
    #[arg(long, num_args = 1.., value_name = "FILE")]
    dataset_files: Vec<String>,
    /// The references of these datasets of the server's catalogue
    #[arg(long, num_args = 1.., value_name = "ID")]
    dataset_ids: Vec<String>,
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
    #[arg(short = 'k', long)]
    check_files: bool,
    /// Check their SHA-1 sums, too
    #[arg(short = 's', long)]
    check_sha1sum: bool,
    /// Fetch files anew that are found to be wrong
    #[arg(short, long)]
    repair_files: bool,
    /// Delete files that the server says were rejected
    #[arg(long)]
    purge_rejected: bool,
    /// Delete files that the server says are scientifically wrong, or use such files
    #[arg(long)]
    purge_blacklisted: bool,
    /// Sort the references into folders: flat or instrument
    #[arg(short, long, value_name = "MODE", num_args = 0..=1, default_missing_value = "instrument", value_parser = parsed::<SubdirMode>)]
    organize: Option<SubdirMode>,
    /// Delete files that are in the way of one that is sorted anew
    #[arg(long, requires = "organize")]
    organize_delete_junk: bool,
    /// Put the files into this folder; the cache is read, and left as it is
    #[arg(long, value_name = "FOLDER", conflicts_with_all = CHANGES_OF_CACHES)]
    output_dir: Option<PathBuf>,
    /// Finding that the context in use is the same as before is an error
    #[arg(long)]
    verify_context_change: bool,
    /// Keep what the server says is in use even if rules of it cannot be had
    #[arg(long)]
    force_config_update: bool,
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

pub(crate) async fn run(
    args: &Args,
    mut config: Config,
    reuse: Reuse,
    json: bool,
) -> Result<u8, Failure> {
    if args.save_pickles {
        return Err(Failure::usage(
            "pickles are Python programs and are not written here; rules load as fast without them",
        ));
    }
    let mut report = Report {
        dry_run: args.dry_run || (config.readonly_cache && args.output_dir.is_none()),
        ..Report::default()
    };
    if report.dry_run {
        tracing::info!("Syncing READONLY cache,  only checking functions are enabled.");
        tracing::info!("All cached updates, context changes, and file downloads are inhibited.");
    }
    if report.dry_run || args.output_dir.is_some() {
        config.set("CRDS_READONLY_CACHE", "1", "--dry-run or --output-dir")?;
    }
    let names = args.files.iter().map(String::as_str);
    // What the server says counts, also where the cache is only looked at.
    let client = options::client(config, args.contexts.a_name(), names).asking_the_server();
    if !client.config().readonly_cache {
        let cleared = inventory::remove_abandoned(client.layout());
        // Whatever cannot be read is said where it is needed.
        report.unfinished = cleared.unwrap_or(0);
    }
    let before = current::in_use(&client);
    clear(args, &client, &mut report)?;
    let wanted = wanted(args, &client, reuse).await?;
    if let Some(folder) = &args.output_dir {
        output::fill(&client, folder, &wanted, &mut report).await?;
    } else {
        fetch(args, &client, reuse, &wanted, &mut report).await?;
    }
    purge(args, &client, &wanted, &mut report)?;
    check(args, &client, &wanted, &mut report).await?;
    if let Some(mode) = args.organize {
        sort(args, &client, mode, &mut report)?;
    }
    current::settle(args, &client, before.as_deref()).await?;
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
    if report.dry_run {
        return preview(args, client, reuse, wanted, report).await;
    }
    let more = wanted.mappings.difference(&wanted.judged);
    client
        .store_mappings(reuse, more.map(String::as_str))
        .await?;
    let reuse = match reuse {
        Reuse::Cached if args.only_checks() => Reuse::Whatever,
        reuse => reuse,
    };
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
    tracing::info!(
        "In the cache: {} files of rules, {} references",
        report.mappings.len(),
        report.references.len()
    );
    Ok(())
}

/// Says what would be fetched.
async fn preview(
    args: &Args,
    client: &Client,
    reuse: Reuse,
    wanted: &Wanted,
    report: &mut Report,
) -> Result<(), Failure> {
    let catalogue = client.server_config().await?.catalogue();
    let catalogue = catalogue.map_err(ClientError::from)?;
    let folders = client.references()?;
    let is_there = |name: &String| {
        let path = match name.parse() {
            Ok(plain) if wanted.references.contains(name) => folders.path(&plain).ok(),
            _ => Some(client.layout().mapping(name)),
        };
        let size = path.and_then(|path| std::fs::metadata(path).ok());
        let known = catalogue.expected(name).and_then(|it| it.size);
        let has_size = |size: u64| known.is_none_or(|known| known == size);
        reuse != Reuse::Nothing && size.is_some_and(|it| args.only_checks() || has_size(it.len()))
    };
    for name in wanted.mappings.iter().chain(&wanted.references) {
        if is_there(name) {
            continue;
        }
        let Some(known) = catalogue.expected(name) else {
            tracing::error!("{name} is not among the files CRDS knows");
            continue;
        };
        report.missing_bytes += known.size.unwrap_or(0);
        report.missing.push(name.clone());
    }
    if report.missing.is_empty() {
        tracing::info!("READONLY CACHE no downloads expected.");
    } else {
        tracing::info!(
            "READONLY CACHE would download {} files totalling {} bytes.",
            report.missing.len(),
            readable(report.missing_bytes)
        );
    }
    Ok(())
}
