//! One header: its instrument, its values in the slots of the instrument's rules, and then every
//! type in turn.

use std::borrow::Cow;
use std::sync::Arc;

use super::filled::{DatesOf, Filled};
use super::plan::{Entry, Plan, Plans};
use super::question::{LookupError, LookupPath, Types};
use super::remember::{ABSENT, Combination, Known, Numbers, TableMemory, ValueId};
use super::table::{Steps, unknown_type};
use super::{BestReferences, Outcome, ReferenceType};
use crate::header::{Fields, Header, condition};
use crate::observatory::hst_rules::Hook;
use crate::rules::{Context, Found, Instrument, MappingName, Root, Table, TypeRule};
use crate::selector::slots::Values;
use crate::selector::{Dates, Miss, Node, Timeline};

/// Many lookups in the same rules.
///
/// Answers are worked out from what was learned about earlier headers: which rows fit a combination
/// of values is worked out once, dates are looked up every time. What is remembered is bounded.
#[derive(Debug)]
pub struct Lookups<'c> {
    context: &'c Context,
    numbers: Numbers,
    /// By the place of the instrument.
    memories: Vec<Memory>,
    ids: Ids,
}

/// What is remembered about one instrument.
#[derive(Debug, Default)]
struct Memory {
    plans: Plans,
    /// By the place of the type.
    tables: Vec<TableMemory>,
}

/// The numbers of one header's values that decide about tables. Kept to use their space again.
#[derive(Debug, Default)]
struct Ids {
    by_slot: Vec<ValueId>,
    /// In the order of the instrument's deciding slots.
    in_order: Vec<ValueId>,
}

impl<'c> Lookups<'c> {
    pub(super) fn new(context: &'c Context) -> Self {
        Self {
            context,
            numbers: Numbers::default(),
            memories: Vec::new(),
            ids: Ids::default(),
        }
    }

    /// Chooses the references of one dataset.
    pub fn best_references(
        &mut self,
        header: &Header,
        path: LookupPath,
        types: Types<'_>,
    ) -> Result<BestReferences, LookupError> {
        let mut answers = BestReferences::default();
        self.each_reference(header, path, types, &mut |name, outcome| {
            answers.push(name.clone(), outcome.clone());
        })?;
        Ok(answers)
    }

    /// Tells the references of one dataset as they are found, in the order of the rules; types the
    /// rules omit are not told.
    pub fn each_reference(
        &mut self,
        header: &(impl Fields + ?Sized),
        path: LookupPath,
        types: Types<'_>,
        tell: &mut impl FnMut(&ReferenceType, &Outcome),
    ) -> Result<(), LookupError> {
        let (index, instrument) = self.instrument(header, path)?;
        if let (Root::Single(_), None, Types::Only(asked)) =
            (&self.context.root, &instrument.imap, types)
        {
            refuse_other_types(self.context.name(), instrument, asked)?;
        }
        self.make_room(index, instrument);
        let filled = Filled::new(instrument, header, path);
        let ids = self.ids.fill(&mut self.numbers, &filled);
        let Some(memory) = self.memories.get_mut(index) else {
            return Ok(());
        };
        match types {
            Types::All => memory.look_all_up(&filled, ids, tell),
            Types::Only(asked) => {
                for name in asked {
                    let lower = name.to_lowercase();
                    let mut all = instrument.types.iter().enumerate();
                    let known = all.find(|(_, (name, _))| name.as_str() == lower);
                    if let Some((place, (name, _))) = known {
                        memory.look_up(place, &filled, ids, &mut |outcome| tell(name, outcome));
                    } else {
                        let (name, outcome) = unknown_type(instrument, &lower);
                        tell(&name, &outcome);
                    }
                }
            }
        }
        Ok(())
    }

    fn make_room(&mut self, index: usize, instrument: &Instrument) {
        if self.numbers.is_full() {
            self.numbers.clear();
            self.memories.clear();
        }
        if self.memories.len() <= index {
            self.memories.resize_with(index + 1, Memory::default);
        }
        if let Some(memory) = self.memories.get_mut(index) {
            let types = instrument.types.len();
            memory.tables.resize_with(types, TableMemory::default);
        }
    }

