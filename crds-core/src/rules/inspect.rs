//! Questions about the rules themselves, rather than about a dataset.

use std::collections::BTreeSet;

use super::compiled::{Instrument, Table, TypeRule};
use super::context::{Root, State};
use super::mapping::{Body, Checksums, Mapping, special};
use super::{Context, LoadError};
use crate::literal::Literal;
use crate::names::MappingName;
use crate::names::ReferenceType;
use crate::selector::or_list;
use crate::selector::tree::{RawChoice, Selector};

/// One way through a table to a file: the raw cells, as the rule file has them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RuleRow<'c> {
    /// The instrument, lower-case.
    pub instrument: &'c str,
    /// The reference type.
    pub reference_type: &'c str,
    /// Header keys and what their cells say, in table order; a date is split into its keys.
    pub parameters: Vec<(&'c str, String)>,
    /// How many of the last parameters say from when on, or from which version on, the row holds.
    pub since: usize,
}

impl RuleRow<'_> {
    /// Whether the rows ask for the same but for the date, or version, from which on they hold.
    pub(super) fn differs_by_date(&self, other: &Self) -> bool {
        let mode = |row: &Self| row.parameters.len().saturating_sub(row.since);
        self.since > 0 && self.parameters.get(..mode(self)) == other.parameters.get(..mode(other))
    }

    /// Whether the row lists the value, given in upper case, or does not ask for the key (any case).
    pub fn admits(&self, key: &str, value: &str) -> bool {
        self.parameters.iter().all(|(own, cell)| {
            !own.eq_ignore_ascii_case(key) || or_list(&cell.to_uppercase()).contains(&value)
        })
    }
}

/// What one rule file names.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    /// The rule files that a pipeline or instrument map leads to.
    pub(crate) mappings: Vec<MappingName>,
    /// The references that a table can choose.
    pub(crate) references: BTreeSet<String>,
}

/// Reads one rule file for what it names, without compiling it.
pub(crate) fn contents(
    name: &MappingName,
    bytes: &[u8],
    checksums: Checksums,
) -> Result<Contents, LoadError> {
    let mapping = Mapping::read(name, bytes, checksums)?;
    let mappings = mapping.leads_to().map(|(_, name)| name.clone()).collect();
    let mut references = BTreeSet::new();
    if let Body::Table(selector) = &mapping.body {
        each_reference(selector, &mut |name| {
            references.insert(name.to_owned());
        });
    }
    Ok(Contents {
        mappings,
        references,
    })
}

/// All names of references in a table, with repeats.
fn each_reference<'s>(selector: &'s Selector, visit: &mut impl FnMut(&'s str)) {
    selector.each_name(&mut |name| {
        if special(name).is_none() {
            visit(name);
        }
    });
}

impl Context {
    /// The instruments the rules are for, lower-case, in file order.
    pub fn instruments(&self) -> impl Iterator<Item = &str> {
        let (one, many) = match &self.root {
            Root::Single(instrument) => (Some(&*instrument.name), &[][..]),
            Root::Pipeline { instruments, .. } => (None, &instruments[..]),
        };
        let with_rules = many
            .iter()
            .filter(|(_, state)| !matches!(state, State::NoRules));
        one.into_iter().chain(with_rules.map(|(name, _)| &**name))
    }

    /// The instruments whose rules could not be loaded, and why.
    pub fn broken(&self) -> impl Iterator<Item = (&str, &LoadError)> {
        let many = match &self.root {
            Root::Single(_) => &[][..],
            Root::Pipeline { instruments, .. } => &instruments[..],
        };
        many.iter().filter_map(|(name, state)| match state {
            State::Broken(error) => Some((&**name, &**error)),
            _ => None,
        })
    }

    /// The reference types of an instrument (any case), in file order; nothing if its rules are
    /// not loaded.
    pub fn reference_types(&self, instrument: &str) -> Option<Vec<&ReferenceType>> {
        let types = &self.loaded_instrument(instrument)?.types;
        Some(types.iter().map(|(name, _)| name).collect())
    }

