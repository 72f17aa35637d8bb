//! Which of the products MAST lists for a dataset are its inputs: tables and pure functions, the
//! only place that knows the suffixes.
//!
//! What the files contain, and whether every member of an association came, is for others.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use storage::hint::Hint;

use caldp_core::dataset::{Dataset, Instrument, Kind};

use super::protocol::{ObsId, ObservationRow, ProductRow};
use crate::membership::file_name::{FileName, FileNameError};

/// The collection all files come from; the address of a download says so.
const COLLECTION: &str = "HST";

const IMAGER_SUFFIXES: &[&str] = &["ASN", "RAW"];
const STIS_SUFFIXES: &[&str] = &["ASN", "RAW", "EPC", "TAG", "WAV"];
const COS_SUFFIXES: &[&str] = &[
    "ASN",
    "RAW",
    "EPC",
    "SPT",
    "RAWACCUM",
    "RAWACCUM_A",
    "RAWACCUM_B",
    "RAWACQ",
    "RAWTAG",
    "RAWTAG_A",
    "RAWTAG_B",
    "PHA_A",
    "PHA_B",
];

/// One file to download.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    /// Its name.
    pub file: FileName,
    /// Its size in bytes, if MAST says it.
    pub size: Option<u64>,
}

/// Something that went otherwise than asked, and must not go unseen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SelectionWarning {
    /// The exposure has no file corrected for charge transfer losses; the one without the
    /// correction takes its place.
    FltForFlc {
        /// The file that was asked for.
        wanted: FileName,
        /// The file that takes its place.
        used: FileName,
    },
}

impl fmt::Display for SelectionWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::FltForFlc { wanted, used } = self;
        write!(
            f,
            "MAST has no {wanted}: {used}, which is not corrected for charge transfer losses, is used instead"
        )
    }
}

/// Why the products of a dataset cannot be chosen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectError {
    /// There is no observation of the name.
    #[error("MAST knows no observation {0}")]
    NoObservation(String),
    /// None of the products is a science exposure.
    #[error("MAST lists no file of {dataset} with one of the suffixes {wanted}")]
    NoInputs {
        /// The dataset.
        dataset: String,
        /// Suffixes, one of which is needed.
        wanted: String,
    },
    /// A file that the poller file names is not among the products.
    #[error("MAST lists no {0}, which the poller file names")]
    NotListed(FileName),
    /// A product has a name that may not be written.
    #[error("MAST lists a product for {dataset} that cannot be stored")]
    Name {
        /// The dataset.
        dataset: String,
        /// What is wrong with the name.
        #[source]
        error: FileNameError,
    },
    /// One file is listed with two sizes, or two files with names that differ in case only.
    #[error("MAST lists {file} twice, and the two differ")]
    Ambiguous {
        /// The file.
        file: FileName,
    },
}

impl Hint for SelectError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::NoObservation(_) => Some(
                "check the name; an exposure of an association is found under the association's name"
                    .into(),
            ),
            _ => None,
        }
    }
}

/// The suffixes of an instrument's inputs, in capitals.
pub(in crate::input) const fn suffixes(instrument: Instrument) -> &'static [&'static str] {
    match instrument {
        Instrument::Acs | Instrument::Wfc3 => IMAGER_SUFFIXES,
        Instrument::Stis => STIS_SUFFIXES,
        Instrument::Cos => COS_SUFFIXES,
    }
}

/// Whether calibration can begin with a file of this suffix; without one there is no dataset.
pub(in crate::input) fn is_exposure(instrument: Instrument, suffix: &str) -> bool {
    match instrument {
        Instrument::Acs | Instrument::Wfc3 => suffix == "RAW",
        Instrument::Stis => matches!(suffix, "RAW" | "WAV"),
        Instrument::Cos => suffix.starts_with("RAW"),
    }
}

/// The observations of an answer: those of the archive's own collection, called `name` if one is
/// given. Each once, sorted.
pub(super) fn observations(rows: &[ObservationRow], name: Option<&str>) -> Vec<ObsId> {
    let ids: BTreeSet<ObsId> = rows
        .iter()
        .filter(|row| of_collection(row.obs_collection.as_deref()))
        .filter(|row| name.is_none_or(|name| row.obs_id.eq_ignore_ascii_case(name)))
        .filter_map(ObservationRow::id)
        .collect();
    ids.into_iter().collect()
}

