//! Files of the cache: where they are, and bringing them there.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use crds_core::names::{ContextName, FileName};
use crds_core::{
    Client, ClientError, FetchedReference, Progress, Reading, ReferenceLocation, Reuse, Storing,
};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::errors::{Failure, Kind};
use crate::session;
use crate::session::parsed;

/// Logs each file that is fetched.
#[derive(Debug, Default)]
pub(crate) struct Said(AtomicUsize);

impl Progress for Said {
    fn begin(&self, files: usize, _: u64) {
        self.0.store(files, Ordering::Relaxed);
    }

    fn file(&self, name: &FileName, size: Option<u64>, number: usize) {
        let files = self.0.load(Ordering::Relaxed);
        let size = size.map_or_else(|| "?".to_owned(), |size| size.to_string());
        tracing::info!("Fetching  {name}  {size} bytes  ({number} / {files} files)");
    }
}

/// A path or URI as text.
pub(crate) fn located(location: &ReferenceLocation) -> String {
    match location {
        ReferenceLocation::Path(path) => text(path),
        ReferenceLocation::Uri(uri) => uri.clone(),
    }
}

/// Where references are, by their names in lower case; fetched if need be.
pub(crate) async fn locations(
    client: &Client,
    names: &[&str],
    reuse: Reuse,
    progress: &dyn Progress,
) -> Result<HashMap<String, ReferenceLocation>, Failure> {
    if names.is_empty() {
        return Ok(HashMap::new());
    }
    let names = names.to_vec();
    let found = if reuse == Reuse::Nothing && !client.config().s3_return_uri {
        let pair = |file: FetchedReference| (file.name, ReferenceLocation::Path(file.path));
        let fetched = client.fetch_unless(reuse, names, progress).await;
        fetched.map(|files| files.into_iter().map(pair).collect())
    } else {
        client.locate_references(names, progress).await
    };
    let found: Vec<(FileName, ReferenceLocation)> =
        found.map_err(|error| missing(client, error))?;
    Ok(found
        .into_iter()
        .map(|(name, location)| (name.as_str().to_owned(), location))
        .collect())
}

/// Where nobody could be asked for a missing file, that is a matter of the network.
fn missing(client: &Client, error: ClientError) -> Failure {
    let nowhere = |name: &String| {
        let name = name.parse::<FileName>();
        name.is_ok_and(|name| client.file_location(&name, None).is_none())
    };
    let offline = match &error {
        ClientError::ReadOnly { names } => names.iter().any(nowhere),
        ClientError::Unknown { name, .. } => nowhere(name),
        _ => false,
    };
    let mut failure = Failure::from(error);
    if offline {
        failure.kind = Kind::Network;
    }
    failure
}

/// Where the cache has a file, or would have it.
#[pyfunction]
pub(crate) fn locate_file(py: Python<'_>, name: &str, observatory: &str) -> PyResult<String> {
    let client = session::client(py, session::observatory(py, observatory)?)?;
    let path = || -> Result<PathBuf, Failure> {
        let name = name.parse().map_err(ClientError::from)?;
        Ok(client.cache_path(&name)?)
    };
    path()
        .map(|path| text(&path))
        .map_err(|failure| failure.raise(py))
}

/// A path as the Python client gives it.
fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// The folders of the cache: rules, references, configuration, pickles.
#[pyfunction]
pub(crate) fn cache_paths(py: Python<'_>, observatory: &str) -> PyResult<[String; 4]> {
    let client = session::client(py, session::observatory(py, observatory)?)?;
    let layout = client.layout();
    Ok([
        text(&layout.mappings),
        text(&layout.references),
        text(&layout.config),
        text(&layout.pickles),
    ])
}

/// Brings contexts, files and perhaps all references of the contexts into the cache. Gives the
/// path of each file, by name.
#[pyfunction]
pub(crate) fn sync<'py>(
    py: Python<'py>,
    contexts: Vec<String>,
    files: Vec<String>,
    fetch_references: bool,
    ignore_cache: bool,
    observatory: &str,
) -> PyResult<Bound<'py, PyDict>> {
    let client = session::client(py, session::observatory(py, observatory)?)?;
    let contexts: Vec<ContextName> = contexts
        .iter()
        .map(|name| parsed(py, Some(name)))
        .filter_map(Result::transpose)
        .collect::<PyResult<_>>()?;
    let reuse = if ignore_cache {
        Reuse::Nothing
    } else {
        Reuse::Cached
    };
    let wanted = Wanted {
        contexts,
        files,
        fetch_references,
    };
    let found = session::wait(py, synced(&client, wanted, reuse))?;
    let result = PyDict::new(py);
    for (name, path) in found {
        result.set_item(name, path)?;
    }
    Ok(result)
}

/// What a cache is to have.
struct Wanted {
    contexts: Vec<ContextName>,
    files: Vec<String>,
    fetch_references: bool,
}

async fn synced(
    client: &Client,
    wanted: Wanted,
    reuse: Reuse,
) -> Result<Vec<(String, String)>, Failure> {
    let mut contexts = Vec::new();
    for context in &wanted.contexts {
        contexts.push(client.context_file(Some(context)).await?);
    }
    let reading = Reading {
        reuse,
        storing: Storing::Missing,
        judgement: None,
    };
    let names = contexts.iter().map(String::as_str);
    let rules = client.rule_files(names, reading).await?.all()?;
    let mut mappings: BTreeSet<String> = rules.mappings.iter().map(ToString::to_string).collect();
    let mut more: Vec<String> = Vec::new();
    let mut references: Vec<String> = Vec::new();
    if wanted.fetch_references {
        references.extend(rules.references);
    }
    for name in wanted.files {
        let is_rules = [".pmap", ".imap", ".rmap"]
            .iter()
            .any(|end| name.ends_with(end));
        if is_rules {
            more.push(name);
        } else {
            references.push(name);
        }
    }
    more.retain(|name| !mappings.contains(name));
    let names = more.iter().map(String::as_str);
    client.store_mappings(reuse, names).await?;
    mappings.extend(more);
    let mut found: Vec<(String, String)> = mappings
        .into_iter()
        .map(|name| {
            let path = client.layout().mapping(&name);
            (name, text(&path))
        })
        .collect();
    let names: Vec<&str> = references.iter().map(String::as_str).collect();
    let files = locations(client, &names, reuse, &Said::default()).await?;
    let files = files.iter().map(|(name, at)| (name.clone(), located(at)));
    found.extend(files);
    found.sort_unstable();
    Ok(found)
}
