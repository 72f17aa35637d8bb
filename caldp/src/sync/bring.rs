//! Brings the files of one dataset into place: looks what is there, fetches what is missing, keeps what
//! somebody changed, removes what an earlier delivery left. Files appear complete and checked or not at all.
//! States and messages are for others.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use caldp_core::dataset::Dataset;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use storage::atomic;
use storage::blocking;
use storage::object::SMALL;
use storage::store::Store;
use storage::unfinished::UnfinishedDirectory;
use tokio::sync::Semaphore;

use super::delivery::{Delivered, Delivery, Part, part_of};
use super::error::DatasetError;
use super::site::{Brought, BroughtFile, Checked, Site};

/// A file that is not [`SMALL`] counts as so many of those in flight, because of what it takes in memory. The
/// client has as many ranges under way whether they are of one file or of several; of several they come in order.
const LARGE_COUNTS: u32 = 2;

/// How many files of one dataset are looked at and fetched at once.
const FILES_AT_ONCE: usize = 32;

/// What is wanted of files that somebody changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Changed {
    /// They stay.
    Keep,
    /// They are replaced by what was delivered.
    Restore,
}

/// What is done with archives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    /// Their members are put in their places.
    Unpack,
    /// They are kept as they are.
    Keep,
}

/// What fetching is limited by and counted in, over all datasets.
#[derive(Debug)]
pub(super) struct Flow {
    in_flight: Semaphore,
    jobs: u32,
    /// Bytes that have arrived.
    pub(super) bytes: AtomicU64,
    /// Files that were fetched.
    pub(super) files: AtomicU64,
}

impl Flow {
    pub(super) fn new(jobs: u32) -> Self {
        Self {
            in_flight: Semaphore::new(jobs as usize),
            jobs,
            bytes: AtomicU64::new(0),
            files: AtomicU64::new(0),
        }
    }
}

/// One dataset on its way.
pub(super) struct Bringing<'a> {
    pub(super) store: &'a Arc<dyn Store>,
    pub(super) site: &'a Site,
    pub(super) dataset: &'a Dataset,
    pub(super) changed: Changed,
    pub(super) packing: Packing,
    pub(super) flow: &'a Flow,
    /// Empty for all.
    pub(super) parts: &'a [Part],
}

/// What is on site now.
#[derive(Debug, Default)]
pub(super) struct OnSite {
    /// Every file by its name below the dataset's directory, and how it is known.
    pub(super) files: BTreeMap<String, Checked>,
    /// Files that somebody changed, and that were kept.
    pub(super) kept: Vec<PathBuf>,
    /// How many were fetched.
    pub(super) fetched: u64,
}

/// How a file stands before anything is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is what was delivered.
    There(Checked),
    /// It is not there, or an earlier delivery.
    Wanted,
    /// Only its content can tell.
    Unknown,
    /// Somebody changed it.
    Changed,
}

/// What became of a file.
pub(super) enum Became {
    There(Checked),
    Fetched(Checked),
    Kept,
}

