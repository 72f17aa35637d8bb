//! Where everything is kept: the only code that spells keys and paths.
//!
//! A key is relative to the *root* of a layout, which is an S3 prefix or a directory:
//! - [`Layout::Tree`]: the output path of a batch or run, on S3 or on disk;
//! - [`Layout::Calcloud`]: a whole bucket, as today's on-premise pollers read it.
//!
//! | | tree | calcloud |
//! |---|---|---|
//! | products | `data/<folder>/<dataset>/<file>` | `outputs/<dataset>/<dataset>.tar.gz` |
//! | previews | `data/<folder>/<dataset>/previews/<file>` | in the archive |
//! | logs | `data/<folder>/<dataset>/logs/<file>` | `outputs/<dataset>/<file>` |
//! | what a failed run left | `data/<folder>/<dataset>/failed/<file>` | `outputs/<dataset>/<dataset>-failed.tar.gz` |
//! | state | `messages/dataset-<state>/<dataset>` | `messages/<word>-<dataset>`, `processed` with `.trigger` |
//! | batch | `messages/batch-<state>/<batch>.json` | the same |
//! | request | `messages/request-<verb>/<target>` | `messages/<verb>-<target>` |
//! | fan-out | `messages/broadcast/<id>`, `messages/broadcast/kill` | `messages/broadcast-<id>`, `messages/broadcast-kill` |
//! | inputs | `inputs/<dataset>.tar.gz` | the same |
//! | attempts | `control/<dataset>/attempts.json` | the same |
//! | batch lists | `batches/<name>.ids` (`.txt`, `.csv`, `.json`, `.yaml`) | the same |
//! | a refusal | the key of the request or batch list with [`REFUSED_SUFFIX`] | the same |
//! | overview | `blackboard/<file>` | the same |
//!
//! `<folder>` is [`Dataset::folder`]. The calcloud words for states are those of its message
//! types (`submit`, `ingested` for archived); the ones it lacks have our names.
//! [`parse`](Layout::parse) turns a key back into what it stands for, and [`ParsedKey::find`] does so for
//! a key relative to a bucket, wherever the root is.

mod parse;
mod subject;

pub use parse::{BatchListFormat, KeyError, KeyKind, ParsedKey};
pub use subject::{BatchState, Broadcast, Target, Verb};

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::batch::BatchName;
use crate::dataset::{ARCHIVE_SUFFIX, Dataset};
use crate::state::State;
use storage::hint::Hint;
use storage::uri::S3Uri;

/// The folder every batch list is put in by operators.
const BATCH_LISTS: &str = "batches/";

/// What the key of the answer to a refused request or batch list ends with: it stands beside that.
pub const REFUSED_SUFFIX: &str = ".refused";

/// How results and messages are laid out under a root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// One directory per dataset, one per state. The default.
    #[default]
    Tree,
    /// One archive per dataset, message types in the names of the messages.
    Calcloud,
}

/// What a file of a dataset is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Area {
    /// A calibrated product.
    Products,
    /// A log, metrics file or provenance record.
    Logs,
    /// A preview image or table.
    Previews,
    /// Left by a failed run, for debugging.
    Failed,
}

/// Everything that belongs to one dataset and to no other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetKeys {
    /// Every key below these prefixes; each ends with a slash.
    pub prefixes: Vec<String>,
    /// Single keys.
    pub keys: Vec<String>,
}

impl Layout {
    /// Both layouts.
    pub const ALL: [Self; 2] = [Self::Tree, Self::Calcloud];

