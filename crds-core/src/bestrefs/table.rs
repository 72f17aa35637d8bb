//! One reference type, in order: does it apply, what do its special rules change, what does
//! its table choose, and what follows from a failure.

use std::borrow::Cow;
use std::sync::Arc;

use super::Outcome;

use crate::expression::{Expression, Names};
use crate::names::ReferenceType;
use crate::observatory::hst_rules;
use crate::rules::{Instrument, Table};
use crate::selector::slots::Values;
use crate::selector::{Chosen, LookupFailure, Miss};

/// How far a type's lookup gets without asking its table.
#[derive(Debug)]
pub(super) enum Evaluation<R> {
    /// The answer; nothing if the type is omitted.
    Settled(Option<Outcome>),
    /// What the table says, and what follows if that is a failure.
    Asked(Result<R, Miss>, Fallback<R>),
}

/// What follows when a table gives nothing.
#[derive(Debug)]
pub(super) enum Fallback<R> {
    None,
    /// The dataset is not to be reprocessed.
    NotApplicable,
    /// A second look with another header.
    Again(Result<R, Miss>),
    /// The rule that makes the other header failed.
    Failed(Arc<LookupFailure>),
}

impl Table {
    /// Evaluates the type; `ask` puts a header to the table.
    pub(super) fn evaluate<R>(
        &self,
        instrument: &Instrument,
        header: &Values<'_>,
        mut ask: impl FnMut(&Values<'_>) -> Result<R, Miss>,
    ) -> Evaluation<R> {
        let names = HeaderNames {
            instrument,
            values: header,
            with_needed: None,
        };
        // An expression that fails counts as harmless: Python CRDS warns and goes on.
        let holds = |e: &Option<Expression>| e.as_ref().map(|e| e.holds(&names));
        if let Some(Ok(true)) = holds(&self.omit) {
            return Evaluation::Settled(None);
        }
        if let Some(Ok(false)) = holds(&self.relevance) {
            return Evaluation::Settled(Some(Outcome::NotApplicable));
        }
        let changed = match self.prepared(instrument, header) {
            Ok(changed) => changed,
            Err(failure) => return Evaluation::Settled(Some(Outcome::Error(failure.into()))),
        };
        let values = changed.as_ref().unwrap_or(header);
        let first = ask(values);
        let get = |slot| values.get(slot);
        let is_final = instrument
            .detector_and_gain
            .is_some_and(|[detector, gain]| {
                hst_rules::is_not_reprocessed(get(detector), get(gain))
            });
        let fallback = if is_final {
            Fallback::NotApplicable
        } else {
            self.second_look(instrument, header, ask)
        };
        Evaluation::Asked(first, fallback)
    }

    /// The header that is put to the table, if it is not the one given.
    fn prepared<'v>(
        &self,
        instrument: &Instrument,
        header: &'v Values<'_>,
    ) -> Result<Option<Values<'v>>, LookupFailure> {
        if self.precondition.is_none() && self.parameter_relevance.is_empty() {
            return Ok(None);
        }
        let mut values = header.borrowed();
        self.precondition(&mut values)?;
        self.clear_irrelevant(instrument, &mut values)?;
        Ok(Some(values))
    }

    fn precondition(&self, values: &mut Values<'_>) -> Result<(), LookupFailure> {
        let Some(hook) = &self.precondition else {
            return Ok(());
        };
        hook.apply(values)
            .map_err(|failure| failure.of(hook.name()))
    }

    /// Sets the parameters to `N/A` that do not matter for this header.
    fn clear_irrelevant(
        &self,
        instrument: &Instrument,
        values: &mut Values<'_>,
    ) -> Result<(), LookupFailure> {
        let mut irrelevant = Vec::new();
        for (slot, condition) in &self.parameter_relevance {
            let names = HeaderNames {
                instrument,
                values,
                with_needed: Some(self),
            };
            match condition.holds(&names) {
                Ok(true) => {}
                Ok(false) => irrelevant.push(*slot),
                Err(problem) => {
                    return Err(LookupFailure::Expression {
                        parameter: instrument.slots.name(*slot).clone(),
                        problem: problem.into(),
                    });
                }
            }
        }
        for slot in irrelevant {
            values.set(slot, "N/A");
        }
        Ok(())
    }

    fn second_look<R>(
        &self,
        instrument: &Instrument,
        header: &Values<'_>,
        mut ask: impl FnMut(&Values<'_>) -> Result<R, Miss>,
    ) -> Fallback<R> {
        let Some(hook) = &self.fallback else {
            return Fallback::None;
        };
        let mut values = header.borrowed();
        if let Err(failure) = hook.apply(&mut values) {
            return Fallback::Failed(failure.of(hook.name()).into());
        }
        let mut reduced = values.clone();
        for &[own, lower, upper] in &self.needed {
            let value = values.get(lower).or_else(|| values.get(upper));
            reduced.set(own, value.unwrap_or("UNDEFINED").to_owned());
        }
        Fallback::Again(match self.clear_irrelevant(instrument, &mut reduced) {
            Ok(()) => ask(&reduced),
            Err(failure) => Err(Miss::Final(failure.into())),
        })
    }

    /// The outcome of an evaluation; `answer` gives what the table chose.
    pub(super) fn outcome<R>(
        &self,
        evaluation: &Evaluation<R>,
        answer: impl Fn(&R) -> Result<Chosen, Miss>,
    ) -> Option<Outcome> {
        let (first, fallback) = match evaluation {
            Evaluation::Settled(outcome) => return outcome.clone(),
            Evaluation::Asked(first, fallback) => (first, fallback),
        };
        let answer = |asked: &Result<R, Miss>| match asked {
            Ok(asked) => answer(asked),
            Err(miss) => Err(miss.clone()),
        };
        let miss = match answer(first) {
            Ok(chosen) => return self.chosen(chosen),
            Err(miss) => miss,
        };
        let miss = match fallback {
            Fallback::None => miss,
            Fallback::NotApplicable => return Some(Outcome::NotApplicable),
            Fallback::Failed(failure) => return Some(Outcome::Error(failure.clone())),
            Fallback::Again(second) => match answer(second) {
                Ok(chosen) => return self.chosen(chosen),
                Err(miss) => miss,
            },
        };
        Some(match miss {
            _ if !self.is_required => Outcome::NotApplicable,
            Miss::NoMatch => Outcome::NoMatch,
            Miss::NothingBefore(date) => {
                let value = date.text().into();
                Outcome::Error(LookupFailure::NothingEarlier { value }.into())
            }
            Miss::Lookup(failure) | Miss::Final(failure) => Outcome::Error(failure),
        })
    }

    fn chosen(&self, chosen: Chosen) -> Option<Outcome> {
        match chosen {
            Chosen::Terminal(id) => self.outcomes.get(id as usize).cloned().flatten(),
            Chosen::Several(names) => Some(Outcome::Ambiguous(names)),
        }
    }
}

