//! The settings: every environment variable of CRDS, read once into one typed value.
//!
//! The variables stand in one table (`variables`) from which everything else is made: the
//! [`Config`], the document `ENVIRONMENT.md`, and what `crds env` prints. Library code never looks
//! at the process's environment; [`Config::from_env`] is for the edge of a program.

mod file_uri;
mod types;
mod variables;

use std::borrow::Cow;
use std::ffi::OsString;
use std::fmt::Write as _;

use storage::home;

// The type of buckets and prefixes is the one of `storage`, on purpose: whoever configures a client
// may use that crate's stores too.
pub use file_uri::{FileUri, FileUriError};
use storage::hint::Hint;
pub use storage::uri::S3Uri;
pub use types::{CacheMode, Config, DownloadMode, Locations, Part, SubdirMode, SubdirModeError};
use variables::{VARIABLES, ValueKind, Variable};

/// Where the value of a setting comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// An environment variable.
    Environment,
    /// A command line option of this name, or another decision of the program.
    Option(&'static str),
}

/// One variable and its value, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// `CRDS_PATH` and so on.
    pub name: &'static str,
    /// The text that was read, or the default; empty if there is none.
    pub value: String,
    /// Who said so.
    pub origin: Origin,
    /// What the variable means.
    pub meaning: &'static str,
}

/// A variable has a value that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{variable} is {value:?}, which cannot be used: {reason}")]
pub struct ConfigError {
    /// Its name.
    pub variable: String,
    /// The value found.
    pub value: String,
    /// What is wrong with it.
    pub reason: String,
    /// What would be right.
    pub allowed: &'static str,
}

impl Hint for ConfigError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(format!("allowed is {}", self.allowed).into())
    }
}

impl Config {
    /// The settings that these variables make, `HOME` among them for paths that begin with `~`.
    /// Others are left alone, but remembered if they begin with `CRDS_` ([`Config::unknown`]).
    /// Empty values count as not set, and so does `None`, which the Python client leaves to the
    /// processes that it starts.
    ///
    /// The first bad value is the error.
    pub fn from_vars<K, V>(variables: impl IntoIterator<Item = (K, V)>) -> Result<Self, ConfigError>
    where
        K: Into<OsString>,
        V: Into<OsString>,
    {
        let mut config = Self::default();
        let mut ours = Vec::new();
        for (name, value) in variables {
            let (Ok(name), value) = (name.into().into_string(), value.into()) else {
                continue;
            };
            let is_unset = value.is_empty() || value.eq_ignore_ascii_case("none");
            if name == "HOME" {
                config.home = Some(value.into());
            } else if name.starts_with("CRDS_") && !is_unset {
                ours.push((name, value));
            }
        }
        for (name, value) in ours {
            match variables::find(&name) {
                Some(variable) => match value.into_string() {
                    Ok(text) => config.assign(variable, &text, Origin::Environment)?,
                    Err(value) => {
                        let value = value.to_string_lossy();
                        return Err(variable.error(&value, "it is not UTF-8".into()));
                    }
                },
                None => config.unknown.push(name),
            }
        }
        config.unknown.sort_unstable();
        Ok(config)
    }

    /// The settings of the process's environment.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::from_vars(std::env::vars_os())
    }

    /// Overrides one variable, as a command line option does. `source` names the option.
    pub fn set(
        &mut self,
        name: &str,
        value: &str,
        source: &'static str,
    ) -> Result<(), ConfigError> {
        match variables::find(name) {
            Some(variable) => self.assign(variable, value, Origin::Option(source)),
            None => Err(ConfigError {
                variable: name.to_owned(),
                value: value.to_owned(),
                reason: "there is no such variable".into(),
                allowed: "one of the names in ENVIRONMENT.md",
            }),
        }
    }

    fn assign(
        &mut self,
        variable: &'static Variable,
        text: &str,
        origin: Origin,
    ) -> Result<(), ConfigError> {
        let given = text.trim();
        let expanded = match variable.kind {
            ValueKind::Text => Ok(given.to_owned()),
            ValueKind::Path => self.without_tilde(given),
        };
        let applied = expanded.and_then(|text| (variable.apply)(self, &text));
        applied.map_err(|reason| variable.error(text, reason))?;
        self.given.retain(|(name, ..)| *name != variable.name);
        self.given.push((variable.name, text.to_owned(), origin));
        Ok(())
    }

    fn without_tilde(&self, text: &str) -> Result<String, String> {
        let path = home::expand(text, self.home.as_deref()).map_err(|error| error.to_string())?;
        let text = path.into_os_string().into_string();
        text.map_err(|_| "HOME is not UTF-8".to_owned())
    }

    /// Every variable with its value and where that comes from, in the order of the document.
    pub fn settings(&self) -> impl Iterator<Item = Setting> {
        VARIABLES.iter().map(|variable| {
            let given = self.given.iter().find(|(name, ..)| *name == variable.name);
            let (value, origin) = match given {
                Some((_, value, origin)) => (value.clone(), *origin),
                None => (variable.default.to_owned(), Origin::Default),
            };
            Setting {
                name: variable.name,
                value,
                origin,
                meaning: variable.meaning,
            }
        })
    }

    /// Variables that begin with `CRDS_` and that nothing here knows: misspelt, most likely.
    pub fn unknown(&self) -> &[String] {
        &self.unknown
    }
}

/// The table of variables as a Markdown document.
pub fn markdown() -> String {
    let mut text = String::from(
        "# Environment variables\n\n\
         Every setting of the CRDS client. An empty value counts as not set, and so does `None`; a \
         value that is not allowed is an error, never ignored. A leading `~` in a path is the home \
         directory that `HOME` names. Yes or no is written `1` or `0` (`true`, `false`, `t`, \
         `f`, in any case). `crds env` shows the values in use and where each comes from.\n\n\
         | variable | default | allowed | meaning |\n|---|---|---|---|\n",
    );
    for variable in VARIABLES {
        let default = match variable.default {
            "" => "none".to_owned(),
            default => format!("`{default}`"),
        };
        let _ = writeln!(
            text,
            "| `{}` | {default} | {} | {} |",
            variable.name,
            variable.allowed.replace('|', "\\|"),
            variable.meaning
        );
    }
    text
}

#[cfg(test)]
mod tests;
