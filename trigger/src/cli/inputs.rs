//! What the raw files of an order say of what its datasets need. Headers are read by whoever runs the
//! command: this crate knows no FITS.

use caldp_core::dataset::Dataset;
use caldp_core::resources::Features;
use futures_util::future::BoxFuture;
use storage::uri::{Location, S3Uri};

use crate::error::TriggerError;
use crate::order::Order;

/// The most datasets whose raw files are looked at where nobody said where they are.
const MOST_UNASKED: usize = 200;

/// Datasets, and where their raw files may be.
#[derive(Debug)]
pub struct Inputs {
    /// Where they may be.
    pub place: Location,
    /// Whether somebody said that they are there: else it is no news that they are not.
    pub named: bool,
    /// The datasets.
    pub datasets: Vec<Dataset>,
}

/// Reads what raw files say, and tells what cannot be read; nothing comes of datasets of which
/// nothing is known.
pub type ReadInputs<'r> = dyn Fn(Inputs) -> BoxFuture<'r, Vec<Features>> + Sync + 'r;

/// Takes what the raw files say of the datasets into an order: those at `named`, else those in
/// `inputs/` of the output, where the order is a small one.
pub(super) async fn add(
    order: &mut Order,
    named: Option<&Location>,
    output: &S3Uri,
    read: &ReadInputs<'_>,
) -> Result<(), TriggerError> {
    let lacking = |dataset: &&Dataset| !order.details.features(dataset).are_complete();
    let datasets: Vec<Dataset> = order.datasets.iter().filter(lacking).cloned().collect();
    let place = match named {
        Some(place) => place.clone(),
        None if datasets.len() <= MOST_UNASKED => Location::S3(output.join("inputs")?),
        None => return Ok(()),
    };
    let inputs = Inputs {
        place,
        named: named.is_some(),
        datasets,
    };
    for features in read(inputs).await {
        let dataset = features.dataset.clone();
        order.details.add(&dataset, None, Some(features));
    }
    Ok(())
}
