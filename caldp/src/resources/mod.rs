//! `caldp estimate` and `caldp learn`: what runs will need, and how that is learnt.
//!
//! The model and its arithmetic are [`caldp_core::resources`]; here are files, stores and words.

pub(crate) mod estimate;
pub(crate) mod features;
pub(crate) mod inputs;
pub(crate) mod learn;

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use caldp_core::exit_code::ExitCode as Code;
use caldp_core::resources::table::TableError;
use caldp_core::resources::{Model, ModelError};
use caldp_trigger::config::ConfigError;
use storage::hint::{Hint, OutputError, explain, local_hint, say};
use storage::store::StoreError;
use storage::uri::Location;

/// No model is larger, in bytes.
const MOST_MODEL: usize = 4 << 20;

/// Why a command about resources failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("cannot read {}", path.display())]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("cannot write {}", path.display())]
    Write {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{} cannot be read as a table of runs", path.display())]
    Table { path: PathBuf, source: TableError },
    #[error("{place} holds no model")]
    Model { place: String, source: ModelError },
    #[error("cannot use {place}")]
    Store { place: String, source: StoreError },
    #[error("there are no datasets in {}", .0.display())]
    NoDatasets(PathBuf),
    #[error("there is nothing to learn from in {0}")]
    NoRuns(String),
    #[error("the new model is not installed: {0}")]
    Worse(String),
    #[error("{0} dataset(s) have names that cannot be processed")]
    Names(usize),
    #[error("where to install the model is not clear")]
    Place,
    #[error(transparent)]
    Prices(#[from] ConfigError),
    #[error(transparent)]
    Output(#[from] OutputError),
    #[error("cannot start")]
    Runtime(#[source] std::io::Error),
}

impl Hint for Error {
    fn hint(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Read { source, .. } | Self::Write { source, .. } => {
                Some(local_hint(source).into())
            }
            Self::Store { source, .. } => source.hint(),
            Self::Model { source, .. } => source.hint(),
            Self::Prices(error) => error.hint(),
            Self::Output(error) => error.hint(),
            Self::Table { .. } => Some(
                "a table is CSV with a header: dataset, n_files, total_mb, drizcorr, pctecorr, \
                 crsplit, subarray, large_detector; for caldp learn also memory_gb, wallclock_s"
                    .into(),
            ),
            Self::NoRuns(_) => Some(
                "give tables of measured runs, or outputs whose datasets were processed".into(),
            ),
            Self::Worse(_) => Some("write it to a file with --output to look at it".into()),
            Self::Place => Some("name the bucket or directory: --install=s3://<bucket>".into()),
            _ => None,
        }
    }
}

/// The model in a file, or the shipped one.
pub(crate) fn model(path: Option<&Path>) -> Result<Model, Error> {
    let refused = |place: String| move |source| Error::Model { place, source };
    let Some(path) = path else {
        return Model::shipped().map_err(refused("this program".to_owned()));
    };
    let json = storage::bounded::read(path, MOST_MODEL).map_err(|source| Error::Read {
        path: path.to_owned(),
        source,
    })?;
    Model::parse(&json).map_err(refused(path.display().to_string()))
}

/// What was done, or why not, told once.
fn ended(result: Result<(), Error>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(format_args!("caldp: {}", explain(&error)));
            ExitCode::from(Code::Generic.number())
        }
    }
}

/// The store a text names; none when it names a file.
pub(crate) fn location(text: &str) -> Option<Location> {
    match text.parse() {
        Ok(location) => Some(location),
        Err(_) if Path::new(text).is_dir() => Some(Location::Dir(text.into())),
        Err(_) => None,
    }
}
