//! Why a client cannot do what it is asked.

use std::borrow::Cow;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use storage::hint::{Hint, with_causes};

use crate::bestrefs::LookupError;
use crate::cache::layout::ReferenceError;
use crate::cache::lock::LockTimeout;
use crate::cache::server_config::ServerConfigError;
use crate::cache::verified_file::VerifyError;
use crate::names::{FileName, FileNameError};
use crate::names::{MappingName, MappingNameError};
use crate::observatory::Observatory;
use crate::rules::LoadError;
use crate::source::SourceError;
use fits::FitsError;

/// The client cannot do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// What the server said last cannot be had.
    #[error(transparent)]
    ServerConfig(#[from] ServerConfigError),
    /// The server does not answer, and the cache does not know what it said before.
    #[error(
        "what is in use is not known: the server does not answer, and {folder} has no server_config"
    )]
    NoServer {
        /// Why the server could not be asked.
        source: Box<ClientError>,
        /// Where its earlier answers would be.
        folder: String,
    },
    /// A file cannot be had.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The name of a context is not the name of a rules file.
    #[error(transparent)]
    MappingName(#[from] MappingNameError),
    /// A context of another observatory.
    #[error("{name} is a context of {found}, and this is about {expected}")]
    OtherObservatory {
        /// The context.
        name: String,
        /// Whose it is.
        found: Observatory,
        /// Whose it should be.
        expected: Observatory,
    },
    /// A context has nothing for an instrument, or a type of it.
    #[error("{context} has no rules for {instrument}")]
    NoInstrument {
        /// The context.
        context: MappingName,
        /// The instrument, perhaps followed by the type.
        instrument: String,
    },
    /// Rules are nowhere to be had.
    #[error(
        "the rules {name} are not in the cache ({folder}) and there is nowhere to fetch them from"
    )]
    NoRules {
        /// The rules asked for.
        name: MappingName,
        /// Where they were looked for.
        folder: String,
    },
    /// Rules are there but cannot be used.
    #[error(transparent)]
    Load(#[from] Arc<LoadError>),
    /// Rules are known to be scientifically wrong.
    #[error("{context} uses rules for {instrument} that CRDS has withdrawn: {}", .names.join(", "))]
    BadRules {
        /// The context.
        context: MappingName,
        /// The instrument, lower case.
        instrument: String,
        /// The withdrawn rules.
        names: Vec<String>,
    },
    /// A header cannot be looked up.
    #[error(transparent)]
    Lookup(#[from] LookupError),
    /// References are missing and may not be fetched.
    #[error("the cache lacks {}, and may not be written to", .names.join(", "))]
    ReadOnly {
        /// The missing references.
        names: Vec<String>,
    },
    /// A reference that the server does not know.
    #[error("the reference {name} is not among the files CRDS knows")]
    Unknown {
        /// Its name.
        name: String,
        /// What may help.
        hint: &'static str,
    },
    /// Several files cannot be had.
    #[error("{} files cannot be had:\n{}", .0.len(), in_lines(.0))]
    Several(Vec<ClientError>),
    /// A file that was not tried, after the failures of many others.
    #[error("{name} was not tried, after so many failures")]
    NotTried {
        /// Its name.
        name: FileName,
    },
    /// References were withdrawn by CRDS.
    #[error("{} withdrawn by CRDS: {}", if .names.len() == 1 { "this reference was" } else { "these references were" }, .names.join(", "))]
    BadReferences {
        /// The withdrawn references.
        names: Vec<String>,
    },
    /// A name is not the name of a file.
    #[error(transparent)]
    FileName(#[from] FileNameError),
    /// The place of a reference cannot be told.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// A file in the cache is not what it should be, or cannot be written.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// Another process keeps a file of the cache locked.
    #[error(transparent)]
    Lock(#[from] LockTimeout),
    /// A header cannot be updated.
    #[error(transparent)]
    Fits(#[from] FitsError),
    /// The datasets of this observatory are not updated by this program.
    #[error("the headers of {0} datasets are not updated by this program: only HST's are")]
    NoUpdates(Observatory),
    /// A file of the cache cannot be written.
    #[error("{} cannot be written", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The server was to do what is done here.
    #[error(
        "best references are not asked of the server: they are computed here, with the same rules"
    )]
    Remote,
    /// Only the server can do this, and it answered something else.
    #[error("the CRDS server answered something unexpected to {method}: {reason}")]
    Answer {
        /// The method called.
        method: &'static str,
        /// What is wrong.
        reason: String,
    },
}

impl Hint for ClientError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        let hint = match self {
            Self::ServerConfig(error) => return error.hint(),
            Self::Source(error) => return error.hint(),
            Self::MappingName(error) => return error.hint(),
            Self::Load(error) => return error.hint(),
            Self::Lookup(error) => return error.hint(),
            Self::FileName(error) => return error.hint(),
            Self::Reference(error) => return error.hint(),
            Self::Verify(error) => return error.hint(),
            Self::Lock(error) => return error.hint(),
            Self::Fits(error) => return error.hint(),
            Self::OtherObservatory {
                found, expected, ..
            } => {
                let hint = format!("set CRDS_OBSERVATORY={found}, or name a context of {expected}");
                return Some(hint.into());
            }
            Self::NoServer { .. } => {
                "is CRDS_SERVER_URL right, and the network there? Without a server a filled cache is enough"
            }
            Self::NoRules { .. } => {
                "set CRDS_PATH to a filled cache, or CRDS_PICKLE_URI, CRDS_MAPPING_URI or CRDS_SERVER_URL to where they are"
            }
            Self::BadRules { .. } => {
                "use a newer context, or CRDS_ALLOW_BAD_RULES=1 if you know what you do"
            }
            Self::ReadOnly { .. } => {
                "unset CRDS_READONLY_CACHE, or fill the cache with `crds sync`"
            }
            Self::Unknown { hint, .. } => hint,
            Self::BadReferences { .. } => {
                "use a newer context, or CRDS_ALLOW_BAD_REFERENCES=1 if you know what you do"
            }
            Self::Remote => "leave out --remote-bestrefs, or set CRDS_MODE=auto",
            Self::Several(errors) => return errors.iter().find_map(Hint::hint),
            Self::NoInstrument { .. }
            | Self::NotTried { .. }
            | Self::NoUpdates(_)
            | Self::Io { .. }
            | Self::Answer { .. } => return None,
        };
        Some(hint.into())
    }
}

impl ClientError {
    /// What was had, if nothing failed; else all that failed, each once.
    pub(super) fn of_all<T>(results: Vec<Result<T, Self>>) -> Result<Vec<T>, Self> {
        let (mut had, mut failed) = (Vec::with_capacity(results.len()), Vec::new());
        for result in results {
            match result {
                Ok(one) => had.push(one),
                Err(error) => failed.push(error),
            }
        }
        match (failed.len(), failed.pop()) {
            (_, None) => Ok(had),
            (1, Some(error)) => Err(error),
            (_, Some(last)) => {
                failed.push(last);
                Err(Self::Several(failed))
            }
        }
    }
}

/// Errors with their causes, one a line.
fn in_lines(errors: &[ClientError]) -> String {
    let lines: Vec<String> = errors
        .iter()
        .map(|e| format!("  {}", with_causes(e)))
        .collect();
    lines.join("\n")
}

impl From<LoadError> for ClientError {
    fn from(error: LoadError) -> Self {
        Self::Load(Arc::new(error))
    }
}
