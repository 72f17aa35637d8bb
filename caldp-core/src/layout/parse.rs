//! From a key back to what it means: what the trigger asks of every event.

use std::str::FromStr;

use super::{Area, BATCH_LISTS, BatchState, Broadcast, Layout, Target, Verb, calcloud_word};
use crate::batch::BatchName;
use crate::dataset::Dataset;
use crate::state::State;

/// What a key stands for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Meaning {
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
    /// `.json`.
    Json,
    /// `.yaml`, `.yml`.
    Yaml,
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
pub struct Located {
    /// The prefix in the bucket that is the layout's root; empty or without a slash at its ends.
    pub root: String,
    /// The layout the key is of. Keys that are the same in both are reported as of the tree.
    pub layout: Layout,
    /// What the key means.
    pub meaning: Meaning,
}

impl Located {
    /// Understands a message or batch list by its key in a bucket, wherever the layout's root is.
    ///
    /// # Errors
    /// [`KeyError::Unknown`] for keys that are neither, [`KeyError::Name`] for a message about
    /// something that is not a dataset, batch or job.
    pub fn find(key: &str) -> Result<Self, KeyError> {
        if key.starts_with(BATCH_LISTS) {
            return Ok(Self {
                root: String::new(),
                layout: Layout::Tree,
                meaning: Layout::Tree.parse(key)?,
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
        let (layout, meaning) = match tree {
            Err(KeyError::Unknown(_)) => (Layout::Calcloud, Layout::Calcloud.parse(rest)),
            known => (Layout::Tree, known),
        };
        Ok(Self {
            root,
            layout,
            meaning: meaning?,
        })
    }
}

impl Layout {
    /// Understands a key relative to the root.
    ///
    /// # Errors
    /// [`KeyError`], telling a key that is not ours from one with an unacceptable name in it.
    pub fn parse(self, key: &str) -> Result<Meaning, KeyError> {
        let unknown = || KeyError::Unknown(key.to_owned());
        let (top, rest) = key.split_once('/').ok_or_else(unknown)?;
        match top {
            "messages" => self.parse_message(key, rest),
            "batches" => parse_batch_list(rest).ok_or_else(unknown),
            "inputs" => {
                let name = rest.strip_suffix(".tar.gz").ok_or_else(unknown)?;
                dataset(key, name).map(Meaning::Inputs)
            }
            "control" => {
                let (name, file) = rest.split_once('/').ok_or_else(unknown)?;
                if name == "batch" || !is_bare(file) {
                    return Err(unknown());
                }
                Ok(Meaning::Control(dataset(key, name)?, file.to_owned()))
            }
            "data" if self == Self::Tree => parse_tree_data(key, rest),
            "outputs" if self == Self::Calcloud => parse_calcloud_output(key, rest),
            _ => Err(unknown()),
        }
    }

    /// The dataset a key belongs to, after [`Layout::belongings`]; none when it is nobody's.
    pub fn owner(self, key: &str) -> Option<Dataset> {
        // In a folder of its own, or in the name of the file: after a word, before a suffix.
        let file = key.rsplit('/').next().unwrap_or(key);
        let stem = ["_input.out", "_cal_env.txt", ".tar.gz", ".trigger"]
            .into_iter()
            .find_map(|suffix| file.strip_suffix(suffix))
            .unwrap_or(file);
        let after_word = stem.split_once('-').map(|(_, name)| name);
        let folders = key.split('/').skip(1).take(2);
        let candidates = folders.chain([stem]).chain(after_word);
        candidates
            .filter_map(|name| name.parse::<Dataset>().ok())
            .find(|dataset| {
                let mine = self.belongings(dataset);
                mine.keys.iter().any(|k| k == key)
                    || mine.prefixes.iter().any(|p| key.starts_with(p.as_str()))
            })
    }

    fn parse_message(self, key: &str, rest: &str) -> Result<Meaning, KeyError> {
        let unknown = || KeyError::Unknown(key.to_owned());
        for state in BatchState::ALL {
            let file = key.strip_prefix(self.batch_prefix(state).as_str());
            if let Some(name) = file.and_then(|file| file.strip_suffix(".json")) {
                return named(key, name).map(|batch| Meaning::Batch(state, batch));
            }
        }
        let (kind, tail) = match self {
            Self::Tree => rest.split_once('/'),
            Self::Calcloud => rest.split_once('-'),
        }
        .ok_or_else(unknown)?;
        if kind == "broadcast" {
            return Ok(Meaning::Broadcast(match tail {
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
            return Ok(Meaning::State(state, dataset(key, name)?));
        }
        let word = match self {
            Self::Tree => kind.strip_prefix("request-").ok_or_else(unknown)?,
            Self::Calcloud => kind,
        };
        let verb = Verb::ALL
            .into_iter()
            .find(|verb| verb.to_string() == word)
            .ok_or_else(unknown)?;
        Ok(Meaning::Request(verb, target(key, verb, tail)?))
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

fn parse_batch_list(file: &str) -> Option<Meaning> {
    let (name, extension) = file.rsplit_once('.')?;
    let format = match extension {
        "ids" | "txt" => BatchListFormat::Lines,
        "json" => BatchListFormat::Json,
        "yaml" | "yml" => BatchListFormat::Yaml,
        _ => return None,
    };
    is_bare(name).then(|| Meaning::BatchList(name.to_owned(), format))
}

fn parse_tree_data(key: &str, rest: &str) -> Result<Meaning, KeyError> {
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
        Ok(Meaning::File(dataset, area, file.to_owned()))
    } else {
        Err(unknown())
    }
}

fn parse_calcloud_output(key: &str, rest: &str) -> Result<Meaning, KeyError> {
    let unknown = || KeyError::Unknown(key.to_owned());
    let (name, file) = rest.split_once('/').ok_or_else(unknown)?;
    let dataset = dataset(key, name)?;
    for area in [Area::Products, Area::Failed] {
        if Layout::Calcloud.archive(&dataset, area).as_deref() == Some(key) {
            return Ok(Meaning::Archive(dataset, area));
        }
    }
    if is_bare(file) {
        Ok(Meaning::File(dataset, Area::Logs, file.to_owned()))
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
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;

    fn dataset(name: &str) -> Dataset {
        name.parse().unwrap()
    }

    #[test]
    fn the_tree_is_the_one_documented() {
        let (tree, d) = (Layout::Tree, dataset("j8cb010b0"));
        assert_eq!(tree.data_dir(&d), "data/acs/j8cb010b0/");
        assert_eq!(
            tree.file(&d, Area::Products, "j8cb010b1_drz.fits"),
            "data/acs/j8cb010b0/j8cb010b1_drz.fits"
        );
        assert_eq!(
            tree.file(&d, Area::Logs, "process.txt"),
            "data/acs/j8cb010b0/logs/process.txt"
        );
        assert_eq!(
            tree.file(&d, Area::Previews, "x.jpg"),
            "data/acs/j8cb010b0/previews/x.jpg"
        );
        assert_eq!(
            tree.message(State::Processed, &d),
            "messages/dataset-processed/j8cb010b0"
        );
        assert_eq!(tree.attempts(&d), "control/j8cb010b0/attempts.json");
        let batch: BatchName = "batch-2".parse().unwrap();
        assert_eq!(
            tree.batch_message(BatchState::New, &batch),
            "messages/batch-new/batch-2.json"
        );
        assert_eq!(
            tree.request(Verb::Clean, &Target::Ingested),
            "messages/request-clean/ingested"
        );
        assert_eq!(
            tree.data_dir(&dataset("skycell-p1234x05y06")),
            "data/mvm/skycell-p1234x05y06/"
        );
    }

    #[test]
    fn calcloud_is_what_its_pollers_read() {
        let (calcloud, d) = (Layout::Calcloud, dataset("j8cb010b0"));
        assert_eq!(
            calcloud.archive(&d, Area::Products).unwrap(),
            "outputs/j8cb010b0/j8cb010b0.tar.gz"
        );
        assert_eq!(
            calcloud.file(&d, Area::Logs, "preview.txt"),
            "outputs/j8cb010b0/preview.txt"
        );
        assert_eq!(
            calcloud.file(&d, Area::Previews, "x.jpg"),
            "j8cb010b0/previews/x.jpg"
        );
        let key = |state| calcloud.message(state, &d);
        assert_eq!(key(State::Processing), "messages/processing-j8cb010b0");
        assert_eq!(
            key(State::Processed),
            "messages/processed-j8cb010b0.trigger"
        );
        assert_eq!(key(State::Error), "messages/error-j8cb010b0");
        assert_eq!(key(State::Submitted), "messages/submit-j8cb010b0");
        assert_eq!(key(State::Archived), "messages/ingested-j8cb010b0");
        assert_eq!(
            calcloud.broadcast(&Broadcast::Kill),
            "messages/broadcast-kill"
        );
    }

    #[test]
    fn a_message_is_found_wherever_its_root_is() {
        let at = |key: &str| {
            let found = Located::find(key).unwrap();
            (found.root, found.layout, found.meaning)
        };
        let rescue = Meaning::Request(Verb::Rescue, Target::Dataset(dataset("j8cb010b0")));
        assert_eq!(
            at("data/batch-1/messages/request-rescue/j8cb010b0"),
            ("data/batch-1".to_owned(), Layout::Tree, rescue.clone())
        );
        assert_eq!(
            at("messages/rescue-j8cb010b0"),
            (String::new(), Layout::Calcloud, rescue)
        );
        assert_eq!(
            at("batches/night 1.ids").2,
            Meaning::BatchList("night 1".to_owned(), BatchListFormat::Lines)
        );
        assert_eq!(
            at("messages/cancel-5b202ca1-bfd0-4c9f-b2a0-f396843ef639").2,
            Meaning::Request(
                Verb::Cancel,
                Target::Job("5b202ca1-bfd0-4c9f-b2a0-f396843ef639".parse().unwrap())
            )
        );
        assert_eq!(
            at("messages/processed-skycell-p1234x05y06.trigger").2,
            Meaning::State(State::Processed, dataset("skycell-p1234x05y06"))
        );
    }

    #[test]
    fn a_bad_name_is_told_from_a_foreign_key() {
        for key in [
            "messages/clean-mydataset",
            "messages/request-rescue/nothing",
            "messages/rescue-ingested",
            "messages/dataset-error/J8CB010B0",
            "messages/rescue-5b202ca1-bfd0-4c9f-b2a0-f396843ef639",
        ] {
            let error = Located::find(key).unwrap_err();
            assert!(matches!(error, KeyError::Name { .. }), "{key}: {error}");
        }
        for key in [
            "",
            "messages",
            "messages/",
            "messages/hello",
            "messages/processed-j8cb010b0",
            "data/acs/x",
            "batches/x.tar",
            "batches/a/b.ids",
            "batches/.ids",
            "xmessages/error-j8cb010b0",
        ] {
            let error = Located::find(key).unwrap_err();
            assert!(matches!(error, KeyError::Unknown(_)), "{key}: {error}");
        }
    }

    #[test]
    fn cleaning_touches_one_dataset_only() {
        for layout in Layout::ALL {
            let mine = layout.belongings(&dataset("j8cb010b0"));
            assert!(mine.prefixes.iter().all(|p| p.ends_with("/j8cb010b0/")));
            assert!(mine.keys.iter().all(|k| k.contains("j8cb010b0")));
            assert!(mine.keys.contains(&"inputs/j8cb010b0.tar.gz".to_owned()));
            assert!(
                mine.keys
                    .contains(&layout.message(State::Processed, &dataset("j8cb010b0")))
            );
        }
    }

    #[test]
    fn what_belongs_to_a_dataset_has_it_as_owner() {
        for name in ["j8cb010b0", "acs_8ph_01", "skycell-p1234x05y06"] {
            let d = dataset(name);
            for layout in Layout::ALL {
                let mine = layout.belongings(&d);
                for prefix in &mine.prefixes {
                    for file in ["x.fits", "logs/process.txt", "a/b/c", "other-j8cb010b1"] {
                        assert_eq!(layout.owner(&format!("{prefix}{file}")), Some(d.clone()));
                    }
                }
                for key in &mine.keys {
                    assert_eq!(layout.owner(key), Some(d.clone()), "{key}");
                }
                for nobodys in [
                    "batches/j8cb010b0.ids",
                    "control/batch/j8cb010b0/plan.json",
                    "messages/batch-new/j8cb010b0.json",
                    "messages/broadcast-kill",
                    "messages/clean-all",
                    "j8cb010b0",
                    "",
                ] {
                    assert_eq!(layout.owner(nobodys), None, "{nobodys}");
                }
                assert!(
                    mine.prefixes
                        .iter()
                        .chain(&mine.keys)
                        .all(|key| { layout.dataset_folders().iter().any(|f| key.starts_with(f)) })
                );
            }
        }
    }

    fn any_dataset() -> impl Strategy<Value = Dataset> {
        "[ijlo][a-z0-9]{8}|(acs|wfc3)_[a-z0-9]{3}_[a-z0-9]{2}|skycell-p[0-9]{4}x[0-9]{2}y[0-9]{2}"
            .prop_map(|name| name.parse().unwrap())
    }

    fn any_batch() -> impl Strategy<Value = BatchName> {
        "[a-zA-Z0-9][a-zA-Z0-9_-]{0,30}".prop_map(|name| name.parse().unwrap())
    }

    fn any_message() -> impl Strategy<Value = Meaning> {
        let state = prop::sample::select(State::ALL.to_vec());
        let batch_state = prop::sample::select(BatchState::ALL.to_vec());
        let verb = prop::sample::select(Verb::ALL.to_vec());
        prop_oneof![
            (state, any_dataset()).prop_map(|(s, d)| Meaning::State(s, d)),
            (batch_state, any_batch()).prop_map(|(s, b)| Meaning::Batch(s, b)),
            (verb.clone(), any_dataset())
                .prop_map(|(v, d)| Meaning::Request(v, Target::Dataset(d))),
            verb.prop_map(|v| Meaning::Request(v, Target::All)),
            Just(Meaning::Request(Verb::Clean, Target::Ingested)),
            Just(Meaning::Broadcast(Broadcast::Kill)),
            any_batch()
                .prop_filter("kill is the end", |b| b.as_str() != "kill")
                .prop_map(|b| Meaning::Broadcast(Broadcast::Part(b))),
        ]
    }

    fn spell(layout: Layout, meaning: &Meaning) -> String {
        match meaning {
            Meaning::State(state, dataset) => layout.message(*state, dataset),
            Meaning::Batch(state, batch) => layout.batch_message(*state, batch),
            Meaning::Request(verb, target) => layout.request(*verb, target),
            Meaning::Broadcast(broadcast) => layout.broadcast(broadcast),
            Meaning::Inputs(dataset) => layout.inputs(dataset),
            Meaning::Control(dataset, file) => layout.control(dataset, file),
            Meaning::File(dataset, area, file) => layout.file(dataset, *area, file),
            Meaning::Archive(dataset, area) => layout.archive(dataset, *area).unwrap(),
            Meaning::BatchList(name, _) => format!("batches/{name}.ids"),
        }
    }

    proptest! {
        #[test]
        fn every_message_parses_back(meaning in any_message(), root in "([a-z0-9-]{1,9}(/[a-z0-9-]{1,9}){0,2})?") {
            for layout in Layout::ALL {
                let key = spell(layout, &meaning);
                prop_assert_eq!(&layout.parse(&key).unwrap(), &meaning);
                let absolute = if root.is_empty() { key } else { format!("{root}/{key}") };
                let found = Located::find(&absolute).unwrap();
                prop_assert_eq!(&found.meaning, &meaning);
                prop_assert_eq!(found.root, root.clone());
                let shared = matches!(meaning, Meaning::Batch(..));
                prop_assert!(shared || found.layout == layout);
            }
        }

        #[test]
        fn every_file_parses_back(dataset in any_dataset(), file in "[a-z0-9_]{1,12}\\.(fits|txt|tra|jpg)") {
            for area in [Area::Products, Area::Logs, Area::Previews, Area::Failed] {
                let meaning = Meaning::File(dataset.clone(), area, file.clone());
                prop_assert_eq!(Layout::Tree.parse(&spell(Layout::Tree, &meaning)).unwrap(), meaning);
            }
            let calcloud = [
                Meaning::File(dataset.clone(), Area::Logs, file.clone()),
                Meaning::Archive(dataset.clone(), Area::Products),
                Meaning::Archive(dataset.clone(), Area::Failed),
                Meaning::Inputs(dataset.clone()),
                Meaning::Control(dataset, file),
            ];
            for meaning in calcloud {
                prop_assert_eq!(Layout::Calcloud.parse(&spell(Layout::Calcloud, &meaning)).unwrap(), meaning);
            }
        }

        #[test]
        fn no_key_panics(key in ".*") {
            for layout in Layout::ALL {
                let _ = layout.parse(&key);
                let _ = layout.parse(&format!("messages/{key}"));
            }
            let _ = Located::find(&key);
        }
    }
}
