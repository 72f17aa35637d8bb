//! What was delivered of a dataset: which files, of which size and sum, under which keys. The listing says
//! what is there, the record of the run (`provenance.json`) which sums it must have. Names are foreign until
//! they are found to stay below the dataset's directory.

use std::collections::{BTreeMap, BTreeSet};

use caldp_core::dataset::Dataset;
use caldp_core::layout::{Area, Layout};
use caldp_core::provenance::{self, Provenance};
use clap::ValueEnum;
use storage::checksum::Expected;
use storage::object::{Content, Object, SMALL, Version};
use storage::store::{Dir, Store, content_if_there};

use super::error::DatasetError;

/// No record of a run is larger, in bytes.
const MOST_RECORD: usize = 16 << 20;

/// The longest name of a file, in bytes, as file systems have it.
const LONGEST_NAME: usize = 255;

/// A part of what is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Part {
    /// Products
    Data,
    /// Preview images and tables
    Previews,
    /// Logs, metrics and the record of the run
    Logs,
}

/// A file that was delivered.
#[derive(Debug, Clone)]
pub(super) struct Delivered {
    /// Below the dataset's directory on site.
    pub(super) name: String,
    /// Below the root of the output.
    pub(super) key: String,
    pub(super) expected: Expected,
    /// Which content it has, where the store says.
    pub(super) version: Option<String>,
    /// The content itself, where it was read already and is small.
    pub(super) content: Option<Content>,
}

impl Delivered {
    /// Whether it has this content, and nothing that is to be compared with it.
    fn is(&self, content: &Content) -> bool {
        let size = content.bytes.len() as u64;
        let version = content.version.as_ref().map(Version::as_str);
        size <= SMALL
            && !self.expected.has_sum()
            && self.expected.size == Some(size)
            && self.version.as_deref() == version
    }
}

/// All of a dataset.
#[derive(Debug)]
pub(super) struct Delivery {
    /// What is fetched key by key.
    pub(super) files: Vec<Delivered>,
    /// What is packed, with its members as far as they are recorded.
    pub(super) archive: Option<(Delivered, BTreeMap<String, Expected>)>,
    /// What is worth a word.
    pub(super) note: Option<String>,
}

impl Delivery {
    /// Looks what was delivered of a dataset.
    pub(super) async fn look(
        store: &dyn Store,
        layout: Layout,
        dataset: &Dataset,
    ) -> Result<Self, DatasetError> {
        let directory = layout.data_dir(dataset);
        let record = layout.file(dataset, Area::Logs, provenance::FILE);
        let listing = store.list(&directory).collect();
        let content = content_if_there(store, &record, MOST_RECORD);
        let (objects, content) = tokio::join!(listing, content);
        let (objects, content) = (objects?, content?);
        let mut note = None;
        let recorded = content.as_ref().map(|content| &content.bytes);
        let recorded = match recorded.map(|bytes| serde_json::from_slice::<Provenance>(bytes)) {
            Some(Ok(record)) => Some(record),
            Some(Err(error)) => {
                note = Some(format!("{dataset}: {record} cannot be read: {error}"));
                None
            }
            None => {
                note = Some(format!("{dataset}: there is no {record}"));
                None
            }
        };
        let mut delivery = Self {
            files: vec![],
            archive: None,
            note,
        };
        let sums = recorded
            .map(|record| sums(&record))
            .transpose()?
            .unwrap_or_default();
        delivery.add(layout, dataset, objects, sums)?;
        let is_record = |file: &&mut Delivered| file.key == record;
        if let Some(file) = delivery.files.iter_mut().find(is_record) {
            file.content = content.filter(|content| file.is(content));
        }
        Ok(delivery)
    }

