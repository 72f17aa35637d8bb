//! Reads how all datasets of an output are doing: a listing of all messages, then the records of those
//! whose answer is not remembered.
//!
//! What was read is remembered in `blackboard/status.json`, which is never needed: without it, or
//! when it cannot be written, everything is read. A settled dataset is as it was remembered while its message
//! is the same; one under way while its record is of the same version too, which a listing tells.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use caldp_core::dataset::Dataset;
use caldp_core::layout::{Area, Layout};
use caldp_core::messages::Messages;
use caldp_core::provenance::{self, Provenance};
use caldp_core::state::State;
use futures_util::future::{FutureExt as _, try_join};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use storage::hint::with_causes;
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
const VERSION: u32 = 3;
/// A page of a listing tells the versions of many records and may tell none of those wanted: one is listed for
/// each so many datasets under way. The records of fewer are read.
const READ_DIRECTLY: usize = 10;
/// What is said when that is so.
const NOT_REMEMBERED: &str = "what was read cannot be remembered for the next time";
/// Where the records of attempts are.
const CONTROL: &str = "control/";

/// How the datasets of an output are doing.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    /// In the order of their names.
    pub datasets: Vec<DatasetProgress>,
    /// What could not be read or written, in words, and is no failure of the command.
    pub notes: Vec<String>,
}

/// What is known, as it was read last.
#[derive(Debug, Default, Deserialize)]
struct Remembered {
    /// How much was known of each dataset then.
    #[serde(default)]
    version: u32,
    #[serde(default)]
    datasets: Vec<DatasetProgress>,
    /// The versions of the records of those that are under way.
    #[serde(default)]
    records: HashMap<Dataset, String>,
}

/// The same to be written.
#[derive(Debug, Serialize)]
struct ToRemember<'a> {
    version: u32,
    datasets: Vec<&'a DatasetProgress>,
    records: BTreeMap<&'a Dataset, &'a str>,
}

/// A dataset, and of which version its record was when it was read.
#[derive(Debug, PartialEq)]
struct Known {
    progress: DatasetProgress,
    record: Option<String>,
}

impl Known {
    /// Whether it can be told later, without reading its record, that this still is so.
    const fn can_be_remembered(&self) -> bool {
        self.progress.is_settled() || self.record.is_some()
    }
}

/// Reads how the datasets below the root of `store` are doing.
///
/// # Errors
/// When the store cannot be listed or a record cannot be had.
pub async fn read(store: &Arc<dyn Store>, layout: Layout) -> Result<Progress, StoreError> {
    let key = layout.blackboard(FILE);
    let listing = states(store, layout);
    let remembering = store.get_bytes(&key, MAX_MEMORY).map(Ok);
    let (states, remembered) = try_join(listing, remembering).await?;
    let mut notes = vec![];
    let (mut known, condition) = match remembered {
        Ok((bytes, version)) => (
            remembered_in(&bytes),
            version.map_or(Precondition::None, Precondition::IfVersion),
        ),
        // whatever the reason, everything is read then
        Err(_) => (HashMap::new(), Precondition::IfAbsent),
    };
    let before = known.len();
    known.retain(|dataset, known| {
        let now = states.get(dataset);
        now.is_some_and(|now| {
            (now.state, now.since) == (known.progress.state, known.progress.since)
        })
    });
    let unchanged = unchanged(store, layout, &known).await;
    let reading = states.into_iter().map(|(dataset, shown)| {
        let Shown {
            state,
            since,
            left_over,
        } = shown;
        let remembered = known.remove(&dataset);
        let unchanged = &unchanged;
        async move {
            let (mut known, news) = match remembered {
                Some(known) if known.progress.is_settled() || unchanged.contains(&dataset) => {
                    (known, false)
                }
                remembered => {
                    let read = dataset_progress(store, layout, dataset, state, since).await?;
                    let news = read.can_be_remembered() && remembered.as_ref() != Some(&read);
                    (read, news)
                }
            };
            known.progress.left_over = left_over;
            Ok((known, news))
        }
    });
    let reading: Vec<_> = reading.collect();
    let read: Vec<(Known, bool)> = stream::iter(reading)
        .buffered(CONCURRENCY)
        .try_collect()
        .await?;
    let news = read.iter().any(|(_, news)| *news);
    let datasets: Vec<Known> = read.into_iter().map(|(known, _)| known).collect();
    let remembered = datasets.iter().filter(|known| known.can_be_remembered());
    if news || remembered.clone().count() != before {
        let written = remember(store, &key, remembered, &condition).await;
        notes.extend(written.err().and_then(|error| not_remembered(&error)));
    }
    let datasets = datasets.into_iter().map(|known| known.progress).collect();
    Ok(Progress { datasets, notes })
}

