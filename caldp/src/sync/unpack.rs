//! Brings the members of a dataset's archive (calcloud layout) into the places they have in the tree: the
//! archive is fetched and unpacked beside them only when one of them is missing. Reading archives is the
//! worker's.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use caldp_core::dataset::Dataset;
use caldp_worker::input::archive::{Limits, unpack_as_packed};
use storage::blocking;
use storage::checksum::{Expected, Sha1Sum, Sum};
use storage::unfinished::UnfinishedDirectory;

use super::bring::{Became, Bringing, Changed, OnSite, Packing, Standing, local, stands};
use super::delivery::{Delivered, check_name, part_of};
use super::error::DatasetError;
use super::site::{Brought, BroughtFile, Checked, Site};

/// A member that was unpacked.
struct Unpacked {
    /// What it is; its sum is that of what was unpacked.
    file: Delivered,
    path: PathBuf,
}

impl Bringing<'_> {
    pub(super) async fn bring_archive(
        &self,
        archive: Delivered,
        members: BTreeMap<String, Expected>,
        before: &Brought,
        on_site: &mut OnSite,
        brought: &mut Brought,
    ) -> Result<(), DatasetError> {
        if self.packing == Packing::Keep {
            return self
                .bring_files(vec![archive], before, on_site, brought)
                .await;
        }
        let identity = archive.expected.sha1.map(|sum| sum.to_string());
        let identity = identity.or_else(|| archive.version.clone());
        brought.archive.clone_from(&identity);
        let there = match members.is_empty() {
            true if identity.is_some() && identity == before.archive => {
                self.untouched(before, brought).await?
            }
            true => None,
            false => self.all_there(&archive, &members, before).await?,
        };
        let became = match there {
            Some(there) => there,
            None => self.fetch_and_unpack(&archive, members, before).await?,
        };
        self.note(became, before, on_site, brought).await
    }

    /// The members of an archive that has no record, when they stand as they were unpacked before.
    async fn untouched(
        &self,
        before: &Brought,
        brought: &Brought,
    ) -> Result<Option<Vec<(Delivered, Became)>>, DatasetError> {
        let members: Vec<(String, BroughtFile)> = before
            .files
            .iter()
            .filter(|(name, _)| !brought.files.contains_key(*name) && self.wants(name))
            .map(|(name, file)| (name.clone(), file.clone()))
            .collect();
        let (site, dataset) = (self.site.clone(), self.dataset.clone());
        let there = move || {
            let mut there = vec![];
            for (name, file) in members {
                let now = fs::symlink_metadata(site.file(&dataset, &name)).ok()?;
                if !file.is_untouched(&now) {
                    return None;
                }
                let expected = Expected {
                    size: Some(now.len()),
                    sha1: file.sha1,
                    ..Expected::default()
                };
                there.push((member(name, expected), Became::There(file.checked)));
            }
            Some(there).filter(|there| !there.is_empty())
        };
        Ok(blocking::run(there).await)
    }

    /// The recorded members, when all of them are there, or were changed and are kept.
    async fn all_there(
        &self,
        archive: &Delivered,
        members: &BTreeMap<String, Expected>,
        before: &Brought,
    ) -> Result<Option<Vec<(Delivered, Became)>>, DatasetError> {
        let members: Vec<Delivered> = members
            .iter()
            .filter(|(name, _)| self.wants(name))
            .map(|(name, expected)| Delivered {
                key: archive.key.clone(),
                ..member(name.clone(), *expected)
            })
            .collect();
        let standing = self.standing(&members, before).await?;
        let there = members.into_iter().zip(standing);
        Ok(there
            .map(|(file, standing)| match standing {
                Standing::There(checked) => Some((file, Became::There(checked))),
                Standing::Changed if self.changed == Changed::Keep => Some((file, Became::Kept)),
                _ => None,
            })
            .collect())
    }

    async fn fetch_and_unpack(
        &self,
        archive: &Delivered,
        members: BTreeMap<String, Expected>,
        before: &Brought,
    ) -> Result<Vec<(Delivered, Became)>, DatasetError> {
        let data = self.site.data(self.dataset);
        let beside = data.join(&archive.name);
        let failed = data.clone();
        let aside = blocking::run(move || {
            fs::create_dir_all(&data)?;
            let aside = UnfinishedDirectory::beside(&beside)?;
            fs::create_dir(aside.path().join("members"))?;
            Ok(aside)
        });
        let aside = aside.await.map_err(|e| local(&failed, e))?;
        let packed = aside.path().join("archive");
        let checked = self.fetch(archive, &packed).await?;
        let work = Unpacking {
            site: self.site.clone(),
            dataset: self.dataset.clone(),
            changed: self.changed,
            checked,
            members,
            before: before.files.clone(),
            aside,
        };
        let wanted = self.parts.to_vec();
        blocking::run(move || {
            let unpacked = work.unpack(&packed)?;
            let mut became = vec![];
            for one in unpacked {
                if wanted.is_empty() || wanted.contains(&part_of(&one.file.name)) {
                    let what = work.install(&one)?;
                    became.push((one.file, what));
                }
            }
            work.make_durable(&became);
            Ok(became)
        })
        .await
    }

    fn wants(&self, name: &str) -> bool {
        self.parts.is_empty() || self.parts.contains(&part_of(name))
    }
}

