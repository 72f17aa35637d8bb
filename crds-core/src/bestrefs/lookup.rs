//! One header: its instrument, its values in the slots of the instrument's rules, and then every
//! type in turn.

use std::borrow::Cow;
use std::sync::Arc;

use super::answer::Name;
use super::filled::{DatesOf, Filled};
use super::remember::{ABSENT, Combination, Known, Numbers, TableMemory, ValueId};
use super::table::{Steps, unknown_type};
use super::{BestReferences, Outcome};
use crate::header::{Header, condition};
use crate::observatory::hst_rules::Hook;
use crate::rules::{Context, Found, Instrument, LoadError, MappingName, Root, Table, TypeRule};
use crate::selector::slots::Values;
use crate::selector::{Dates, Miss, Node, Timeline};

/// In what form the header is put to the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookupPath {
    /// Every value conditioned, and only the keys the instrument's rules need, as datasets are
    /// looked up.
    Conditioned,
    /// Exactly as given; a missing key is missing.
    AsGiven,
}

/// Which reference types to look up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Types<'t> {
    /// All types of the instrument, in the order of its rules.
    All,
    /// These types, in any case; one the instrument does not have is an error of its own.
    Only(&'t [&'t str]),
}

/// A header cannot be looked up at all.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum LookupError {
    /// No key names the instrument.
    #[error("the header does not say which instrument it is from: {key} is missing or UNDEFINED")]
    NoInstrument {
        /// The key that should.
        key: Box<str>,
    },
    /// The rules do not know the instrument.
    #[error("{context} has no rules for the instrument {instrument:?}")]
    UnknownInstrument {
        /// The instrument, lower-case.
        instrument: Box<str>,
        /// The rules that were asked.
        context: MappingName,
    },
    /// The rules were loaded without this instrument.
    #[error("the rules of {instrument} in {context} were not loaded")]
    NotLoaded {
        /// The instrument, lower-case.
        instrument: Box<str>,
        /// The rules that were asked.
        context: MappingName,
    },
    /// The instrument's rules could not be loaded.
    #[error("the rules of {instrument} in {context} cannot be used: {source}")]
    BrokenRules {
        /// The instrument, lower-case.
        instrument: Box<str>,
        /// The rules that were asked.
        context: MappingName,
        /// Why.
        source: Arc<LoadError>,
    },
    /// A single table was asked for a type it is not for.
    #[error("{context} is a table for {has} and has nothing for {asked:?}")]
    OtherType {
        /// The table.
        context: MappingName,
        /// The type it is for.
        has: Box<str>,
        /// The type that was asked for.
        asked: Box<str>,
    },
}

/// Many lookups in the same rules.
///
/// Answers are worked out from what was learned about earlier headers: which rows fit a combination
/// of values is worked out once, dates are looked up every time. What is remembered is bounded.
#[derive(Debug)]
pub struct Lookups<'c> {
    context: &'c Context,
    numbers: Numbers,
    /// By the places of the instrument and the type.
    tables: Vec<Vec<TableMemory>>,
    /// Space for the values of one header, by slot.
    ids: Vec<ValueId>,
}

impl<'c> Lookups<'c> {
    pub(super) fn new(context: &'c Context) -> Self {
        Self {
            context,
            numbers: Numbers::default(),
            tables: Vec::new(),
            ids: Vec::new(),
        }
    }

    /// Chooses the references of one dataset.
    pub fn best_references(
        &mut self,
        header: &Header,
        path: LookupPath,
        types: Types<'_>,
    ) -> Result<BestReferences, LookupError> {
        let (index, instrument) = self.instrument(header, path)?;
        if let (Root::Single(_), None, Types::Only(asked)) =
            (&self.context.root, &instrument.imap, types)
        {
            refuse_other_types(self.context.name(), instrument, asked)?;
        }
        self.make_room(index, instrument);
        let filled = Filled::new(instrument, header, path);
        let is_numbered = self.number_values(&filled);
        let mut answers = BestReferences::new(Arc::clone(&instrument.type_names));
        match types {
            Types::All => {
                for place in 0..instrument.types.len() {
                    answers.extend(self.look_up(index, place, &filled, is_numbered));
                }
            }
            Types::Only(asked) => {
                for name in asked {
                    let lower = name.to_lowercase();
                    let mut all = instrument.types.iter();
                    answers.extend(match all.position(|(name, _)| name.as_str() == lower) {
                        Some(place) => self.look_up(index, place, &filled, is_numbered),
                        None => Some(unknown_type(instrument, &lower)),
                    });
                }
            }
        }
        Ok(answers)
    }

