//! One header: its instrument, its values in the slots of the instrument's rules, and then every
//! type in turn.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::sync::Arc;

use super::answer::Name;
use super::remember::{ABSENT, Combination, Known, Numbers, TableMemory, ValueId};
use super::table::{Steps, unknown_type};
use super::{BestReferences, Outcome};
use crate::header::{Header, condition, trim};
use crate::observatory::hst_rules::Hook;
use crate::rules::{Context, Found, Instrument, LoadError, MappingName, Root, Table, TypeRule};
use crate::selector::date::{self, Moment};
use crate::selector::slots::{Slot, Values};
use crate::selector::{Dates, LookupFailure, Miss, Node, Timeline};

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
    /// Space for the values of one header, by slot, and of one table.
    ids: Vec<ValueId>,
    combination: Vec<ValueId>,
}

impl<'c> Lookups<'c> {
    pub(super) fn new(context: &'c Context) -> Self {
        Self {
            context,
            numbers: Numbers::default(),
            tables: Vec::new(),
            ids: Vec::new(),
            combination: Vec::new(),
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
                let is_combined = is_numbered && self.combine(table, filled);
                let tables = self.tables.get_mut(index);
                match tables.and_then(|tables| tables.get_mut(place)) {
                    Some(memory) if is_combined => {
                        remembered(filled, table, memory, Combination::new(&self.combination))?
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

    /// Puts together what decides about a table; false if that is not all that decides.
    fn combine(&mut self, table: &Table, filled: &Filled<'_>) -> bool {
        let Some(decisive) = &table.decisive else {
            return false;
        };
        let ids = &self.ids;
        self.combination.clear();
        self.combination.extend(
            decisive
                .iter()
                .filter_map(|slot| ids.get(usize::from(*slot))),
        );
        if table.precondition.is_none() && table.fallback.is_none() {
            return true;
        }
        // Special rules look at the header's date, and at keys in lower case if there are any.
        let stretch = match table.stretch_of.map(|keys| filled.date(keys)) {
            None => 0,
            Some(Ok(date)) => Hook::stretch(date),
            Some(Err(_)) => return false,
        };
        self.combination.push(stretch);
        filled.path == LookupPath::Conditioned
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

/// A header's values in the slots of an instrument's rules.
struct Filled<'h> {
    instrument: &'h Instrument,
    path: LookupPath,
    /// Unconditioned; on the conditioned path only needed keys are there.
    raw: Vec<Option<&'h str>>,
    values: OnceCell<Values<'h>>,
    dates: Vec<OnceCell<Result<Moment, Arc<LookupFailure>>>>,
}

impl<'h> Filled<'h> {
    fn new(instrument: &'h Instrument, header: &'h Header, path: LookupPath) -> Self {
        let mut raw: Vec<Option<&'h str>> = vec![None; instrument.slots.len()];
        for (key, value) in header.iter() {
            let slot = match path {
                LookupPath::AsGiven => instrument.slots.find(key),
                LookupPath::Conditioned => instrument.reduced(key),
            };
            if let Some(place) = slot.and_then(|slot| raw.get_mut(usize::from(slot))) {
                *place = Some(value);
            }
        }
        if path == LookupPath::Conditioned {
            for (from, to) in &instrument.copies {
                raw[usize::from(*to)] = raw[usize::from(*from)];
            }
        }
        Self {
            instrument,
            path,
            raw,
            values: OnceCell::new(),
            dates: vec![OnceCell::new(); instrument.date_keys.len()],
        }
    }

    fn raw(&self, slot: Slot) -> Option<&'h str> {
        self.raw.get(usize::from(slot)).copied().flatten()
    }

    fn is_needed(&self, slot: Slot) -> bool {
        let is_needed = self.instrument.is_needed.get(usize::from(slot));
        is_needed.copied().unwrap_or(false)
    }

    /// What the rules see in a slot.
    fn value(&self, slot: Slot) -> Option<Cow<'h, str>> {
        match (self.raw(slot), self.path) {
            (Some(text), LookupPath::Conditioned) => Some(condition(text)),
            (Some(text), LookupPath::AsGiven) => Some(Cow::Borrowed(text)),
            (None, LookupPath::Conditioned) if self.is_needed(slot) => {
                Some(Cow::Borrowed("UNDEFINED"))
            }
            (None, _) => None,
        }
    }

    /// What the rules see in all slots, worked out when first asked for.
    fn values(&self) -> &Values<'h> {
        self.values.get_or_init(|| {
            let slots = (0..self.raw.len()).map_while(|slot| Slot::try_from(slot).ok());
            Values::new(slots.map(|slot| self.value(slot)).collect())
        })
    }
}

impl Dates for Filled<'_> {
    fn date(&self, date_keys: usize) -> Result<Moment, Arc<LookupFailure>> {
        let read = || {
            let date = read_date(self.instrument, date_keys, &|slot| self.value(slot));
            date.map_err(Arc::new)
        };
        match self.dates.get(date_keys) {
            Some(known) => known.get_or_init(read).clone(),
            None => read(),
        }
    }
}

impl Instrument {
    /// Where the reduced header keeps the value of a key.
    fn reduced(&self, key: &str) -> Option<Slot> {
        if key.bytes().all(|b| b.is_ascii() && !b.is_ascii_lowercase()) {
            self.reduced.get(key)
        } else {
            self.reduced.get(&key.to_uppercase())
        }
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

/// Dates of a header that special rules may have changed.
struct DatesOf<'d, 'v> {
    instrument: &'d Instrument,
    values: &'d Values<'v>,
}

impl Dates for DatesOf<'_, '_> {
    fn date(&self, date_keys: usize) -> Result<Moment, Arc<LookupFailure>> {
        let value = |slot| self.values.get(slot).map(Cow::Borrowed);
        read_date(self.instrument, date_keys, &value).map_err(Arc::new)
    }
}

/// The date that a combination of keys makes.
fn read_date<'v>(
    instrument: &Instrument,
    date_keys: usize,
    get: &dyn Fn(Slot) -> Option<Cow<'v, str>>,
) -> Result<Moment, LookupFailure> {
    let keys = instrument
        .date_keys
        .get(date_keys)
        .map_or(&[][..], |keys| keys);
    let name = |slot: Slot| Arc::clone(instrument.slots.name(slot));
    let mut parts = Vec::with_capacity(keys.len());
    for &slot in keys {
        let value = get(slot).ok_or_else(|| LookupFailure::MissingParameter {
            selector: "UseAfter",
            parameter: name(slot),
        })?;
        parts.push(trim(&value).to_owned());
    }
    if let Some(undefined) = parts.iter().position(|part| *part == "UNDEFINED") {
        return Err(LookupFailure::UndefinedDate {
            parameter: name(keys[undefined]),
        });
    }
    let text = parts.join(" ");
    date::parse(trim(&text)).map_err(|reason| LookupFailure::InvalidDate {
        parameters: keys
            .iter()
            .map(|slot| name(*slot).to_string())
            .collect::<Vec<_>>()
            .join(" ")
            .into(),
        value: text.into(),
        reason: reason.into(),
    })
}
