//! Why a command ends early: the exit status, and what is said.

use crds_core::ClientError;
use crds_core::config::ConfigError;

/// Why a command ends early.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: u8,
    pub(crate) text: String,
}

impl Failure {
    /// The exit status of what cannot be done at all.
    const FATAL: u8 = 255;

    pub(crate) fn fatal(text: impl Into<String>) -> Self {
        Self {
            code: Self::FATAL,
            text: text.into(),
        }
    }

    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self {
            code: 2,
            text: text.into(),
        }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self::fatal(error.to_string())
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::fatal(error.to_string())
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            // Whoever read the results has seen enough.
            return Self {
                code: 0,
                text: String::new(),
            };
        }
        Self::fatal(format!("the results cannot be written: {error}"))
    }
}
