//! The records of finished runs in an output, `provenance.json` by `provenance.json`, on S3 or on disk.

use std::collections::BTreeSet;
use std::sync::Arc;

use caldp_core::dataset::Dataset;
use caldp_core::layout::Layout;
use caldp_core::provenance::{self, Provenance};
use storage::hint::with_causes;
use storage::store::{ErrorKind, Store, StoreError};
use tokio::task::JoinSet;

/// Records read at once.
const AT_ONCE: usize = 64;

/// No record of a run is larger, in bytes.
const MOST_RECORD: usize = 16 << 20;

/// A record, by its key, or why it cannot be read.
pub(crate) type Read = (String, Result<Box<Provenance>, String>);

/// Gives what `then` makes of all records below a store's root as they come, at most so many at once,
/// and then says which datasets have products there and no record. `give` says whether more is
/// wanted.
///
/// # Errors
/// When the store cannot be listed or read.
pub(crate) async fn each<T, F>(
    store: &Arc<dyn Store>,
    then: impl FnOnce(Read) -> F + Clone + Send + 'static,
    mut give: impl FnMut(T) -> bool,
) -> Result<BTreeSet<Dataset>, StoreError>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let mut listing = store.list("");
    let mut reading = JoinSet::new();
    let mut without: BTreeSet<Dataset> = BTreeSet::new();
    let mut with = BTreeSet::new();
    while let Some(page) = listing.next_page().await? {
        for object in page {
            let key = object.key;
            let owner = product_of(&key);
            if key.rsplit('/').next() != Some(provenance::FILE) {
                without.extend(owner.filter(|dataset| !with.contains(dataset)));
                continue;
            }
            if let Some(owner) = owner {
                without.remove(&owner);
                with.insert(owner);
            }
            if reading.len() >= AT_ONCE && !take(reading.join_next().await, &mut give)? {
                return Ok(BTreeSet::new());
            }
            let (store, then) = (Arc::clone(store), then.clone());
            reading.spawn(async move {
                let record = read(store.as_ref(), key).await?;
                Ok(then(record).await)
            });
        }
    }
    while let Some(record) = reading.join_next().await {
        if !take(Some(record), &mut give)? {
            return Ok(BTreeSet::new());
        }
    }
    Ok(without)
}

/// The dataset whose product or log a key is.
fn product_of(key: &str) -> Option<Dataset> {
    let layout = match key.split('/').next()? {
        "data" => Layout::Tree,
        "outputs" => Layout::Calcloud,
        _ => return None,
    };
    layout.owner(key)
}

async fn read(store: &dyn Store, key: String) -> Result<Read, StoreError> {
    let record = match store.get_bytes(&key, MOST_RECORD).await {
        Ok((bytes, _)) => serde_json::from_slice(&bytes).map_err(|error| error.to_string()),
        // One that went since, or is none, says nothing of the others.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::TooLarge) => {
            Err(with_causes(&error).to_string())
        }
        Err(error) => return Err(error),
    };
    Ok((key, record.map(Box::new)))
}

fn take<T>(
    read: Option<Result<Result<T, StoreError>, tokio::task::JoinError>>,
    give: &mut impl FnMut(T) -> bool,
) -> Result<bool, StoreError> {
    match read {
        Some(Ok(read)) => read.map(give),
        // A task that was not there or did not end has nothing to give.
        Some(Err(_)) | None => Ok(true),
    }
}