    /// The name, as `--layout` and `CALDP_LAYOUT` take it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tree => "tree",
            Self::Calcloud => "calcloud",
        }
    }

    /// The prefix below which everything delivered of a dataset is; ends with a slash.
    pub fn data_dir(self, dataset: &Dataset) -> String {
        match self {
            Self::Tree => format!("data/{}/{dataset}/", dataset.folder()),
            Self::Calcloud => format!("outputs/{dataset}/"),
        }
    }

    /// The key of one file of a dataset. `file` is a bare file name.
    ///
    /// The calcloud layout keeps products, previews and what a failed run left in archives
    /// ([`Self::archive`]); for those this is the name of the archive's member.
    pub fn file(self, dataset: &Dataset, area: Area, file: &str) -> String {
        match (self, area) {
            (Self::Tree, Area::Products) | (Self::Calcloud, Area::Logs) => {
                format!("{}{file}", self.data_dir(dataset))
            }
            (Self::Tree, area) => format!("{}{}/{file}", self.data_dir(dataset), area.folder()),
            (Self::Calcloud, Area::Products | Area::Failed) => format!("{dataset}/{file}"),
            (Self::Calcloud, Area::Previews) => format!("{dataset}/previews/{file}"),
        }
    }

    /// The key of the archive that holds `area` in the calcloud layout; none where files are
    /// stored one by one. A failed run's archive never has the name of a good one.
    pub fn archive(self, dataset: &Dataset, area: Area) -> Option<String> {
        match (self, area) {
            (Self::Tree, _) | (Self::Calcloud, Area::Logs) => None,
            (Self::Calcloud, Area::Products | Area::Previews) => {
                Some(format!("outputs/{dataset}/{}", dataset.archive_file()))
            }
            (Self::Calcloud, Area::Failed) => Some(format!(
                "outputs/{dataset}/{dataset}-failed{ARCHIVE_SUFFIX}"
            )),
        }
    }

    /// The key of the message that says `dataset` is in `state`.
    pub fn message(self, state: State, dataset: &Dataset) -> String {
        let prefix = self.state_prefix(state);
        match (self, state) {
            (Self::Calcloud, State::Processed) => format!("{prefix}{dataset}.trigger"),
            _ => format!("{prefix}{dataset}"),
        }
    }

    /// What the keys of all messages of a state start with, and no others.
    pub fn state_prefix(self, state: State) -> String {
        match self {
            Self::Tree => format!("messages/dataset-{state}/"),
            Self::Calcloud => format!("messages/{}-", calcloud_word(state)),
        }
    }

    /// What the keys of the messages of all states start with, and few others.
    pub const fn states_prefix(self) -> &'static str {
        match self {
            Self::Tree => "messages/dataset-",
            Self::Calcloud => "messages/",
        }
    }

    /// The key of the message that says a batch is in `state`.
    pub fn batch_message(self, state: BatchState, batch: &BatchName) -> String {
        format!("{}{batch}.json", self.batch_prefix(state))
    }

    /// What the keys of all batch messages of a state start with, and no others.
    pub fn batch_prefix(self, state: BatchState) -> String {
        format!("messages/batch-{state}/")
    }

    /// The key of a request.
    pub fn request(self, verb: Verb, target: &Target) -> String {
        match self {
            Self::Tree => format!("messages/request-{verb}/{target}"),
            Self::Calcloud => format!("messages/{verb}-{target}"),
        }
    }

    /// The key of a fan-out message.
    pub fn broadcast(self, broadcast: &Broadcast) -> String {
        let tail = match broadcast {
            Broadcast::Part(id) => id.as_str(),
            Broadcast::Kill => "kill",
        };
        match self {
            Self::Tree => format!("messages/broadcast/{tail}"),
            Self::Calcloud => format!("messages/broadcast-{tail}"),
        }
    }

    /// The key of a dataset's packed inputs.
    pub fn inputs(self, dataset: &Dataset) -> String {
        format!("inputs/{}", dataset.archive_file())
    }

    /// The key of the record of a dataset's attempts.
    pub fn attempts(self, dataset: &Dataset) -> String {
        self.control(dataset, "attempts.json")
    }

    /// The key of a file the trigger keeps for one dataset; `file` is a bare file name.
    pub fn control(self, dataset: &Dataset, file: &str) -> String {
        format!("control/{dataset}/{file}")
    }

    /// The key of a file the trigger keeps for one batch; `file` is a bare file name.
    pub fn batch_control(self, batch: &BatchName, file: &str) -> String {
        format!("control/batch/{batch}/{file}")
    }

    /// The key of a file the trigger keeps for its deployment, relative to the bucket; `file` is a bare file
    /// name.
    pub fn deployment_control(self, file: &str) -> String {
        format!("control/{file}")
    }

    /// The key of a list of datasets to submit, relative to the bucket; `name` has no extension.
    pub fn batch_list(self, name: &str, format: BatchListFormat) -> String {
        let extension = match format {
            BatchListFormat::Lines => "ids",
            BatchListFormat::Table => "csv",
            BatchListFormat::Json => "json",
            BatchListFormat::Yaml => "yaml",
        };
        format!("{BATCH_LISTS}{name}.{extension}")
    }

    /// The folders below the root in which there are things of datasets; each ends with a slash.
    pub const fn dataset_folders(self) -> [&'static str; 4] {
        match self {
            Self::Tree => ["control/", "data/", "inputs/", "messages/"],
            Self::Calcloud => ["control/", "outputs/", "inputs/", "messages/"],
        }
    }

    /// The key of a file of the overview; `file` is a bare file name.
    pub fn blackboard(self, file: &str) -> String {
        format!("blackboard/{file}")
    }

    /// Everything of one dataset: what cleaning deletes. A dataset whose name starts with this
    /// one's keeps all it has.
    pub fn dataset_keys(self, dataset: &Dataset) -> DatasetKeys {
        let states = State::ALL.map(|state| self.message(state, dataset));
        let target = Target::Dataset(dataset.clone());
        let requests = Verb::ALL.map(|verb| self.request(verb, &target));
        let refusals = requests.clone().map(|request| request + REFUSED_SUFFIX);
        let inputs = [
            self.inputs(dataset),
            format!("inputs/{}", dataset.exposure_list_file()),
            format!("inputs/{}", dataset.environment_file()),
        ];
        let foreign = match self {
            Self::Tree => None,
            // written by the on-premise ingest
            Self::Calcloud => Some(format!("messages/ingesterror-{dataset}")),
        };
        DatasetKeys {
            prefixes: vec![self.data_dir(dataset), self.control(dataset, "")],
            keys: states
                .into_iter()
                .chain(requests)
                .chain(refusals)
                .chain(inputs)
                .chain(foreign)
                .collect(),
        }
    }
}

