//! Carries up what the archive says: a `dataset-archived` message that appears on site becomes the
//! dataset's state in the output, with its content.

use std::collections::BTreeMap;
use std::io;

use caldp_core::dataset::Dataset;
use caldp_core::layout::{KeyKind, Layout};
use caldp_core::messages::SeenStates;
use caldp_core::state::State;
use storage::blocking;
use storage::bounded;
use storage::hint::with_causes;
use storage::store::{Dir, Store as _, StoreError};

use super::bring::local;
use super::dataset::Source;
use super::error::DatasetError;
use super::site::Site;

/// No acknowledgement is longer, in bytes.
const MOST_MESSAGE: usize = 1 << 20;

/// What was carried up.
#[derive(Debug, Default)]
pub(super) struct Carried {
    /// Of which datasets.
    pub(super) datasets: Vec<Dataset>,
    /// What could not be carried, in words.
    pub(super) notes: Vec<String>,
}

/// The acknowledgements on a site, with their sizes.
pub(super) async fn on_site(site: &Site) -> Result<Vec<(Dataset, u64)>, StoreError> {
    let messages = Dir::new(site.root());
    let listed = messages.list(&Site::state_prefix(State::Archived));
    let of = |key: &str| match Layout::Tree.parse(key) {
        Ok(KeyKind::State(State::Archived, dataset)) => Some(dataset),
        _ => None,
    };
    let listed = listed.collect().await?.into_iter();
    Ok(listed
        .filter_map(|object| Some((of(&object.key)?, object.size)))
        .collect())
}

impl Source {
    /// Carries up what is on a site and not, or not whole, in the output.
    pub(super) async fn acknowledge(
        &self,
        site: &Site,
        acknowledged: Vec<(Dataset, u64)>,
        states: &BTreeMap<Dataset, SeenStates>,
    ) -> Result<Carried, StoreError> {
        let mut carried = Carried::default();
        let known = self.archived().await?;
        for (dataset, size) in acknowledged {
            if known.get(&dataset) == Some(&size) {
                continue;
            }
            let seen = states.get(&dataset).cloned().unwrap_or_default();
            match self.carry(site, &dataset, &seen).await {
                Ok(()) => carried.datasets.push(dataset),
                Err(error) => carried.notes.push(format!(
                    "the acknowledgement of {dataset} is not carried up: {}",
                    with_causes(&error)
                )),
            }
        }
        Ok(carried)
    }

    /// The acknowledgements in the output, with their sizes.
    async fn archived(&self) -> Result<BTreeMap<Dataset, u64>, StoreError> {
        let prefix = self.layout.state_prefix(State::Archived);
        let listed = self.store.list(&prefix).collect().await?;
        let of = |key: &str| match self.layout.parse(key) {
            Ok(KeyKind::State(State::Archived, dataset)) => Some(dataset),
            _ => None,
        };
        Ok(listed
            .into_iter()
            .filter_map(|object| Some((of(&object.key)?, object.size)))
            .collect())
    }

    async fn carry(
        &self,
        site: &Site,
        dataset: &Dataset,
        seen: &SeenStates,
    ) -> Result<(), DatasetError> {
        let path = site.message(State::Archived, dataset);
        let read = path.clone();
        let content = blocking::run(move || bounded::read(&read, MOST_MESSAGE)).await;
        let content = match content {
            // taken back meanwhile
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            content => content.map_err(|e| local(&path, e))?,
        };
        self.messages
            .enter_seen(seen, dataset, State::Archived, &content)
            .await?;
        // A dataset is in one state on site too.
        let (here, of) = (site.clone(), dataset.clone());
        let retracted = blocking::run(move || here.retract(State::Synced, &of)).await;
        retracted.map_err(|e| local(&site.message(State::Synced, dataset), e))
    }
}
