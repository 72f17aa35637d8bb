//! Whether the files that came are of the dataset that was asked for. The dataset's name, a file's
//! name and the `ROOTNAME` and `INSTRUME` in its header must agree: what is calibrated under a
//! wrong name is found years later, if ever. Which files belong to a dataset by their names is
//! left to `membership`.

use crate::calibrate::recipe::{RawFiles, Recipe};
use crate::membership::file_name::{quoted, root};
use crate::membership::{OtherDatasets, is_fits};
use caldp_core::dataset::{Dataset, Kind};
use fits::{FitsError, Header};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::Path;
use storage::hint::Hint;

/// A file is not what it is named.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// Its header names another exposure or association.
    #[error("{file} cannot be an input of {dataset}: its ROOTNAME is {rootname}")]
    Rootname {
        /// The dataset.
        dataset: String,
        /// The file.
        file: String,
        /// What its header says, quoted.
        rootname: String,
    },
    /// Its header names another instrument.
    #[error("{file} cannot be an input of {dataset}: its INSTRUME is {instrument}")]
    Instrument {
        /// The dataset.
        dataset: String,
        /// The file.
        file: String,
        /// What its header says, quoted.
        instrument: String,
    },
    /// It is of another program, under whose name its products would be delivered nowhere.
    #[error("{file} cannot be an input of {dataset}: it is of another program")]
    Program {
        /// The dataset.
        dataset: String,
        /// The file.
        file: String,
    },
    /// None is of the dataset itself.
    #[error(transparent)]
    OtherDatasets(#[from] OtherDatasets),
    /// It is damaged.
    #[error(transparent)]
    Damaged(#[from] FitsError),
}

impl Hint for IdentityError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(match self {
            Self::OtherDatasets(error) => return error.hint(),
            Self::Damaged(_) => "the file is damaged; fetch it again".into(),
            _ => "the file was renamed, or packed with another dataset; fetch the inputs again"
                .into(),
        })
    }
}

/// Checks the raw files, exposures and association tables among `names` in `folder`.
///
/// # Errors
/// For the first that is damaged or not what it is named, or when none is the dataset's own.
pub(crate) fn check(
    dataset: &Dataset,
    folder: &Path,
    names: &[String],
) -> Result<(), IdentityError> {
    let recipe = Recipe::of(dataset);
    let table = |name: &str| name.ends_with("_asn.fits");
    let is_told = |name: &&String| match dataset.kind() {
        Kind::Ipppssoot => recipe.raw_files.includes(name) || table(name),
        // The exposures of sky cells have names that their headers do not repeat.
        Kind::Svm => is_fits(name) && !name.starts_with("hst_"),
        Kind::Mvm => false,
    };
    let files: Vec<&String> = names.iter().filter(is_told).collect();
    for file in &files {
        let path = folder.join(file);
        let header = fits::read_header(&path, 0)?;
        check_file(dataset, file, &header)?;
        fits::check(&path)?;
    }
    let own = |file: &&String| root(file) == dataset.name();
    if recipe.raw_files != RawFiles::None && !files.is_empty() && !files.iter().any(own) {
        let others: BTreeSet<&str> = files.iter().map(|file| root(file)).collect();
        return Err(OtherDatasets::new(dataset, others).into());
    }
    Ok(())
}

fn check_file(dataset: &Dataset, file: &str, header: &Header) -> Result<(), IdentityError> {
    if dataset
        .ippps()
        .is_some_and(|ippps| !file.starts_with(ippps))
    {
        return Err(IdentityError::Program {
            dataset: dataset.to_string(),
            file: file.to_owned(),
        });
    }
    let text = |keyword| {
        header
            .text(keyword)
            .map(str::trim)
            .filter(|t| !t.is_empty())
    };
    if let Some(rootname) = text("ROOTNAME")
        && !rootname.eq_ignore_ascii_case(root(file))
    {
        return Err(IdentityError::Rootname {
            dataset: dataset.to_string(),
            file: file.to_owned(),
            rootname: quoted(rootname),
        });
    }
    if let (Some(instrument), Some(own)) = (text("INSTRUME"), dataset.instrument())
        && !instrument.eq_ignore_ascii_case(own.name())
    {
        return Err(IdentityError::Instrument {
            dataset: dataset.to_string(),
            file: file.to_owned(),
            instrument: quoted(instrument),
        });
    }
    Ok(())
}
