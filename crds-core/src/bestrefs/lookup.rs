//! One header: its instrument, its values in the slots of the instrument's rules, and then every
//! type in turn.

use std::sync::Arc;

use super::instrument::instrument_name;
use super::memo::{ABSENT, CachedAnswer, Combination, TableMemo, ValueId, ValueInterner};
use super::plan::{Plan, PlanEntry, Plans};
use super::question::{LookupError, Types};
use super::slotted_header::{DatesOf, SlottedHeader};
use super::table::{Evaluation, unknown_type};
use super::{BestReferences, Outcome};
use crate::header::{Fields, Header, LookupPath};
use crate::names::{MappingName, ReferenceType};
use crate::observatory::hst_rules::Hook;
use crate::rules::{Context, Found, Instrument, Root, Table, TypeRule};
use crate::selector::slots::Values;
use crate::selector::{Dates, Miss, Node, Timeline};

/// Many lookups in the same rules.
///
/// Answers are worked out from what was learned about earlier headers: which rows fit a combination
/// of values is worked out once, dates are looked up every time. What is kept is bounded.
#[derive(Debug)]
pub struct Lookups<'c> {
    context: &'c Context,
    interner: ValueInterner,
    /// By the index of the instrument.
    memos: Vec<InstrumentMemo>,
    ids: Ids,
}