/// Of the datasets under way that are remembered, those whose record still is of the version that was read.
async fn unchanged(
    store: &Arc<dyn Store>,
    layout: Layout,
    known: &HashMap<Dataset, Known>,
) -> HashSet<Dataset> {
    let under_way = known.values().filter(|k| !k.progress.is_settled());
    let mut records: HashMap<String, (&Dataset, &str)> = under_way
        .filter_map(|known| {
            let dataset = &known.progress.dataset;
            Some((
                layout.attempts(dataset),
                (dataset, known.record.as_deref()?),
            ))
        })
        .collect();
    let mut unchanged = HashSet::new();
    let mut listing = store.list(CONTROL);
    for _ in 0..records.len() / READ_DIRECTLY {
        // what cannot be listed is read
        let Ok(Some(page)) = listing.next_page().await else {
            break;
        };
        for object in page {
            if let Some((dataset, version)) = records.remove(&object.key)
                && object.version.is_some_and(|now| now.as_str() == version)
            {
                unchanged.insert(dataset.clone());
            }
        }
        if records.is_empty() {
            break;
        }
    }
    unchanged
}

/// What the messages of a dataset show.
struct Shown {
    /// The state that holds.
    state: State,
    /// When it came into it.
    since: Option<Timestamp>,
    /// When the oldest message of another state was written.
    left_over: Option<Timestamp>,
}

/// Every dataset with what its messages show.
async fn states(
    store: &Arc<dyn Store>,
    layout: Layout,
) -> Result<BTreeMap<Dataset, Shown>, StoreError> {
    let messages = Messages::new(Arc::clone(store), layout);
    let mut listed = messages.listed_at_once().await?;
    // in the order of life, so that of two states seen at once the later one holds
    listed.sort_unstable_by_key(|(_, state, _)| *state);
    let mut states = BTreeMap::<Dataset, Shown>::new();
    for (dataset, state, since) in listed {
        let earlier = states.get(&dataset);
        let left_over = earlier.and_then(|earlier| earlier.left_over.or(earlier.since));
        let shown = Shown {
            state,
            since,
            left_over,
        };
        states.insert(dataset, shown);
    }
    Ok(states)
}

async fn dataset_progress(
    store: &Arc<dyn Store>,
    layout: Layout,
    dataset: Dataset,
    state: State,
    since: Option<Timestamp>,
) -> Result<Known, StoreError> {
    let progress = DatasetProgress::of_state(dataset, state, since);
    let key = layout.attempts(&progress.dataset);
    let (mut progress, version) = match store.get_bytes(&key, MAX_RECORD).await {
        Ok((bytes, version)) => match serde_json::from_slice::<Record>(&bytes) {
            Ok(record) => (progress.with_record(&record), version),
            Err(_) => (progress, version),
        },
        // run by hand, without the trigger
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::TooLarge) => {
            (with_run(store, layout, progress).await?, None)
        }
        Err(error) => return Err(error),
    };
    if progress.has_failed() && progress.failure.is_none() {
        let key = layout.message(state, &progress.dataset);
        let message = bytes_if_there(&**store, &key, MAX_MESSAGE)
            .await?
            .unwrap_or_default();
        progress = progress.with_message(&String::from_utf8_lossy(&message));
    }
    let record = version.filter(|_| !progress.is_settled());
    Ok(Known {
        progress,
        record: record.map(|version| version.as_str().to_owned()),
    })
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
fn remembered_in(bytes: &[u8]) -> HashMap<Dataset, Known> {
    let mut remembered: Remembered = serde_json::from_slice(bytes).unwrap_or_default();
    if remembered.version != VERSION {
        return HashMap::new();
    }
    let known = remembered.datasets.into_iter().map(|progress| {
        let record = remembered.records.remove(&progress.dataset);
        (progress.dataset.clone(), Known { progress, record })
    });
    known.collect()
}

async fn remember(
    store: &Arc<dyn Store>,
    key: &str,
    known: impl Iterator<Item = &Known> + Clone,
    condition: &Precondition,
) -> Result<(), StoreError> {
    let remembered = ToRemember {
        version: VERSION,
        datasets: known.clone().map(|known| &known.progress).collect(),
        records: known
            .filter_map(|known| Some((&known.progress.dataset, known.record.as_deref()?)))
            .collect(),
    };
    // texts, numbers and times always serialise
    let bytes = serde_json::to_vec(&remembered).unwrap_or_default();
    store.put_bytes(key, bytes.into(), condition).await?;
    Ok(())
}

/// What to say when nothing could be remembered; nothing when another command did so meanwhile.
fn not_remembered(error: &StoreError) -> Option<String> {
    match error.kind() {
        ErrorKind::AlreadyExists | ErrorKind::Changed => None,
        // without the key, so that it is said once of all outputs
        ErrorKind::AccessDenied => Some(format!(
            "{NOT_REMEMBERED}: writing below blackboard/ is not allowed"
        )),
        _ => Some(format!("{NOT_REMEMBERED}: {}", with_causes(error))),
    }
}
