//! Configurations: which CRDS a run uses and where its cache lies, as environment variables.
//!
//! Three are built in; any other name is a file of `KEY=VALUE` or `export KEY=VALUE` lines, which may
//! begin with `source` and one of the three, and which is read as data and never executed. What the variables mean is for CRDS and the calibration
//! programs; here they only get their values, and each value remembers where it came from.

mod syntax;
pub mod variables;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use storage::hint::Hint;
use storage::uri::S3Uri;
use syntax::{Statement, evaluate, statement};

/// A file of settings larger than this is not one.
const MAX_FILE_BYTES: u64 = 1 << 20;
/// A longer line is no setting either.
const MAX_LINE_BYTES: usize = 4096;

/// Which configuration a run uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigName {
    /// The shared read-only cache at `/grp/crds/cache`.
    Onsite,
    /// A cache of one's own, filled from the CRDS server.
    Offsite,
    /// No server: everything from the bucket that `CRDSBUCKET` names.
    Aws,
    /// A file of settings.
    File(PathBuf),
}

impl ConfigName {
    /// The configuration of a command line's word.
    pub fn parse(text: &str) -> Self {
        Self::built_in(text).unwrap_or_else(|| Self::File(text.into()))
    }

    /// The built-in configuration of this name, which may have the directory before it where its
    /// script is installed.
    fn built_in(text: &str) -> Option<Self> {
        match text.rsplit('/').next().unwrap_or(text) {
            "caldp-config-onsite" => Some(Self::Onsite),
            "caldp-config-offsite" => Some(Self::Offsite),
            "caldp-config-aws" => Some(Self::Aws),
            _ => None,
        }
    }
}

impl fmt::Display for ConfigName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Onsite => f.write_str("caldp-config-onsite"),
            Self::Offsite => f.write_str("caldp-config-offsite"),
            Self::Aws => f.write_str("caldp-config-aws"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

/// Where a setting's value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The process environment.
    Environment,
    /// The configuration's own value.
    Config(ConfigName),
    /// A line of a settings file.
    Line(PathBuf, usize),
    /// An object on S3 that operators put there.
    Operator(S3Uri),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment => f.write_str("environment"),
            Self::Config(name) => name.fmt(f),
            Self::Line(path, line) => write!(f, "{}:{line}", path.display()),
            Self::Operator(uri) => uri.fmt(f),
        }
    }
}

/// One variable's value and its origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The value, with all references to other variables resolved.
    pub value: String,
    /// Where it came from.
    pub origin: Origin,
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration {path} cannot be read")]
    Unreadable {
        /// The file named on the command line.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A line is not an assignment.
    #[error("{path}:{line}: {reason}")]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// A built-in configuration lacks something it cannot do without.
    #[error("{config} needs {variable}, which is not set")]
    Missing {
        /// The configuration.
        config: ConfigName,
        /// The variable.
        variable: &'static str,
        /// How to set it.
        hint: &'static str,
    },
}

impl Hint for ConfigError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(Cow::from(match self {
            Self::Unreadable { .. } => {
                "use caldp-config-onsite, caldp-config-offsite, caldp-config-aws or a file of KEY=VALUE lines"
            }
            Self::Line { .. } => {
                "a configuration is a list of KEY=VALUE or export KEY=VALUE lines, and may begin with \
                 `source caldp-config-onsite`, `-offsite` or `-aws`; nothing in it is executed"
            }
            Self::Missing { hint, .. } => hint,
        }))
    }
}

/// Every variable of a run: the process environment with a configuration applied to it.
#[derive(Debug, Clone)]
pub struct Settings {
    values: BTreeMap<String, Setting>,
}

impl Settings {
    /// Applies a configuration to an environment.
    ///
    /// A variable of the environment wins over a built-in configuration's value for it; a file of
    /// settings, which somebody chose and can write `${NAME:-default}` in, wins over the environment.
    ///
    /// # Errors
    /// [`ConfigError`] when a file cannot be read or parsed, or a needed variable is missing.
    pub fn resolve(
        name: &ConfigName,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let mut settings = Self {
            values: environment
                .into_iter()
                .map(|(key, value)| {
                    let origin = Origin::Environment;
                    (key, Setting { value, origin })
                })
                .collect(),
        };
        match name {
            ConfigName::File(path) => settings.apply_file(path)?,
            built_in => settings.apply_built_in(built_in)?,
        }
        Ok(settings)
    }

    fn apply_built_in(&mut self, name: &ConfigName) -> Result<(), ConfigError> {
        let places = ["CRDS_CONFIG_URI", "CRDS_REFERENCE_URI", "CRDS_PICKLE_URI"];
        let has_places = || places.iter().all(|key| self.get(key).is_some());
        let no_bucket = self.get(variables::CRDS_BUCKET).is_none();
        if *name == ConfigName::Aws && no_bucket && !has_places() {
            return Err(ConfigError::Missing {
                config: name.clone(),
                variable: variables::CRDS_BUCKET,
                hint: "set CRDSBUCKET=s3://<bucket> to the bucket with config/hst, references/hst and pickles/hst",
            });
        }
        self.apply(name);
        Ok(())
    }

