//! What is known of datasets before they are submitted: sizes of inputs, messages of an earlier
//! life, what an earlier run measured, and the resources that follow from it.

use std::collections::{HashMap, HashSet};

use caldp_core::dataset::{ARCHIVE_SUFFIX, Dataset};
use caldp_core::state::State;
use futures_util::{StreamExt, TryStreamExt, stream};
use storage::s3::Delimiter;

use crate::desk::Desk;
use crate::error::TriggerError;
use crate::jobs::Batch;
use crate::ladder::{Facts, Measured, Resources, Scale, choose};
use crate::order::Overrides;
use crate::place::{Place, measured};

/// The most pages of a listing of inputs that are read to learn their sizes.
const MAX_INPUT_PAGES: usize = 200;

impl<B: Batch> Desk<B> {
    /// The resources of a dataset: from what an earlier run measured, the size of its inputs, its
    /// kind, and what the order says.
    pub(crate) async fn resources(
        &self,
        dataset: &Dataset,
        input_bytes: Option<u64>,
        overrides: Overrides,
    ) -> Result<Resources, TriggerError> {
        let uri = measured(&self.config.bucket, dataset)?;
        let facts = Facts {
            input_bytes,
            inputs: None,
            measured: self.read::<Measured>(&uri).await?.map(|(m, _)| m),
        };
        let scale = overrides.timeout_scale.unwrap_or(Scale::ONE);
        Ok(choose(dataset, facts, overrides.memory_bin, scale))
    }

    /// The sizes of packed inputs at a place, in bytes.
    pub(crate) async fn input_sizes(
        &self,
        place: &Place,
    ) -> Result<HashMap<Dataset, u64>, TriggerError> {
        let mut sizes = HashMap::new();
        let prefix = place.prefix("inputs/");
        let mut pages = self.s3.list(place.root.bucket(), &prefix, Delimiter::Slash);
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

    /// Datasets that have state messages at a place.
    pub(crate) async fn stale(&self, place: &Place) -> Result<HashSet<Dataset>, TriggerError> {
        let lists = stream::iter(State::ALL).map(|state| self.datasets_in(place, state));
        let lists: Vec<Vec<Dataset>> = lists.buffered(State::ALL.len()).try_collect().await?;
        Ok(lists.into_iter().flatten().collect())
    }

    /// Datasets with a message of a state, in the order of their names.
    pub(crate) async fn datasets_in(
        &self,
        place: &Place,
        state: State,
    ) -> Result<Vec<Dataset>, TriggerError> {
        let prefix = place.prefix(&place.layout.state_prefix(state));
        let mut pages = self.s3.list(place.root.bucket(), &prefix, Delimiter::None);
        let mut datasets = vec![];
        while let Some(page) = pages.next_page().await? {
            for object in page.objects {
                let name = object.key.strip_prefix(&prefix).unwrap_or_default();
                let name = name.strip_suffix(".trigger").unwrap_or(name);
                datasets.extend(name.parse::<Dataset>());
            }
        }
        Ok(datasets)
    }
}