impl Bringing<'_> {
    /// Brings everything and remembers what was brought.
    pub(super) async fn bring(&self, delivery: Delivery) -> Result<OnSite, DatasetError> {
        let (site, dataset) = (self.site.clone(), self.dataset.clone());
        let before = blocking::run(move || {
            site.clear(&dataset)?;
            Ok(site.brought(&dataset))
        });
        let before = before.await.map_err(|e| local(self.site.root(), e))?;
        let mut on_site = OnSite::default();
        let mut brought = Brought::default();
        self.bring_files(delivery.files, &before, &mut on_site, &mut brought)
            .await?;
        if let Some((archive, members)) = delivery.archive {
            self.bring_archive(archive, members, &before, &mut on_site, &mut brought)
                .await?;
        }
        self.finish(before, brought, on_site).await
    }

    pub(super) async fn bring_files(
        &self,
        files: Vec<Delivered>,
        before: &Brought,
        on_site: &mut OnSite,
        brought: &mut Brought,
    ) -> Result<(), DatasetError> {
        let standing = self.standing(&files, before).await?;
        let became: Vec<(Delivered, Became)> = stream::iter(files.into_iter().zip(standing))
            .map(|(file, standing)| async move {
                let became = self.bring_file(&file, standing).await?;
                Ok::<_, DatasetError>((file, became))
            })
            .buffer_unordered(FILES_AT_ONCE)
            .try_collect()
            .await?;
        self.note(became, before, on_site, brought).await
    }

    /// Notes what became of files, as they stand there now.
    pub(super) async fn note(
        &self,
        became: Vec<(Delivered, Became)>,
        before: &Brought,
        on_site: &mut OnSite,
        brought: &mut Brought,
    ) -> Result<(), DatasetError> {
        let mut to_look_at = vec![];
        for (file, became) in became {
            let checked = match became {
                Became::There(checked) => checked,
                Became::Fetched(checked) => {
                    on_site.fetched += 1;
                    checked
                }
                Became::Kept => {
                    on_site.kept.push(self.site.file(self.dataset, &file.name));
                    if let Some(before) = before.files.get(&file.name) {
                        brought.files.insert(file.name, before.clone());
                    }
                    continue;
                }
            };
            on_site.files.insert(file.name.clone(), checked);
            to_look_at.push((file, checked));
        }
        let (site, dataset) = (self.site.clone(), self.dataset.clone());
        let looked_at = blocking::run(move || {
            let look = |(file, checked): (Delivered, Checked)| {
                let path = site.file(&dataset, &file.name);
                let brought =
                    BroughtFile::of(&path, &file, checked).map_err(|e| local(&path, e))?;
                Ok((file.name, brought))
            };
            to_look_at
                .into_iter()
                .map(look)
                .collect::<Result<Vec<_>, DatasetError>>()
        });
        brought.files.extend(looked_at.await?);
        Ok(())
    }

    /// Looks how files stand; reads those that may be what was delivered.
    pub(super) async fn standing(
        &self,
        files: &[Delivered],
        before: &Brought,
    ) -> Result<Vec<Standing>, DatasetError> {
        let looking: Vec<_> = files
            .iter()
            .map(|file| {
                let path = self.site.file(self.dataset, &file.name);
                (path, file.clone(), before.files.get(&file.name).cloned())
            })
            .collect();
        blocking::run(move || {
            looking
                .into_iter()
                .map(|(path, file, before)| {
                    stands(&path, &file, before.as_ref()).map_err(|e| local(&path, e))
                })
                .collect()
        })
        .await
    }

    async fn bring_file(
        &self,
        file: &Delivered,
        standing: Standing,
    ) -> Result<Became, DatasetError> {
        let path = self.site.file(self.dataset, &file.name);
        match (standing, self.changed) {
            (Standing::There(checked), _) => Ok(Became::There(checked)),
            (Standing::Changed, Changed::Keep) => Ok(Became::Kept),
            (Standing::Wanted, _) | (_, Changed::Restore) => {
                let checked = self.fetch(file, &path).await?;
                Ok(Became::Fetched(checked))
            }
            (Standing::Unknown, Changed::Keep) => {
                let beside = path.clone();
                let aside = blocking::run(move || UnfinishedDirectory::beside(&beside));
                let aside = aside.await.map_err(|e| local(&path, e))?;
                let copy = aside.path().join("copy");
                let checked = self.fetch(file, &copy).await?;
                let compared = path.clone();
                let same = blocking::run(move || {
                    // `aside` goes with the end of this
                    let same = same_content(&copy, &compared);
                    drop(aside);
                    same
                });
                if same.await.map_err(|e| local(&path, e))? {
                    Ok(Became::There(checked))
                } else {
                    Ok(Became::Kept)
                }
            }
        }
    }

    /// Fetches a file under a name.
    pub(super) async fn fetch(
        &self,
        file: &Delivered,
        target: &Path,
    ) -> Result<Checked, DatasetError> {
        let counts = counts(file.expected.size).min(self.flow.jobs);
        // none only if closed, which never happens
        let _permit = self.flow.in_flight.acquire_many(counts).await.ok();
        let counted = |bytes| {
            self.flow.bytes.fetch_add(bytes, Ordering::Relaxed);
        };
        let checked_by_store = if let Some(content) = &file.content {
            counted(content.bytes.len() as u64);
            let (path, bytes) = (target.to_owned(), content.bytes.clone());
            let written = blocking::run(move || atomic::replace(&path, &bytes)).await;
            written.map_err(|e| local(target, e))?;
            content.checked_by_store
        } else {
            let done = self
                .store
                .get_to_file(&file.key, target, file.expected, &counted)
                .await?;
            done.checked_by_store
        };
        self.flow.files.fetch_add(1, Ordering::Relaxed);
        Ok(match (file.expected.has_sum(), checked_by_store) {
            (true, _) => Checked::Recorded,
            (false, true) => Checked::Store,
            (false, false) => Checked::Size,
        })
    }

    /// Removes what an earlier delivery left and this one does not have, and remembers this one.
    async fn finish(
        &self,
        before: Brought,
        mut brought: Brought,
        mut on_site: OnSite,
    ) -> Result<OnSite, DatasetError> {
        let (site, dataset) = (self.site.clone(), self.dataset.clone());
        let wanted = |name: &str| self.parts.is_empty() || self.parts.contains(&part_of(name));
        let (old, others): (Vec<_>, Vec<_>) = before
            .files
            .into_iter()
            .filter(|(name, _)| !brought.files.contains_key(name))
            .partition(|(name, _)| wanted(name));
        // What was not looked at this time is remembered as it was.
        brought.files.extend(others);
        brought.archive = brought.archive.or(before.archive);
        let kept = blocking::run(move || {
            let mut kept = vec![];
            for (name, was) in old {
                let path = site.file(&dataset, &name);
                match fs::symlink_metadata(&path) {
                    Ok(now) if was.is_untouched(&now) => {
                        fs::remove_file(&path).map_err(|e| local(&path, e))?;
                    }
                    Ok(_) => {
                        brought.files.insert(name, was);
                        kept.push(path);
                    }
                    Err(_) => {}
                }
            }
            site.remember(&dataset, &brought)
                .map_err(|e| local(site.root(), e))?;
            Ok::<_, DatasetError>(kept)
        });
        on_site.kept.extend(kept.await?);
        on_site.kept.sort();
        Ok(on_site)
    }
}

