//! Delivery: what a run leaves, stored where it belongs and only then believed.
//!
//! Files are stored one by one, or packed into one archive while it is being stored, as the
//! layout wants; each object is complete or not there at all. What was stored is returned with size and
//! checksum. Where things go is spelled by `caldp_core::layout`; which files are products is known
//! to [`products`].

mod gzip;
pub mod package;
mod products;

pub use products::{list, products};

use crate::error::disk_hint;
use crate::report::file_record;
use caldp_core::dataset::Dataset;
use caldp_core::layout::{Area, Layout};
use caldp_core::provenance::FileRecord;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use package::{PackageError, Packed, PackedFile};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use storage::checksum::{Crc64, Sha1};
use storage::hint::Hint;
use storage::s3::Length;
use storage::store::{Place, Store, StoreError};
use storage::uri::Location;
use tokio_util::io::StreamReader;

/// How many files are stored at once.
const FILES_IN_FLIGHT: usize = 4;

/// Why a result could not be delivered.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// The store did not take or give something.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Files could not be packed.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// The working directory could not be read.
    #[error("{path} could not be read")]
    Local {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file was written to while it was stored.
    #[error("{path} changed while it was stored")]
    Changed {
        /// The file.
        path: PathBuf,
    },
}

impl Hint for DeliveryError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Store(error) => error.hint(),
            Self::Package(error) => error.hint(),
            Self::Local { source, .. } => Some(disk_hint(source).into()),
            Self::Changed { .. } => Some("has a program been left running?".into()),
        }
    }
}

/// Files of one folder that are stored as files of one area.
#[derive(Debug)]
pub struct Files<'a> {
    /// What they are.
    pub area: Area,
    /// Where they are.
    pub folder: &'a Path,
    /// Their names.
    pub names: Vec<String>,
}

/// Where the files of one dataset go.
#[derive(Debug)]
pub struct Delivery<'a> {
    store: &'a dyn Store,
    layout: Layout,
    dataset: &'a Dataset,
}

impl<'a> Delivery<'a> {
    /// Deliveries of `dataset` to `store` in `layout`.
    pub fn new(store: &'a dyn Store, layout: Layout, dataset: &'a Dataset) -> Self {
        Self {
            store,
            layout,
            dataset,
        }
    }

