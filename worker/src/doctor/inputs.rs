//! The raw files: whether they are where they are said to be, and how large they are. Inputs that
//! are not on this machine are looked for with what gives access to them.

use super::finding::{Area, Finding, Level};
use super::{Examination, size};
use crate::calibrate::recipe::Recipe;
use crate::input::archive::Limits;
use crate::input::error::InputError;
use crate::input::identity;
use crate::input::source::Source;
use crate::input::{Offer, offer};
use caldp_core::dataset::Dataset;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Archives larger than this are not unpacked only to look into them.
const LARGEST_ARCHIVES: u64 = 512 << 20;

/// What is known of the inputs without asking anybody.
#[derive(Debug, Clone, Default)]
pub(super) struct Inputs {
    /// The directory they are in, with what it has; none when they are elsewhere.
    pub(super) local: Option<(PathBuf, Offer)>,
    /// Their size in bytes, compressed if they are; 0 when it is not known.
    pub(super) bytes: u64,
    pub(super) findings: Vec<Finding>,
}

impl Inputs {
    /// Looks into the directory of the request.
    pub(super) fn look(request: &Examination) -> Self {
        let Some(dataset) = &request.dataset else {
            return Self::default();
        };
        match &request.input {
            Some(Source::Dir(directory)) => Self::in_directory(dataset, directory, Level::Problem),
            Some(_) => Self::default(),
            // Nobody said where they are; the default of a run may be none of the user's.
            None => Self::in_directory(dataset, Path::new("."), Level::Warning),
        }
    }

    fn in_directory(dataset: &Dataset, directory: &Path, missing: Level) -> Self {
        let shown = format!("file:{}", directory.display());
        let none = |text: String| Self {
            findings: vec![
                Finding::new(Area::Inputs, shown.clone(), missing, text).hint(
                    "name the place of the raw files with --input: file:<directory>, s3://..., \
                     astroquery: or stpubdata:",
                ),
            ],
            ..Self::default()
        };
        let (offer, found) = match offered(dataset, directory) {
            Ok(found) => found,
            Err(InputError::Local { source, .. }) => {
                return none(format!("it cannot be listed: {source}"));
            }
            Err(error) => {
                let found = Finding::of_error(Area::Inputs, shown, missing, &error);
                return Self {
                    findings: vec![found],
                    ..Self::default()
                };
            }
        };
        if found.is_empty() {
            let ippps = dataset.ippps().unwrap_or(dataset.name());
            return none(format!(
                "neither {dataset}.tar.gz nor {ippps}*.fits is there"
            ));
        }
        let length = |name: &String| directory.join(name).metadata().map_or(0, |m| m.len());
        let bytes = found.iter().map(length).sum();
        let what = match found.as_slice() {
            [one] => one.clone(),
            several => format!("{} files", several.len()),
        };
        let text = format!("{what}, {}", size(bytes));
        let finding =
            Finding::new(Area::Inputs, shown, Level::Ok, text).detail("bytes", bytes.to_string());
        Self {
            local: Some((directory.to_owned(), offer)),
            bytes,
            findings: vec![finding],
        }
    }
    /// The raw files of the dataset, if they are on this machine; unpacked, if need be. None where there are none or too much of them.
    ///
    /// # Errors
    /// When they are not what they should be.
    pub(super) fn raw_files(&self, dataset: &Dataset) -> Option<Result<FoundFiles, InputError>> {
        let (directory, offer) = self.local.as_ref()?;
        if !offer.archives.is_empty() && self.bytes > LARGEST_ARCHIVES {
            return None;
        }
        let raw_files = Recipe::of(dataset).raw_files;
        let found = files(directory, offer, dataset).map(|mut found| {
            found.names.retain(|name| raw_files.includes(name));
            found
        });
        match found {
            Ok(found) if found.names.is_empty() => None,
            found => Some(found),
        }
    }
}

/// Files in a folder.
pub(super) struct FoundFiles {
    folder: PathBuf,
    names: Vec<String>,
    /// Keeps the folder while this lives, where it is temporary.
    _scratch: Option<TempDir>,
}

impl FoundFiles {
    pub(super) fn paths(&self) -> Vec<PathBuf> {
        self.names
            .iter()
            .map(|name| self.folder.join(name))
            .collect()
    }
}

/// What a directory has, and the files of it that would be brought.
fn offered(dataset: &Dataset, directory: &Path) -> Result<(Offer, Vec<String>), InputError> {
    let offer = offer(directory, dataset)?;
    let found = if offer.archives.is_empty() {
        offer.loose(dataset, directory)?
    } else {
        offer.archives.clone()
    };
    Ok((offer, found))
}

/// The inputs; unpacked, if need be.
fn files(directory: &Path, offer: &Offer, dataset: &Dataset) -> Result<FoundFiles, InputError> {
    let (scratch, folder, names) = if offer.archives.is_empty() {
        let names = offer.loose(dataset, directory)?;
        (None, directory.to_owned(), names)
    } else {
        let temporary = std::env::temp_dir();
        let scratch = TempDir::new().map_err(|source| InputError::Local {
            path: temporary,
            source,
        })?;
        let folder = scratch.path().to_owned();
        let names = offer.unpack(directory, dataset, &folder, &Limits::default())?;
        (Some(scratch), folder, names)
    };
    identity::check(dataset, &folder, &names)?;
    Ok(FoundFiles {
        folder,
        names,
        _scratch: scratch,
    })
}
