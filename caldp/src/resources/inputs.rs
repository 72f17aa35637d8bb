//! What raw files say of what the runs of their datasets will need, read where they are: how many and
//! how large they are from a listing, switches and detector from the first block of one of them.
//!
//! Which files are a dataset's is `caldp_worker::membership`, what follows from it
//! [`caldp_core::resources`].

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use caldp_core::dataset::{Dataset, Kind};
use caldp_core::resources::{Features, input_files, unpacked_mb};
use caldp_worker::membership::{all_inputs, membership};
use crds_core::dataset::read_fits_primary;
use fits::ReadAt;
use flate2::read::MultiGzDecoder;
use futures_util::{StreamExt as _, stream};
use storage::blocking;
use storage::hint::{say, with_causes};
use storage::store::{Store, StoreError};
use tempfile::TempDir;
use tokio::runtime::Handle;

use super::features::of_fields;
use crate::ranged::{Forward, RangedFile, Sequential};

/// Datasets looked at at once.
const AT_ONCE: usize = 16;

/// How much of a raw file is asked for at once, in bytes: its first header and more.
const PIECE: u64 = 64 << 10;

/// How much of an archive is asked for at once, in bytes.
const PIECE_OF_ARCHIVE: u64 = 1 << 20;

/// How much of an archive is read, in bytes.
const MOST_OF_ARCHIVE: u64 = 8 << 20;

/// The most files of one program that are listed.
const MOST_FILES: usize = 20_000;

/// The largest association table that is read, in bytes.
const MOST_TABLE: usize = 1 << 20;

/// How many datasets of which nothing is known are named; the others are counted.
const NAMED: usize = 20;

/// What is known of a dataset, or why nothing is.
pub(crate) type Seen = (Dataset, Result<Features, String>);

/// Looks at the raw files of datasets below a store's root, as the worker would find them there. In
/// the order of the datasets.
pub(crate) async fn look(store: &Arc<dyn Store>, datasets: Vec<Dataset>) -> Vec<Seen> {
    let looked = stream::iter(datasets).map(async |dataset| {
        let features = features(store, &dataset).await;
        (dataset, features)
    });
    looked.buffered(AT_ONCE).collect().await
}

/// The features that are known. Why others are not is told, where `tell` says so.
pub(crate) fn known(seen: Vec<Seen>, tell: bool) -> Vec<Features> {
    let (mut known, mut more) = (Vec::new(), 0);
    let mut told = 0;
    for (dataset, features) in seen {
        match features {
            Ok(features) => known.push(features),
            Err(reason) if tell && told < NAMED => {
                told += 1;
                say(format_args!(
                    "caldp: {dataset}: {reason}; estimated without its inputs"
                ));
            }
            Err(_) => more += usize::from(tell),
        }
    }
    if more > 0 {
        say(format_args!("caldp: and {more} other datasets"));
    }
    known
}

async fn features(store: &Arc<dyn Store>, dataset: &Dataset) -> Result<Features, String> {
    let Some(ippps) = dataset
        .ippps()
        .filter(|_| dataset.kind() == Kind::Ipppssoot)
    else {
        return Err("what a mosaic needs does not follow from its files".to_owned());
    };
    let files = list(store, ippps).await?;
    let packed = dataset.archive_file();
    let (store, handle, dataset) = (Arc::clone(store), Handle::current(), dataset.clone());
    if let Some(&size) = files.get(&packed) {
        return blocking::run(move || {
            let file = RangedFile::open(store, packed, handle, PIECE_OF_ARCHIVE);
            of_archive(dataset, file.map_err(in_words)?, size)
        })
        .await;
    }
    let own = members(&store, &dataset, &files).await?;
    let bytes = own.iter().filter_map(|name| files.get(name)).sum();
    let size = Features {
        files: input_files(&own.iter().map(String::as_str).collect::<Vec<_>>()),
        input_mb: mb(bytes),
        ..Features::of_name(dataset.clone())
    };
    let Some(raw) = own.into_iter().find(|name| may_tell(name)) else {
        return Ok(size);
    };
    blocking::run(move || {
        let file = RangedFile::open(store, raw.clone(), handle, PIECE).map_err(in_words)?;
        Ok(of_header(dataset, &file, &raw)?.or(&size))
    })
    .await
}