/// What is kept about one instrument.
#[derive(Debug, Default)]
struct InstrumentMemo {
    plans: Plans,
    /// By the index of the type.
    tables: Vec<TableMemo>,
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
            interner: ValueInterner::default(),
            memos: Vec::new(),
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
    /// rules omit are not told. Gives the instrument, in lower case.
    pub fn each_reference(
        &mut self,
        header: &(impl Fields + ?Sized),
        path: LookupPath,
        types: Types<'_>,
        tell: &mut impl FnMut(&ReferenceType, &Outcome),
    ) -> Result<&'c str, LookupError> {
        let (index, instrument) = self.instrument(header, path)?;
        if let (Root::Single(_), None, Types::Only(asked)) =
            (&self.context.root, &instrument.imap, types)
        {
            refuse_other_types(self.context.name(), instrument, asked)?;
        }
        self.prepare(index, instrument);
        let filled = SlottedHeader::new(instrument, header, path);
        let ids = self.ids.fill(&mut self.interner, &filled);
        let Some(memo) = self.memos.get_mut(index) else {
            return Ok(&instrument.name);
        };
        match types {
            Types::All => memo.look_all_up(&filled, ids, tell),
            Types::Only(asked) => {
                for name in asked {
                    let lower = name.to_lowercase();
                    let mut all = instrument.types.iter().enumerate();
                    let known = all.find(|(_, (name, _))| name.as_str() == lower);
                    if let Some((index, (name, _))) = known {
                        memo.look_up(index, &filled, ids, &mut |outcome| tell(name, outcome));
                    } else {
                        let (name, outcome) = unknown_type(instrument, &lower);
                        tell(&name, &outcome);
                    }
                }
            }
        }
        Ok(&instrument.name)
    }

    fn prepare(&mut self, index: usize, instrument: &Instrument) {
        if self.interner.is_full() {
            self.interner.clear();
            self.memos.clear();
        }
        if self.memos.len() <= index {
            self.memos.resize_with(index + 1, InstrumentMemo::default);
        }
        if let Some(memo) = self.memos.get_mut(index) {
            let types = instrument.types.len();
            memo.tables.resize_with(types, TableMemo::default);
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
    /// Interns the values that decide about tables; nothing if one is too long.
    fn fill(&mut self, interner: &mut ValueInterner, filled: &SlottedHeader<'_>) -> Option<&Self> {
        self.by_slot.clear();
        self.by_slot.resize(filled.instrument.slots.len(), ABSENT);
        self.in_order.clear();
        for &slot in &filled.instrument.decisive {
            let id = match (filled.raw(slot), filled.path) {
                (Some(text), LookupPath::Conditioned) => interner.conditioned(text)?,
                (Some(text), LookupPath::AsGiven) => interner.exact(text)?,
                (None, LookupPath::Conditioned) if filled.is_needed(slot) => {
                    interner.exact("UNDEFINED")?
                }
                (None, _) => ABSENT,
            };
            *self.by_slot.get_mut(usize::from(slot))? = id;
            self.in_order.push(id);
        }
        Some(self)
    }

    /// What decides about a table; nothing if there is more to it than values.
    fn combination(&self, table: &Table, filled: &SlottedHeader<'_>) -> Option<Combination> {
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

impl InstrumentMemo {
    /// The answers for all types that are not omitted.
    fn look_all_up(
        &mut self,
        filled: &SlottedHeader<'_>,
        ids: Option<&Ids>,
        tell: &mut impl FnMut(&ReferenceType, &Outcome),
    ) {
        let indices = 0..filled.instrument.types.len();
        let plan: Plan = match ids {
            None => indices.map(|_| PlanEntry::Ask).collect(),
            Some(ids) => self.plans.find(&ids.in_order).unwrap_or_else(|| {
                let plan = indices
                    .map(|index| self.entry(index, filled, ids))
                    .collect();
                self.plans.insert(&ids.in_order, &plan);
                plan
            }),
        };
        let all = plan.iter().zip(&filled.instrument.types).enumerate();
        for (index, (entry, (name, rule))) in all {
            let mut tell = |outcome: &Outcome| tell(name, outcome);
            match (entry, rule) {
                (PlanEntry::Settled(outcome), _) => outcome.iter().for_each(tell),
                (PlanEntry::Dated(evaluation), TypeRule::Table(table)) => {
                    by_date(filled, table, evaluation, &mut tell);
                }
                _ => self.look_up(index, filled, ids, &mut tell),
            }
        }
    }

    /// What is left to do for a type once the numbers of the values are known.
    fn entry(&mut self, index: usize, filled: &SlottedHeader<'_>, ids: &Ids) -> PlanEntry {
        match filled.instrument.types.get(index) {
            Some((_, TypeRule::NotApplicable)) => PlanEntry::Settled(Some(Outcome::NotApplicable)),
            Some((_, TypeRule::Table(table))) if !table.has_hooks() => {
                let memo = self.tables.get_mut(index);
                match (memo, ids.combination(table, filled)) {
                    (Some(memo), Some(combination)) => {
                        let evaluation = memoized(filled, table, memo, combination);
                        if evaluation.is_dated() {
                            PlanEntry::Dated(evaluation)
                        } else {
                            let mut settled = None;
                            by_date(filled, table, &evaluation, &mut |outcome| {
                                settled = Some(outcome.clone());
                            });
                            PlanEntry::Settled(settled)
                        }
                    }
                    _ => PlanEntry::Ask,
                }
            }
            Some((_, TypeRule::Table(_))) => PlanEntry::Ask,
            Some((_, TypeRule::Omitted)) | None => PlanEntry::Settled(None),
        }
    }

    /// Tells the answer for one type of the instrument, unless it is omitted.
    fn look_up(
        &mut self,
        index: usize,
        filled: &SlottedHeader<'_>,
        ids: Option<&Ids>,
        tell: &mut impl FnMut(&Outcome),
    ) {
        match filled.instrument.types.get(index) {
            Some((_, TypeRule::NotApplicable)) => tell(&Outcome::NotApplicable),
            Some((_, TypeRule::Omitted)) | None => {}
            Some((_, TypeRule::Table(table))) => {
                let known = ids.and_then(|ids| ids.combination(table, filled));
                match (self.tables.get_mut(index), known) {
                    (Some(memo), Some(combination)) => {
                        let evaluation = memoized(filled, table, memo, combination);
                        by_date(filled, table, &evaluation, tell);
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

/// What a table says about the values, from memory if it was asked before.
fn memoized(
    filled: &SlottedHeader<'_>,
    table: &Table,
    memo: &mut TableMemo,
    combination: Combination,
) -> Arc<Evaluation<CachedAnswer>> {
    if let Some(evaluation) = memo.find(&combination) {
        return Arc::clone(evaluation);
    }
    let evaluation = table.evaluate(filled.instrument, filled.values(), |values| {
        let Node::Match(rows) = &table.root else {
            return Ok(CachedAnswer::Dates);
        };
        let candidates = rows.candidates(values)?;
        let make = || Timeline::new(rows, &candidates, &table.terminals);
        // Only tables of which a timeline can be made have combinations.
        let timeline = memo.timeline(&candidates, make);
        timeline.map(CachedAnswer::Rows).ok_or(Miss::NoMatch)
    });
    let evaluation = Arc::new(evaluation);
    memo.insert(combination, Arc::clone(&evaluation));
    evaluation
}

/// Does what is left to do once the rows that fit are known.
fn by_date(
    filled: &SlottedHeader<'_>,
    table: &Table,
    evaluation: &Evaluation<CachedAnswer>,
    tell: &mut impl FnMut(&Outcome),
) {
    if let Evaluation::Asked(Ok(CachedAnswer::Rows(timeline)), _) = evaluation
        && let Some(terminal) = timeline.terminal(filled)
    {
        // Told where it is: to share it would cost as much as to find it.
        let outcome = table.outcomes.get(terminal as usize);
        return outcome.into_iter().flatten().for_each(tell);
    }
    let outcome = table.outcome(evaluation, |known| match known {
        CachedAnswer::Rows(timeline) => timeline.choose(filled),
        CachedAnswer::Dates => {
            let none = Values::new(Vec::new());
            table.root.choose(&none, filled, &table.terminals)
        }
    });
    outcome.iter().for_each(tell);
}

/// Looks a type up without the memo.
fn afresh(filled: &SlottedHeader<'_>, table: &Table) -> Option<Outcome> {
    let instrument = filled.instrument;
    let evaluation = table.evaluate(instrument, filled.values(), |values| {
        let dates = DatesOf { instrument, values };
        table.root.choose(values, &dates, &table.terminals)
    });
    table.outcome(&evaluation, |chosen| Ok(chosen.clone()))
}