    fn add(
        &mut self,
        layout: Layout,
        dataset: &Dataset,
        objects: Vec<Object>,
        mut sums: WrittenSums,
    ) -> Result<(), DatasetError> {
        let directory = layout.data_dir(dataset);
        let archive = layout.archive(dataset, Area::Products);
        for object in objects {
            // What consoles make for folders.
            if object.key.ends_with('/') && object.size == 0 {
                continue;
            }
            let relative = object.key.strip_prefix(&directory);
            let Some(relative) = relative.map(str::to_owned) else {
                continue;
            };
            let expected = match sums.stored.remove(&relative) {
                Some(expected) => {
                    let recorded = expected.size.unwrap_or(object.size);
                    if recorded != object.size {
                        return Err(DatasetError::Differs {
                            name: relative,
                            recorded,
                            found: object.size,
                        });
                    }
                    expected
                }
                None => Expected::default(),
            };
            let is_archive = archive.as_ref() == Some(&object.key);
            let delivered = Delivered {
                name: on_site(layout, &relative, is_archive),
                expected: Expected {
                    size: Some(object.size),
                    ..expected
                },
                version: object.version.map(|version| version.as_str().to_owned()),
                content: None,
                key: object.key,
            };
            check_name(&delivered.key, &delivered.name)?;
            if is_archive {
                self.archive = Some((delivered, std::mem::take(&mut sums.members)));
            } else {
                self.files.push(delivered);
            }
        }
        if let Some(name) = sums.stored.into_keys().next() {
            return Err(DatasetError::Missing(name));
        }
        if self.files.is_empty() && self.archive.is_none() {
            return Err(DatasetError::Nothing);
        }
        self.check_folders()
    }

    /// Refuses what cannot be on a file system together: a name that is another's folder.
    fn check_folders(&self) -> Result<(), DatasetError> {
        let names: BTreeSet<&str> = self.files.iter().map(|file| &*file.name).collect();
        for file in &self.files {
            let mut above = file.name.as_str();
            while let Some((folder, _)) = above.rsplit_once('/') {
                if names.contains(folder) {
                    return Err(refused(&file.key, "another object has its folder's name"));
                }
                above = folder;
            }
        }
        Ok(())
    }

    /// Leaves only some parts.
    pub(super) fn keep(&mut self, parts: &[Part]) {
        if parts.is_empty() {
            return;
        }
        self.files
            .retain(|file| parts.contains(&part_of(&file.name)));
        let wants_packed = parts.iter().any(|part| *part != Part::Logs);
        self.archive.take_if(|_| !wants_packed);
    }

    /// How many files and bytes are stored.
    pub(super) fn size(&self) -> (u64, u64) {
        let all = self.files.iter().chain(self.archive.iter().map(|(a, _)| a));
        all.fold((0, 0), |(files, bytes), file| {
            (files + 1, bytes + file.expected.size.unwrap_or_default())
        })
    }
}

/// Which part a file is of, by its name below the dataset's directory.
pub(super) fn part_of(name: &str) -> Part {
    match name.split_once('/') {
        Some(("previews", _)) => Part::Previews,
        Some(("logs", _)) => Part::Logs,
        _ => Part::Data,
    }
}

/// Where a file is put: on site there is one layout, the tree.
fn on_site(layout: Layout, relative: &str, is_archive: bool) -> String {
    match layout {
        Layout::Calcloud if !is_archive && !relative.contains('/') => format!("logs/{relative}"),
        _ => relative.to_owned(),
    }
}

/// What a record says of files.
#[derive(Debug, Default)]
struct WrittenSums {
    /// Stored by themselves, by their names.
    stored: BTreeMap<String, Expected>,
    /// In the archive.
    members: BTreeMap<String, Expected>,
}

fn sums(record: &Provenance) -> Result<WrittenSums, DatasetError> {
    let mut sums = WrittenSums::default();
    for file in &record.outputs {
        let crc64 = file.crc64.as_ref();
        let expected = Expected {
            size: Some(file.size),
            sha1: file.sha1.parse().ok(),
            crc64: crc64.and_then(|sum| sum.parse().ok()),
        };
        check_name(&file.name, &file.name)?;
        let of = match file.archive {
            None => &mut sums.stored,
            Some(_) => &mut sums.members,
        };
        of.insert(file.name.clone(), expected);
    }
    Ok(sums)
}

/// Whether a name stays below the dataset's directory and can be a file's.
pub(super) fn check_name(key: &str, name: &str) -> Result<(), DatasetError> {
    // A directory refuses what leads out of it and names of files being written.
    if let Err(error) = Dir::new("").place(name) {
        let reason = error.to_string();
        let reason = reason.rsplit_once(": ").map_or(&*reason, |(_, why)| why);
        return Err(refused(key, reason));
    }
    if name.split('/').any(|part| part.len() > LONGEST_NAME) {
        return Err(refused(key, "a name of a file has at most 255 bytes"));
    }
    Ok(())
}

fn refused(key: &str, reason: &str) -> DatasetError {
    DatasetError::Refused {
        key: key.to_owned(),
        reason: reason.to_owned(),
    }
}
