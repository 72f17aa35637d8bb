//! Which rule files name a file, from the tables that choose it up to the contexts.

use std::collections::{BTreeMap, BTreeSet};

use super::mapping::{Body, Mapping, Target};
use super::{Checksums, LoadError, MappingSource};
use crate::names::{MappingKind, MappingName};

/// Which of some rule files name which of some files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Uses {
    /// For each file that was asked about, the rule files above it.
    pub files: BTreeMap<String, BTreeSet<MappingName>>,
    /// Rule files that could not be read, which may name any.
    pub unread: Vec<MappingName>,
}

impl Uses {
    /// Looks through these rule files, which are read one at a time, for references and rule files.
    pub fn find(
        source: &dyn MappingSource,
        mappings: &BTreeSet<MappingName>,
        files: impl IntoIterator<Item = String>,
    ) -> Self {
        let mut uses = Self::default();
        for file in files {
            uses.files.entry(file).or_default();
        }
        // What is below comes first, so that what names it is a question of what is known by then.
        for kind in [
            MappingKind::Reference,
            MappingKind::Instrument,
            MappingKind::Pipeline,
        ] {
            for name in mappings.iter().filter(|name| name.kind() == kind) {
                match uses.look_into(source, name) {
                    Ok(()) => {}
                    Err(_) => uses.unread.push(name.clone()),
                }
            }
        }
        uses
    }

    fn look_into(
        &mut self,
        source: &dyn MappingSource,
        name: &MappingName,
    ) -> Result<(), LoadError> {
        let bytes = source.read(name).map_err(|source| LoadError::Read {
            name: name.clone(),
            source,
        })?;
        // Most rule files have none of the names, and parsing takes longer than looking.
        let text = String::from_utf8_lossy(&bytes);
        let mentions = |file: &String, users: &BTreeSet<MappingName>| {
            text.contains(file.as_str()) || users.iter().any(|user| text.contains(user.as_str()))
        };
        if !self.files.iter().any(|(file, users)| mentions(file, users)) {
            return Ok(());
        }
        // A context that is used all the same is no reason to be silent about what it names.
        let mapping = Mapping::read(name, &bytes, Checksums::Ignore)?;
        let named = names_in(&mapping);
        for (file, users) in &mut self.files {
            if named.contains(file.as_str())
                || users.iter().any(|user| named.contains(user.as_str()))
            {
                users.insert(name.clone());
            }
        }
        Ok(())
    }
}

/// Everything that a rule file chooses or leads to.
fn names_in(mapping: &Mapping) -> BTreeSet<&str> {
    let mut names = BTreeSet::new();
    match &mapping.body {
        Body::Targets(targets) => {
            names.extend(targets.iter().filter_map(|(_, target)| match target {
                Target::Mapping(name) => Some(name.as_str()),
                Target::NotApplicable | Target::Omitted => None,
            }));
        }
        Body::Table(selector) => selector.each_name(&mut |name| {
            names.insert(name);
        }),
    }
    names
}
