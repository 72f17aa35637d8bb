//! Inputs from S3 (`s3://`): an archive there, or loose objects.

use super::archive::{self, Limits};
use super::context::FILES_IN_FLIGHT;
use super::directory::{list, of_mosaic, of_own_archive};
use super::error::{InputError, at};
use super::events::InputEvents;
use super::poller::Poller;
use crate::membership::file_name::FileName;
use crate::membership::membership;
use caldp_core::dataset::{Dataset, Kind};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use std::fs;
use std::path::Path;
use storage::blocking;
use storage::s3::{Delimiter, ErrorKind, Expected, S3, StoreError};
use storage::uri::S3Uri;

/// Where objects are, and where they are to come.
pub(super) struct Objects<'a> {
    pub(super) s3: &'a S3,
    pub(super) place: &'a S3Uri,
    pub(super) dataset: &'a Dataset,
    pub(super) folder: &'a Path,
    pub(super) limits: Limits,
    pub(super) events: &'a InputEvents,
}

impl Objects<'_> {
    /// The dataset's archive, unpacked; without one its loose objects. Gives the names of what was
    /// brought.
    pub(super) async fn bring(&self) -> Result<Vec<String>, InputError> {
        // Beside the data, so that the unpacked files do not meet the archive, nor the environment
        // file one that the archive may hold.
        let beside = |name: &str| self.folder.with_file_name(name);
        let packed = self.dataset.archive_file();
        let environment = self.dataset.environment_file();
        let (archive, own) = (beside(&packed), beside(&environment));
        let (has_archive, has_environment) = tokio::try_join!(
            self.fetch(&packed, &archive),
            self.fetch_if_allowed(&environment, &own)
        )?;
        let (dataset, folder, limits) = (self.dataset.clone(), self.folder.to_owned(), self.limits);
        if has_archive {
            blocking::run(move || {
                let unpacked = archive::unpack(&archive, &folder, &limits);
                // The archive has done its work, or is not to be kept, whatever unpacking said.
                fs::remove_file(&archive).map_err(at(&archive))?;
                unpacked?;
                if has_environment {
                    let target = folder.join(&environment);
                    fs::rename(&own, &target).map_err(at(&target))?;
                }
                of_own_archive(&archive, &dataset, &folder)
            })
            .await
        } else {
            if has_environment {
                let target = folder.join(&environment);
                fs::rename(&own, &target).map_err(at(&target))?;
            }
            match dataset.kind() {
                Kind::Ipppssoot => self.loose().await,
                Kind::Svm | Kind::Mvm => self.mosaic().await,
            }
        }
    }

    /// Fetches one object if it is there.
    async fn fetch(&self, name: &str, target: &Path) -> Result<bool, InputError> {
        let uri = self.place.join(name)?;
        let expected = Expected::default();
        match self.s3.get_to_file(&uri, target, &expected).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// The same for an object that most datasets do not have: a caller without `ListBucket`
    /// gets 403 for an object that is not there.
    async fn fetch_if_allowed(&self, name: &str, target: &Path) -> Result<bool, InputError> {
        match self.fetch(name, target).await {
            Err(InputError::S3(error)) if error.kind() == ErrorKind::AccessDenied => Ok(false),
            other => other,
        }
    }

    /// Fetches objects that must be there into the folder, and sends an event for each.
    async fn fetch_all(&self, names: impl Iterator<Item = &str>) -> Result<(), InputError> {
        stream::iter(names)
            .map(async |name| {
                let target = self.folder.join(name);
                let uri = self.place.join(name)?;
                let fetched: Result<_, StoreError> = self
                    .s3
                    .get_to_file(&uri, &target, &Expected::default())
                    .await;
                fetched?;
                self.events.send(&target);
                Ok::<_, InputError>(())
            })
            .buffer_unordered(FILES_IN_FLIGHT)
            .try_collect()
            .await
    }

    async fn loose(&self) -> Result<Vec<String>, InputError> {
        let Some(ippps) = self.dataset.ippps() else {
            return Ok(Vec::new());
        };
        let below = match self.place.key() {
            "" => String::new(),
            key => format!("{key}/"),
        };
        let prefix = format!("{below}{ippps}");
        let mut names = Vec::new();
        let mut pages = self.s3.list(self.place.bucket(), &prefix, Delimiter::Slash);
        while let Some(page) = pages.next_page().await? {
            let base = |key: &str| key.strip_prefix(&below).map(str::to_owned);
            names.extend(page.objects.iter().filter_map(|object| base(&object.key)));
        }
        let table = self.dataset.association_file();
        let environment = self.dataset.environment_file();
        if names.contains(&table) {
            self.fetch_all([table.as_str()].into_iter()).await?;
        }
        let wanted = membership(self.dataset, &names, self.folder)?;
        let missing = wanted
            .iter()
            .filter(|name| **name != table && **name != environment);
        self.fetch_all(missing.map(String::as_str)).await?;
        Ok(wanted)
    }

    /// A mosaic's poller file and the exposures it names; nothing without one.
    async fn mosaic(&self) -> Result<Vec<String>, InputError> {
        let file = Poller::file_name(self.dataset);
        if !self.fetch(&file, &self.folder.join(&file)).await? {
            return Ok(Vec::new());
        }
        let poller = Poller::read(self.dataset, self.folder)?;
        let files = poller.files().into_iter().map(FileName::as_str);
        self.fetch_all(files).await?;
        of_mosaic(self.dataset, &list(self.folder)?, self.folder)
    }
}
