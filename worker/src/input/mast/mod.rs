//! Raw files from MAST, the archive (`astroquery:`).
//!
//! A [`InputRequest`] says what is wanted; [`fetch`] asks which observations and products there are
//! ([`protocol`]), chooses ([`select`]) and downloads ([`download`]). Either everything that
//! should be there is there in the end, complete, or the error names what is missing. Waiting
//! and trying again follow the one policy of `storage`. The same files in the public bucket are left
//! to [`super::public_bucket`].

mod client;
mod download;
mod error;
mod part;
mod progress;
mod protocol;
mod select;
mod settings;

use std::path::{Path, PathBuf};

use caldp_core::dataset::{Dataset, Instrument};
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::membership::association::Association;

pub use client::{MastClient, Progress};
pub use error::{MastError, TransferError};
pub(super) use progress::log as progress_log;
pub use select::{Product, SelectError, SelectionWarning};
pub(super) use select::{is_exposure, suffixes};
pub(crate) use settings::is_loopback;
pub use settings::{DEFAULT_URL, MastSettings, TOKEN_VARIABLE, URL_VARIABLE};

use super::events::InputEvents;
use super::poller::Poller;
use crate::membership::file_name::FileName;
use protocol::{ObsId, ObservationRow, ProductRow, Query};

/// How many files are downloaded at a time: enough to hide the waiting, few enough to be polite.
const CONCURRENT_DOWNLOADS: usize = 4;
/// How many observations are named in one question about products.
const OBSERVATIONS_PER_QUESTION: usize = 500;

/// What is wanted of the archive.
#[derive(Debug, Clone)]
pub struct InputRequest<'a> {
    dataset: &'a Dataset,
    selection: Selection<'a>,
}

#[derive(Debug, Clone)]
enum Selection<'a> {
    Exposures(Instrument),
    Mosaic(&'a Poller),
}

impl<'a> InputRequest<'a> {
    /// The inputs of `dataset`; for a mosaic those that its poller file names.
    ///
    /// # Errors
    /// [`MastError::NoPoller`] for a mosaic without one.
    pub fn new(dataset: &'a Dataset, poller: Option<&'a Poller>) -> Result<Self, MastError> {
        use caldp_core::dataset::Kind;
        let selection = match (dataset.kind(), dataset.instrument(), poller) {
            (Kind::Ipppssoot, Some(instrument), _) => Selection::Exposures(instrument),
            (_, _, Some(poller)) => Selection::Mosaic(poller),
            _ => return Err(MastError::NoPoller(dataset.name().to_owned())),
        };
        Ok(Self { dataset, selection })
    }
}

/// What was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The files, sorted, complete and stored.
    pub files: Vec<PathBuf>,
    /// What went otherwise than asked; already logged.
    pub warnings: Vec<SelectionWarning>,
}

impl Fetched {
    /// The file that took the place of `wanted`, for [`Poller::rewritten`].
    pub fn replacement(&self, wanted: &FileName) -> Option<FileName> {
        self.warnings.iter().find_map(|warning| match warning {
            SelectionWarning::FltForFlc { wanted: file, used } => {
                (file == wanted).then(|| used.clone())
            }
        })
    }
}

/// Brings the inputs of a dataset into the directory `into`, which exists, and sends an event for each. Files that are there
/// already with the right size stay as they are, so that fetching again completes what an
/// interruption or another source left out.
///
/// # Errors
/// [`MastError`] when MAST cannot be asked, does not list what the dataset needs, or lists a file
/// that cannot be had. What arrived before stays, to be continued by the next call.
pub async fn fetch(
    client: &MastClient,
    request: &InputRequest<'_>,
    into: &Path,
    events: &InputEvents,
) -> Result<Fetched, MastError> {
    let dataset = request.dataset;
    let (products, warnings) = match &request.selection {
        Selection::Exposures(instrument) => {
            let rows = exposure_products(client, dataset).await?;
            (select::exposures(dataset, *instrument, &rows)?, Vec::new())
        }
        Selection::Mosaic(poller) => {
            let mut rows = Vec::new();
            for visit in poller.visits() {
                rows.extend(visit_products(client, &visit).await?);
            }
            select::mosaic(dataset, &poller.files(), &rows)?
        }
    };
    for warning in &warnings {
        tracing::warn!("{warning}");
    }
    client.report(&Progress::Planned {
        files: products.len(),
        bytes: products.iter().filter_map(|product| product.size).sum(),
    });
    // Collected first: a borrowing closure inside the stream would keep this from being spawned.
    let downloads: Vec<_> = products
        .iter()
        .map(|product| download::download(client, product, into))
        .collect();
    let mut files: Vec<PathBuf> = stream::iter(downloads)
        .buffer_unordered(CONCURRENT_DOWNLOADS)
        .inspect_ok(|path| events.send(path))
        .try_collect()
        .await?;
    files.sort();
    if let Selection::Exposures(_) = request.selection {
        check_members(dataset, &products, into)?;
    }
    Ok(Fetched { files, warnings })
}

async fn exposure_products(
    client: &MastClient,
    dataset: &Dataset,
) -> Result<Vec<ProductRow>, MastError> {
    let name = dataset.name();
    let query = Query::Observation(name.to_owned());
    let rows: Vec<ObservationRow> = client
        .rows(&query, &format!("which observation {name} is"))
        .await?;
    let ids = select::observations(&rows, Some(name));
    products(client, name, &ids).await
}

async fn visit_products(client: &MastClient, visit: &str) -> Result<Vec<ProductRow>, MastError> {
    let query = Query::Observations(visit.to_owned());
    let what = format!("which observations belong to visit {visit}");
    let rows: Vec<ObservationRow> = client.rows(&query, &what).await?;
    let ids = select::observations(&rows, None);
    products(client, &format!("{visit}*"), &ids).await
}

async fn products(
    client: &MastClient,
    name: &str,
    ids: &[ObsId],
) -> Result<Vec<ProductRow>, MastError> {
    if ids.is_empty() {
        return Err(SelectError::NoObservation(name.to_owned()).into());
    }
    let what = format!("which products {name} has");
    let mut rows = Vec::new();
    for ids in ids.chunks(OBSERVATIONS_PER_QUESTION) {
        let query = Query::Products(ids.to_vec());
        rows.extend(client.rows(&query, &what).await?);
    }
    Ok(rows)
}

/// Every exposure that the dataset's association lists as present must have come.
fn check_members(dataset: &Dataset, products: &[Product], into: &Path) -> Result<(), MastError> {
    let names: Vec<&str> = products.iter().map(|p| p.file.as_str()).collect();
    let table = dataset.association_file();
    let Some(association) = products.iter().find(|p| p.file.as_str() == table) else {
        return Ok(());
    };
    let table = Association::read(&into.join(&association.file)).map_err(MastError::Association)?;
    let missing = table.without_raw_files(&names);
    if missing.is_empty() {
        return Ok(());
    }
    Err(MastError::MembersMissing {
        association: association.file.clone(),
        members: missing.join(", "),
    })
}
