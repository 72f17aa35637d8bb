//! Which of the server's answers the cache keeps: a context becomes current there only when the rules
//! that runs without a server will need are there too.

use std::collections::BTreeSet;
use std::sync::PoisonError;

use super::Client;
use crate::cache::server_config::ServerConfig;
use crate::names::MappingName;
use crate::rules::{Context, MappingDirectory, Scope};

impl Client {
    /// Keeps what the server said in the cache, unless that would make a context current of which
    /// the cache lacks rules that it has of the present one; then it waits until they have come.
    pub(super) fn keep_server_config(&self, config: &ServerConfig, text: Vec<u8>) {
        if self.config.readonly_cache {
            return;
        }
        if self.may_become_current(config) {
            self.store_server_config(config, &text);
        } else {
            *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
        }
    }

    /// Rules have come: what waited for them is kept now, if they are all.
    pub(super) fn rules_have_come(&self) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(text), Some(config)) = (waiting.take(), self.server_config.get()) {
            if self.may_become_current(config) {
                self.store_server_config(config, &text);
            } else {
                *waiting = Some(text);
            }
        }
    }

    /// Keeps what the server said, if it was asked, even if rules that it names are not there.
    pub fn keep_server_answer(&self) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(text), Some(config)) = (waiting.take(), self.server_config.get()) {
            self.store_server_config(config, &text);
        }
    }

    fn store_server_config(&self, config: &ServerConfig, text: &[u8]) {
        if let Err(error) = config.store(text, &self.layout) {
            let path = self.layout.server_config();
            tracing::warn!(
                "the server's configuration is not kept: {}: {error}",
                path.display()
            );
        }
    }

    /// Whether every instrument that works without a server still does with this configuration.
    fn may_become_current(&self, config: &ServerConfig) -> bool {
        let Ok(present) = ServerConfig::load(&self.layout) else {
            return true;
        };
        let (Ok(present), Ok(new)) = (present.resolve(None), config.resolve(None)) else {
            return true;
        };
        present.file == new.file
            || self
                .instruments_at_hand(&present.file)
                .is_subset(&self.instruments_at_hand(&new.file))
    }

    /// The instruments whose rules in a context are all in the cache.
    fn instruments_at_hand(&self, context: &str) -> BTreeSet<String> {
        let in_cache = MappingDirectory::new(&self.layout.mappings);
        let load =
            |name: MappingName| Context::load(&in_cache, &name, Scope::All, self.checksums()).ok();
        let Some(context) = context.parse().ok().and_then(load) else {
            return BTreeSet::new();
        };
        let broken: BTreeSet<&str> = context.broken().map(|(name, _)| name).collect();
        let whole = context.instruments().filter(|name| !broken.contains(name));
        whole.map(str::to_owned).collect()
    }
}
