//! From a key back to what it means: what the trigger asks of every event.

use std::str::FromStr;

use super::{
    Area, BATCH_LISTS, BatchState, Broadcast, Layout, REFUSED_SUFFIX, Target, Verb, calcloud_word,
};
use crate::batch::BatchName;
use crate::dataset::{ARCHIVE_SUFFIX, Dataset};
use crate::state::State;

/// What a key stands for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// A dataset is in a state.
    State(State, Dataset),
    /// A batch is in a state.
    Batch(BatchState, BatchName),
    /// An operator asks for something.
    Request(Verb, Target),
    /// A fan-out, or its end.
    Broadcast(Broadcast),
    /// A list of datasets to submit; the name has no extension and need not be a batch name.
    BatchList(String, BatchListFormat),
    /// A dataset's packed inputs.
    Inputs(Dataset),
    /// A file the trigger keeps for a dataset.
    Control(Dataset, String),
    /// A delivered file, by its bare name.
    File(Dataset, Area, String),
    /// A dataset's archive: of its products, or of what a failed run left.
    Archive(Dataset, Area),
}

/// How a batch list is written, by its extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BatchListFormat {
    /// `.ids`, `.txt`: one name a line.
    Lines,
    /// `.csv`: a table of names and of what is known of each.
    Table,
    /// `.json`.
    Json,
    /// `.yaml`, `.yml`.
    Yaml,
}

impl BatchListFormat {
    /// The format of files with this extension; none when it is of no list.
    pub fn of_extension(extension: &str) -> Option<Self> {
        Some(match extension {
            "ids" | "txt" => Self::Lines,
            "csv" => Self::Table,
            "json" => Self::Json,
            "yaml" | "yml" => Self::Yaml,
            _ => return None,
        })
    }
}

/// Why a key means nothing here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It is in no place this system uses.
    #[error("the key {0:?} is none this system writes or acts on")]
    Unknown(String),
    /// It is in a place of ours, but the name in it is not acceptable.
    #[error("the key {key:?} is not acceptable: {reason}")]
    Name {
        /// The key.
        key: String,
        /// What is wrong with the name, with a hint.
        reason: String,
    },
}

/// A key relative to a bucket, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParsedKey {
    /// The prefix in the bucket that is the layout's root; empty or without a slash at its ends.
    pub root: String,
    /// The layout the key is of. Keys that are the same in both are reported as of the tree.
    pub layout: Layout,
    /// What the key means.
    pub kind: KeyKind,
}

impl ParsedKey {
    /// Understands a message or batch list by its key in a bucket, wherever the layout's root is.
    ///
    /// # Errors
    /// [`KeyError::Unknown`] for keys that are neither, [`KeyError::Name`] for a message about
    /// something that is not a dataset, batch or job.
    pub fn find(key: &str) -> Result<Self, KeyError> {
        if key.ends_with(REFUSED_SUFFIX) {
            return Err(KeyError::Unknown(key.to_owned()));
        }
        if key.starts_with(BATCH_LISTS) {
            return Ok(Self {
                root: String::new(),
                layout: Layout::Tree,
                kind: Layout::Tree.parse(key)?,
            });
        }
        let start = match key.rfind("/messages/") {
            Some(slash) => slash + 1,
            None if key.starts_with("messages/") => 0,
            None => return Err(KeyError::Unknown(key.to_owned())),
        };
        let (root, rest) = key.split_at_checked(start).unwrap_or(("", key));
        let root = root.trim_end_matches('/').to_owned();
        let tree = Layout::Tree.parse(rest);
        let (layout, kind) = match tree {
            Err(KeyError::Unknown(_)) => (Layout::Calcloud, Layout::Calcloud.parse(rest)),
            known => (Layout::Tree, known),
        };
        Ok(Self {
            root,
            layout,
            kind: kind?,
        })
    }
}

impl Layout {
    /// Understands a key relative to the root.
    ///
    /// # Errors
    /// [`KeyError`], telling a key that is not ours from one with an unacceptable name in it.
    pub fn parse(self, key: &str) -> Result<KeyKind, KeyError> {
        let unknown = || KeyError::Unknown(key.to_owned());
        let (top, rest) = key.split_once('/').ok_or_else(unknown)?;
        match top {
            "messages" => self.parse_message(key, rest),
            "batches" => parse_batch_list(rest).ok_or_else(unknown),
            "inputs" => {
                let name = rest.strip_suffix(ARCHIVE_SUFFIX).ok_or_else(unknown)?;
                dataset(key, name).map(KeyKind::Inputs)
            }
            "control" => {
                let (name, file) = rest.split_once('/').ok_or_else(unknown)?;
                if name == "batch" || !is_bare(file) {
                    return Err(unknown());
                }
                Ok(KeyKind::Control(dataset(key, name)?, file.to_owned()))
            }
            "data" if self == Self::Tree => parse_tree_data(key, rest),
            "outputs" if self == Self::Calcloud => parse_calcloud_output(key, rest),
            _ => Err(unknown()),
        }
    }

