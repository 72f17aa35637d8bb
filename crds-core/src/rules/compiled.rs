//! One instrument's rules, compiled for lookups.

use std::sync::Arc;

use super::Outcome;
use super::mapping::Mapping;
use crate::expression::Expression;
use crate::names::ReferenceType;
use crate::observatory::Observatory;
use crate::observatory::hst_rules::Hook;
use crate::selector::slots::{Slot, Slots};
use crate::selector::{Node, tree};
use crate::text_map::TextMap;

/// All types of one instrument, or the one type of a table used as a context.
#[derive(Debug)]
pub(crate) struct Instrument {
    /// Lower-case.
    pub(crate) name: Box<str>,
    /// The instrument map; a table used as a context has none.
    pub(crate) imap: Option<Mapping>,
    pub(crate) types: Vec<(ReferenceType, TypeRule)>,
    pub(crate) slots: Slots,
    /// The keys a header is reduced to, in text order.
    pub(crate) needed: Vec<Slot>,
    /// Where the value of an upper-case key goes on the reduced header.
    pub(crate) reduced: TextMap<Slot>,
    /// Needed keys that differ from another one only in case, and that other one.
    pub(crate) copies: Vec<(Slot, Slot)>,
    /// The combinations of keys that make up dates.
    pub(crate) date_keys: Vec<Arc<[Slot]>>,
    /// Where the values of the names in expressions may be, by name number.
    pub(crate) names: Vec<ExpressionName>,
    /// The slots that decide about tables, dates aside.
    pub(crate) decisive: Vec<Slot>,
    /// Which slots are needed.
    pub(crate) is_needed: Vec<bool>,
    pub(crate) detector_and_gain: Option<[Slot; 2]>,
}

/// A name in an expression.
#[derive(Debug)]
pub(crate) struct ExpressionName {
    pub(crate) name: Box<str>,
    /// The first of these that has a value gives it.
    pub(crate) slots: Vec<Slot>,
}

/// What the instrument says about a type.
#[derive(Debug)]
pub(crate) enum TypeRule {
    NotApplicable,
    Omitted,
    Table(Box<Table>),
}

/// A compiled reference table.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) mapping: Mapping,
    pub(crate) root: Node,
    pub(crate) terminals: Vec<tree::RawChoice>,
    /// What each terminal means; nothing for "leave the type out".
    pub(crate) outcomes: Vec<Option<Outcome>>,
    pub(crate) omit: Option<Expression>,
    pub(crate) relevance: Option<Expression>,
    /// Parameters that may not matter for a header, in the order in which they are tested.
    pub(crate) parameter_relevance: Vec<(Slot, Expression)>,
    pub(crate) precondition: Option<Hook>,
    pub(crate) fallback: Option<Hook>,
    pub(crate) is_required: bool,
    /// For each needed key: itself, and its lower- and upper-case forms.
    pub(crate) needed: Vec<[Slot; 3]>,
    /// If the answer depends on a header only through these slots and its date, those slots.
    pub(crate) decisive: Option<Vec<Slot>>,
    /// The date that a special rule looks at.
    pub(crate) stretch_of: Option<usize>,
}

impl Table {
    /// Whether special rules change headers before they are looked up.
    pub(crate) fn has_hooks(&self) -> bool {
        self.precondition.is_some() || self.fallback.is_some()
    }
}

impl Instrument {
    /// Adds keys that a header is reduced to besides those of the tables.
    pub(crate) fn need(&mut self, name: &str) -> Result<Slot, String> {
        let slot = self.slots.number(name)?;
        if !self.needed.contains(&slot) {
            self.needed.push(slot);
            self.index_needed();
        }
        Ok(slot)
    }

    pub(super) fn index_needed(&mut self) {
        let slots = &self.slots;
        self.needed
            .sort_by(|a, b| slots.name(*a).cmp(slots.name(*b)));
        self.needed.dedup();
        self.reduced.clear();
        self.copies.clear();
        self.is_needed = vec![false; self.slots.len()];
        for &slot in &self.needed {
            if let Some(is_needed) = self.is_needed.get_mut(usize::from(slot)) {
                *is_needed = true;
            }
            let upper = slots.name(slot).to_uppercase();
            match self.reduced.get(&upper) {
                Some(first) => self.copies.push((first, slot)),
                None => self.reduced.insert(&upper, slot),
            }
            if let Some(short) = Observatory::archive_key(&upper)
                && self.reduced.get(short).is_none()
            {
                self.reduced.insert(short, slot);
            }
        }
    }
}
