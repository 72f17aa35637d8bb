//! What CRDS says of reference files besides the rules: which were withdrawn, which have the same
//! contents under another name.

use std::collections::HashSet;
use std::sync::OnceLock;

use crds_core::bestrefs::Outcome;
use crds_core::cache::catalogue::Catalogue;
use crds_core::cache::server_config::ServerConfig;
use crds_core::names::ReferenceName;
use crds_core::rules::Context;

use super::finding::Note;

/// The server's word on files, as far as it is known.
pub(super) struct Sums<'s> {
    server: &'s ServerConfig,
    /// Withdrawn files that the new rules still choose.
    still_chosen: HashSet<&'s str>,
    catalogue: OnceLock<Option<&'s Catalogue>>,
}

impl<'s> Sums<'s> {
    pub(super) fn new(server: &'s ServerConfig, rules: &'s Context) -> Self {
        let files = rules.references().into_iter();
        Self {
            server,
            still_chosen: files.filter(|file| server.is_bad(file)).collect(),
            catalogue: OnceLock::new(),
        }
    }

    /// The file of an answer, if it was withdrawn.
    pub(super) fn withdrawn<'o>(&self, outcome: Option<&'o Outcome>) -> Option<&'o ReferenceName> {
        if self.still_chosen.is_empty() {
            return None;
        }
        match outcome? {
            Outcome::File(file) => self.still_chosen.contains(file.as_str()).then_some(file),
            _ => None,
        }
    }

    /// What is known of a change from one file to another.
    pub(super) fn note(&self, old: Option<&ReferenceName>, new: Option<&ReferenceName>) -> Note {
        let Some(old) = old else {
            return Note::None;
        };
        if self.server.is_bad(old.as_str()) {
            return Note::Withdrawn;
        }
        match new {
            Some(new) if self.same_contents(old.as_str(), new.as_str()) => Note::Renamed,
            _ => Note::None,
        }
    }

    fn same_contents(&self, old: &str, new: &str) -> bool {
        // A catalogue that cannot be read knows no sums, and then every other name counts.
        let catalogue = self.catalogue.get_or_init(|| self.server.catalogue().ok());
        let sum = |name| catalogue.as_ref()?.expected(name)?.sha1;
        sum(old).is_some_and(|sum_of_old| sum(new) == Some(sum_of_old))
    }
}
