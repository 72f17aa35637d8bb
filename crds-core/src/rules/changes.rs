//! What is different between two sets of rules: types, files, rows.

use std::collections::{BTreeMap, BTreeSet};

use super::mapping::special;
use super::{Context, Instrument, RuleRow, TypeRule};
use crate::names::{MappingName, ReferenceType};

/// Fields of headers that only keep account of a file.
const BOOKKEEPING: [&str; 6] = [
    "derived_from",
    "description",
    "name",
    "sha1sum",
    "text_descr",
    "author",
];

/// The differences of two sets of rules, by instrument and type.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RulesChanges<'c> {
    /// Instruments that only the old rules have.
    pub instruments_removed: BTreeSet<&'c str>,
    /// Instruments that only the new rules have.
    pub instruments_added: BTreeSet<&'c str>,
    /// What is different for types, in the order of their names.
    pub types: BTreeMap<(&'c str, &'c ReferenceType), TypeChanges<'c>>,
}

/// What is different for one reference type.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TypeChanges<'c> {
    /// What the old rules have for it.
    pub old: Rule<'c>,
    /// What the new rules have for it.
    pub new: Rule<'c>,
    /// Fields of the table's header that are different.
    pub header: BTreeSet<&'c str>,
    /// References that only the old rules choose.
    pub files_removed: BTreeSet<&'c str>,
    /// References that only the new rules choose.
    pub files_added: BTreeSet<&'c str>,
    /// Rows of which only the old rules have a like.
    pub rows_removed: Vec<RowChoice<'c>>,
    /// Rows of which only the new rules have a like.
    pub rows_added: Vec<RowChoice<'c>>,
    /// Rows that choose another file.
    pub rows_replaced: Vec<RowReplaced<'c>>,
    /// Rows that choose the same file from another date, or version, on.
    pub rows_moved: Vec<RowMoved<'c>>,
}

/// What rules have for a type.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Rule<'c> {
    /// They do not know it.
    #[default]
    Absent,
    /// It does not apply.
    NotApplicable,
    /// It is left out.
    Omitted,
    /// A table.
    Table(&'c MappingName),
}

/// Datasets that a difference may concern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Concerned {
    /// None: nothing is different for them.
    None,
    /// Those that were taken at this date, `YYYY-MM-DD HH:MM:SS`, or later.
    Since(String),
    /// Any.
    All,
}

/// A row and the file, or special value, that it chooses.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowChoice<'c> {
    /// The row.
    pub row: RuleRow<'c>,
    /// What it chooses.
    pub file: &'c str,
}

/// A row that chooses another file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowReplaced<'c> {
    /// The row.
    pub row: RuleRow<'c>,
    /// What the old rules choose.
    pub old: &'c str,
    /// What the new rules choose.
    pub new: &'c str,
}

/// A row that chooses its file from another date on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowMoved<'c> {
    /// The row of the old rules.
    pub old: RuleRow<'c>,
    /// The row of the new rules.
    pub new: RuleRow<'c>,
    /// The file.
    pub file: &'c str,
}

/// What a type's rules are.
type TypeRules<'c> = BTreeMap<&'c ReferenceType, &'c TypeRule>;

