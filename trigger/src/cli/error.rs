//! What can go wrong with a command.

use std::borrow::Cow;
use std::io::ErrorKind;

use caldp_core::dataset::DatasetError;
use caldp_core::layout::Verb;
use caldp_core::resources::table::TableError;
use storage::hint::Hint;
use storage::uri::S3Uri;

use crate::config::ConfigError;
use crate::error::TriggerError;

/// A command that did not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The environment does not describe a deployment.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The work.
    #[error(transparent)]
    Trigger(#[from] TriggerError),
    /// The list.
    #[error("the list {path} cannot be read")]
    List {
        /// Its path.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The table of features.
    #[error("the features in {path} cannot be read")]
    Features {
        /// Its path.
        path: String,
        /// Why.
        source: TableError,
    },
    /// A target that makes no sense.
    #[error("{target:?} is nothing that {verb} takes")]
    Target {
        /// As given.
        target: String,
        /// What was to be done with it.
        verb: Verb,
        /// Why not.
        source: DatasetError,
    },
    /// Something was asked of all datasets of an output that has none.
    #[error("there is nothing in {output}")]
    NothingThere {
        /// The output.
        output: S3Uri,
    },
}

impl CliError {
    /// Whether the command was given wrongly, rather than carried out badly.
    pub const fn is_of_the_command_line(&self) -> bool {
        matches!(
            self,
            Self::Config(_)
                | Self::List { .. }
                | Self::Features { .. }
                | Self::Target { .. }
                | Self::Trigger(
                    TriggerError::Order(_) | TriggerError::Uri(_) | TriggerError::NotOffered(_)
                )
        )
    }
}

impl Hint for CliError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Config(error) => error.hint(),
            Self::Trigger(error) => error.hint(),
            Self::List { source, .. } => (source.kind() == ErrorKind::NotFound).then(|| {
                "check the path; names of datasets are given one by one, or in a list".into()
            }),
            Self::NothingThere { .. } => {
                Some("give the output path the datasets were submitted with".into())
            }
            Self::Features { .. } => Some(
                "a table is CSV whose first line names the columns, one of them dataset".into(),
            ),
            Self::Target { source, .. } => {
                let hint = source.hint().unwrap_or_default();
                Some(format!("{hint}; or give all").into())
            }
        }
    }
}

pub(super) fn unreadable(path: &str, source: std::io::Error) -> CliError {
    let path = path.to_owned();
    CliError::List { path, source }
}
