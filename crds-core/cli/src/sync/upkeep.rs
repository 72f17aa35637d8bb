//! What is done to a cache besides filling it: it is checked, repaired, sorted and emptied.

use std::path::Path;

use super::remove::remove;
use super::report::{Found, Organized, Report};
use super::which::Wanted;
use super::{Args, withdrawn};
use crate::failure::Failure;
use crate::progress::Downloads;
use crds_core::cache::inventory::{self, CachedFile, Depth, Finding};
use crds_core::cache::lock::Locks;
use crds_core::cache::organize::{InTheWay, organize};
use crds_core::cache::verified_file::VerifyError;
use crds_core::config::SubdirMode;
use crds_core::{Client, ClientError, Reuse};
use storage::hint::{explain, with_causes};

pub(super) fn purge(
    args: &Args,
    client: &Client,
    wanted: &Wanted,
    report: &mut Report,
) -> Result<(), Failure> {
    let io = |error: std::io::Error| Failure::fatal(format!("the cache cannot be read: {error}"));
    let is_asked = args.purge_mappings || args.purge_references;
    if is_asked && wanted.is_partial {
        tracing::error!(
            "nothing is purged: rules cannot be read, so what the contexts use is not all known"
        );
        return Ok(());
    }
    if is_asked && wanted.contexts.is_empty() {
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
        if !report.dry_run {
            remove(&file.path);
        }
        report.removed.push(file.path);
    }
    Ok(())
}

/// What was wrong with rules when they were read.
fn report_wrong(args: &Args, wanted: &Wanted, report: &mut Report) {
    for wrong in &wanted.wrong {
        let found = found(&wrong.path, Some(&wrong.problem));
        if args.only_checks() || report.dry_run {
            tracing::error!("{}", explain(&wrong.problem));
        } else {
            tracing::warn!("{}", with_causes(&wrong.problem));
            tracing::info!("Repaired {}", wrong.path.display());
        }
        let repaired = wrong.replaced;
        report.findings.push(Found { repaired, ..found });
    }
}

pub(super) async fn check(
    args: &Args,
    client: &Client,
    wanted: &Wanted,
    report: &mut Report,
) -> Result<(), Failure> {
    report_wrong(args, wanted, report);
    if !args.checks() {
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
    let all = files.clone();
    // Rules of the contexts were looked at when they were read.
    files.retain(|file| !wanted.judged.contains(&file.name));
    let depth = if args.check_sha1sum {
        Depth::Sums
    } else {
        Depth::Sizes
    };
    let catalogue = client.server_config().await?.catalogue();
    let catalogue = catalogue.map_err(ClientError::from)?;
    for file in all
        .iter()
        .filter(|file| catalogue.expected(&file.name).is_none())
    {
        if wanted.judged.contains(&file.name) {
            unknown(file, report);
        }
    }
    let findings = inventory::check(files, catalogue, depth, |_| {});
    tracing::info!("{} files checked", all.len());
    report.checked = Some(all.len());
    for Finding { file, problem } in findings {
        let Some(problem) = problem else {
            unknown(&file, report);
            continue;
        };
        let found = found(&file.path, Some(&problem));
        if !args.repair_files || report.dry_run {
            tracing::error!("{}", explain(&problem));
            report.findings.push(found);
            continue;
        }
        tracing::warn!("{}", with_causes(&problem));
        let repaired = repair(client, &file).await;
        report.findings.push(Found { repaired, ..found });
    }
    if args.purges_bad() {
        withdrawn::purge(args, client, &all, report).await?;
    }
    Ok(())
}

fn found(path: &Path, problem: Option<&VerifyError>) -> Found {
    Found {
        path: path.to_owned(),
        problem: problem.map(|problem| with_causes(problem).to_string()),
        repaired: false,
    }
}

fn unknown(file: &CachedFile, report: &mut Report) {
    let path = file.path.display();
    tracing::warn!("{path}: the server does not know this file");
    report.findings.push(found(&file.path, None));
}

/// Fetches a file anew; whether that went well.
async fn repair(client: &Client, file: &CachedFile) -> bool {
    tracing::info!("Repairing {}", file.path.display());
    remove(&file.path);
    let is_rules = file.path.starts_with(&client.layout().mappings);
    let repaired = if is_rules {
        client
            .store_mappings(Reuse::Nothing, [file.name.as_str()])
            .await
    } else {
        let fetched = client
            .fetch_references([file.name.as_str()], &Downloads::new())
            .await;
        fetched.map(drop)
    };
    if let Err(error) = &repaired {
        tracing::error!("{}", explain(error));
    }
    repaired.is_ok()
}

pub(super) fn sort(
    args: &Args,
    client: &Client,
    mode: SubdirMode,
    report: &mut Report,
) -> Result<(), Failure> {
    if report.dry_run {
        tracing::info!("DRYRUN: would sort the references: {}", mode.name());
        return Ok(());
    }
    let in_the_way = if args.organize_delete_junk {
        InTheWay::Deleted
    } else {
        InTheWay::Kept
    };
    let sorted = organize(client.layout(), client.config(), mode, in_the_way, |_| {});
    let sorted = sorted.map_err(|error| Failure::new(Failure::FATAL, error))?;
    tracing::info!(
        "Moved {} references; the cache is now {}",
        sorted.moved,
        mode.name()
    );
    for (path, reason) in &sorted.left {
        tracing::error!("{} was left where it is: {reason}", path.display());
    }
    report.organized = Some(Organized {
        mode: mode.name(),
        moved: sorted.moved,
        left: sorted.left.into_iter().map(|(path, _)| path).collect(),
    });
    Ok(())
}

pub(super) fn clear(args: &Args, client: &Client, report: &mut Report) -> Result<(), Failure> {
    if args.clear_locks && !report.dry_run {
        let failed =
            |error: std::io::Error| Failure::fatal(format!("locks cannot be removed: {error}"));
        let locks = Locks::new(client.layout(), client.config())
            .clear()
            .map_err(failed)?;
        tracing::info!("Removed {locks} locks");
        report.locks = Some(locks);
    }
    if args.clear_pickles {
        let entries = std::fs::read_dir(&client.layout().pickles);
        for entry in entries.into_iter().flatten().flatten() {
            let path = entry.path();
            if path.extension().is_some_and(|extension| extension == "pkl") {
                tracing::info!("Removing {}", path.display());
                if !report.dry_run {
                    remove(&path);
                }
                report.removed.push(path);
            }
        }
    }
    Ok(())
}