impl<'c> RulesChanges<'c> {
    /// From the old rules to the new ones, as far as both are loaded.
    pub fn between(old: &'c Context, new: &'c Context) -> Self {
        let instruments = |context: &'c Context| -> BTreeMap<&'c str, &'c Instrument> {
            let loaded = context.loaded();
            loaded
                .map(|instrument| (&*instrument.name, instrument))
                .collect()
        };
        let (olds, news) = (instruments(old), instruments(new));
        let mut changes = Self::default();
        for name in olds.keys().chain(news.keys()) {
            let (old, new) = (olds.get(name), news.get(name));
            match (old, new) {
                (Some(_), None) => drop(changes.instruments_removed.insert(*name)),
                (None, Some(_)) => drop(changes.instruments_added.insert(*name)),
                _ => {}
            }
            let types = |instrument: Option<&&'c Instrument>| -> TypeRules<'c> {
                let types = instrument.into_iter().flat_map(|i| &i.types);
                types.map(|(name, rule)| (name, rule)).collect()
            };
            changes.add_types(
                name,
                &types(old.copied().as_ref()),
                &types(new.copied().as_ref()),
            );
        }
        changes
    }

    fn add_types(&mut self, instrument: &'c str, olds: &TypeRules<'c>, news: &TypeRules<'c>) {
        for name in olds.keys().chain(news.keys()) {
            let (old, new) = (olds.get(name).copied(), news.get(name).copied());
            let (was, is) = (Rule::of(old), Rule::of(new));
            if was != is {
                let key = (instrument, *name);
                self.types
                    .entry(key)
                    .or_insert_with(|| TypeChanges::between(key, old, new));
            }
        }
    }

    /// Which datasets of an instrument (in lower case) may be concerned, as far as their dates tell.
    pub fn concerned(&self, instrument: &str) -> Concerned {
        let mut earliest: Option<String> = None;
        let types = self.types.iter();
        for (_, changes) in types.filter(|((name, _), _)| *name == instrument) {
            if !changes.header.is_empty() {
                return Concerned::All;
            }
            let moved = changes
                .rows_moved
                .iter()
                .flat_map(|row| [&row.old, &row.new]);
            let replaced = changes.rows_replaced.iter().map(|row| &row.row);
            let others = changes.rows_added.iter().chain(&changes.rows_removed);
            for row in moved.chain(replaced).chain(others.map(|row| &row.row)) {
                let first = row.parameters.len().saturating_sub(row.since);
                let date = row.parameters.get(first..).unwrap_or_default();
                let date: Vec<&str> = date.iter().map(|(_, value)| value.as_str()).collect();
                if date.is_empty() {
                    return Concerned::All;
                }
                let date = date.join(" ");
                if earliest.as_ref().is_none_or(|earliest| date < *earliest) {
                    earliest = Some(date);
                }
            }
        }
        earliest.map_or(Concerned::None, Concerned::Since)
    }

    /// Whether there is no difference.
    pub fn is_empty(&self) -> bool {
        self.instruments_removed.is_empty()
            && self.instruments_added.is_empty()
            && self.types.is_empty()
    }
}

impl<'c> Rule<'c> {
    fn of(rule: Option<&'c TypeRule>) -> Self {
        match rule {
            None => Self::Absent,
            Some(TypeRule::NotApplicable) => Self::NotApplicable,
            Some(TypeRule::Omitted) => Self::Omitted,
            Some(TypeRule::Table(table)) => Self::Table(&table.mapping.name),
        }
    }
}

/// The rows of a table by what they ask for, without and with the date.
type RuleRows<'c> = BTreeMap<RuleRow<'c>, &'c str>;

impl<'c> TypeChanges<'c> {
    fn between(
        key: (&'c str, &'c ReferenceType),
        old: Option<&'c TypeRule>,
        new: Option<&'c TypeRule>,
    ) -> Self {
        let mut changes = Self {
            old: Rule::of(old),
            new: Rule::of(new),
            ..Self::default()
        };
        let table = |rule: Option<&'c TypeRule>| match rule {
            Some(TypeRule::Table(table)) => Some(&**table),
            _ => None,
        };
        let (old, new) = (table(old), table(new));
        if let (Some(old), Some(new)) = (old, new) {
            let (old, new) = (&old.mapping.header, &new.mapping.header);
            let names = old.fields().chain(new.fields()).map(|(name, _)| name);
            changes.header = names
                .filter(|name| !BOOKKEEPING.contains(name) && !name.starts_with("rmap_update"))
                .filter(|name| old.get(name) != new.get(name))
                .collect();
        }
        let rows = |table: Option<&'c super::Table>| -> RuleRows<'c> {
            let rows = table.into_iter().flat_map(|table| table.rows(key.0, key.1));
            rows.collect()
        };
        let (old, new) = (rows(old), rows(new));
        let files = |rows: &RuleRows<'c>| -> BTreeSet<&'c str> {
            let all = rows.values().copied();
            all.filter(|name| special(name).is_none()).collect()
        };
        let (old_files, new_files) = (files(&old), files(&new));
        changes.files_removed = old_files.difference(&new_files).copied().collect();
        changes.files_added = new_files.difference(&old_files).copied().collect();
        changes.add_rows(old, new);
        changes
    }

    fn add_rows(&mut self, old: RuleRows<'c>, mut new: RuleRows<'c>) {
        let mut removed = Vec::new();
        for (row, file) in old {
            match new.remove(&row) {
                None => removed.push(RowChoice { row, file }),
                Some(now) if now == file => {}
                Some(now) => self.rows_replaced.push(RowReplaced {
                    row,
                    old: file,
                    new: now,
                }),
            }
        }
        let added = new.into_iter();
        self.rows_added = added.map(|(row, file)| RowChoice { row, file }).collect();
        for row in removed {
            let moved = self
                .rows_added
                .iter()
                .position(|added| added.file == row.file && added.row.differs_by_date(&row.row));
            match moved {
                Some(place) => {
                    let added = self.rows_added.remove(place);
                    self.rows_moved.push(RowMoved {
                        old: row.row,
                        new: added.row,
                        file: row.file,
                    });
                }
                None => self.rows_removed.push(row),
            }
        }
    }
}
