//! Reads how all datasets of an output are doing: a listing of each state, then the records of those
//! whose answer is not remembered.
//!
//! What is settled is remembered in `blackboard/status.json`, which is never needed: without it, or
//! when it cannot be written, everything is read.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use caldp_core::dataset::Dataset;
use caldp_core::layout::{Area, Layout};
use caldp_core::messages::Messages;
use caldp_core::provenance::{self, Provenance};
use caldp_core::state::State;
use futures_util::future::{join, try_join_all};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use storage::s3::Precondition;
use storage::store::{ErrorKind, Store, StoreError, bytes_if_there};

use super::dataset::DatasetProgress;
use crate::record::attempts::Record;

/// So many records are read at a time.
const CONCURRENCY: usize = 64;
/// No record is larger, in bytes.
const MAX_RECORD: usize = 1 << 20;
/// No record of a run is larger, in bytes.
const MAX_RUN: usize = 4 << 20;
/// No message that is read is larger, in bytes.
const MAX_MESSAGE: usize = 256 << 10;
/// What is remembered of more is not read, in bytes.
const MAX_MEMORY: usize = 64 << 20;
/// The file of what is settled.
const FILE: &str = "status.json";
/// Datasets remembered with less known of each are read again.
const VERSION: u32 = 2;

/// How the datasets of an output are doing.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    /// In the order of their names.
    pub datasets: Vec<DatasetProgress>,
    /// What could not be read or written, in words, and is no failure of the command.
    pub notes: Vec<String>,
}

/// What is settled, as it was read last.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Remembered {
    /// How much was known of each dataset then.
    #[serde(default)]
    version: u32,
    #[serde(default)]
    datasets: Vec<DatasetProgress>,
}

/// Reads how the datasets below the root of `store` are doing.
///
/// # Errors
/// When the store cannot be listed or a record cannot be had.
pub async fn read(store: &Arc<dyn Store>, layout: Layout) -> Result<Progress, StoreError> {
    let key = layout.blackboard(FILE);
    let listing = states(store, layout);
    let remembering = store.get_bytes(&key, MAX_MEMORY);
    let (states, remembered) = join(listing, remembering).await;
    let (states, mut notes) = (states?, vec![]);
    let (known, condition) = match remembered {
        Ok((bytes, version)) => (
            remembered_in(&bytes),
            version.map_or(Precondition::None, Precondition::IfVersion),
        ),
        // whatever the reason, everything is read then
        Err(_) => (Remembered::default(), Precondition::IfAbsent),
    };
    let mut known: HashMap<Dataset, DatasetProgress> = known
        .datasets
        .into_iter()
        .map(|known| (known.dataset.clone(), known))
        .collect();
    let mut news = false;
    let reading = states.into_iter().map(|(dataset, (state, since))| {
        let remembered = known
            .remove(&dataset)
            .filter(|k| k.is_settled() && k.state == state && k.since == since);
        news |= remembered.is_none();
        async move {
            match remembered {
                Some(remembered) => Ok(remembered),
                None => dataset_progress(store, layout, dataset, state, since).await,
            }
        }
    });
    let reading: Vec<_> = reading.collect();
    let datasets: Vec<DatasetProgress> = stream::iter(reading)
        .buffered(CONCURRENCY)
        .try_collect()
        .await?;
    if news || !known.is_empty() {
        let settled = datasets.iter().filter(|d| d.is_settled()).cloned();
        let remembered = Remembered {
            version: VERSION,
            datasets: settled.collect(),
        };
        let written = remember(store, &key, &remembered, &condition).await;
        notes.extend(written.err().and_then(|error| not_remembered(&error)));
    }
    Ok(Progress { datasets, notes })
}

/// Every dataset with the state that holds and when it came into it.
async fn states(
    store: &Arc<dyn Store>,
    layout: Layout,
) -> Result<BTreeMap<Dataset, (State, Option<Timestamp>)>, StoreError> {
    let messages = Messages::new(Arc::clone(store), layout);
    let listings = State::ALL.map(|state| messages.listed(state));
    let mut states = BTreeMap::new();
    // in the order of life, so that of two states seen at once the later one holds
    for (state, listed) in State::ALL.into_iter().zip(try_join_all(listings).await?) {
        for (dataset, since) in listed {
            states.insert(dataset, (state, since));
        }
    }
    Ok(states)
}

async fn dataset_progress(
    store: &Arc<dyn Store>,
    layout: Layout,
    dataset: Dataset,
    state: State,
    since: Option<Timestamp>,
) -> Result<DatasetProgress, StoreError> {
    let progress = DatasetProgress::of_state(dataset, state, since);
    let key = layout.attempts(&progress.dataset);
    let progress = match bytes_if_there(&**store, &key, MAX_RECORD).await? {
        Some(bytes) => match serde_json::from_slice::<Record>(&bytes) {
            Ok(record) => progress.with_record(&record),
            Err(_) => progress,
        },
        // run by hand, without the trigger
        None => with_run(store, layout, progress).await?,
    };
    if !progress.has_failed() || progress.failure.is_some() {
        return Ok(progress);
    }
    let key = layout.message(state, &progress.dataset);
    let message = bytes_if_there(&**store, &key, MAX_MESSAGE)
        .await?
        .unwrap_or_default();
    Ok(progress.with_message(&String::from_utf8_lossy(&message)))
}

/// Adds what the run of a dataset that was not submitted left of itself.
async fn with_run(
    store: &Arc<dyn Store>,
    layout: Layout,
    progress: DatasetProgress,
) -> Result<DatasetProgress, StoreError> {
    if !progress.is_settled() {
        return Ok(progress);
    }
    let key = layout.file(&progress.dataset, Area::Logs, provenance::FILE);
    let bytes = bytes_if_there(&**store, &key, MAX_RUN).await?;
    let run = bytes.and_then(|bytes| serde_json::from_slice::<Provenance>(&bytes).ok());
    Ok(match run {
        Some(run) => progress.with_run(&run),
        None => progress,
    })
}

/// What is remembered, when it is what this version remembers.
fn remembered_in(bytes: &[u8]) -> Remembered {
    let remembered: Remembered = serde_json::from_slice(bytes).unwrap_or_default();
    if remembered.version == VERSION {
        remembered
    } else {
        Remembered::default()
    }
}

async fn remember(
    store: &Arc<dyn Store>,
    key: &str,
    remembered: &Remembered,
    condition: &Precondition,
) -> Result<(), StoreError> {
    // texts, numbers and times always serialise
    let bytes = serde_json::to_vec(remembered).unwrap_or_default();
    store.put_bytes(key, bytes.into(), condition).await?;
    Ok(())
}

/// What to say when nothing could be remembered; nothing when another command did so meanwhile.
fn not_remembered(error: &StoreError) -> Option<String> {
    match error.kind() {
        ErrorKind::AlreadyExists | ErrorKind::Changed => None,
        _ => Some(format!(
            "what is settled cannot be remembered for the next time: {}",
            storage::hint::with_causes(error)
        )),
    }
}