/// The header as expressions see it.
struct HeaderNames<'h, 'v> {
    instrument: &'h Instrument,
    values: &'h Values<'v>,
    /// The table whose needed keys are `UNDEFINED` where the header lacks them.
    with_needed: Option<&'h Table>,
}

impl Names for HeaderNames<'_, '_> {
    fn value(&self, number: usize) -> Result<Cow<'_, str>, String> {
        let Some(name) = self.instrument.names.get(number) else {
            return Err("an unknown name".into());
        };
        for slot in &name.slots {
            if let Some(value) = self.values.get(*slot) {
                return Ok(Cow::Borrowed(value));
            }
            let needed = |table: &Table| table.needed.iter().any(|[own, ..]| own == slot);
            if self.with_needed.is_some_and(needed) {
                return Ok(Cow::Borrowed("UNDEFINED"));
            }
        }
        Err(format!("name '{}' is not defined", name.name))
    }
}

/// The failure for a type the instrument does not have.
pub(super) fn unknown_type(instrument: &Instrument, name: &str) -> (ReferenceType, Outcome) {
    let known = instrument.types.iter().map(|(name, _)| name.as_str());
    let failure = LookupFailure::UnknownType {
        instrument: instrument.name.clone(),
        name: name.into(),
        known: known.collect::<Vec<_>>().join(", ").into(),
    };
    (ReferenceType::new(name), Outcome::Error(failure.into()))
}