/// Root and layout of a run of one dataset from the output path of its command.
///
/// Commands of the calcloud deployment pass the dataset's own folder, `.../outputs/<dataset>`: what
/// is above it is the root, and the layout is calcloud where none is asked for. Any other path is
/// the root itself.
pub fn root_of(output: &S3Uri, dataset: &Dataset, asked: Option<Layout>) -> (S3Uri, Layout) {
    let own = format!("outputs/{dataset}");
    let above = match output.key().strip_suffix(own.as_str()) {
        Some("") => S3Uri::new(output.bucket(), "").ok(),
        Some(prefix) if prefix.ends_with('/') => S3Uri::new(output.bucket(), prefix).ok(),
        _ => None,
    };
    match (above, asked) {
        (Some(root), None | Some(Layout::Calcloud)) => (root, Layout::Calcloud),
        (_, asked) => (output.clone(), asked.unwrap_or_default()),
    }
}

impl Area {
    const fn folder(self) -> &'static str {
        match self {
            Self::Products => "",
            Self::Logs => "logs",
            Self::Previews => "previews",
            Self::Failed => "failed",
        }
    }
}

/// The message types of the calcloud deployment.
const fn calcloud_word(state: State) -> &'static str {
    match state {
        State::Submitted => "submit",
        State::Archived => "ingested",
        other => other.name(),
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Layout {
    type Err = UnknownLayout;

    fn from_str(text: &str) -> Result<Self, UnknownLayout> {
        Self::ALL
            .into_iter()
            .find(|layout| layout.name() == text)
            .ok_or_else(|| UnknownLayout(text.to_owned()))
    }
}

/// A text that names no layout.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a layout")]
pub struct UnknownLayout(String);

impl Hint for UnknownLayout {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some("the layouts are tree and calcloud".into())
    }
}
