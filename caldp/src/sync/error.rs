//! What can go wrong with one dataset and with a whole run, told apart by what happens next: whether the
//! dataset is put back, counts as failed, or nothing more is begun.

use std::borrow::Cow;
use std::io;
use std::path::PathBuf;

use caldp_core::messages::MessageError;
use caldp_worker::input::archive::ArchiveError;
use storage::hint::{Hint, local_hint};
use storage::store::{ErrorKind, StoreError};

use crate::status::WHICH_OUTPUT;

/// Why nothing could be done at all.
#[derive(Debug, thiserror::Error)]
pub(super) enum SyncError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("there are no datasets in {0}")]
    NoDatasets(String),
    #[error("the messages of {output} cannot be moved")]
    States {
        output: String,
        source: MessageError,
    },
    #[error("{directory} cannot be used")]
    Directory {
        directory: PathBuf,
        source: io::Error,
    },
    #[error("{0} is where the results are already")]
    SameDirectory(PathBuf),
    #[error("cannot start")]
    Runtime(#[source] io::Error),
}

impl SyncError {
    /// The messages of an output cannot be moved.
    pub(super) fn states(source: MessageError, output: &str) -> Self {
        Self::States {
            output: output.to_owned(),
            source,
        }
    }
}

impl Hint for SyncError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(match self {
            Self::Store(error) => return error.hint(),
            Self::NoDatasets(_) => WHICH_OUTPUT.into(),
            Self::States { output, source } => {
                return match source {
                    MessageError::Store(error) if error.kind() == ErrorKind::AccessDenied => Some(
                        format!(
                            "sync moves the messages of datasets, so it needs s3:PutObject and s3:DeleteObject on \
                             {output}/messages/*, as the policy operator_policies.sync of infra/ has them; with --only \
                             it reads and no more"
                        )
                        .into(),
                    ),
                    other => other.hint(),
                };
            }
            Self::Directory { source, .. } => local_hint(source).into(),
            Self::SameDirectory(_) => "give another directory".into(),
            Self::Runtime(_) => return None,
        })
    }
}

/// Why one dataset did not come on site.
#[derive(Debug, thiserror::Error)]
pub(super) enum DatasetError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Message(#[from] MessageError),
    #[error("the key {key:?} is refused: {reason}")]
    Refused { key: String, reason: String },
    #[error("{0} is in the record of the run and was not delivered")]
    Missing(String),
    #[error("{name} has {found} bytes, in the record of the run {recorded}")]
    Differs {
        name: String,
        recorded: u64,
        found: u64,
    },
    #[error("{name} of the archive is not what the record of the run says: {reason}")]
    Member { name: String, reason: String },
    #[error("nothing was delivered")]
    Nothing,
    #[error("writing {path} failed")]
    Local { path: PathBuf, source: io::Error },
    #[error("its archive cannot be unpacked")]
    Archive(#[from] ArchiveError),
    #[error("changed on site and kept: {}", list(.0))]
    Changed(Vec<PathBuf>),
    #[error("stopped")]
    Stopped,
}

/// Paths as a sentence has them.
fn list(paths: &[PathBuf]) -> String {
    let paths: Vec<_> = paths
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    paths.join(", ")
}

/// What happens to a dataset that did not come, and to the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Consequence {
    /// What was delivered is at fault: the dataset becomes an error.
    Failed,
    /// The dataset is put back, and may come the next time.
    PutBack,
    /// The dataset is put back, and no more are begun: all would fail so.
    Stop,
    /// Somebody else has moved the dataset on: its state is left alone.
    LeftAlone,
}

impl DatasetError {
    pub(super) fn consequence(&self) -> Consequence {
        match self {
            Self::Store(error) => match error.kind() {
                ErrorKind::Damaged
                | ErrorKind::NotFound
                | ErrorKind::Invalid
                | ErrorKind::TooLarge => Consequence::Failed,
                ErrorKind::LocalFile | ErrorKind::NoCredentials | ErrorKind::NoSuchBucket => {
                    Consequence::Stop
                }
                _ => Consequence::PutBack,
            },
            Self::Message(MessageError::NotAllowed { .. }) => Consequence::LeftAlone,
            Self::Message(MessageError::Store(error)) => match error.kind() {
                ErrorKind::AccessDenied | ErrorKind::NoCredentials => Consequence::Stop,
                _ => Consequence::PutBack,
            },
            Self::Refused { .. }
            | Self::Missing(_)
            | Self::Differs { .. }
            | Self::Member { .. }
            | Self::Nothing => Consequence::Failed,
            Self::Archive(error) => match error {
                ArchiveError::Read { .. } | ArchiveError::Write { .. } => Consequence::Stop,
                ArchiveError::Damaged { .. }
                | ArchiveError::Refused { .. }
                | ArchiveError::TooLarge { .. } => Consequence::Failed,
            },
            Self::Local { .. } | Self::Stopped => Consequence::Stop,
            Self::Changed(_) => Consequence::PutBack,
        }
    }
}

impl Hint for DatasetError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Store(error) => error.hint(),
            Self::Message(error) => error.hint(),
            Self::Local { source, .. } | Self::Archive(ArchiveError::Write { source, .. }) => {
                Some(local_hint(source).into())
            }
            Self::Archive(error) => error.hint(),
            Self::Refused { .. } => {
                Some("delete the object, or run the dataset again (caldp rescue)".into())
            }
            Self::Missing(_) | Self::Differs { .. } | Self::Member { .. } | Self::Nothing => {
                Some("run the dataset again (caldp rescue)".into())
            }
            Self::Changed(_) => {
                Some("move the files away, or take what was delivered with --restore".into())
            }
            Self::Stopped => None,
        }
    }
}
