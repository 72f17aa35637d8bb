//! The rule files of one instrument, put together: which tables its map leads to, and what those
//! need of a header between them.

use std::collections::HashMap;

use super::LoadError;
use super::compile::Builder;
use super::compiled::{Instrument, TypeRule};
use super::mapping::{Mapping, Target};
use crate::names::MappingName;
use crate::names::ReferenceType;

impl Instrument {
    /// Compiles an instrument map and its tables, given in the order of the map's types.
    pub(crate) fn new(
        imap: Mapping,
        mut tables: HashMap<MappingName, Mapping>,
    ) -> Result<Self, LoadError> {
        let mut builder = Builder::new(&imap)?;
        let invalid = |problem| LoadError::Invalid {
            name: imap.name.clone(),
            problem,
        };
        let mut needed = imap.header.parameters().map_err(invalid)?.concat();
        needed.extend(imap.header.names("extra_keys").map_err(invalid)?);
        let mut types = Vec::with_capacity(imap.targets().len());
        for (name, target) in imap.targets() {
            let rule = match target {
                Target::NotApplicable => TypeRule::NotApplicable,
                Target::Omitted => TypeRule::Omitted,
                Target::Mapping(file) => {
                    let is_shared = imap.targets().iter().filter(|(_, t)| t == target).count() > 1;
                    let mapping = if is_shared {
                        tables.get(file).cloned()
                    } else {
                        tables.remove(file)
                    };
                    let mapping =
                        mapping.ok_or_else(|| invalid(format!("its table {file} is missing")))?;
                    let table = builder.table(mapping)?;
                    needed.extend(builder.names_of(&table));
                    TypeRule::Table(Box::new(table))
                }
            };
            types.push((ReferenceType::new(name), rule));
        }
        let instrument = builder.finish(types, &needed, &imap.name)?;
        Ok(Self {
            imap: Some(imap),
            ..instrument
        })
    }

    /// A single table used as a context.
    pub(crate) fn of_table(mapping: Mapping) -> Result<Self, LoadError> {
        let mut builder = Builder::new(&mapping)?;
        let name = mapping.name.clone();
        let kind = mapping.header.text("filekind").unwrap_or_default();
        let table = builder.table(mapping)?;
        let needed = builder.names_of(&table);
        let types = vec![(ReferenceType::new(&kind), TypeRule::Table(Box::new(table)))];
        builder.finish(types, &needed, &name)
    }
}
