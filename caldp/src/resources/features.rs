//! What headers of raw files say for an estimate.

use caldp_core::dataset::Dataset;
use caldp_core::resources::{Features, large_detector, switch};
use crds_core::header::Fields;

/// The features that a header has; how many files there are and how large they are, other sources
/// know.
pub(crate) fn of_fields(dataset: Dataset, header: &(impl Fields + ?Sized)) -> Features {
    let mut features = Features::of_name(dataset);
    for (key, value) in header.pairs() {
        let value = value.trim();
        match key {
            "DRIZCORR" => features.drizzle = switch(value),
            "PCTECORR" => features.cte = switch(value),
            "SUBARRAY" => features.subarray = switch(value),
            "CRSPLIT" => features.crsplit = value.parse().ok(),
            "DETECTOR" => features.large_detector = large_detector(value),
            _ => {}
        }
    }
    features
}