    /// The value of a variable; none when it is not set or empty.
    pub fn get(&self, key: &str) -> Option<&str> {
        let value = self.values.get(key)?.value.as_str();
        (!value.is_empty()).then_some(value)
    }

    /// All variables with their settings, in order of name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Setting)> {
        self.values.iter().map(|(k, v)| (k.as_str(), v))
    }

    /// All variables as a process environment.
    pub fn variables(&self) -> impl Iterator<Item = (String, String)> {
        self.values
            .iter()
            .map(|(k, v)| (k.clone(), v.value.clone()))
    }

    /// The variables that a configuration or settings file decided, as opposed to the environment.
    pub fn configured(&self) -> impl Iterator<Item = (&str, &Setting)> {
        self.iter().filter(|(key, setting)| {
            setting.origin != Origin::Environment
                || key.starts_with("CRDS")
                || key.starts_with("CALDP")
        })
    }

    /// Gives a variable a value.
    pub fn set(&mut self, key: &str, value: String, origin: Origin) {
        self.values
            .insert(key.to_owned(), Setting { value, origin });
    }

    fn apply(&mut self, name: &ConfigName) {
        let home = self.get(variables::USER_HOME).unwrap_or(".").to_owned();
        let in_image = self.get(variables::IN_IMAGE).is_some_and(|v| v != "0");
        let bucket = self
            .get(variables::CRDS_BUCKET)
            .map(|b| b.trim_end_matches('/').to_owned());
        let own_cache = format!("{home}/crds_cache");
        let default = |settings: &mut Self, key: &str, value: &str| {
            if settings.get(key).is_none() {
                let origin = Origin::Config(name.clone());
                settings.set(key, value.to_owned(), origin);
            }
        };
        default(self, "CRDS_OBSERVATORY", "hst");
        match name {
            ConfigName::Onsite => {
                default(self, "CRDS_PATH", "/grp/crds/cache");
                default(
                    self,
                    "CRDS_SERVER_URL",
                    "https://hst-serverless-mode.stsci.edu",
                );
                default(self, "CRDS_READONLY_CACHE", "1");
            }
            ConfigName::Offsite => {
                let cache = if in_image {
                    "/grp/crds/cache"
                } else {
                    &own_cache
                };
                default(self, "CRDS_PATH", cache);
                default(self, "CRDS_SERVER_URL", "https://hst-crds.stsci.edu");
                default(self, "CRDS_READONLY_CACHE", "0");
            }
            ConfigName::Aws => {
                default(self, "CRDS_PATH", &own_cache);
                default(
                    self,
                    "CRDS_SERVER_URL",
                    "https://hst-crds-serverless.stsci.edu",
                );
                if let Some(bucket) = bucket {
                    default(self, "CRDS_CONFIG_URI", &format!("{bucket}/config/hst/"));
                    default(
                        self,
                        "CRDS_REFERENCE_URI",
                        &format!("{bucket}/references/hst/"),
                    );
                    default(self, "CRDS_PICKLE_URI", &format!("{bucket}/pickles/hst/"));
                }
                default(self, "CRDS_USE_PICKLED_CONTEXTS", "1");
                default(self, "CRDS_S3_ENABLED", "1");
                default(self, "CRDS_S3_RETURN_URI", "0");
                default(self, "CRDS_CLIENT_RETRY_COUNT", "4");
                default(self, "CRDS_CLIENT_RETRY_DELAY_SECONDS", "10");
            }
            ConfigName::File(_) => {}
        }
        // The job definitions of the original system spell the context without an underscore.
        if let Some(context) = self.get(variables::CONTEXT_OF_JOB).map(str::to_owned) {
            default(self, variables::CONTEXT, &context);
        }
    }

    fn apply_file(&mut self, path: &Path) -> Result<(), ConfigError> {
        let unreadable = |source| ConfigError::Unreadable {
            path: path.to_owned(),
            source,
        };
        let size = std::fs::metadata(path).map_err(unreadable)?.len();
        if size > MAX_FILE_BYTES {
            return Err(unreadable(std::io::Error::other(format!(
                "it has {size} bytes, more than the {MAX_FILE_BYTES} a configuration may have"
            ))));
        }
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        // some editors begin a text so
        let text = text.trim_start_matches('\u{feff}');
        for (index, line) in text.lines().enumerate() {
            let number = index + 1;
            let bad = |reason: String| ConfigError::Line {
                path: path.to_owned(),
                line: number,
                reason,
            };
            if line.len() > MAX_LINE_BYTES {
                return Err(bad(format!("it is longer than {MAX_LINE_BYTES} bytes")));
            }
            let get = |name: &str| self.get(name).map(str::to_owned);
            match statement(line).map_err(bad)? {
                Statement::Nothing => {}
                Statement::Assignment { key, text } => {
                    let value = evaluate(text, &get).map_err(bad)?;
                    let origin = Origin::Line(path.to_owned(), number);
                    self.set(key, value, origin);
                }
                Statement::Source { text } => {
                    let sourced = evaluate(text, &get).map_err(bad)?;
                    let built_in = ConfigName::built_in(&sourced).ok_or_else(|| {
                        bad(format!(
                            "{sourced:?} is none of the configurations that can be sourced"
                        ))
                    })?;
                    self.apply_built_in(&built_in)?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