    /// The header keys an instrument's rules (any case) look at, in text order; nothing if they
    /// are not loaded.
    pub fn needed_keys(&self, instrument: &str) -> Option<Vec<&str>> {
        let instrument = self.loaded_instrument(instrument)?;
        let needed = instrument.needed.iter();
        Some(needed.map(|slot| &**instrument.slots.name(*slot)).collect())
    }

    /// The header key that names the instrument; nothing if the rules are of one only.
    pub fn instrument_key(&self) -> Option<&str> {
        match &self.root {
            Root::Pipeline { key, .. } => Some(key),
            Root::Single(_) => None,
        }
    }

    /// The header keys that the table of a type looks at, in the order in which it does, with
    /// repeats; nothing for a type without a table.
    pub fn keys_of(&self, instrument: &str, reference_type: &str) -> Option<Vec<String>> {
        let table = self.table(instrument, reference_type)?;
        Some(table.mapping.header.keys())
    }

    /// The header key, in upper case, that switches the step of a type off where it says `OMIT`, for
    /// each type (instrument in lower case, type) whose rules name one.
    pub fn switches(&self) -> impl Iterator<Item = (&str, &ReferenceType, String)> {
        self.loaded().flat_map(|instrument| {
            instrument.types.iter().filter_map(|(name, rule)| {
                let TypeRule::Table(table) = rule else {
                    return None;
                };
                Some((&*instrument.name, name, table.mapping.header.switch()?))
            })
        })
    }

    /// The rule files a lookup for an instrument (any case) takes part of, the pipeline map left
    /// out, in text order; nothing if its rules are not loaded.
    pub fn mappings_of(&self, instrument: &str) -> Option<BTreeSet<&MappingName>> {
        self.loaded_instrument(instrument).map(Instrument::mappings)
    }

    /// The rule file of one type of an instrument (both in any case).
    pub fn table_of(&self, instrument: &str, reference_type: &str) -> Option<&MappingName> {
        let table = self.table(instrument, reference_type)?;
        Some(&table.mapping.name)
    }

    fn table(&self, instrument: &str, reference_type: &str) -> Option<&Table> {
        let reference_type = reference_type.to_lowercase();
        let mut tables = self.loaded_instrument(instrument)?.tables();
        let (_, table) = tables.find(|(name, _)| name.as_str() == reference_type)?;
        Some(table)
    }

    /// All rule files that are loaded or named, in text order.
    pub fn mappings(&self) -> BTreeSet<&MappingName> {
        let mut names: BTreeSet<&MappingName> = BTreeSet::from([self.name()]);
        if let Root::Pipeline { mapping, .. } = &self.root {
            names.extend(mapping.leads_to().map(|(_, name)| name));
        }
        names.extend(self.loaded().flat_map(Instrument::mappings));
        names
    }

    /// All reference files the loaded rules can choose, in text order.
    pub fn references(&self) -> BTreeSet<&str> {
        let mut names = BTreeSet::new();
        for (_, table) in self.loaded().flat_map(Instrument::tables) {
            if let Some(selector) = table.selector() {
                each_reference(selector, &mut |name| {
                    names.insert(name);
                });
            }
        }
        names
    }

    /// All rows that choose exactly this file, in text order.
    pub fn rows_choosing(&self, file: &str) -> Vec<RuleRow<'_>> {
        let mut rows = Vec::new();
        for instrument in self.loaded() {
            for (name, table) in instrument.tables() {
                table.each_row(&instrument.name, name, &mut |row, choice| {
                    if matches!(choice, RawChoice::File(own) if **own == *file) {
                        rows.push(row);
                    }
                });
            }
        }
        rows.sort();
        rows
    }

    pub(super) fn loaded(&self) -> impl Iterator<Item = &Instrument> {
        let (one, many) = match &self.root {
            Root::Single(instrument) => (Some(&**instrument), &[][..]),
            Root::Pipeline { instruments, .. } => (None, &instruments[..]),
        };
        let loaded = many.iter().filter_map(|(_, state)| match state {
            State::Loaded(instrument) => Some(&**instrument),
            _ => None,
        });
        one.into_iter().chain(loaded)
    }

    fn loaded_instrument(&self, name: &str) -> Option<&Instrument> {
        let name = name.to_lowercase();
        self.loaded().find(|instrument| *instrument.name == *name)
    }
}

