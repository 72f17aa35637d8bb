//! `server_config`: what the server said last, as a file. Which rules are in use, which files are
//! bad, and the size and sum of every file there is.
//!
//! It is the text of one Python dictionary, foreign and bounded; so is the catalogue inside. Getting
//! the text, from the cache, a URI or a server, is for others.

use std::borrow::Cow;
use std::collections::HashSet;
use std::io;
use std::path::PathBuf;
use std::sync::OnceLock;
use storage::hint::Hint;

use storage::{atomic, bounded};

use super::catalogue::{Catalogue, Encoded};
use super::layout::CacheLayout;
use crate::literal::{self, Literal};
use crate::names::{ContextName, ContextTag, RulesPart};
use crate::observatory::Observatory;

/// What the server said.
#[derive(Debug, Clone, Default)]
pub struct ServerConfig {
    /// What errors call it.
    source_name: String,
    operational: Option<String>,
    edit: Option<String>,
    versions: Option<String>,
    bad_files: HashSet<Box<str>>,
    /// Newest first.
    history: Vec<HistoryEntry>,
    mappings: Vec<Box<str>>,
    encoded: Encoded,
    catalogue: OnceLock<Result<Catalogue, String>>,
    server_insists: bool,
    synchronised: Option<String>,
}

/// When a context came into use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEntry {
    /// `YYYY-MM-DD HH:MM:SS`, perhaps with a fraction.
    pub date: String,
    /// The name of its rules file.
    pub context: String,
    /// Why.
    pub description: String,
}

/// A context, found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedContext {
    /// Its rules file: a name in the cache, or a path.
    pub file: String,
    /// Which part of them is meant.
    pub part: RulesPart,
}

/// A `server_config` cannot be used, or does not say what was asked.
#[derive(Debug, thiserror::Error)]
pub enum ServerConfigError {
    /// It is not there.
    #[error("{path} cannot be read")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It is not what it should be.
    #[error("{source_name} is damaged: {problem}")]
    Damaged {
        /// Where the text is from.
        source_name: String,
        /// What is wrong.
        problem: String,
    },
    /// It is about another observatory.
    #[error("{source_name} is about {found:?}, not about {expected}")]
    Observatory {
        /// Where the text is from.
        source_name: String,
        /// Which observatory was asked for.
        expected: Observatory,
        /// What it says.
        found: String,
    },
    /// It names no such context.
    #[error("the server's configuration does not say what {0} is")]
    Unnamed(ContextName),
    /// A date before all contexts.
    #[error("no context was in use at {asked}: the first, {context}, came into use at {first}")]
    TooEarly {
        /// The date.
        asked: String,
        /// When the first one was.
        first: String,
        /// Its name.
        context: String,
    },
}

impl Hint for ServerConfigError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        let hint = match self {
            Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                "set CRDS_PATH to a filled cache, or CRDS_CONFIG_URI or CRDS_SERVER_URL to where it can be filled from"
            }
            Self::Io { .. } => "the cache should be readable",
            Self::Observatory { .. } => {
                "CRDS_PATH, CRDS_CONFIG_URI or CRDS_OBSERVATORY is set to another one"
            }
            Self::Damaged { .. } | Self::Unnamed(_) | Self::TooEarly { .. } => return None,
        };
        Some(hint.into())
    }
}

impl ServerConfig {
    /// Reads the one in the cache.
    pub fn load(layout: &CacheLayout) -> Result<Self, ServerConfigError> {
        let path = layout.server_config();
        match bounded::read(&path, literal::MAX_BYTES) {
            Ok(bytes) => Self::parse(&bytes, layout.observatory, &path.display().to_string()),
            Err(source) => Err(ServerConfigError::Io { path, source }),
        }
    }

    /// Reads the text. `source_name` is what errors call it.
    pub fn parse(
        text: &[u8],
        observatory: Observatory,
        source_name: &str,
    ) -> Result<Self, ServerConfigError> {
        let damaged = |problem: String| ServerConfigError::Damaged {
            source_name: source_name.to_owned(),
            problem,
        };
        let text = std::str::from_utf8(text).map_err(|error| damaged(error.to_string()))?;
        let dict =
            literal::parse(source_name, text).map_err(|error| ServerConfigError::Damaged {
                source_name: source_name.to_owned(),
                problem: error.problem,
            })?;
        if dict.as_dict().is_none() {
            return Err(damaged("it is not a dictionary".into()));
        }
        check_observatory(&dict, observatory, source_name)?;
        let name = |key: &str| -> Option<String> {
            let name = dict.get(key).and_then(Literal::as_str)?;
            (!name.is_empty() && name != "None").then(|| name.to_owned())
        };
        let names = |key: &str| -> Vec<Box<str>> {
            let items = dict
                .get(key)
                .and_then(Literal::as_sequence)
                .unwrap_or_default();
            items
                .iter()
                .filter_map(Literal::as_str)
                .map(Into::into)
                .collect()
        };
        let encoded = match dict.get("download_metadata") {
            Some(encoded) => Encoded::new(encoded)
                .map_err(|problem| damaged(format!("download_metadata: {problem}")))?,
            None => Encoded::default(),
        };
        Ok(Self {
            source_name: source_name.to_owned(),
            operational: name("latest_context").or_else(|| name("operational_context")),
            edit: name("edit_context"),
            versions: name("versions_context"),
            bad_files: names("bad_files_list").into_iter().collect(),
            history: history(dict.get("context_history")),
            mappings: names("mappings"),
            encoded,
            catalogue: OnceLock::new(),
            server_insists: matches!(
                dict.get("force_remote_mode"),
                Some(Literal::Bool(true) | Literal::Int(1..))
            ),
            synchronised: name("last_synced"),
        })
    }

