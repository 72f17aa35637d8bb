//! Best references: chosen for every raw file, fetched into the cache, written into the headers.
//!
//! The choice is CRDS's, made by `crds-core`; here it is applied to one dataset, together with the
//! keywords that say which system processed it. Headers are touched last, once, when every file
//! has its answers and every reference is in the cache.

use crate::calibrate::environment::reference_variables;
use crate::calibrate::recipe::{RawFiles, Recipe};
use crate::config::{Settings, variables};
use crate::error::disk_hint;
use crate::operators;
use crate::process::program::Environment;
use crate::sharing::{self, NotGib};
use caldp_core::dataset::{Dataset, Instrument};
use caldp_core::provenance::{HeaderRecord, Parkey, ReferenceRecord};
use crds_core::config::ConfigError;
use crds_core::header::condition;
use crds_core::{
    AssignError, AssignOptions, Assignments, Client, ClientError, Config, FetchedReference,
    FileAssignment, Observatory, ReferenceOrigin,
};
use fits::{CardUpdate, CardValue, FitsError, update_primary};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use storage::blocking;
use storage::checksum::Sha1Sum;
use storage::hint::Hint;
use storage::s3::{S3, StoreError};
use tokio::sync::mpsc::UnboundedReceiver;

/// Keywords that say what processed a file, from the variables of the same names.
const VERSION_KEYWORDS: [&str; 3] = [
    variables::CSYS_VERSION,
    variables::DATA_PROCESSING_VERSION,
    variables::SYSTEM_VERSION,
];
/// Their value where the environment has none.
const UNDEFINED: &str = "UNDEFINED";

/// What was chosen for a dataset.
#[derive(Debug, Default)]
pub struct References {
    /// The context whose rules chose; none for a dataset without raw files.
    pub context: Option<String>,
    /// For each raw file, what was written into it.
    pub headers: Vec<HeaderRecord>,
    /// Every reference file, all in the cache.
    pub files: Vec<ReferenceRecord>,
    /// The variables that point calibration programs to them, each with a trailing slash.
    pub variables: Environment,
}