/// The blocking part of the work on one archive.
struct Unpacking {
    site: Site,
    dataset: Dataset,
    changed: Changed,
    /// By what the archive is known.
    checked: Checked,
    members: BTreeMap<String, Expected>,
    before: BTreeMap<String, BroughtFile>,
    /// Gone with everything that is left in it at the end.
    aside: UnfinishedDirectory,
}

impl Unpacking {
    /// Unpacks an archive and compares its members with what is recorded of them.
    fn unpack(&self, packed: &Path) -> Result<Vec<Unpacked>, DatasetError> {
        let folder = self.aside.path().join("members");
        let within = format!("{}/", self.dataset);
        let mut missing = self.members.clone();
        let mut unpacked = vec![];
        for path in unpack_as_packed(packed, &folder, &Limits::default())? {
            let relative = path.to_string_lossy().into_owned();
            let name = relative.strip_prefix(&within).unwrap_or(&relative);
            check_name(&relative, name)?;
            let path = folder.join(&path);
            let found = sum_of(&path).map_err(|e| local(&path, e))?;
            if let Some(expected) = missing.remove(name) {
                let size = found.size.unwrap_or_default();
                expected
                    .check(size, found.sha1.map(Sum::Sha1))
                    .map_err(|mismatch| DatasetError::Member {
                        name: name.to_owned(),
                        reason: mismatch.to_string(),
                    })?;
            }
            unpacked.push(Unpacked {
                file: member(name.to_owned(), found),
                path,
            });
        }
        match missing.into_keys().next() {
            Some(name) => Err(DatasetError::Missing(name)),
            None => Ok(unpacked),
        }
    }

    /// Moves a member into its place, unless somebody changed what is there.
    fn install(&self, one: &Unpacked) -> Result<Became, DatasetError> {
        let target = self.site.file(&self.dataset, &one.file.name);
        let before = self.before.get(&one.file.name);
        let standing = stands(&target, &one.file, before).map_err(|e| local(&target, e))?;
        match (standing, self.changed) {
            (Standing::There(_), _) => Ok(Became::There(self.checked)),
            (Standing::Wanted, _) | (_, Changed::Restore) => {
                rename(one, &target).map_err(|e| local(&target, e))?;
                Ok(Became::Fetched(self.checked))
            }
            (Standing::Unknown | Standing::Changed, Changed::Keep) => Ok(Became::Kept),
        }
    }

    /// Makes the names of files durable: those of their folders are.
    fn make_durable(&self, became: &[(Delivered, Became)]) {
        let mut folders: Vec<PathBuf> = became
            .iter()
            .filter(|(_, became)| matches!(became, Became::Fetched(_)))
            .filter_map(|(file, _)| {
                let path = self.site.file(&self.dataset, &file.name);
                path.parent().map(Path::to_owned)
            })
            .collect();
        folders.sort();
        folders.dedup();
        for folder in folders {
            // Some network file systems cannot synchronise one; the content is safe then.
            let _ = File::open(&folder).and_then(|folder| folder.sync_all());
        }
    }
}

/// Gives a member its place, durable but for its name.
fn rename(one: &Unpacked, target: &Path) -> io::Result<()> {
    File::open(&one.path)?.sync_all()?;
    if let Some(folder) = target.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::rename(&one.path, target)
}

fn member(name: String, expected: Expected) -> Delivered {
    Delivered {
        key: name.clone(),
        name,
        expected,
        version: None,
        content: None,
    }
}

fn sum_of(path: &Path) -> io::Result<Expected> {
    Ok(Expected {
        size: Some(fs::metadata(path)?.len()),
        sha1: Some(Sha1Sum::of_file(path)?),
        ..Expected::default()
    })
}
