//! The directory of one batch on site: where its files and messages are, and what sync keeps to itself
//! there, in `.caldp-sync/`: a lock for each dataset that is being brought, and a list of what was brought
//! of each, by which a file that somebody changed is told from one that an earlier delivery left.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use caldp_core::dataset::Dataset;
use caldp_core::layout::Layout;
use caldp_core::state::State;
use serde::{Deserialize, Serialize};
use storage::atomic;
use storage::bounded;
use storage::checksum::Sha1Sum;
use storage::lock::FileLock;
use storage::unfinished;

use super::delivery::Delivered;

/// What sync keeps to itself.
const OWN: &str = ".caldp-sync";

/// No list of what was brought is larger, in bytes.
const MOST_BROUGHT: usize = 16 << 20;

/// The layout on site.
const LAYOUT: Layout = Layout::Tree;

/// The directory of a batch.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Site {
    root: PathBuf,
}

/// What was brought of a dataset.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Brought {
    /// By their names below the dataset's directory.
    #[serde(default)]
    pub(super) files: BTreeMap<String, BroughtFile>,
    /// The sum or version of the archive they came in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) archive: Option<String>,
}

/// One file as it was when it was brought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct BroughtFile {
    size: u64,
    /// When it was written, in nanoseconds: seconds and the rest.
    modified: (i64, i64),
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) sha1: Option<Sha1Sum>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    pub(super) checked: Checked,
}

/// By what a file is known to be what was delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Checked {
    /// By a sum that the record of the run has.
    #[serde(alias = "sha1")]
    Recorded,
    /// By the checksum that the store has.
    Store,
    /// By its size alone.
    Size,
}

/// A dataset that is this process's own on this site.
#[derive(Debug)]
pub(super) struct DatasetLock {
    path: PathBuf,
    _lock: FileLock,
}

impl Drop for DatasetLock {
    fn drop(&mut self) {
        // Whoever waits for it finds that it is gone and makes another.
        let _ = fs::remove_file(&self.path);
    }
}

impl BroughtFile {
    /// A file that was just brought, as it stands there.
    pub(super) fn of(path: &Path, delivered: &Delivered, checked: Checked) -> io::Result<Self> {
        let metadata = fs::metadata(path)?;
        Ok(Self {
            size: metadata.len(),
            modified: modified(&metadata),
            sha1: delivered.expected.sha1,
            version: delivered.version.clone(),
            checked,
        })
    }

    /// Whether nobody wrote to the file since.
    pub(super) fn is_untouched(&self, now: &Metadata) -> bool {
        now.is_file() && (self.size, self.modified) == (now.len(), modified(now))
    }

    /// Whether it is what is delivered now, where that can be told without reading.
    pub(super) fn came_from(&self, delivered: &Delivered) -> bool {
        match delivered.expected.sha1 {
            Some(sha1) => self.sha1 == Some(sha1),
            None => {
                self.version.is_some()
                    && self.version == delivered.version
                    && Some(self.size) == delivered.expected.size
            }
        }
    }
}

fn modified(metadata: &Metadata) -> (i64, i64) {
    (metadata.mtime(), metadata.mtime_nsec())
}

impl Site {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// The directory of a dataset's files.
    pub(super) fn data(&self, dataset: &Dataset) -> PathBuf {
        self.root.join(LAYOUT.data_dir(dataset))
    }

    /// The path of a file by its name below the dataset's directory.
    pub(super) fn file(&self, dataset: &Dataset, name: &str) -> PathBuf {
        self.data(dataset).join(name)
    }

    /// The path of a message.
    pub(super) fn message(&self, state: State, dataset: &Dataset) -> PathBuf {
        self.root.join(LAYOUT.message(state, dataset))
    }

    /// The keys of messages of a state start with this.
    pub(super) fn state_prefix(state: State) -> String {
        LAYOUT.state_prefix(state)
    }

    fn own(&self, dataset: &Dataset, extension: &str) -> PathBuf {
        self.root.join(OWN).join(format!("{dataset}.{extension}"))
    }

    /// Makes a dataset this process's own, unless it is another's.
    pub(super) fn hold(&self, dataset: &Dataset) -> io::Result<Option<DatasetLock>> {
        let path = self.own(dataset, "lock");
        fs::create_dir_all(self.root.join(OWN))?;
        let lock = FileLock::try_acquire(&path)?;
        Ok(lock.map(|lock| DatasetLock { path, _lock: lock }))
    }

    /// What was brought of a dataset before; nothing where that is not known.
    pub(super) fn brought(&self, dataset: &Dataset) -> Brought {
        bounded::read(&self.own(dataset, "json"), MOST_BROUGHT)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default()
    }

    pub(super) fn remember(&self, dataset: &Dataset, brought: &Brought) -> io::Result<()> {
        // texts and numbers always serialise
        let text = serde_json::to_vec(brought).unwrap_or_default();
        atomic::replace(&self.own(dataset, "json"), &text)
    }

    /// Writes the message that a dataset is on site: the paths of its files, a line each.
    pub(super) fn announce(&self, dataset: &Dataset, names: &[String]) -> io::Result<()> {
        let mut lines = String::new();
        for name in names {
            let _ = writeln!(lines, "{}", self.file(dataset, name).display());
        }
        atomic::replace(&self.message(State::Synced, dataset), lines.as_bytes())
    }

    /// Deletes a message, if it is there.
    pub(super) fn retract(&self, state: State, dataset: &Dataset) -> io::Result<()> {
        match fs::remove_file(self.message(state, dataset)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Whether there is anything of a dataset: files, or a message.
    pub(super) fn has(&self, dataset: &Dataset) -> bool {
        self.message(State::Synced, dataset).exists()
            || self.data(dataset).exists()
            || self.message(State::Archived, dataset).exists()
    }

    /// Files of a dataset that were changed since they were brought, and that are not there any more.
    pub(super) fn differences(&self, dataset: &Dataset) -> (Vec<PathBuf>, Vec<PathBuf>) {
        let (mut changed, mut missing) = (vec![], vec![]);
        for (name, file) in self.brought(dataset).files {
            let path = self.file(dataset, &name);
            match fs::symlink_metadata(&path) {
                Ok(now) if file.is_untouched(&now) => {}
                Ok(_) => changed.push(path),
                Err(_) => missing.push(path),
            }
        }
        (changed, missing)
    }

    /// Removes what killed processes left beside the data: locks that nobody holds, messages and lists half
    /// written.
    pub(super) fn tidy(&self) -> io::Result<()> {
        let own = self.root.join(OWN);
        unfinished::remove_abandoned(&own)?;
        unfinished::remove_abandoned(&self.root.join(LAYOUT.state_prefix(State::Synced)))?;
        let entries = match fs::read_dir(&own) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let path = entry?.path();
            if path
                .extension()
                .is_some_and(|extension| extension == "lock")
                && let Some(lock) = FileLock::try_acquire(&path)?
            {
                drop(DatasetLock { path, _lock: lock });
            }
        }
        Ok(())
    }

    /// Removes what killed processes left of files of a dataset and of messages.
    pub(super) fn clear(&self, dataset: &Dataset) -> io::Result<()> {
        let data = self.data(dataset);
        for folder in [
            data.clone(),
            data.join("logs"),
            data.join("previews"),
            self.root.join(OWN),
        ] {
            unfinished::remove_abandoned(&folder)?;
        }
        Ok(())
    }
}
