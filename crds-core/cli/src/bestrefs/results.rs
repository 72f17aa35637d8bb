//! What becomes of the answers: lines that scripts read, references in the cache, headers of files.

use std::collections::BTreeMap;
use std::io::Write as _;

use super::compare::{self, Comparison};
use super::{Args, Comparisons, updated};
use crate::failure::Failure;
use crate::progress::Downloads;
use crds_core::{Assignments, Client, FetchedReference, Reuse};
use storage::hint::explain;

/// The results that scripts read.
pub(super) fn print(args: &Args, comparisons: &Comparisons<'_>) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    if args.print_new_references {
        for (path, found) in updated(comparisons) {
            for update in &found.updates {
                writeln!(
                    out,
                    "{} {} {} {} {}",
                    path.display().to_string().to_lowercase(),
                    update.instrument,
                    update.reference_type,
                    update.old_text(),
                    update.new
                )?;
            }
        }
    }
    if args.print_update_counts {
        let mut counts: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
        for update in updated(comparisons).flat_map(|(_, found)| &found.updates) {
            let of_instrument = counts.entry(&update.instrument).or_default();
            *of_instrument
                .entry(update.reference_type.as_str())
                .or_default() += 1;
        }
        tracing::info!("Updated exposure counts:\n {}", serde_json::json!(counts));
    }
    if args.print_affected {
        // What fails for one type cannot be processed anew.
        let affected = updated(comparisons).filter(|(_, found)| !found.failed);
        let products: std::collections::BTreeSet<String> = affected
            .map(|(id, _)| {
                let id = id.display().to_string().to_lowercase();
                id.split(':').next().unwrap_or_default().to_owned()
            })
            .collect();
        tracing::info!("Affected products = {}", products.len());
        for product in products {
            writeln!(out, "{product}")?;
        }
    }
    if args.print_affected_details {
        for (id, Comparison { updates, .. }) in updated(comparisons) {
            let types: Vec<&str> = updates.iter().map(|u| u.reference_type.as_str()).collect();
            let instrument = updates.first().map_or("", |update| &update.instrument);
            let id = id.display().to_string().to_lowercase();
            writeln!(out, "{id} {instrument} {}", types.join(" "))?;
        }
    }
    out.flush()?;
    Ok(())
}

/// Fetches what is new and writes headers, as asked.
pub(super) async fn finish(
    args: &Args,
    client: &Client,
    reuse: Reuse,
    new: &Assignments,
    comparisons: &Comparisons<'_>,
) -> Result<Vec<FetchedReference>, Failure> {
    let mut fetched = Vec::new();
    if args.sync_references == 1 {
        let names = updated(comparisons)
            .flat_map(|(_, found)| &found.updates)
            .filter(|update| update.new != compare::NOT_APPLICABLE);
        let names: Vec<&str> = names.map(|update| update.new.as_str()).collect();
        match client.fetch_unless(reuse, names, &Downloads::new()).await {
            Ok(references) => fetched = references,
            Err(error) => tracing::error!("{}", explain(&error)),
        }
    }
    if args.update_bestrefs {
        if args.files.is_empty() {
            tracing::warn!("--update-bestrefs writes into files, and none were given with --files");
            return Ok(fetched);
        }
        let only = args.compares().then(|| {
            let keywords = |found: &Comparison| {
                let updated = found.updates.iter().map(|update| &update.reference_type);
                let all = updated.chain(&found.absent);
                all.map(|name| name.to_uppercase()).collect()
            };
            let all = comparisons.iter();
            all.map(|(path, found)| (*path, keywords(found))).collect()
        });
        let written = match &only {
            Some(only) => new.write_only(only)?,
            None => new.write()?,
        };
        for written in written {
            if let Some(Err(error)) = written.outcome {
                tracing::error!("{}", explain(&error));
            }
        }
    }
    Ok(fetched)
}
