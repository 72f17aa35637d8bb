//! What is done to a cache besides filling it: it is checked, repaired, sorted and emptied.

use std::path::Path;

use super::Args;
use super::report::{Found, Organized, Report};
use super::which::Wanted;
use crate::failure::Failure;
use crate::progress::Downloads;
use crds_core::cache::inventory::{self, CachedFile, Depth, Finding};
use crds_core::cache::lock::Locks;
use crds_core::cache::organize::organize;
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
        report.removed.push(file.path);
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

pub(super) async fn check(
    args: &Args,
    client: &Client,
    wanted: &Wanted,
    report: &mut Report,
) -> Result<(), Failure> {
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
    report.checked = Some(count);
    for Finding { file, problem } in findings {
        let found = Found {
            path: file.path.clone(),
            problem: problem
                .as_ref()
                .map(|problem| with_causes(problem).to_string()),
            repaired: false,
        };
        let Some(problem) = problem else {
            tracing::warn!(
                "{}: the server does not know this file",
                file.path.display()
            );
            report.findings.push(found);
            continue;
        };
        if !args.repair_files || args.dry_run {
            tracing::error!("{}", explain(&problem));
            report.findings.push(found);
            continue;
        }
        tracing::warn!("{}", with_causes(&problem));
        let repaired = repair(client, &file).await;
        report.findings.push(Found { repaired, ..found });
    }
    Ok(())
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
    if args.dry_run {
        tracing::info!("DRYRUN: would sort the references: {}", mode.name());
        return Ok(());
    }
    let sorted = organize(client.layout(), client.config(), mode, |_| {});
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
    if args.clear_locks && !args.dry_run {
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
                if !args.dry_run {
                    remove(&path);
                }
                report.removed.push(path);
            }
        }
    }
    Ok(())
}
