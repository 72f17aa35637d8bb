//! The batches of an output, `messages/batch-<state>/<batch>.json`: which datasets each has, and its state,
//! `new -> syncing -> done | error`, which follows from those of its datasets.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use caldp_core::batch::BatchName;
use caldp_core::dataset::Dataset;
use caldp_core::layout::{BatchState, KeyKind, Layout};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use serde_json::{Map, Value};
use storage::object::{Precondition, Version};
use storage::store::{ErrorKind, Store, StoreError};

/// No record of a batch is larger, in bytes.
const MOST_RECORD: usize = 16 << 20;

/// So many records are read at a time.
const AT_ONCE: usize = 16;

/// How often a record is tried to be moved against others who write it.
const TRIES: usize = 8;

/// Lists of a record that grow with each submission.
const GROWING: [&str; 3] = ["submissions", "jobs", "datasets"];

/// A batch as it was read.
#[derive(Debug, Clone)]
pub(super) struct Batch {
    pub(super) name: BatchName,
    /// The states it has messages of, in order.
    pub(super) states: BTreeSet<BatchState>,
    pub(super) datasets: BTreeSet<Dataset>,
}

/// What was read of records before, by their keys, so that none is read twice.
pub(super) type Known = HashMap<String, (Option<Version>, Arc<BTreeSet<Dataset>>)>;

/// The batches of one output.
#[derive(Debug)]
pub(super) struct Batches {
    store: Arc<dyn Store>,
    layout: Layout,
}

impl Batches {
    pub(super) fn new(store: Arc<dyn Store>, layout: Layout) -> Self {
        Self { store, layout }
    }

    /// All of them, those last that were submitted last as far as their states tell.
    pub(super) async fn read(&self, known: &mut Known) -> Result<Vec<Batch>, StoreError> {
        let mut found = vec![];
        for state in BatchState::ALL {
            let mut listing = self.store.list(&self.layout.batch_prefix(state));
            while let Some(page) = listing.next_page().await? {
                found.extend(page.into_iter().filter_map(|object| {
                    match self.layout.parse(&object.key) {
                        Ok(KeyKind::Batch(of, name)) if of == state => Some((state, name, object)),
                        _ => None,
                    }
                }));
            }
        }
        let reading: Vec<_> = found
            .into_iter()
            .map(|(state, name, object)| {
                let before = known
                    .get(&object.key)
                    .filter(|(version, _)| version.is_some() && *version == object.version);
                let before = before.map(|(_, datasets)| Arc::clone(datasets));
                async move {
                    let datasets = match before {
                        Some(datasets) => datasets,
                        None => Arc::new(self.datasets(&object.key).await?),
                    };
                    Ok::<_, StoreError>((state, name, object, datasets))
                }
            })
            .collect();
        let read: Vec<_> = stream::iter(reading)
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        known.clear();
        let mut batches: BTreeMap<BatchName, Batch> = BTreeMap::new();
        for (state, name, object, datasets) in read {
            let batch = batches.entry(name.clone()).or_insert_with(|| Batch {
                name,
                states: BTreeSet::new(),
                datasets: BTreeSet::new(),
            });
            batch.states.insert(state);
            batch.datasets.extend(datasets.iter().cloned());
            known.insert(object.key, (object.version, datasets));
        }
        let mut batches: Vec<Batch> = batches.into_values().collect();
        // A dataset that was submitted again is of the batch that still is new.
        batches.sort_by_key(|batch| std::cmp::Reverse(batch.states.first().copied()));
        Ok(batches)
    }

    /// The datasets that a record names; of one that is none of ours, none.
    async fn datasets(&self, key: &str) -> Result<BTreeSet<Dataset>, StoreError> {
        let Some((record, _)) = self.record(key).await? else {
            return Ok(BTreeSet::new());
        };
        let names = record.get("datasets").and_then(Value::as_array);
        let names = names.into_iter().flatten().filter_map(Value::as_str);
        Ok(names.filter_map(|name| name.parse().ok()).collect())
    }

