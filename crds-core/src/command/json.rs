//! What several commands write with `--json`.

use serde_json::{Value, json};

use crate::client::{FetchedReference, ReferenceOrigin};

/// A reference in the cache, and where it came from.
pub(super) fn reference(reference: &FetchedReference) -> Value {
    json!({
        "name": reference.name.as_str(),
        "path": reference.path.display().to_string(),
        "size": reference.size,
        "sha1": reference.sha1.map(|sum| sum.to_string()),
        "source": match &reference.origin {
            ReferenceOrigin::Cached => "cache",
            ReferenceOrigin::Fetched { location, .. } => location,
        },
    })
}
