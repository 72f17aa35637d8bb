//! Best references: chosen for every raw file, fetched into the cache, written into the headers.
//!
//! The choice is CRDS's, made by `crds-core`; here it is applied to one dataset, together with the
//! keywords that say which system processed it. Headers are touched last, once, when every file
//! has its answers and every reference is in the cache.

use crate::calibrate::environment::reference_variables;
use crate::calibrate::program::Environment;
use crate::calibrate::recipe::Recipe;
use crate::config::Settings;
use crate::report::{DatasetHeader, ReferenceRecord};
use caldp_core::dataset::Dataset;
use crds_core::cache::layout::ReferenceError;
use crds_core::config::ConfigError;
use crds_core::dataset::fits::{CardUpdate, CardValue, FitsError, update_primary};
use crds_core::{
    AssignError, AssignOptions, Client, ClientError, Config, FetchedReference, FileAssignment,
    Observatory, ReferenceOrigin,
};
use std::path::{Path, PathBuf};

/// Keywords that say what processed a file, from the variables of the same names.
const VERSION_KEYWORDS: [&str; 3] = ["CSYS_VER", "AWSDPVER", "AWSYSVER"];
/// Their value where the environment has none.
const UNDEFINED: &str = "UNDEFINED";

/// What was chosen for a dataset.
#[derive(Debug, Default)]
pub struct References {
    /// The context whose rules chose; none for a dataset without raw files.
    pub context: Option<String>,
    /// For each raw file, what was written into it.
    pub headers: Vec<DatasetHeader>,
    /// Every reference file, all in the cache.
    pub files: Vec<ReferenceRecord>,
    /// The variables that point calibration programs to them, each with a trailing slash.
    pub variables: Environment,
}

/// Why a dataset has no references.
#[derive(Debug, thiserror::Error)]
pub enum ReferencesError {
    /// A CRDS variable has a value that cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// CRDS could not answer, or a reference not be had.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// Some file has no usable answer.
    #[error(transparent)]
    Assign(#[from] AssignError),
    /// The cache cannot be used.
    #[error(transparent)]
    Cache(#[from] ReferenceError),
    /// A header cannot be written.
    #[error(transparent)]
    Header(#[from] FitsError),
}

/// Chooses, fetches and writes the references of the raw files among `inputs` in `folder`.
///
/// # Errors
/// [`ReferencesError`]; no header has been touched then, unless writing one failed.
pub async fn assign(
    dataset: &Dataset,
    settings: &Settings,
    folder: &Path,
    inputs: &[String],
) -> Result<References, ReferencesError> {
    let recipe = Recipe::of(dataset);
    let raw: Vec<PathBuf> = inputs
        .iter()
        .filter(|name| recipe.raw_files.includes(name))
        .map(|name| folder.join(name))
        .collect();
    let client = Client::new(Config::from_vars(settings.variables())?, Observatory::Hst);
    let places = client.references()?;
    let mut references = References {
        variables: reference_variables(|instrument| places.instrument_folder(instrument)),
        ..References::default()
    };
    if raw.is_empty() {
        return Ok(references);
    }
    let assignments = client.assign(&raw, &AssignOptions::default()).await?;
    for warning in assignments.files.iter().flat_map(|file| &file.warnings) {
        tracing::warn!("{warning}");
    }
    assignments.check()?;
    let fetched = client
        .fetch_references(assignments.references(), &())
        .await?;
    for file in &assignments.files {
        update_primary(&file.path, &updates(file, recipe, settings))?;
    }
    tracing::info!("references chosen by {}", assignments.context.as_str());
    references.context = Some(assignments.context.as_str().to_owned());
    references.headers = assignments.files.iter().map(header).collect();
    references.files = fetched.iter().map(record).collect();
    Ok(references)
}

/// Everything that is set in a raw file: references, versions, the recipe's own keywords.
fn updates(file: &FileAssignment, recipe: &Recipe, settings: &Settings) -> Vec<CardUpdate> {
    let versions = VERSION_KEYWORDS
        .map(|keyword| CardUpdate::text(keyword, settings.get(keyword).unwrap_or(UNDEFINED)));
    let own = recipe
        .keywords
        .iter()
        .map(|(keyword, value)| CardUpdate::integer(*keyword, *value));
    file.updates
        .iter()
        .cloned()
        .chain(versions)
        .chain(own)
        .collect()
}

fn header(file: &FileAssignment) -> DatasetHeader {
    let text = |value: &CardValue| match value {
        CardValue::Text(text) => text.clone(),
        CardValue::Integer(number) => number.to_string(),
    };
    DatasetHeader {
        file: name_of(&file.path),
        keywords: file
            .updates
            .iter()
            .map(|update| (update.keyword.clone(), text(&update.value)))
            .collect(),
    }
}

fn record(reference: &FetchedReference) -> ReferenceRecord {
    ReferenceRecord {
        name: reference.name.as_str().to_owned(),
        size: Some(reference.size),
        sha1: reference.sha1.map(|sum| sum.to_string()),
        fetched: matches!(reference.origin, ReferenceOrigin::Fetched { .. }),
    }
}

fn name_of(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}