impl Instrument {
    fn mappings(&self) -> BTreeSet<&MappingName> {
        let tables = self.tables().map(|(_, table)| &table.mapping.name);
        tables
            .chain(self.imap.iter().map(|imap| &imap.name))
            .collect()
    }
}

impl Table {
    /// The selector as its file wrote it.
    fn selector(&self) -> Option<&Selector> {
        match &self.mapping.body {
            Body::Table(selector) => Some(selector),
            Body::Targets(_) => None,
        }
    }

    /// The rows that choose a file or a special value, and what they choose.
    pub(super) fn rows<'c>(
        &'c self,
        instrument: &'c str,
        name: &'c ReferenceType,
    ) -> Vec<(RuleRow<'c>, &'c str)> {
        let mut rows = Vec::new();
        self.each_row(instrument, name, &mut |row, choice| {
            if let RawChoice::File(file) = choice {
                rows.push((row, &**file));
            }
        });
        rows
    }

    fn each_row<'c>(
        &'c self,
        instrument: &'c str,
        name: &'c ReferenceType,
        visit: &mut dyn FnMut(RuleRow<'c>, &'c RawChoice),
    ) {
        let (Some(selector), Some(levels)) = (self.selector(), self.levels()) else {
            return;
        };
        paths(
            selector,
            &levels,
            &mut Vec::new(),
            &mut |parameters, since, choice| {
                let row = RuleRow {
                    instrument,
                    reference_type: name.as_str(),
                    parameters: parameters.to_vec(),
                    since,
                };
                visit(row, choice);
            },
        );
    }

    /// The parameters of each selector level.
    fn levels(&self) -> Option<Vec<Vec<&str>>> {
        let levels = self.mapping.header.get("parkey")?.as_sequence()?;
        levels.iter().map(names_of_level).collect()
    }
}

fn names_of_level<'l>(level: &'l Literal<'static>) -> Option<Vec<&'l str>> {
    match level {
        Literal::Str(name) => Some(vec![&**name]),
        other => other.as_sequence()?.iter().map(Literal::as_str).collect(),
    }
}

/// Takes the cells on the way to a terminal, how many of them are a date or version, and the terminal.
type Visit<'v, 'c> = &'v mut dyn FnMut(&[(&'c str, String)], usize, &'c RawChoice);

/// Visits every way through a selector to a terminal.
fn paths<'c>(
    selector: &'c Selector,
    levels: &[Vec<&'c str>],
    above: &mut Vec<(&'c str, String)>,
    visit: Visit<'_, 'c>,
) {
    let Some((names, below)) = levels.split_first() else {
        return;
    };
    let is_match = matches!(selector, Selector::Match(_));
    let mut follow = |cells: Vec<String>, choice: &'c RawChoice| {
        let length = above.len();
        above.extend(names.iter().copied().zip(cells));
        match choice {
            RawChoice::Nested(selector) => paths(selector, below, above, visit),
            terminal => {
                let since = if is_match { 0 } else { above.len() - length };
                visit(above, since, terminal);
            }
        }
        above.truncate(length);
    };
    match selector {
        Selector::Match(rows) => {
            for (key, choice) in rows {
                let cells = match key {
                    Literal::Tuple(cells) => {
                        cells.iter().map(|c| c.plain_text().into_owned()).collect()
                    }
                    bare => vec![bare.plain_text().into_owned()],
                };
                follow(cells, choice);
            }
        }
        Selector::UseAfter(entries) | Selector::VersionAfter(entries) => {
            let is_date = matches!(selector, Selector::UseAfter(_));
            for (key, choice) in entries {
                let cells = match names.len() {
                    1 => vec![key.to_string()],
                    _ if is_date => key.split_whitespace().map(str::to_owned).collect(),
                    _ => key.split('.').map(str::to_owned).collect(),
                };
                follow(cells, choice);
            }
        }
    }
}
