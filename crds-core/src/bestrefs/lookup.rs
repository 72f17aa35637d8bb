//! One header: its instrument, its values in the slots of the instrument's rules, and then every
//! type in turn.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::sync::Arc;

use super::remember::{Memories, Memory};
use super::table::unknown_type;
use super::{BestReferences, Outcome};
use crate::header::{Header, condition, trim};
use crate::rules::{Context, Found, Instrument, LoadError, MappingName, Root, Table, TypeRule};
use crate::selector::date::{self, Moment};
use crate::selector::slots::{Slot, Values};
use crate::selector::{Dates, LookupFailure, Node};

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
    memories: Memories,
}

impl<'c> Lookups<'c> {
    pub(super) fn new(context: &'c Context) -> Self {
        Self {
            context,
            memories: Memories::default(),
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
        let memory = self.memories.of_instrument(index, instrument);
        let filled = Filled::new(instrument, memory, header, path);
        let mut answers = BestReferences::with_capacity(instrument.types.len());
        match types {
            Types::All => {
                for (place, (name, rule)) in instrument.types.iter().enumerate() {
                    if let Some(outcome) = look_up(&filled, memory, place, rule, path) {
                        answers.push(name.clone(), outcome);
                    }
                }
            }
            Types::Only(asked) => {
                for name in asked {
                    let lower = name.to_lowercase();
                    let mut all = instrument.types.iter().enumerate();
                    match all.find(|(_, (name, _))| name.as_str() == lower) {
                        Some((place, (name, rule))) => {
                            if let Some(outcome) = look_up(&filled, memory, place, rule, path) {
                                answers.push(name.clone(), outcome);
                            }
                        }
                        None => {
                            let (name, outcome) = unknown_type(instrument, &lower);
                            answers.push(name, outcome);
                        }
                    }
                }
            }
        }
        Ok(answers)
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
            let entries = header.iter().filter(|(k, _)| is_upper_of(key, k));
            let (_, value) = entries.last().ok_or_else(missing)?;
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
    let name = name.to_uppercase().to_lowercase();
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
pub(super) struct Filled<'h> {
    pub(super) instrument: &'h Instrument,
    /// What each slot holds.
    pub(super) values: Vec<Option<Cow<'h, str>>>,
    dates: Vec<OnceCell<Result<Moment, LookupFailure>>>,
}

impl<'h> Filled<'h> {
    fn new(
        instrument: &'h Instrument,
        _memory: &mut Memory,
        header: &'h Header,
        path: LookupPath,
    ) -> Self {
        let mut values: Vec<Option<Cow<'h, str>>> = vec![None; instrument.slots.len()];
        match path {
            LookupPath::AsGiven => {
                for (key, value) in header.iter() {
                    if let Some(slot) = instrument.slots.find(key) {
                        values[usize::from(slot)] = Some(Cow::Borrowed(value));
                    }
                }
            }
            LookupPath::Conditioned => fill_reduced(instrument, header, &mut values),
        }
        Self {
            instrument,
            values,
            dates: vec![OnceCell::new(); instrument.date_keys.len()],
        }
    }

    pub(super) fn values(&self) -> Values<'h> {
        Values::new(self.values.clone())
    }

    pub(super) fn date_of(&self, date_keys: usize) -> Result<Moment, LookupFailure> {
        let Some(cell) = self.dates.get(date_keys) else {
            return read_date(self.instrument, date_keys, &|_| None);
        };
        cell.get_or_init(|| {
            read_date(self.instrument, date_keys, &|slot| {
                self.values.get(usize::from(slot))?.as_deref()
            })
        })
        .clone()
    }
}

impl Dates for Filled<'_> {
    fn date(&self, date_keys: usize) -> Result<Moment, LookupFailure> {
        self.date_of(date_keys)
    }
}

/// The needed keys, conditioned; those the header lacks are `UNDEFINED`.
fn fill_reduced<'h>(
    instrument: &Instrument,
    header: &'h Header,
    values: &mut [Option<Cow<'h, str>>],
) {
    let mut raw: Vec<Option<&'h str>> = vec![None; instrument.slots.len()];
    for (key, value) in header.iter() {
        let is_upper = key.bytes().all(|b| b.is_ascii() && !b.is_ascii_lowercase());
        let slot = if is_upper {
            instrument.reduced.get(key)
        } else {
            instrument.reduced.get(key.to_uppercase().as_str())
        };
        if let Some(slot) = slot {
            raw[usize::from(*slot)] = Some(value);
        }
    }
    for (from, to) in &instrument.copies {
        raw[usize::from(*to)] = raw[usize::from(*from)];
    }
    for slot in &instrument.needed {
        let slot = usize::from(*slot);
        values[slot] = Some(raw[slot].map_or(Cow::Borrowed("UNDEFINED"), condition));
    }
}

fn look_up(
    filled: &Filled<'_>,
    _memory: &mut Memory,
    _place: usize,
    rule: &TypeRule,
    _path: LookupPath,
) -> Option<Outcome> {
    match rule {
        TypeRule::NotApplicable => Some(Outcome::NotApplicable),
        TypeRule::Omitted => None,
        TypeRule::Table(table) => afresh(filled, table),
    }
}

/// Looks a type up without remembering anything.
fn afresh(filled: &Filled<'_>, table: &Table) -> Option<Outcome> {
    let instrument = filled.instrument;
    let steps = table.steps(instrument, filled.values(), |values| {
        let dates = DatesOf { instrument, values };
        ask(&table.root, values, &dates, table)
    });
    table.outcome(&steps, |chosen| Ok(chosen.clone()))
}

fn ask(
    root: &Node,
    values: &Values<'_>,
    dates: &dyn Dates,
    table: &Table,
) -> Result<crate::selector::Chosen, crate::selector::Miss> {
    root.choose(values, dates, &table.terminals)
}

/// Dates of a header that special rules may have changed.
struct DatesOf<'d, 'v> {
    instrument: &'d Instrument,
    values: &'d Values<'v>,
}

impl Dates for DatesOf<'_, '_> {
    fn date(&self, date_keys: usize) -> Result<Moment, LookupFailure> {
        read_date(self.instrument, date_keys, &|slot| self.values.get(slot))
    }
}

/// The date that a combination of keys makes.
fn read_date<'v>(
    instrument: &Instrument,
    date_keys: usize,
    get: &dyn Fn(Slot) -> Option<&'v str>,
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
        parts.push(trim(value));
    }
    if let Some(undefined) = parts.iter().position(|part| *part == "UNDEFINED") {
        return Err(LookupFailure::UndefinedDate {
            parameter: name(keys[undefined]),
        });
    }
    if let [date, time] = parts[..]
        && let Some(moment) = date::plain(date, time)
    {
        return Ok(moment);
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