    /// The answer for the type at a place of the instrument; nothing if it is omitted.
    fn look_up(
        &mut self,
        index: usize,
        place: usize,
        filled: &Filled<'_>,
        is_numbered: bool,
    ) -> Option<(Name, Outcome)> {
        let (_, rule) = filled.instrument.types.get(place)?;
        let outcome = match rule {
            TypeRule::NotApplicable => Outcome::NotApplicable,
            TypeRule::Omitted => return None,
            TypeRule::Table(table) => {
                let known = is_numbered.then(|| self.combination(table, filled));
                let tables = self.tables.get_mut(index);
                let memory = tables.and_then(|tables| tables.get_mut(place));
                match (memory, known.flatten()) {
                    (Some(memory), Some(combination)) => {
                        remembered(filled, table, memory, combination)?
                    }
                    _ => afresh(filled, table)?,
                }
            }
        };
        Some((Name::Known(place), outcome))
    }

    fn make_room(&mut self, index: usize, instrument: &Instrument) {
        if self.numbers.is_full() {
            self.numbers.clear();
            self.tables.clear();
        }
        if self.tables.len() <= index {
            self.tables.resize_with(index + 1, Vec::new);
        }
        if let Some(tables) = self.tables.get_mut(index) {
            tables.resize_with(instrument.types.len(), TableMemory::default);
        }
        self.ids.clear();
        self.ids.resize(instrument.slots.len(), ABSENT);
    }

    /// Numbers the values that decide about tables; false if one is too long.
    fn number_values(&mut self, filled: &Filled<'_>) -> bool {
        for &slot in &filled.instrument.decisive {
            let id = match (filled.raw(slot), filled.path) {
                (Some(text), LookupPath::Conditioned) => self.numbers.conditioned(text),
                (Some(text), LookupPath::AsGiven) => self.numbers.exact(text),
                (None, LookupPath::Conditioned) if filled.is_needed(slot) => {
                    self.numbers.exact("UNDEFINED")
                }
                (None, _) => Some(ABSENT),
            };
            match (id, self.ids.get_mut(usize::from(slot))) {
                (Some(id), Some(place)) => *place = id,
                _ => return false,
            }
        }
        true
    }

    /// What decides about a table; nothing if there is more to it than values.
    fn combination(&self, table: &Table, filled: &Filled<'_>) -> Option<Combination> {
        let decisive = table.decisive.as_ref()?;
        let mut stretch = 0;
        if table.precondition.is_some() || table.fallback.is_some() {
            // Special rules look at the header's date, and at keys in lower case if there are any.
            if filled.path != LookupPath::Conditioned {
                return None;
            }
            if let Some(keys) = table.stretch_of {
                stretch = Hook::stretch(filled.date(keys).ok()?);
            }
        }
        Some(Combination::new(decisive, &self.ids, stretch))
    }

    fn instrument(
        &self,
        header: &Header,
        path: LookupPath,
    ) -> Result<(usize, &'c Instrument), LookupError> {
        let name = match &self.context.root {
            Root::Single(instrument) => return Ok((0, instrument)),
            Root::Pipeline { key, .. } => instrument_name(header, key, path)?,
        };
        let context = || self.context.name().clone();
        match self.context.find(&name) {
            Found::Rules(index, instrument) => Ok((index, instrument)),
            Found::Broken(error) => Err(LookupError::BrokenRules {
                instrument: name,
                context: context(),
                source: Arc::clone(error),
            }),
            Found::LeftOut => Err(LookupError::NotLoaded {
                instrument: name,
                context: context(),
            }),
            Found::Unknown => Err(LookupError::UnknownInstrument {
                instrument: name,
                context: context(),
            }),
        }
    }
}

