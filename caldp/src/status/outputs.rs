//! Which outputs a location stands for: itself, and for a whole bucket the batches in it.

use caldp_core::layout::Layout;
use storage::s3::{Delimiter, S3};
use storage::store::StoreError;
use storage::uri::{Location, S3Uri};

/// Where the default output paths of batches are.
const BATCHES: &str = "data/";

/// The location itself, and for a whole bucket in the tree layout every batch below `data/`.
pub(crate) async fn of(location: &Location, layout: Layout) -> Result<Vec<Location>, StoreError> {
    let mut outputs = vec![location.clone()];
    if let (Location::S3(uri), Layout::Tree) = (location, layout)
        && uri.key().is_empty()
    {
        let s3 = S3::from_env().await;
        let below = s3.list(uri.bucket(), BATCHES, Delimiter::Slash);
        let prefixes = below.collect().await?.prefixes;
        let batches = prefixes
            .iter()
            .filter_map(|prefix| S3Uri::new(uri.bucket(), prefix).ok());
        outputs.extend(batches.map(Location::S3));
    }
    Ok(outputs)
}
