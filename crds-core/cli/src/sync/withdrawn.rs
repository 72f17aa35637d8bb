//! What the server says of files that were withdrawn: they may be deleted from the cache.

use serde_json::{Value, json};

use super::Args;
use super::remove::remove;
use super::report::Report;
use crate::failure::Failure;
use crds_core::Client;
use crds_core::cache::inventory::CachedFile;

/// How many files the server is asked about at once.
const FILES_AT_ONCE: usize = 5000;

/// Deletes those of the files that the server says were rejected or are blacklisted.
pub(super) async fn purge(
    args: &Args,
    client: &Client,
    files: &[CachedFile],
    report: &mut Report,
) -> Result<(), Failure> {
    for files in files.chunks(FILES_AT_ONCE) {
        let names: Vec<&str> = files.iter().map(|file| &*file.name).collect();
        let asked = json!([
            client.observatory().name(),
            names,
            ["blacklisted", "rejected"]
        ]);
        let answer = client.ask("get_file_info_map", asked).await?;
        for file in files {
            // As texts, and as they are in older answers.
            let is = |field: &str| match answer.get(&file.name).and_then(|info| info.get(field)) {
                None | Some(Value::Null) => false,
                Some(Value::Bool(is)) => *is,
                Some(said) => said != "false",
            };
            let why = if args.purge_rejected && is("rejected") {
                "rejected"
            } else if args.purge_blacklisted && is("blacklisted") {
                "blacklisted"
            } else {
                continue;
            };
            tracing::info!("Removing {}, which is {why}", file.path.display());
            if !report.dry_run {
                remove(&file.path);
            }
            report.removed.push(file.path.clone());
        }
    }
    Ok(())
}
