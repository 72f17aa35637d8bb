//! Delivery: what a run leaves, stored where it belongs and only then believed.
//!
//! Files are stored one by one, each complete or not at all; what they were is returned with size
//! and checksum, computed from the very bytes that were sent. Where they go is spelled by
//! `caldp_core::layout`.

pub mod package;

use crate::report::FileRecord;
use caldp_core::dataset::Dataset;
use caldp_core::layout::{Area, Layout};
use caldp_core::store::{Place, Store, StoreError};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// How many files are stored at once.
const FILES_IN_FLIGHT: usize = 4;

/// Why a result could not be delivered.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// The store did not take or give something.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The working directory could not be read.
    #[error("{path} could not be read: {source}")]
    Local {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file was written to while it was stored.
    #[error("{path} changed while it was stored\nhint: has a program been left running?")]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// This layout cannot be written.
    #[error("the calcloud layout is not supported yet\nhint: use --layout tree")]
    Layout,
}

/// Where the files of one dataset go.
#[derive(Debug)]
pub struct Delivery<'a> {
    store: &'a Store,
    layout: Layout,
    dataset: &'a Dataset,
}

impl<'a> Delivery<'a> {
    /// Deliveries of `dataset` to `store` in `layout`.
    pub fn new(store: &'a Store, layout: Layout, dataset: &'a Dataset) -> Self {
        Self {
            store,
            layout,
            dataset,
        }
    }

    /// Stores the files `names` of `folder` as files of `area`.
    ///
    /// Every record names its file relative to the dataset's directory.
    ///
    /// # Errors
    /// [`DeliveryError`] for the first file that could not be stored; the others may be.
    pub async fn store(
        &self,
        area: Area,
        folder: &Path,
        names: &[String],
    ) -> Result<Vec<FileRecord>, DeliveryError> {
        if self.layout != Layout::Tree {
            return Err(DeliveryError::Layout);
        }
        let directory = &self.layout.data_dir(self.dataset);
        stream::iter(names)
            .map(|name| async move {
                let key = self.layout.file(self.dataset, area, name);
                let path = folder.join(name);
                let record =
                    FileRecord::of(&path, key.strip_prefix(directory.as_str()).unwrap_or(&key));
                let (record, stored) = tokio::join!(record, self.store.put_file(&key, &path));
                let (stored, record) = (stored?, record.map_err(local(&path))?);
                if stored.size == record.size {
                    Ok(record)
                } else {
                    Err(DeliveryError::Changed { path })
                }
            })
            .buffered(FILES_IN_FLIGHT)
            .try_collect()
            .await
    }

    /// Removes what earlier runs left below the dataset's directory and this one did not replace.
    ///
    /// # Errors
    /// [`DeliveryError`] when the store cannot be listed or something cannot be deleted.
    pub async fn remove_all_but(&self, kept: &[FileRecord]) -> Result<(), DeliveryError> {
        let directory = self.layout.data_dir(self.dataset);
        let kept: BTreeSet<String> = kept
            .iter()
            .map(|file| format!("{directory}{}", file.name))
            .collect();
        let mut stale = Vec::new();
        let mut listing = self.store.list(&directory).await?;
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

    /// The body of the `processed` message: nothing on S3; on a file system the absolute paths of
    /// what was delivered, a line each.
    pub fn listing(&self, files: &[FileRecord]) -> String {
        files
            .iter()
            .filter_map(|file| {
                let key = format!("{}{}", self.layout.data_dir(self.dataset), file.name);
                let Ok(Place::File(path)) = self.store.place(&key) else {
                    return None;
                };
                let path = std::path::absolute(&path).unwrap_or(path);
                Some(format!("{}\n", path.display()))
            })
            .collect()
    }
}

/// The names of the products in a working directory, sorted: what belongs to the dataset by its
/// name, without what programs leave half done.
///
/// # Errors
/// [`DeliveryError::Local`] when the directory cannot be read.
pub fn products(dataset: &Dataset, folder: &Path) -> Result<Vec<String>, DeliveryError> {
    let mut names = list(folder)?;
    names.retain(|name| is_product(dataset, name));
    Ok(names)
}

/// The names of all files in a directory, sorted.
///
/// # Errors
/// [`DeliveryError::Local`] when the directory cannot be read.
pub fn list(folder: &Path) -> Result<Vec<String>, DeliveryError> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(local(folder))? {
        let entry = entry.map_err(local(folder))?;
        if let (true, Ok(name)) = (entry.path().is_file(), entry.file_name().into_string()) {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

fn local(path: &Path) -> impl Fn(std::io::Error) -> DeliveryError {
    |source| DeliveryError::Local {
        path: path.to_owned(),
        source,
    }
}

/// Whether a file of the working directory is a product, by the patterns operators know.
fn is_product(dataset: &Dataset, name: &str) -> bool {
    use caldp_core::dataset::Kind;
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    match (dataset.kind(), dataset.ippps(), dataset.ipppss()) {
        (Kind::Ipppssoot, Some(ippps), _) => {
            // HSTCAL's intermediate files; one that is left means that its program failed.
            let intermediate = stem.ends_with("_blv_tmp") || stem.ends_with("_crj_tmp");
            name.starts_with(ippps) && matches!(extension, "fits" | "tra") && !intermediate
        }
        (Kind::Svm, _, Some(ipppss)) => {
            name.starts_with("hst_")
                && name.contains(ipppss)
                && matches!(extension, "fits" | "txt" | "ecsv")
                || name == format!("{dataset}_manifest.txt")
                || name == "astrodrizzle.log"
        }
        _ => {
            name.starts_with(&format!("hst_{dataset}")) && matches!(extension, "fits" | "txt")
                || name == format!("{dataset}_manifest.txt")
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn products_are_known_by_their_names() {
        for (dataset, product, other) in [
            ("j8cb010b0", "j8cb01u2q_flt.fits", "j8cb01u2q_blv_tmp.fits"),
            ("j8cb010b0", "j8cb010b0.tra", "j8cb010b0_cal_env.txt"),
            (
                "acs_8ph_01",
                "hst_9999_01_acs_j8ph01_drc.fits",
                "j8ph01abq_flc.fits",
            ),
            (
                "acs_8ph_01",
                "acs_8ph_01_manifest.txt",
                "acs_8ph_01_input.out",
            ),
            (
                "skycell-p1234x05y06",
                "hst_skycell-p1234x05y06_drc.fits",
                "hst_other.fits",
            ),
        ] {
            let dataset = dataset.parse().unwrap();
            assert!(is_product(&dataset, product), "{product}");
            assert!(!is_product(&dataset, other), "{other}");
        }
    }
}
