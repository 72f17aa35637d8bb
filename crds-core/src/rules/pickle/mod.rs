//! Contexts from the pickles that Python CRDS writes.
//!
//! A pickle is a program; this reader runs only the part of it that puts values together. It knows
//! the classes of a CRDS context by name and never calls anything: objects become records of their
//! class and state, and anything else in the stream is an error that names it. Input is foreign:
//! its size, the number of values and their nesting are bounded.

mod machine;
mod objects;
mod values;

use std::collections::HashMap;
use storage::hint::Hint;

use super::LoadError;
use super::compiled::Instrument;
use super::context::{Context, Scope};
use crate::names::{MappingKind, MappingName};

/// The longest pickle that is read, in bytes. That of a whole HST context has 4 MB.
pub(crate) const MAX_BYTES: usize = 32 << 20;

/// A pickle is not a CRDS context.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("byte {at}: {problem}")]
pub(crate) struct PickleError {
    /// Where in the stream.
    pub(crate) at: usize,
    pub(crate) problem: String,
}

impl Hint for PickleError {}

impl Context {
    /// Loads the context `name` from its pickle, `<name>.pkl`.
    ///
    /// The rules in a pickle carry no checksum that could still be verified. Rows of a table are in
    /// sorted, not in file order; that changes an answer only where substitutions make two rows
    /// equal.
    pub fn from_pickle(
        name: &MappingName,
        bytes: &[u8],
        scope: Scope<'_>,
    ) -> Result<Self, LoadError> {
        let broken = |error: PickleError| LoadError::Pickle {
            name: name.clone(),
            problem: error.to_string(),
        };
        if bytes.len() > MAX_BYTES {
            return Err(broken(PickleError {
                at: 0,
                problem: format!(
                    "it has {} bytes, more than the {MAX_BYTES} that are read",
                    bytes.len()
                ),
            }));
        }
        let pickled = machine::read(bytes).map_err(broken)?;
        let reader = objects::Reader::new(&pickled);
        let root = reader.mapping(pickled.root).map_err(broken)?;
        if root.mapping.name != *name {
            return Err(broken(PickleError {
                at: 0,
                problem: format!("it holds the rules {}", root.mapping.name),
            }));
        }
        let instrument = |imap: objects::PickledMapping| {
            let mut tables = HashMap::new();
            for (_, child) in &imap.children {
                let table = reader.mapping(*child).map_err(broken)?;
                tables.insert(table.mapping.name.clone(), table.mapping);
            }
            Instrument::new(imap.mapping, tables)
        };
        if name.kind() == MappingKind::Instrument {
            let children = root.children.clone();
            let mapping = root.mapping.clone();
            return Self::assemble(mapping, |_, _| {
                Some(instrument(objects::PickledMapping {
                    mapping: root.mapping.clone(),
                    children: children.clone(),
                }))
            });
        }
        Self::assemble(root.mapping, |_, key| {
            if scope.leaves_out(key) {
                return None;
            }
            let child = root.children.iter().find(|(name, _)| **name == *key);
            Some(match child {
                Some((_, child)) => reader.mapping(*child).map_err(broken).and_then(instrument),
                None => Err(broken(PickleError {
                    at: 0,
                    problem: format!("it was written without the rules of {key}"),
                })),
            })
        })
    }
}

#[cfg(test)]
mod tests;
