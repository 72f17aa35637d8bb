//! References written into the headers of HST files: `assign_bestrefs` of the Python client.

use std::path::PathBuf;

use crds_core::dataset::NoMatch;
use crds_core::names::ContextName;
use crds_core::{AssignOptions, BadFiles, Client, Observatory, TypeChoice};
use pyo3::prelude::*;
use storage::hint::explain;

use crate::errors::Failure;
use crate::files::Said;
use crate::session;
use crate::session::parsed;

/// Looks up the references of files, fetches them if asked to, writes their names into the
/// headers. Gives the number of errors, each of which was logged.
#[pyfunction]
pub(crate) fn assign_bestrefs(
    py: Python<'_>,
    filepaths: Vec<String>,
    context: Option<&str>,
    reftypes: Vec<String>,
    sync_references: bool,
) -> PyResult<usize> {
    let context = parsed(py, context)?;
    let named = context.as_ref().and_then(ContextName::observatory);
    let observatory = match named {
        Some(observatory) => observatory,
        // Raw HST files do not say.
        None => session::observatory_of(py, &filepaths)?.unwrap_or(Observatory::Hst),
    };
    let client = session::client(py, observatory)?;
    let options = AssignOptions {
        context,
        types: if reftypes.is_empty() {
            TypeChoice::Applicable
        } else {
            TypeChoice::Only(reftypes.iter().map(|name| name.to_lowercase()).collect())
        },
        skip: Vec::new(),
        no_match: NoMatch::NotApplicable,
        bad_files: BadFiles::Report,
    };
    let files: Vec<PathBuf> = filepaths.into_iter().map(PathBuf::from).collect();
    session::wait(py, assigned(&client, &files, &options, sync_references))
}

async fn assigned(
    client: &Client,
    files: &[PathBuf],
    options: &AssignOptions,
    sync_references: bool,
) -> Result<usize, Failure> {
    let assignments = client.assign(files, options).await?;
    let mut errors = 0;
    for file in &assignments.files {
        for error in &file.errors {
            tracing::error!("{}", explain(error));
            errors += 1;
        }
        for warning in &file.warnings {
            tracing::warn!("{}", explain(warning));
        }
    }
    if sync_references {
        let names = assignments.references();
        let fetched = client.fetch_references(names, &Said::default()).await;
        if let Err(error) = fetched {
            tracing::error!("{}", explain(&error));
            errors += 1;
        }
    }
    for written in assignments.write()? {
        if let Some(Err(error)) = written.outcome {
            tracing::error!("{}", explain(&error));
            errors += 1;
        }
    }
    Ok(errors)
}