    fn instrument(
        &self,
        header: &(impl Fields + ?Sized),
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

impl Ids {
    /// Numbers the values that decide about tables; nothing if one is too long.
    fn fill(&mut self, numbers: &mut Numbers, filled: &Filled<'_>) -> Option<&Self> {
        self.by_slot.clear();
        self.by_slot.resize(filled.instrument.slots.len(), ABSENT);
        self.in_order.clear();
        for &slot in &filled.instrument.decisive {
            let id = match (filled.raw(slot), filled.path) {
                (Some(text), LookupPath::Conditioned) => numbers.conditioned(text)?,
                (Some(text), LookupPath::AsGiven) => numbers.exact(text)?,
                (None, LookupPath::Conditioned) if filled.is_needed(slot) => {
                    numbers.exact("UNDEFINED")?
                }
                (None, _) => ABSENT,
            };
            *self.by_slot.get_mut(usize::from(slot))? = id;
            self.in_order.push(id);
        }
        Some(self)
    }

    /// What decides about a table; nothing if there is more to it than values.
    fn combination(&self, table: &Table, filled: &Filled<'_>) -> Option<Combination> {
        let decisive = table.decisive.as_ref()?;
        let mut stretch = 0;
        if table.has_hooks() {
            // Special rules look at the header's date, and at keys in lower case if there are any.
            if filled.path != LookupPath::Conditioned {
                return None;
            }
            if let Some(keys) = table.stretch_of {
                stretch = Hook::stretch(filled.date(keys).ok()?);
            }
        }
        Some(Combination::new(decisive, &self.by_slot, stretch))
    }
}

impl Memory {
    /// The answers for all types that are not omitted.
    fn look_all_up(
        &mut self,
        filled: &Filled<'_>,
        ids: Option<&Ids>,
        tell: &mut impl FnMut(&ReferenceType, &Outcome),
    ) {
        let places = 0..filled.instrument.types.len();
        let plan: Plan = match ids {
            None => places.map(|_| Entry::Ask).collect(),
            Some(ids) => self.plans.find(&ids.in_order).unwrap_or_else(|| {
                let plan = places.map(|place| self.entry(place, filled, ids)).collect();
                self.plans.insert(&ids.in_order, &plan);
                plan
            }),
        };
        let all = plan.iter().zip(&filled.instrument.types).enumerate();
        for (place, (entry, (name, rule))) in all {
            let mut tell = |outcome: &Outcome| tell(name, outcome);
            match (entry, rule) {
                (Entry::Settled(outcome), _) => outcome.iter().for_each(tell),
                (Entry::Dated(steps), TypeRule::Table(table)) => {
                    by_date(filled, table, steps, &mut tell);
                }
                _ => self.look_up(place, filled, ids, &mut tell),
            }
        }
    }

    /// What is left to do for a type once the numbers of the values are known.
    fn entry(&mut self, place: usize, filled: &Filled<'_>, ids: &Ids) -> Entry {
        match filled.instrument.types.get(place) {
            Some((_, TypeRule::NotApplicable)) => Entry::Settled(Some(Outcome::NotApplicable)),
            Some((_, TypeRule::Table(table))) if !table.has_hooks() => {
                let memory = self.tables.get_mut(place);
                match (memory, ids.combination(table, filled)) {
                    (Some(memory), Some(combination)) => {
                        let steps = remembered(filled, table, memory, combination);
                        if steps.is_dated() {
                            Entry::Dated(steps)
                        } else {
                            let mut settled = None;
                            by_date(filled, table, &steps, &mut |outcome| {
                                settled = Some(outcome.clone());
                            });
                            Entry::Settled(settled)
                        }
                    }
                    _ => Entry::Ask,
                }
            }
            Some((_, TypeRule::Table(_))) => Entry::Ask,
            Some((_, TypeRule::Omitted)) | None => Entry::Settled(None),
        }
    }

    /// Tells the answer for the type at a place of the instrument, unless it is omitted.
    fn look_up(
        &mut self,
        place: usize,
        filled: &Filled<'_>,
        ids: Option<&Ids>,
        tell: &mut impl FnMut(&Outcome),
    ) {
        match filled.instrument.types.get(place) {
            Some((_, TypeRule::NotApplicable)) => tell(&Outcome::NotApplicable),
            Some((_, TypeRule::Omitted)) | None => {}
            Some((_, TypeRule::Table(table))) => {
                let known = ids.and_then(|ids| ids.combination(table, filled));
                match (self.tables.get_mut(place), known) {
                    (Some(memory), Some(combination)) => {
                        let steps = remembered(filled, table, memory, combination);
                        by_date(filled, table, &steps, tell);
                    }
                    _ => afresh(filled, table).iter().for_each(tell),
                }
            }
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
fn instrument_name(
    header: &(impl Fields + ?Sized),
    key: &str,
    path: LookupPath,
) -> Result<Box<str>, LookupError> {
    let missing = || LookupError::NoInstrument { key: key.into() };
    let name = match path {
        // The reduced header keeps the rules' own key only.
        LookupPath::Conditioned => {
            let mut entries = header.pairs().filter(|(k, _)| is_upper_of(key, k));
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
fn last<'h>(header: &'h (impl Fields + ?Sized), key: &str) -> Option<&'h str> {
    let mut entries = header.pairs().filter(|(k, _)| *k == key);
    entries.next_back().map(|(_, value)| value)
}

/// Whether `upper` is the upper-case form of `key`.
fn is_upper_of(upper: &str, key: &str) -> bool {
    match (upper.as_bytes().first(), key.as_bytes().first()) {
        // An ASCII letter alone decides about the first letter of the upper-case form.
        (Some(a), Some(b)) if b.is_ascii() && *a != b.to_ascii_uppercase() => false,
        _ if key.is_ascii() => key.eq_ignore_ascii_case(upper),
        _ => key.to_uppercase() == upper,
    }
}

/// What a table says about the values, from memory if it was asked before.
fn remembered(
    filled: &Filled<'_>,
    table: &Table,
    memory: &mut TableMemory,
    combination: Combination,
) -> Arc<Steps<Known>> {
    if let Some(steps) = memory.find(&combination) {
        return Arc::clone(steps);
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
    let steps = Arc::new(steps);
    memory.insert(combination, Arc::clone(&steps));
    steps
}

/// Does what is left to do once the rows that fit are known.
fn by_date(
    filled: &Filled<'_>,
    table: &Table,
    steps: &Steps<Known>,
    tell: &mut impl FnMut(&Outcome),
) {
    if let Steps::Asked(Ok(Known::Rows(timeline)), _) = steps
        && let Some(terminal) = timeline.terminal(filled)
    {
        // Told where it is: to share it would cost as much as to find it.
        let outcome = table.outcomes.get(terminal as usize);
        return outcome.into_iter().flatten().for_each(tell);
    }
    let outcome = table.outcome(steps, |known| match known {
        Known::Rows(timeline) => timeline.choose(filled),
        Known::Dates => {
            let none = Values::new(Vec::new());
            table.root.choose(&none, filled, &table.terminals)
        }
    });
    outcome.iter().for_each(tell);
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
