//! What is known of datasets before they are submitted: sizes of inputs, messages of an earlier
//! life, what an earlier run measured, and the resources that follow from it.

use std::collections::{HashMap, HashSet};

use caldp_core::dataset::{ARCHIVE_SUFFIX, Dataset};
use caldp_core::state::State;
use futures_util::{StreamExt, TryStreamExt, stream};
use storage::s3::Delimiter;

use crate::error::TriggerError;
use crate::order::Overrides;
use crate::output_root::OutputRoot;
use crate::record::documents::Documents;
use crate::resources::{Facts, Measured, Resources, Scale, choose};

/// The most pages of a listing of inputs that are read to learn their sizes.
const MAX_INPUT_PAGES: usize = 200;

/// The resources of a dataset: from what an earlier run measured, the size of its inputs, its
/// kind, and what the order says.
pub(crate) async fn resources(
    documents: &Documents,
    dataset: &Dataset,
    input_bytes: Option<u64>,
    overrides: Overrides,
) -> Result<Resources, TriggerError> {
    let uri = documents.measured_file(dataset)?;
    let facts = Facts {
        input_bytes,
        inputs: None,
        measured: documents.read::<Measured>(&uri).await?.map(|(m, _)| m),
    };
    let scale = overrides.timeout_scale.unwrap_or(Scale::ONE);
    Ok(choose(dataset, facts, overrides.memory_bin, scale))
}

/// The sizes of packed inputs below a root, in bytes.
pub(crate) async fn input_sizes(
    documents: &Documents,
    root: &OutputRoot,
) -> Result<HashMap<Dataset, u64>, TriggerError> {
    let mut sizes = HashMap::new();
    let prefix = root.prefix("inputs/");
    let bucket = root.uri.bucket();
    let mut pages = documents.s3().list(bucket, &prefix, Delimiter::Slash);
    for _ in 0..MAX_INPUT_PAGES {
        let Some(page) = pages.next_page().await? else {
            break;
        };
        for object in page.objects {
            let name = object.key.strip_prefix(&prefix).unwrap_or_default();
            let name = name.strip_suffix(ARCHIVE_SUFFIX).unwrap_or_default();
            if let Ok(dataset) = name.parse() {
                sizes.insert(dataset, object.size);
            }
        }
    }
    Ok(sizes)
}

/// Datasets that have state messages below a root.
pub(crate) async fn with_messages(
    documents: &Documents,
    root: &OutputRoot,
) -> Result<HashSet<Dataset>, TriggerError> {
    let messages = documents.messages(root);
    let lists = stream::iter(State::ALL).map(|state| messages.list(state));
    let lists: Vec<Vec<Dataset>> = lists.buffered(State::ALL.len()).try_collect().await?;
    Ok(lists.into_iter().flatten().collect())
}