    /// The dataset a key belongs to, after [`Layout::dataset_keys`]; none when it is nobody's.
    pub fn owner(self, key: &str) -> Option<Dataset> {
        // In a folder of its own, or in the name of the file: after a word, before a suffix.
        let file = key.rsplit('/').next().unwrap_or(key);
        let stem = [
            "_input.out",
            "_cal_env.txt",
            ARCHIVE_SUFFIX,
            ".trigger",
            REFUSED_SUFFIX,
        ]
        .into_iter()
        .find_map(|suffix| file.strip_suffix(suffix))
        .unwrap_or(file);
        let after_word = stem.split_once('-').map(|(_, name)| name);
        let folders = key.split('/').skip(1).take(2);
        let candidates = folders.chain([stem]).chain(after_word);
        candidates
            .filter_map(|name| name.parse::<Dataset>().ok())
            .find(|dataset| {
                let mine = self.dataset_keys(dataset);
                mine.keys.iter().any(|k| k == key)
                    || mine.prefixes.iter().any(|p| key.starts_with(p.as_str()))
            })
    }

    fn parse_message(self, key: &str, rest: &str) -> Result<KeyKind, KeyError> {
        let unknown = || KeyError::Unknown(key.to_owned());
        for state in BatchState::ALL {
            let file = key.strip_prefix(self.batch_prefix(state).as_str());
            if let Some(name) = file.and_then(|file| file.strip_suffix(".json")) {
                return named(key, name).map(|batch| KeyKind::Batch(state, batch));
            }
        }
        let (kind, tail) = match self {
            Self::Tree => rest.split_once('/'),
            Self::Calcloud => rest.split_once('-'),
        }
        .ok_or_else(unknown)?;
        if kind == "broadcast" {
            return Ok(KeyKind::Broadcast(match tail {
                "kill" => Broadcast::Kill,
                id => Broadcast::Part(named(key, id)?),
            }));
        }
        let state = State::ALL.into_iter().find(|state| match self {
            Self::Tree => kind.strip_prefix("dataset-") == Some(state.name()),
            Self::Calcloud => kind == calcloud_word(*state),
        });
        if let Some(state) = state {
            let name = match (self, state) {
                (Self::Calcloud, State::Processed) => {
                    tail.strip_suffix(".trigger").ok_or_else(unknown)?
                }
                _ => tail,
            };
            return Ok(KeyKind::State(state, dataset(key, name)?));
        }
        let word = match self {
            Self::Tree => kind.strip_prefix("request-").ok_or_else(unknown)?,
            Self::Calcloud => kind,
        };
        let verb = Verb::ALL
            .into_iter()
            .find(|verb| verb.to_string() == word)
            .ok_or_else(unknown)?;
        Ok(KeyKind::Request(verb, target(key, verb, tail)?))
    }
}

fn target(key: &str, verb: Verb, text: &str) -> Result<Target, KeyError> {
    match (verb, text) {
        (_, "all") => Ok(Target::All),
        (Verb::Clean, "ingested") => Ok(Target::Ingested),
        (Verb::Cancel, text) if text.parse::<crate::batch::JobId>().is_ok() => {
            named(key, text).map(Target::Job)
        }
        _ => dataset(key, text).map(Target::Dataset),
    }
}

fn parse_batch_list(file: &str) -> Option<KeyKind> {
    let (name, extension) = file.rsplit_once('.')?;
    let format = BatchListFormat::of_extension(extension)?;
    is_bare(name).then(|| KeyKind::BatchList(name.to_owned(), format))
}

fn parse_tree_data(key: &str, rest: &str) -> Result<KeyKind, KeyError> {
    let unknown = || KeyError::Unknown(key.to_owned());
    let mut parts = rest.splitn(3, '/');
    let (Some(folder), Some(name), Some(file)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(unknown());
    };
    let dataset = dataset(key, name)?;
    if dataset.folder() != folder {
        return Err(unknown());
    }
    let (area, file) = match file.split_once('/') {
        None => (Area::Products, file),
        Some(("logs", file)) => (Area::Logs, file),
        Some(("previews", file)) => (Area::Previews, file),
        Some(("failed", file)) => (Area::Failed, file),
        Some(_) => return Err(unknown()),
    };
    if is_bare(file) {
        Ok(KeyKind::File(dataset, area, file.to_owned()))
    } else {
        Err(unknown())
    }
}

fn parse_calcloud_output(key: &str, rest: &str) -> Result<KeyKind, KeyError> {
    let unknown = || KeyError::Unknown(key.to_owned());
    let (name, file) = rest.split_once('/').ok_or_else(unknown)?;
    let dataset = dataset(key, name)?;
    for area in [Area::Products, Area::Failed] {
        if Layout::Calcloud.archive(&dataset, area).as_deref() == Some(key) {
            return Ok(KeyKind::Archive(dataset, area));
        }
    }
    if is_bare(file) {
        Ok(KeyKind::File(dataset, Area::Logs, file.to_owned()))
    } else {
        Err(unknown())
    }
}

fn is_bare(file: &str) -> bool {
    !file.is_empty() && !file.contains('/')
}

fn dataset(key: &str, name: &str) -> Result<Dataset, KeyError> {
    let dataset: Dataset = named(key, name)?;
    // Keys are written in lower case; one that is not would be a second key for the same thing.
    if dataset.name() == name {
        Ok(dataset)
    } else {
        Err(KeyError::Name {
            key: key.to_owned(),
            reason: format!("dataset names in keys are in lower case: {dataset}"),
        })
    }
}

fn named<T: FromStr<Err: std::fmt::Display>>(key: &str, name: &str) -> Result<T, KeyError> {
    name.parse().map_err(|error: T::Err| KeyError::Name {
        key: key.to_owned(),
        reason: error.to_string(),
    })
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