/// The files at the root whose names begin as those of a program do, with their sizes.
async fn list(store: &Arc<dyn Store>, ippps: &str) -> Result<BTreeMap<String, u64>, String> {
    let mut files = BTreeMap::new();
    let mut listing = store.list(ippps);
    while let Some(page) = listing.next_page().await.map_err(in_words)? {
        let own = page.into_iter().filter(|object| !object.key.contains('/'));
        files.extend(own.map(|object| (object.key, object.size)));
        if files.len() > MOST_FILES {
            return Err(format!("there are more than {MOST_FILES} files of {ippps}"));
        }
    }
    Ok(files)
}

/// The loose files that are the dataset's.
async fn members(
    store: &Arc<dyn Store>,
    dataset: &Dataset,
    files: &BTreeMap<String, u64>,
) -> Result<Vec<String>, String> {
    let unusable = |error: io::Error| format!("a temporary directory cannot be used: {error}");
    let folder = TempDir::new().map_err(unusable)?;
    let table = dataset.association_file();
    if files.contains_key(&table) {
        let (bytes, _) = store
            .get_bytes(&table, MOST_TABLE)
            .await
            .map_err(in_words)?;
        std::fs::write(folder.path().join(&table), bytes).map_err(unusable)?;
    }
    let names: Vec<String> = files.keys().cloned().collect();
    match membership(dataset, &names, folder.path()) {
        Ok(own) if own.is_empty() => Err(format!(
            "neither {} nor raw files are there",
            dataset.archive_file()
        )),
        Ok(own) => Ok(own),
        Err(error) => Err(error.to_string()),
    }
}

/// Whether a file's first header has switches and detector.
fn may_tell(name: &str) -> bool {
    name.contains("_raw")
}

fn of_header(
    dataset: Dataset,
    file: &(impl ReadAt + ?Sized),
    name: &str,
) -> Result<Features, String> {
    let header = read_fits_primary(file, Path::new(name));
    let header = header.map_err(|error| with_causes(&error).to_string())?;
    Ok(of_fields(dataset, &header))
}

/// What the beginning of an archive says; all of it, where it is small.
fn of_archive(dataset: Dataset, file: RangedFile, size: u64) -> Result<Features, String> {
    let unreadable = |error: io::Error| format!("its archive cannot be read: {error}");
    let mut switches = Features::of_name(dataset.clone());
    let (mut names, mut bytes, mut told) = (Vec::new(), 0, false);
    let is_whole = size <= MOST_OF_ARCHIVE;
    let packed = Sequential::new(file).take(MOST_OF_ARCHIVE);
    let mut archive = tar::Archive::new(MultiGzDecoder::new(packed));
    for entry in archive.entries().map_err(unreadable)? {
        let entry = match entry {
            Ok(entry) => entry,
            // What comes after the part that is read.
            Err(_) if !is_whole => break,
            Err(error) => return Err(unreadable(error)),
        };
        let path = entry.path().map_err(unreadable)?.into_owned();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        names.push(name.to_owned());
        bytes += entry.size();
        if !told && may_tell(name) {
            match of_header(dataset.clone(), &Forward::new(entry.size(), entry), name) {
                Ok(features) => (switches, told) = (features, true),
                Err(_) if !is_whole => break,
                Err(reason) => return Err(reason),
            }
        }
        if told && !is_whole {
            break;
        }
    }
    let size = if is_whole {
        let inputs = all_inputs(&dataset, &names);
        Features {
            files: input_files(&inputs.iter().map(String::as_str).collect::<Vec<_>>()),
            input_mb: mb(bytes),
            ..Features::of_name(dataset)
        }
    } else {
        Features {
            input_mb: Some(unpacked_mb(size)),
            ..Features::of_name(dataset)
        }
    };
    Ok(switches.or(&size))
}

#[expect(clippy::cast_precision_loss, reason = "sizes far below 2^52")]
fn mb(bytes: u64) -> Option<f64> {
    (bytes > 0).then_some(bytes as f64 / 1e6)
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn in_words(error: StoreError) -> String {
    with_causes(&error).to_string()
}
