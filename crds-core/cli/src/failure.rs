//! Why a command ends early: the exit status, and what is said.

use std::borrow::Cow;

use crds_core::ClientError;
use crds_core::config::ConfigError;
use storage::hint::Hint;

/// Why a command ends early.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: u8,
    /// Nothing if nobody is to be told.
    pub(crate) cause: Option<Box<dyn Hint + Send + Sync>>,
}

/// A cause that only this program has.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
struct Said {
    text: String,
    hint: Option<&'static str>,
}

impl Hint for Said {
    fn hint(&self) -> Option<Cow<'_, str>> {
        self.hint.map(Cow::from)
    }
}

impl Failure {
    /// The exit status of what cannot be done at all.
    pub(crate) const FATAL: u8 = 255;
    /// That of wrong arguments.
    const USAGE: u8 = 2;

    pub(crate) fn new(code: u8, cause: impl Hint + Send + Sync + 'static) -> Self {
        let cause: Box<dyn Hint + Send + Sync> = Box::new(cause);
        Self {
            code,
            cause: Some(cause),
        }
    }

    /// One that is said in words, with a remedy if there is one.
    pub(crate) fn said(
        code: u8,
        text: impl Into<String>,
        hint: impl Into<Option<&'static str>>,
    ) -> Self {
        let (text, hint) = (text.into(), hint.into());
        Self::new(code, Said { text, hint })
    }

    pub(crate) fn fatal(text: impl Into<String>) -> Self {
        Self::said(Self::FATAL, text, None)
    }

    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self::said(Self::USAGE, text, None)
    }

    /// Wrong arguments, and what to give instead.
    pub(crate) fn misuse(text: impl Into<String>, hint: &'static str) -> Self {
        Self::said(Self::USAGE, text, hint)
    }

    /// What cannot be done at all, and what to do instead.
    pub(crate) fn refused(text: impl Into<String>, hint: &'static str) -> Self {
        Self::said(Self::FATAL, text, hint)
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self::new(Self::FATAL, error)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::new(Self::FATAL, error)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            // Whoever read the results has seen enough; what went wrong until then still counts.
            return Self {
                code: u8::from(crate::log::errors() > 0),
                cause: None,
            };
        }
        Self::fatal(format!("the results cannot be written: {error}"))
    }
}