/// As how many of those in flight a file counts.
fn counts(size: Option<u64>) -> u32 {
    let size = size.unwrap_or(u64::MAX);
    if size <= SMALL { 1 } else { LARGE_COUNTS }
}

/// How a file stands. Blocks.
pub(super) fn stands(
    path: &Path,
    file: &Delivered,
    before: Option<&BroughtFile>,
) -> io::Result<Standing> {
    let now = match fs::symlink_metadata(path) {
        Ok(now) => now,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Standing::Wanted),
        Err(error) => return Err(error),
    };
    if !now.is_file() {
        return Ok(Standing::Changed);
    }
    let untouched = before.filter(|before| before.is_untouched(&now));
    if let Some(before) = untouched
        && before.came_from(file)
    {
        return Ok(Standing::There(before.checked));
    }
    let same_size = file.expected.size.is_none_or(|size| size == now.len());
    let has_sum = file.expected.has_sum();
    if has_sum && same_size && file.expected.check_file(path)?.is_ok() {
        return Ok(Standing::There(Checked::Recorded));
    }
    Ok(match untouched {
        Some(_) => Standing::Wanted,
        None if same_size && !has_sum => Standing::Unknown,
        None => Standing::Changed,
    })
}

fn same_content(one: &Path, other: &Path) -> io::Result<bool> {
    let sum = storage::checksum::Sha1Sum::of_file;
    Ok(sum(one)? == sum(other)?)
}

pub(super) fn local(path: &Path, source: io::Error) -> DatasetError {
    DatasetError::Local {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_in_ranges_counts_more() {
        let sizes = [0, SMALL, SMALL + 1, 1 << 40];
        assert_eq!(sizes.map(|size| counts(Some(size))), [1, 1, 2, 2]);
        assert_eq!(counts(None), 2);
    }
}
