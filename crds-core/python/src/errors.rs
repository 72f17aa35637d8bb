//! Which exception of the Python client an error becomes. The classes are in
//! `crds_core/exceptions.py`.

use crds_core::ClientError;
use crds_core::bestrefs::LookupError;
use crds_core::config::ConfigError;
use crds_core::names::ContextNameError;
use crds_core::rules::LoadError;
use crds_core::source::SourceError;
use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;
use storage::hint::explain;

/// Why something could not be done, not yet an exception: made where Python's lock is not held.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) kind: Kind,
    pub(crate) text: String,
}

/// The exception classes that are raised here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    BadReference,
    BadRules,
    Checksum,
    Config,
    Crds,
    Download,
    Interrupted,
    Lookup,
    Mapping,
    MappingFormat,
    Network,
    Service,
    UnknownInstrument,
    UnknownReftype,
}

impl Kind {
    fn class(self) -> &'static str {
        match self {
            Self::BadReference => "CrdsBadReferenceError",
            Self::BadRules => "CrdsBadRulesError",
            Self::Checksum => "ChecksumError",
            Self::Config => "CrdsConfigError",
            Self::Crds | Self::Interrupted => "CrdsError",
            Self::Download => "CrdsDownloadError",
            Self::Lookup => "CrdsLookupError",
            Self::Mapping => "MappingError",
            Self::MappingFormat => "MappingFormatError",
            Self::Network => "CrdsNetworkError",
            Self::Service => "ServiceError",
            Self::UnknownInstrument => "CrdsUnknownInstrumentError",
            Self::UnknownReftype => "CrdsUnknownReftypeError",
        }
    }

    fn of_lookup(error: &LookupError) -> Self {
        match error {
            LookupError::UnknownInstrument { .. } => Self::UnknownInstrument,
            LookupError::OtherType { .. } => Self::UnknownReftype,
            LookupError::BrokenRules { source, .. } => Self::of_load(source),
            _ => Self::Crds,
        }
    }

    fn of_load(error: &LoadError) -> Self {
        match error {
            LoadError::NoChecksum { .. } | LoadError::WrongChecksum { .. } => Self::Checksum,
            LoadError::Read { .. } => Self::Mapping,
            _ => Self::MappingFormat,
        }
    }

    fn of_source(error: &SourceError) -> Self {
        match error {
            SourceError::Serverless { .. } => Self::Network,
            SourceError::Server { .. } => Self::Service,
            SourceError::Interrupted { .. } => Self::Interrupted,
            _ => Self::Download,
        }
    }

    fn of_client(error: &ClientError) -> Self {
        match error {
            ClientError::ServerConfig(_)
            | ClientError::OtherObservatory { .. }
            | ClientError::Remote => Self::Config,
            ClientError::NoServer { .. } => Self::Network,
            ClientError::Source(error) => Self::of_source(error),
            ClientError::NoInstrument { .. } => Self::UnknownInstrument,
            ClientError::NoRules { .. }
            | ClientError::ReadOnly { .. }
            | ClientError::Unknown { .. }
            | ClientError::Verify(_) => Self::Download,
            ClientError::Load(error) => Self::of_load(error),
            ClientError::BadRules { .. } => Self::BadRules,
            ClientError::Lookup(error) => Self::of_lookup(error),
            ClientError::BadReferences { .. } => Self::BadReference,
            ClientError::Answer { .. } => Self::Service,
            _ => Self::Crds,
        }
    }
}

impl Failure {
    pub(crate) fn new(kind: Kind, text: impl Into<String>) -> Self {
        Self {
            kind,
            text: text.into(),
        }
    }

    /// The exception.
    pub(crate) fn raise(self, py: Python<'_>) -> PyErr {
        if self.kind == Kind::Interrupted {
            return PyKeyboardInterrupt::new_err(self.text);
        }
        let raised = py
            .import("crds_core.exceptions")
            .and_then(|module| module.getattr(self.kind.class())?.call1((self.text,)));
        match raised {
            Ok(exception) => PyErr::from_value(exception),
            Err(error) => error,
        }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self::new(Kind::of_client(&error), explain(&error).to_string())
    }
}

impl From<LookupError> for Failure {
    fn from(error: LookupError) -> Self {
        Self::new(Kind::of_lookup(&error), explain(&error).to_string())
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::new(Kind::Config, explain(&error).to_string())
    }
}

impl From<ContextNameError> for Failure {
    fn from(error: ContextNameError) -> Self {
        Self::new(Kind::Crds, explain(&error).to_string())
    }
}