    /// Stores files. Those that the layout keeps in one archive are packed together, in the order
    /// given.
    ///
    /// Every record names its file relative to the dataset's directory; a packed one also names the
    /// archive, which has a record of its own.
    ///
    /// # Errors
    /// [`DeliveryError`] for the first object that could not be stored; the others may be.
    pub async fn store(&self, groups: &[Files<'_>]) -> Result<Vec<FileRecord>, DeliveryError> {
        let mut records = Vec::new();
        let mut archives: Vec<(String, Vec<&Files<'_>>)> = Vec::new();
        let mut loose = Vec::new();
        for files in groups.iter().filter(|files| !files.names.is_empty()) {
            match self.layout.archive(self.dataset, files.area) {
                None => loose.extend(files.names.iter().map(|name| (files, name))),
                Some(key) => match archives.iter_mut().find(|(known, _)| *known == key) {
                    Some((_, together)) => together.push(files),
                    None => archives.push((key, vec![files])),
                },
            }
        }
        for (key, groups) in archives {
            records.extend(self.pack(&key, &groups).await?);
        }
        let stored: Vec<FileRecord> = stream::iter(loose)
            .map(|(files, name)| self.store_file(files, name))
            .buffered(FILES_IN_FLIGHT)
            .try_collect()
            .await?;
        records.extend(stored);
        Ok(records)
    }

    async fn store_file(&self, files: &Files<'_>, name: &str) -> Result<FileRecord, DeliveryError> {
        let key = self.layout.file(self.dataset, files.area, name);
        let path = files.folder.join(name);
        let name = self.relative(&key);
        let record = file_record(&path, &name);
        let (record, stored) = tokio::join!(record, self.store.put_file(&key, &path));
        let (stored, record) = (stored?, record.map_err(local(&path))?);
        if stored.size == record.size {
            Ok(record)
        } else {
            Err(DeliveryError::Changed { path })
        }
    }

    /// Packs files into the archive `key` while it is stored; nothing of it is there before.
    async fn pack(
        &self,
        key: &str,
        groups: &[&Files<'_>],
    ) -> Result<Vec<FileRecord>, DeliveryError> {
        let archive = self.relative(key);
        let members: Vec<PackedFile> = groups
            .iter()
            .flat_map(|files| files.names.iter().map(move |name| (files, name)))
            .map(|(files, name)| PackedFile {
                name: self.layout.file(self.dataset, files.area, name),
                path: files.folder.join(name),
            })
            .collect();
        let most = package::longest(&members)?;
        let (mut sha1, mut crc64) = (Sha1::new(), Crc64::new());
        let mut packed = package::package(members);
        let stream = packed
            .by_ref()
            .inspect_ok(|member| {
                sha1.update(member);
                crc64.update(member);
            })
            .map_err(io::Error::other);
        let stored = self
            .store
            .put_stream(key, &mut StreamReader::new(stream), Length::AtMost(most))
            .await?;
        let whole = FileRecord {
            name: archive.clone(),
            size: stored.size,
            sha1: sha1.finish().to_string(),
            crc64: Some(crc64.finish().to_string()),
            archive: None,
        };
        let within = format!("{}/", self.dataset);
        let record = |Packed { name, size, sha1 }: Packed| FileRecord {
            name: name.strip_prefix(&within).unwrap_or(&name).to_owned(),
            size,
            sha1: sha1.to_string(),
            crc64: None,
            archive: Some(archive.clone()),
        };
        let members = packed.finish().into_iter().map(record);
        Ok(std::iter::once(whole).chain(members).collect())
    }

    /// A key of the dataset relative to its directory.
    fn relative(&self, key: &str) -> String {
        let directory = self.layout.data_dir(self.dataset);
        key.strip_prefix(&directory).unwrap_or(key).to_owned()
    }

    /// Removes what earlier runs left below the dataset's directory and this one did not replace.
    ///
    /// # Errors
    /// [`DeliveryError`] when the store cannot be listed or something cannot be deleted.
    pub async fn remove_all_but(&self, kept: &[FileRecord]) -> Result<(), DeliveryError> {
        let directory = self.layout.data_dir(self.dataset);
        let kept: BTreeSet<String> = stored(kept)
            .map(|file| format!("{directory}{}", file.name))
            .collect();
        let mut stale = Vec::new();
        let mut listing = self.store.list(&directory);
        while let Some(page) = listing.next_page().await? {
            let old = page
                .into_iter()
                .filter(|object| !kept.contains(&object.key));
            stale.extend(old.map(|object| object.key));
        }
        for key in &stale {
            tracing::info!("removing {key}, left by an earlier run");
        }
        Ok(self.store.delete_many(&stale).await?)
    }

    /// The body of the `processed` message. In the tree layout nothing on S3, and on a file system
    /// the absolute paths of what was delivered, a line each; in the calcloud layout the archive's
    /// URI.
    pub fn listing(&self, files: &[FileRecord]) -> String {
        if let Some(archive) = self.layout.archive(self.dataset, Area::Products) {
            return match self.store.place(&archive) {
                Ok(Place::File(path)) => Location::Dir(absolute(path)).to_string(),
                Ok(place) => place.to_string(),
                // A key that was written to is one.
                Err(_) => String::new(),
            };
        }
        stored(files)
            .filter_map(|file| {
                let key = format!("{}{}", self.layout.data_dir(self.dataset), file.name);
                let Ok(Place::File(path)) = self.store.place(&key) else {
                    return None;
                };
                Some(format!("{}\n", absolute(path).display()))
            })
            .collect()
    }
}

/// The records of what is stored by itself.
fn stored(records: &[FileRecord]) -> impl Iterator<Item = &FileRecord> {
    records.iter().filter(|file| file.archive.is_none())
}

fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}

fn local(path: &Path) -> impl Fn(io::Error) -> DeliveryError {
    |source| DeliveryError::Local {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests;
