//! Why a plan could not be made.

use std::borrow::Cow;
use std::io;
use std::path::PathBuf;

use caldp_trigger::config::ConfigError as TriggerConfigError;
use crds_core::ClientError;
use crds_core::config::ConfigError;
use storage::hint::{Hint, OutputError, known_names};
use storage::store::StoreError;

/// Why a plan could not be made.
#[derive(Debug, thiserror::Error)]
pub(super) enum PlanError {
    #[error("the settings of CRDS cannot be used")]
    Config(#[from] ConfigError),
    #[error("the new rules cannot be had")]
    Rules(#[source] Box<ClientError>),
    #[error("the rules of {name} cannot be had: {reason}")]
    OldRules { name: String, reason: String },
    #[error("the rules know no instrument {name:?}")]
    Instrument { name: String, known: Vec<String> },
    #[error("the instruments have no references of a type {name:?}")]
    Type { name: String, known: Vec<String> },
    #[error("{0} is neither an output, nor a directory, nor a file")]
    Source(String),
    #[error("there are no datasets in {0}")]
    NoDatasets(String),
    #[error("{from} cannot be read")]
    Read { from: String, source: io::Error },
    #[error("{from} cannot be read")]
    Store { from: String, source: StoreError },
    #[error("the catalogue of {from} cannot be read")]
    Server {
        from: String,
        source: Box<ClientError>,
    },
    #[error("a catalogue does not say which context datasets were processed with")]
    NoOldContext,
    #[error("cannot write {}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Model(#[from] crate::resources::Error),
    #[error(transparent)]
    Prices(#[from] TriggerConfigError),
    #[error(transparent)]
    Output(#[from] OutputError),
    #[error("cannot start")]
    Runtime(#[source] io::Error),
}

impl PlanError {
    pub(super) fn rules(error: ClientError) -> Self {
        Self::Rules(Box::new(error))
    }
}

impl Hint for PlanError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Store { source, .. } => source.hint(),
            Self::Server { source, .. } => source.hint(),
            Self::NoOldContext => Some("--old-context names it".into()),
            Self::Model(error) => error.hint(),
            Self::Prices(error) => error.hint(),
            Self::Output(error) => error.hint(),
            Self::Instrument { name, known } | Self::Type { name, known } => {
                Some(known_names(name, known.iter().map(String::as_str)).into())
            }
            Self::Source(_) | Self::NoDatasets(_) => {
                Some("name an s3:// or file: output, a directory, a file of JSON lines, or the address of a \
                 CRDS server"
                    .into())
            }
            Self::OldRules { .. } | Self::Rules(_) => Some(
                "CRDS_PATH is the cache with the rules, CRDS_SERVER_URL or CRDS_MAPPING_URI where they \
                 come from"
                    .into(),
            ),
            _ => None,
        }
    }
}