    /// What a context's name stands for. `None` asks for the one in use.
    pub fn resolve(
        &self,
        name: Option<&ContextName>,
    ) -> Result<ResolvedContext, ServerConfigError> {
        let latest = ContextName::Symbolic {
            observatory: None,
            part: RulesPart::default(),
            tag: ContextTag::Latest,
        };
        let name = name.unwrap_or(&latest);
        let (file, part) = match name {
            ContextName::File(file) => (file.clone(), RulesPart::default()),
            ContextName::Symbolic { part, tag, .. } => {
                let file = match tag {
                    ContextTag::Latest | ContextTag::Operational => &self.operational,
                    ContextTag::Edit => &self.edit,
                    ContextTag::Versions => &self.versions,
                };
                let unnamed = || ServerConfigError::Unnamed(name.clone());
                (file.clone().ok_or_else(unnamed)?, part.clone())
            }
            ContextName::Date { part, date, .. } => {
                let date = match date.len() {
                    10 => format!("{date} 00:00:00"),
                    _ => date.clone(),
                };
                (self.at(name, &date)?.to_owned(), part.clone())
            }
        };
        Ok(ResolvedContext { file, part })
    }

    /// The context in use at a date.
    fn at(&self, name: &ContextName, date: &str) -> Result<&str, ServerConfigError> {
        let mut history = self.history.iter();
        if let Some(entry) = history.find(|entry| entry.date.as_str() <= date) {
            return Ok(&entry.context);
        }
        Err(match self.history.last() {
            Some(first) => ServerConfigError::TooEarly {
                asked: date.to_owned(),
                first: first.date.clone(),
                context: first.context.clone(),
            },
            None => ServerConfigError::Unnamed(name.clone()),
        })
    }

    /// What the server knows about every file; it is decoded when it is first asked for.
    pub fn catalogue(&self) -> Result<&Catalogue, ServerConfigError> {
        let decoded = self.catalogue.get_or_init(|| self.encoded.decode());
        decoded
            .as_ref()
            .map_err(|problem| ServerConfigError::Damaged {
                source_name: self.source_name.clone(),
                problem: format!("download_metadata: {problem}"),
            })
    }

    /// Whether a rules or reference file was found to be scientifically wrong.
    pub fn is_bad(&self, name: &str) -> bool {
        self.bad_files.contains(name)
    }

    /// All files that are, in order.
    pub fn bad_files(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.bad_files.iter().map(AsRef::as_ref).collect();
        names.sort_unstable();
        names
    }

    /// All rules files there are, as the server lists them.
    pub fn mappings(&self) -> impl Iterator<Item = &str> {
        self.mappings.iter().map(AsRef::as_ref)
    }

    /// The contexts that were in use, newest first.
    pub fn history(&self) -> &[HistoryEntry] {
        &self.history
    }

    /// Whether the server wants best references to be computed by itself.
    pub fn server_insists(&self) -> bool {
        self.server_insists
    }

    /// When the configuration was fetched, as it says.
    pub fn synchronised(&self) -> Option<&str> {
        self.synchronised.as_deref()
    }

    /// Writes a configuration that came from a server into the cache, with the list of bad files
    /// beside it. `text` is what was parsed.
    pub fn store(&self, text: &[u8], layout: &CacheLayout) -> io::Result<()> {
        let bad = self.bad_files().join("\n");
        atomic::replace(&layout.bad_files(), bad.as_bytes())?;
        atomic::replace(&layout.server_config(), text)
    }
}

/// Whether this is what the server of the expected observatory says.
fn check_observatory(
    dict: &Literal<'_>,
    expected: Observatory,
    source_name: &str,
) -> Result<(), ServerConfigError> {
    let found = dict.get("observatory").and_then(Literal::as_str);
    let found = found.unwrap_or_default();
    if found == expected.name() {
        return Ok(());
    }
    Err(ServerConfigError::Observatory {
        source_name: source_name.to_owned(),
        expected,
        found: found.to_owned(),
    })
}

fn history(entries: Option<&Literal<'_>>) -> Vec<HistoryEntry> {
    let entries = entries.and_then(Literal::as_sequence).unwrap_or_default();
    let mut history: Vec<HistoryEntry> = entries
        .iter()
        .filter_map(|entry| {
            let mut texts = entry.as_sequence()?.iter().map(Literal::as_str);
            Some(HistoryEntry {
                date: texts.next()??.replacen('T', " ", 1),
                context: texts.next()??.to_owned(),
                description: texts.next().flatten().unwrap_or_default().to_owned(),
            })
        })
        .collect();
    // It is newest first already; the search relies on it, so it is not taken on trust.
    history.sort_by(|a, b| b.date.cmp(&a.date));
    history
}

#[cfg(test)]
#[path = "server_config_tests.rs"]
mod tests;
