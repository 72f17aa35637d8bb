//! `crds sync --output-dir`: files are put into a folder, from the cache or from where they come; the
//! cache stays as it is.

use std::path::Path;

use futures_util::{StreamExt as _, stream};

use super::report::Report;
use super::which::Wanted;
use crate::failure::Failure;
use crate::json;
use crds_core::config::FileUri;
use crds_core::names::{FileName, FileNameError, MappingName, MappingNameError};
use crds_core::{Client, ClientError, FetchedReference, ReferenceOrigin};
use storage::hint::explain;

/// How many files are put there at once.
const FILES_AT_ONCE: usize = 8;

/// Puts everything that is wanted into the folder.
pub(super) async fn fill(
    client: &Client,
    folder: &Path,
    wanted: &Wanted,
    report: &mut Report,
) -> Result<(), Failure> {
    let failed = |error| Failure::fatal(format!("{}: {error}", folder.display()));
    std::fs::create_dir_all(folder).map_err(failed)?;
    let mut rules = stream::iter(&wanted.mappings)
        .map(|name| async move { (name, put_rules(client, folder, name).await) })
        .buffered(FILES_AT_ONCE);
    while let Some((name, put)) = rules.next().await {
        match put {
            Ok(()) => report.mappings.push(name.clone()),
            Err(failure) => said(&failure),
        }
    }
    let mut references = stream::iter(&wanted.references)
        .map(|name| put_reference(client, folder, name))
        .buffered(FILES_AT_ONCE);
    while let Some(put) = references.next().await {
        match put {
            Ok(reference) => report.references.push(json::reference(&reference)),
            Err(failure) => said(&failure),
        }
    }
    Ok(())
}

fn said(failure: &Failure) {
    if let Some(cause) = &failure.cause {
        tracing::error!("{}", explain(cause.as_ref()));
    }
}

async fn put_rules(client: &Client, folder: &Path, name: &str) -> Result<(), Failure> {
    let parsed = name.parse();
    let parsed: MappingName = parsed.map_err(|e: MappingNameError| Failure::new(2, e))?;
    let bytes = client.rule_text(&parsed).await?;
    let target = folder.join(name);
    storage::atomic::replace(&target, &bytes)
        .map_err(|error| Failure::fatal(format!("{}: {error}", target.display())))
}

/// Copies a reference from the cache, if it is as CRDS knows it; else fetches it.
async fn put_reference(
    client: &Client,
    folder: &Path,
    name: &str,
) -> Result<FetchedReference, Failure> {
    let name: FileName = name
        .parse()
        .map_err(|error: FileNameError| Failure::new(2, error))?;
    let catalogue = client.server_config().await?.catalogue();
    let known = catalogue.map_err(ClientError::from)?;
    let expected = known.expected(name.as_str());
    let path = folder.join(name.as_str());
    let cache = client.cache_path(&name)?;
    let cache = cache.parent().map(|folder| FileUri::Dir(folder.to_owned()));
    let begun = std::time::Instant::now();
    let put = |from| client.fetch_file(&name, from, &path, expected.unwrap_or_default());
    let (size, origin) = if let Ok(size) = put(cache.as_ref()).await {
        (size, ReferenceOrigin::Cached)
    } else {
        tracing::info!("Fetching  {name}");
        let size = put(None).await.map_err(ClientError::from)?;
        let location = client.file_location(&name, None).unwrap_or_default();
        let elapsed = begun.elapsed();
        (size, ReferenceOrigin::Fetched { location, elapsed })
    };
    Ok(FetchedReference {
        path,
        size,
        sha1: expected.and_then(|expected| expected.sha1),
        name,
        origin,
    })
}