fn refuse_other_types(
    context: &MappingName,
    instrument: &Instrument,
    asked: &[&str],
) -> Result<(), LookupError> {
    let Some((has, _)) = instrument.types.first() else {
        return Ok(());
    };
    if asked.iter().any(|name| name.to_lowercase() == has.as_str()) {
        return Ok(());
    }
    Err(LookupError::OtherType {
        context: context.clone(),
        has: has.as_str().into(),
        asked: asked.join(", ").into(),
    })
}

/// The keys that may name the instrument besides the rules' own.
const INSTRUMENT_KEYS: [&str; 7] = [
    "INSTRUME",
    "META.INSTRUMENT.NAME",
    "META_INSTRUMENT_NAME",
    "INSTRUMENT",
    "ROMAN.META.INSTRUMENT.NAME",
    "META.INSTRUMENT.TYPE",
    "META_INSTRUMENT_TYPE",
];

/// The header's instrument, lower-case.
fn instrument_name(header: &Header, key: &str, path: LookupPath) -> Result<Box<str>, LookupError> {
    let missing = || LookupError::NoInstrument { key: key.into() };
    let name = match path {
        // The reduced header keeps the rules' own key only.
        LookupPath::Conditioned => {
            let mut entries = header.iter().filter(|(k, _)| is_upper_of(key, k));
            let (_, value) = entries.next_back().ok_or_else(missing)?;
            condition(value)
        }
        LookupPath::AsGiven => {
            let lower = key.to_lowercase();
            let keys = [key, &lower].into_iter().chain(INSTRUMENT_KEYS);
            let values = keys.filter_map(|key| last(header, key));
            let mut usable = values.filter(|value| value.to_uppercase() != "UNDEFINED");
            Cow::Borrowed(usable.next().ok_or_else(missing)?)
        }
    };
    if name == "UNDEFINED" {
        return Err(missing());
    }
    let name = if name.is_ascii() {
        name.to_ascii_lowercase()
    } else {
        name.to_uppercase().to_lowercase()
    };
    Ok(if name == "wfii" {
        "wfpc2".into()
    } else {
        name.into()
    })
}

/// The value of the last entry with exactly this key.
fn last<'h>(header: &'h Header, key: &str) -> Option<&'h str> {
    let mut entries = header.iter().filter(|(k, _)| *k == key);
    entries.next_back().map(|(_, value)| value)
}

/// Whether `upper` is the upper-case form of `key`.
fn is_upper_of(upper: &str, key: &str) -> bool {
    if key.is_ascii() {
        key.eq_ignore_ascii_case(upper)
    } else {
        key.to_uppercase() == upper
    }
}

/// Looks a type up by what its table said about the same values.
fn remembered(
    filled: &Filled<'_>,
    table: &Table,
    memory: &mut TableMemory,
    combination: Combination,
) -> Option<Outcome> {
    if let Some(steps) = memory.find(&combination) {
        return by_date(filled, table, steps);
    }
    let steps = table.steps(filled.instrument, filled.values(), |values| {
        let Node::Match(rows) = &table.root else {
            return Ok(Known::Dates);
        };
        let candidates = rows.candidates(values)?;
        let make = || Timeline::new(rows, &candidates, &table.terminals);
        // Only tables of which a timeline can be made have combinations.
        let timeline = memory.timeline(&candidates, make);
        timeline.map(Known::Rows).ok_or(Miss::NoMatch)
    });
    let outcome = by_date(filled, table, &steps);
    memory.insert(combination, steps);
    outcome
}

/// What is left to do once the rows that fit are known.
fn by_date(filled: &Filled<'_>, table: &Table, steps: &Steps<Known>) -> Option<Outcome> {
    table.outcome(steps, |known| match known {
        Known::Rows(timeline) => timeline.choose(filled),
        Known::Dates => {
            let none = Values::new(Vec::new());
            table.root.choose(&none, filled, &table.terminals)
        }
    })
}

/// Looks a type up without remembering anything.
fn afresh(filled: &Filled<'_>, table: &Table) -> Option<Outcome> {
    let instrument = filled.instrument;
    let steps = table.steps(instrument, filled.values(), |values| {
        let dates = DatesOf { instrument, values };
        table.root.choose(values, &dates, &table.terminals)
    });
    table.outcome(&steps, |chosen| Ok(chosen.clone()))
}
