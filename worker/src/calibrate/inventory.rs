//! What is known of a dataset's files before calibration: their names, the primary headers of raw
//! files, association tables. What follows from that for programs and products is left to `plan`
//! and `products`.

use super::recipe::{Inputs, RawFiles, Recipe};
use crate::error::disk_hint;
use crate::membership::association::Association;
use caldp_core::dataset::Dataset;
use fits::{FitsError, Header};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use storage::hint::Hint;

/// What is known of a dataset's files before calibration.
#[derive(Debug, Default)]
pub(super) struct Inventory {
    /// All file names, sorted.
    pub(super) names: Vec<String>,
    /// Primary headers of the raw files.
    pub(super) headers: BTreeMap<String, Header>,
    /// The association tables by file name.
    pub(super) associations: BTreeMap<String, Association>,
}

/// Why a dataset's files cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub enum InventoryError {
    /// A file could not be read.
    #[error(transparent)]
    Fits(#[from] FitsError),
    /// The folder could not be listed.
    #[error("{folder} could not be listed")]
    List {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Hint for InventoryError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(match self {
            Self::Fits(_) => "an input is damaged; fetch it again".into(),
            Self::List { source, .. } => disk_hint(source).into(),
        })
    }
}

impl Inventory {
    pub(super) fn read(recipe: &Recipe, folder: &Path) -> Result<Self, InventoryError> {
        let list = |source| InventoryError::List {
            folder: folder.to_owned(),
            source,
        };
        let mut inventory = Self::default();
        for entry in std::fs::read_dir(folder).map_err(list)? {
            let name = entry.map_err(list)?.file_name();
            // Names of HST files are ASCII; others are none of ours.
            let Some(name) = name.to_str() else { continue };
            let path = folder.join(name);
            if recipe.raw_files.includes(name) {
                let header = fits::read_header(&path, 0)?;
                inventory.headers.insert(name.to_owned(), header);
            }
            if name.ends_with("_asn.fits") && recipe.raw_files != RawFiles::None {
                let association = Association::read(&path)?;
                inventory.associations.insert(name.to_owned(), association);
            }
            inventory.names.push(name.to_owned());
        }
        inventory.names.sort_unstable();
        Ok(inventory)
    }

    /// The files that the programs are called with. Files of the dataset's own name win: a
    /// folder may hold its neighbours too.
    pub(super) fn inputs(&self, dataset: &Dataset, rule: Inputs) -> Vec<String> {
        let ending =
            |ending: &str| -> Vec<String> { self.own(dataset, |name| name.ends_with(ending)) };
        let first_of = |choices: [Vec<String>; 2]| -> Vec<String> {
            let own =
                |files: &Vec<String>| files.iter().any(|name| name.starts_with(dataset.name()));
            let [first, second] = choices;
            if first.is_empty() || (own(&second) && !own(&first)) {
                second
            } else {
                first
            }
        };
        match rule {
            Inputs::AssociationOrRaw => first_of([ending("_asn.fits"), ending("_raw.fits")]),
            Inputs::RawOrWavecal => first_of([ending("_raw.fits"), ending("_wav.fits")]),
            Inputs::AssociationOrFirst => {
                let mut raw = self.own(dataset, |name| RawFiles::NamedRaw.includes(name));
                raw.truncate(1);
                first_of([ending("_asn.fits"), raw])
            }
            Inputs::Poller => {
                let name = dataset.exposure_list_file();
                self.names
                    .contains(&name)
                    .then_some(name)
                    .into_iter()
                    .collect()
            }
        }
    }

    /// The files that satisfy `wanted`: those of the dataset's own name if there are any, else all.
    fn own(&self, dataset: &Dataset, wanted: impl Fn(&str) -> bool) -> Vec<String> {
        let all: Vec<String> = self
            .names
            .iter()
            .filter(|name| wanted(name))
            .cloned()
            .collect();
        let own: Vec<String> = all
            .iter()
            .filter(|name| name.starts_with(dataset.name()))
            .cloned()
            .collect();
        if own.is_empty() { all } else { own }
    }

    /// The raw files of one exposure, with their headers.
    pub(super) fn raw_of<'a>(
        &'a self,
        exposure: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a Header)> {
        self.headers
            .iter()
            .filter(move |(name, _)| {
                name.strip_prefix(exposure)
                    .is_some_and(|rest| rest.starts_with("_raw"))
            })
            .map(|(name, header)| (&**name, header))
    }
}
