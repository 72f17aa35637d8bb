//! What CRDS has withdrawn: marked on every line that has it, told once for each file.

use std::borrow::Cow;

use rustc_hash::FxHashSet;

use crds_core::cache::server_config::ServerConfig;
use crds_core::rules::Context;
use crds_core::{Client, ClientError};
use storage::hint::{Hint, explain, with_causes};

/// The files that are withdrawn, and what was found of them.
#[derive(Debug, Default)]
pub(super) struct Withdrawn {
    bad: FxHashSet<Box<str>>,
    told: FxHashSet<Box<str>>,
    allows_rules: bool,
    allows_references: bool,
    refused: bool,
}

/// Instruments in lower case, with those of their rules that are withdrawn.
pub(super) type WithdrawnRules = Vec<(String, Vec<String>)>;

impl Withdrawn {
    /// As the server's configuration says. Without one nothing is known, which is told.
    pub(super) async fn of(client: &Client) -> Self {
        let names =
            |server: &ServerConfig| server.bad_files().into_iter().map(Into::into).collect();
        let bad = client.server_config().await.map(names);
        let bad = bad.unwrap_or_else(|error: ClientError| {
            let why = with_causes(&error);
            tracing::warn!("which files were withdrawn by CRDS is not known: {why}");
            FxHashSet::default()
        });
        Self {
            bad,
            told: FxHashSet::default(),
            allows_rules: client.config().allow_bad_rules,
            allows_references: client.config().allow_bad_references,
            refused: false,
        }
    }

    /// Those of the rules that are withdrawn.
    pub(super) fn rules(&self, context: &Context) -> WithdrawnRules {
        if self.bad.is_empty() {
            return Vec::new();
        }
        let of_instrument = |instrument: &str| {
            let names = context.mappings_of(instrument).unwrap_or_default();
            let names = names.into_iter().filter(|name| self.has(name.as_str()));
            (
                instrument.to_owned(),
                names.map(ToString::to_string).collect::<Vec<_>>(),
            )
        };
        let all = context.instruments().map(of_instrument);
        all.filter(|(_, names)| !names.is_empty()).collect()
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.bad.contains(name)
    }

    /// Tells of what was found on a line, the first time.
    pub(super) fn tell(&mut self, line: u64, names: &[String]) {
        for name in names {
            if self.told.contains(name.as_str()) {
                continue;
            }
            self.told.insert(name.as_str().into());
            let file = WithdrawnFile {
                line,
                name: name.clone(),
            };
            let allowed = if file.is_rules() {
                self.allows_rules
            } else {
                self.allows_references
            };
            if allowed {
                tracing::warn!("{file}");
            } else {
                tracing::error!("{}", explain(&file));
                self.refused = true;
            }
        }
    }

    /// Whether there was something that is not allowed.
    pub(super) fn refused(&self) -> bool {
        self.refused
    }
}

/// A withdrawn file, and the first line it is on.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {name}, which CRDS has withdrawn as scientifically wrong")]
struct WithdrawnFile {
    line: u64,
    name: String,
}

impl WithdrawnFile {
    fn is_rules(&self) -> bool {
        self.name.ends_with("map")
    }
}

impl Hint for WithdrawnFile {
    fn hint(&self) -> Option<Cow<'_, str>> {
        let hint = if self.is_rules() {
            "use a newer context; CRDS_ALLOW_BAD_RULES=1 accepts them"
        } else {
            "use a newer context; CRDS_ALLOW_BAD_REFERENCES=1 accepts it"
        };
        Some(hint.into())
    }
}
