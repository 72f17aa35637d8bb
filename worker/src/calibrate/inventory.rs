//! What is known of a dataset's files before calibration: their names, the primary headers of raw
//! files, association tables. What follows from that for programs and products is left to `plan`
//! and `products`.

use super::recipe::{InputRule, RawFiles, Recipe};
use crate::error::disk_hint;
use crate::membership::association::Association;
use crate::membership::file_name::root;
use caldp_core::dataset::Dataset;
use fits::{FitsError, Header};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use storage::hint::Hint;

/// Which of the raw files of one exposure a program is called with.
type Calls = fn(&[&str]) -> Vec<String>;

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

    /// The files that the programs are called with, one call each: the dataset's association or
    /// its own raw files, and every exposure beside them. Whatever lies in the folder came with the
    /// dataset, and none of it is delivered without having been calibrated.
    pub(super) fn inputs(&self, dataset: &Dataset, rule: InputRule) -> Vec<String> {
        let table = dataset.association_file();
        let (association, calls): (_, Calls) = match rule {
            InputRule::Poller => {
                let name = dataset.exposure_list_file();
                return self.names.iter().filter(|n| **n == name).cloned().collect();
            }
            InputRule::AssociationOrRaw => (self.associations.get(&table), raw_files),
            InputRule::RawOrWavecal => (None, raw_or_wavecal),
            InputRule::AssociationOrFirst => (self.associations.get(&table), first_raw_file),
        };
        let mut exposures = self.exposures_outside(association);
        let own = exposures.remove(dataset.name());
        let first = association.map(|_| table).into_iter();
        let others = own.iter().chain(exposures.values());
        first.chain(others.flat_map(|files| calls(files))).collect()
    }

    /// The raw files of each exposure that is no member of the association.
    fn exposures_outside(&self, association: Option<&Association>) -> BTreeMap<&str, Vec<&str>> {
        let members: BTreeSet<&str> = association
            .into_iter()
            .flat_map(Association::exposures)
            .map(|member| member.name.as_str())
            .collect();
        let mut exposures: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        let names = self.headers.keys();
        for name in names.filter(|name| !members.contains(root(name))) {
            exposures.entry(root(name)).or_default().push(name);
        }
        exposures
    }

    /// A raw file that none of the calls with `inputs` concerns.
    pub(super) fn left_out(&self, inputs: &[String]) -> Option<&str> {
        let association = inputs.iter().find_map(|name| self.associations.get(name));
        let called = |exposure: &str| inputs.iter().any(|input| root(input) == exposure);
        let mut outside = self.exposures_outside(association).into_iter();
        let (_, files) = outside.find(|(exposure, _)| !called(exposure))?;
        files.first().copied()
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

/// Every `_raw.fits`.
fn raw_files(files: &[&str]) -> Vec<String> {
    ending(files, "_raw.fits")
}

/// Every `_raw.fits`; without one, every `_wav.fits`.
fn raw_or_wavecal(files: &[&str]) -> Vec<String> {
    let raw = ending(files, "_raw.fits");
    if raw.is_empty() {
        ending(files, "_wav.fits")
    } else {
        raw
    }
}

/// The first file: the program finds the others of the exposure.
fn first_raw_file(files: &[&str]) -> Vec<String> {
    files.iter().take(1).copied().map(str::to_owned).collect()
}

fn ending(files: &[&str], end: &str) -> Vec<String> {
    let files = files.iter().filter(|name| name.ends_with(end));
    files.copied().map(str::to_owned).collect()
}