    async fn record(
        &self,
        key: &str,
    ) -> Result<Option<(Map<String, Value>, Option<Version>)>, StoreError> {
        match self.store.get_bytes(key, MOST_RECORD).await {
            Ok((bytes, version)) => Ok(Some((
                serde_json::from_slice(&bytes).unwrap_or_default(),
                version,
            ))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes a state the only one of a batch. What the records of its other states have is in that of the
    /// new state before they are deleted.
    pub(super) async fn move_to(&self, batch: &Batch, to: BatchState) -> Result<(), StoreError> {
        let target = self.layout.batch_message(to, &batch.name);
        let others: Vec<String> = batch
            .states
            .iter()
            .filter(|state| **state != to)
            .map(|state| self.layout.batch_message(*state, &batch.name))
            .collect();
        if others.is_empty() {
            return Ok(());
        }
        for tries in 1.. {
            let there = self.record(&target).await?;
            let (mut merged, condition) = match there {
                Some((record, Some(version))) => (record, Precondition::IfVersion(version)),
                Some((record, None)) => (record, Precondition::None),
                None => (Map::new(), Precondition::IfAbsent),
            };
            let mut versions = vec![];
            // the newest last: what it says of the whole counts
            for key in others.iter().rev() {
                let read = self.record(key).await?;
                versions.push(read.as_ref().and_then(|(_, version)| version.clone()));
                if let Some((record, _)) = read {
                    merge(&mut merged, record);
                }
            }
            let body = Bytes::from(Value::Object(merged).to_string());
            match self.store.put_bytes(&target, body, &condition).await {
                Ok(_) => {}
                Err(error)
                    if tries < TRIES
                        && matches!(
                            error.kind(),
                            ErrorKind::AlreadyExists | ErrorKind::Changed | ErrorKind::NotFound
                        ) =>
                {
                    continue;
                }
                Err(error) => return Err(error),
            }
            // A submission may have been added meanwhile.
            let mut unchanged = true;
            for (key, version) in others.iter().rev().zip(versions) {
                let now = self.store.get_bytes(key, MOST_RECORD).await;
                let now = now.ok().and_then(|(_, version)| version);
                unchanged &= now == version;
            }
            if unchanged || tries >= TRIES {
                break;
            }
        }
        self.store.delete_many(&others).await
    }
}

/// Adds what a record has to another: its lists, and for the rest what it says.
fn merge(into: &mut Map<String, Value>, record: Map<String, Value>) {
    for (field, value) in record {
        match (GROWING.contains(&&*field), into.get_mut(&field), value) {
            (true, Some(Value::Array(known)), Value::Array(more)) => {
                let seen: BTreeSet<String> = known.iter().map(ToString::to_string).collect();
                known.extend(
                    more.into_iter()
                        .filter(|one| !seen.contains(&one.to_string())),
                );
            }
            (_, _, value) => {
                into.insert(field, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use storage::store::Memory;

    #[tokio::test]
    async fn a_batch_that_was_added_to_keeps_what_it_had() {
        let store: Arc<dyn Store> = Arc::new(Memory::new());
        let put = async |state: &str, body: &str| {
            let key = format!("messages/batch-{state}/spring.json");
            let body = Bytes::from(body.to_owned());
            store
                .put_bytes(&key, body, &Precondition::None)
                .await
                .unwrap();
        };
        put(
            "done",
            r#"{"context":"a","submissions":["1"],"datasets":["j8cb010b0"]}"#,
        )
        .await;
        put(
            "new",
            r#"{"context":"b","submissions":["2"],"datasets":["j8cb010b0","j8cb010c0"]}"#,
        )
        .await;
        let batches = Batches::new(Arc::clone(&store), Layout::Tree);
        let read = batches.read(&mut Known::new()).await.unwrap();
        assert_eq!(read[0].datasets.len(), 2);
        batches
            .move_to(&read[0], BatchState::Syncing)
            .await
            .unwrap();
        let keys = store.list("").collect().await.unwrap();
        let keys: Vec<_> = keys.into_iter().map(|object| object.key).collect();
        assert_eq!(keys, ["messages/batch-syncing/spring.json"]);
        let (record, _) = batches.record(&keys[0]).await.unwrap().unwrap();
        assert_eq!(
            Value::Object(record).to_string(),
            r#"{"context":"b","submissions":["1","2"],"datasets":["j8cb010b0","j8cb010c0"]}"#
        );
    }
}