/// The inputs of an exposure or association, members included, sorted by name.
pub(super) fn exposures(
    dataset: &Dataset,
    instrument: Instrument,
    rows: &[ProductRow],
) -> Result<Vec<Product>, SelectError> {
    let wanted = suffixes(instrument);
    let suffix = |row: &ProductRow| row.suffix.clone().unwrap_or_default();
    let chosen: Vec<&ProductRow> = rows
        .iter()
        .filter(|row| is_fits(row) && wanted.contains(&suffix(row).as_str()))
        .collect();
    if !chosen
        .iter()
        .any(|row| is_exposure(instrument, &suffix(row)))
    {
        let needed: Vec<&str> = wanted
            .iter()
            .copied()
            .filter(|s| is_exposure(instrument, s))
            .collect();
        return Err(SelectError::NoInputs {
            dataset: dataset.name().to_owned(),
            wanted: needed.join(", "),
        });
    }
    Ok(distinct(dataset, chosen)?.into_values().collect())
}

/// The files a mosaic needs, each either as named or, where there is no FLC, as FLT.
pub(super) fn mosaic(
    dataset: &Dataset,
    files: &[&FileName],
    rows: &[ProductRow],
) -> Result<(Vec<Product>, Vec<SelectionWarning>), SelectError> {
    // Products of the exposure pipeline are described with the archive's old name.
    let origin = match dataset.kind() {
        Kind::Mvm => "HAP",
        Kind::Svm | Kind::Ipppssoot => "DADS",
    };
    let listed = distinct(
        dataset,
        rows.iter().filter(|row| {
            let described = row.description.as_deref().unwrap_or_default();
            is_fits(row)
                && matches!(row.suffix.as_deref(), Some("FLC" | "FLT"))
                && described.contains(origin)
        }),
    )?;
    let find = |file: &FileName| listed.get(&file.as_str().to_ascii_lowercase());
    let (mut products, mut warnings) = (Vec::new(), Vec::new());
    for &wanted in files {
        if let Some(product) = find(wanted) {
            products.push(product.clone());
            continue;
        }
        let other = wanted.with_suffix("flc", "flt");
        let Some(product) = other.as_ref().and_then(find) else {
            return Err(SelectError::NotListed(wanted.clone()));
        };
        warnings.push(SelectionWarning::FltForFlc {
            wanted: wanted.clone(),
            used: product.file.clone(),
        });
        products.push(product.clone());
    }
    products.sort_by(|a, b| a.file.cmp(&b.file));
    products.dedup();
    Ok((products, warnings))
}

fn of_collection(collection: Option<&str>) -> bool {
    collection.is_none_or(|collection| collection == COLLECTION)
}

fn is_fits(row: &ProductRow) -> bool {
    of_collection(row.obs_collection.as_deref())
        && row
            .file
            .as_deref()
            .is_some_and(|file| file.ends_with("fits"))
}

/// Each file once, by its name in lower case: a product is listed for every observation that it
/// belongs to.
fn distinct<'a>(
    dataset: &Dataset,
    rows: impl IntoIterator<Item = &'a ProductRow>,
) -> Result<BTreeMap<String, Product>, SelectError> {
    let mut products: BTreeMap<String, Product> = BTreeMap::new();
    for row in rows {
        let file = FileName::parse(row.file.as_deref().unwrap_or_default()).map_err(|error| {
            let dataset = dataset.name().to_owned();
            SelectError::Name { dataset, error }
        })?;
        let size = row.size;
        let product = Product { file, size };
        let key = product.file.as_str().to_ascii_lowercase();
        match products.get_mut(&key) {
            None => {
                products.insert(key, product);
            }
            Some(known) if known.file != product.file => {
                return Err(SelectError::Ambiguous { file: product.file });
            }
            Some(known) => match (known.size, size) {
                (Some(a), Some(b)) if a != b => {
                    return Err(SelectError::Ambiguous { file: product.file });
                }
                (None, _) => known.size = size,
                _ => {}
            },
        }
    }
    Ok(products)
}

#[cfg(test)]
#[path = "select_tests.rs"]
mod tests;