/// Why a dataset has no references.
#[derive(Debug, thiserror::Error)]
pub enum ReferencesError {
    /// The operators' choice of a context cannot be read.
    #[error(transparent)]
    Operators(#[from] StoreError),
    /// CRDS could not answer.
    #[error(transparent)]
    Crds(#[from] ClientError),
    /// A variable of CRDS cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The limit of shared references is no number.
    #[error(transparent)]
    Sharing(#[from] NotGib),
    /// Some raw files have no references.
    #[error(transparent)]
    Assign(#[from] AssignError),
    /// A header cannot be written.
    #[error(transparent)]
    Fits(#[from] FitsError),
    /// A reference cannot be read.
    #[error("a reference in the cache cannot be read")]
    Read(#[from] io::Error),
}

impl Hint for ReferencesError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Operators(error) => error.hint(),
            Self::Crds(error) => error.hint(),
            Self::Config(error) => error.hint(),
            Self::Sharing(error) => error.hint(),
            Self::Assign(error) => error.hint(),
            Self::Fits(error) => error.hint(),
            Self::Read(error) => Some(disk_hint(error).into()),
        }
    }
}

/// What it takes to build a [`ReferenceAssigner`].
#[derive(Debug)]
pub struct ReferenceAssignerBuilder {
    /// The dataset.
    pub dataset: Dataset,
    /// The run's variables.
    pub settings: Settings,
    /// The bucket in which operators may have chosen a context, where there is one.
    pub operators: Option<(S3, String)>,
}

impl ReferenceAssignerBuilder {
    /// Builds the assigner. The context is that of `CRDS_CONTEXT`, else that of the operators, else the
    /// one in use.
    ///
    /// # Errors
    /// [`ReferencesError`] when the operators' bucket cannot be listed, or a variable not be used.
    pub async fn build(self) -> Result<ReferenceAssigner, ReferencesError> {
        let Self {
            dataset,
            mut settings,
            operators,
        } = self;
        if let Some((s3, bucket)) = operators
            && let Some((context, place)) = operators::choose(&mut settings, &s3, &bucket).await?
        {
            tracing::info!("context {context} is chosen by {place}");
        }
        ReferenceAssigner::new(&dataset, settings)
    }
}

/// Where the references of one dataset come from: a CRDS client, and what it is to do.
#[derive(Debug)]
pub struct ReferenceAssigner {
    client: Client,
    settings: Settings,
    instrument: Option<Instrument>,
    recipe: &'static Recipe,
    /// What this run brought into the cache.
    brought: Mutex<BTreeSet<String>>,
}

impl ReferenceAssigner {
    fn new(dataset: &Dataset, settings: Settings) -> Result<Self, ReferencesError> {
        let config = Config::from_vars(settings.variables())?;
        let mut client = Client::new(config, Observatory::Hst);
        if let Some(shared) = sharing::of(&settings)? {
            client = client.sharing(shared);
        }
        Ok(Self {
            client,
            settings,
            instrument: dataset.instrument(),
            recipe: Recipe::of(dataset),
            brought: Mutex::default(),
        })
    }

    /// Reads the rules, and then fetches the references of raw files as they arrive, until no more
    /// can. What it did need not be done again by [`Self::assign`], which alone decides.
    ///
    /// # Errors
    /// [`ReferencesError`] for what would fail again.
    pub async fn prepare(
        &self,
        mut events: UnboundedReceiver<PathBuf>,
    ) -> Result<(), ReferencesError> {
        let Some(instrument) = self.instrument.filter(|_| self.has_raw_files()) else {
            return Ok(());
        };
        let context = self.client.context_name(None).await?;
        self.client
            .rules(context.as_str(), Some(instrument.name()))
            .await?;
        while let Some(path) = events.recv().await {
            if self.recipe.raw_files.includes(&name_of(&path)) {
                let options = AssignOptions::default();
                let found = self.client.assign(&[path], &options).await?;
                self.fetch(&found).await?;
            }
        }
        Ok(())
    }

    async fn fetch(&self, found: &Assignments) -> Result<Vec<FetchedReference>, ClientError> {
        let references = self
            .client
            .fetch_references(found.references(), &())
            .await?;
        let fetched = |reference: &&FetchedReference| {
            matches!(reference.origin, ReferenceOrigin::Fetched { .. })
        };
        let names = references
            .iter()
            .filter(fetched)
            .map(|r| r.name.to_string());
        self.brought().extend(names);
        Ok(references)
    }

    fn brought(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.brought.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is recorded of references; of those whose sum CRDS does not know it is computed.
    async fn records(
        &self,
        references: Vec<FetchedReference>,
    ) -> Result<Vec<ReferenceRecord>, ReferencesError> {
        let brought = self.brought().clone();
        let records: io::Result<_> = blocking::run(move || {
            let record = |reference: FetchedReference| {
                let sha1 = match reference.sha1 {
                    Some(sum) => sum.to_string(),
                    None => Sha1Sum::of_file(&reference.path)?.to_string(),
                };
                Ok(ReferenceRecord {
                    fetched: brought.contains(reference.name.as_str()),
                    name: reference.name.to_string(),
                    size: reference.size,
                    sha1,
                })
            };
            references.into_iter().map(record).collect()
        })
        .await;
        Ok(records?)
    }

    fn has_raw_files(&self) -> bool {
        self.recipe.raw_files != RawFiles::None
    }

    /// Chooses, fetches and writes the references of the raw files among `inputs` in `folder`.
    ///
    /// # Errors
    /// [`ReferencesError`]; no header has been touched then, unless writing one failed.
    pub async fn assign(
        &self,
        folder: &Path,
        inputs: &[String],
    ) -> Result<References, ReferencesError> {
        let client = &self.client;
        let raw: Vec<PathBuf> = inputs
            .iter()
            .filter(|name| self.recipe.raw_files.includes(name))
            .map(|name| folder.join(name))
            .collect();
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
        let fetched = self.fetch(&assignments).await?;
        for file in &assignments.files {
            update_primary(&file.path, &updates(file, self.recipe, &self.settings))?;
        }
        tracing::info!("references chosen by {}", assignments.context.as_str());
        references.context = Some(assignments.context.as_str().to_owned());
        references.headers = assignments.files.iter().map(header).collect();
        references.files = self.records(fetched).await?;
        Ok(references)
    }
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

fn header(file: &FileAssignment) -> HeaderRecord {
    let text = |value: &CardValue| match value {
        CardValue::Text(text) => text.clone(),
        CardValue::Integer(number) => number.to_string(),
    };
    HeaderRecord {
        file: name_of(&file.path),
        keywords: file
            .updates
            .iter()
            .map(|update| (update.keyword.clone(), text(&update.value)))
            .collect(),
        parkeys: file.parkeys.iter().map(parkey).collect(),
    }
}

fn parkey((key, raw): &(String, Option<String>)) -> (String, Parkey) {
    let conditioned = raw
        .as_deref()
        .map_or(UNDEFINED.to_owned(), |raw| condition(raw).into_owned());
    let raw = raw.clone();
    (key.clone(), Parkey { raw, conditioned })
}

fn name_of(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}
