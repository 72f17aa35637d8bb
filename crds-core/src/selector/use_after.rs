//! UseAfter and VersionAfter: the latest entry that is not later than the dataset.

use std::cmp::Ordering;
use std::sync::Arc;

use super::date::Moment;
use super::slots::Slot;
use super::tree;
use super::version::{self, Version};
use super::{Choice, Compiler, LookupFailure};

/// Entries by date, in the text order of their keys.
#[derive(Debug)]
pub(crate) struct UseAfter {
    /// Which combination of header keys makes the date.
    pub(crate) date_keys: usize,
    keys: Vec<DateKey>,
    choices: Vec<Choice>,
}

/// A key, and what a lookup date has to reach.
#[derive(Debug, Clone)]
struct DateKey {
    from: Moment,
    /// The key's text where it is not the text of `from`.
    odd: Option<Box<str>>,
}

impl DateKey {
    fn new(text: &str) -> Self {
        let from = Moment::threshold(text);
        let is_plain = from != Moment::NEVER && from.text() == text;
        Self {
            from,
            odd: (!is_plain).then(|| text.into()),
        }
    }

    /// Text order.
    fn compare(&self, other: &Self) -> Ordering {
        if self.odd.is_none() && other.odd.is_none() {
            return self.from.cmp(&other.from);
        }
        self.text().cmp(&other.text())
    }

    fn text(&self) -> Box<str> {
        self.odd.clone().unwrap_or_else(|| self.from.text().into())
    }
}

impl UseAfter {
    pub(super) fn new(
        compiler: &mut Compiler<'_>,
        slots: &[Slot],
        entries: &[(Box<str>, tree::Choice)],
        level: usize,
    ) -> Result<Self, String> {
        let known = compiler.date_keys.iter().position(|keys| **keys == *slots);
        let date_keys = known.unwrap_or_else(|| {
            compiler.date_keys.push(slots.into());
            compiler.date_keys.len() - 1
        });
        let mut compiled = entries
            .iter()
            .map(|(key, choice)| Ok((DateKey::new(key), compiler.choice(choice, level)?)))
            .collect::<Result<Vec<_>, String>>()?;
        compiled.sort_by(|a, b| a.0.compare(&b.0));
        let (keys, choices) = compiled.into_iter().unzip();
        Ok(Self {
            date_keys,
            keys,
            choices,
        })
    }

    /// The entry with the greatest key that is not after `date`.
    pub(crate) fn choose(&self, date: Moment) -> Option<&Choice> {
        let after = self.keys.partition_point(|key| key.from <= date);
        self.choices.get(after.checked_sub(1)?)
    }

    pub(crate) fn has_only_terminals(&self) -> bool {
        self.choices
            .iter()
            .all(|choice| matches!(choice, Choice::Terminal(_)))
    }

    /// Both tables in one; on equal keys the greater name stays. Fails where names cannot be
    /// compared.
    pub(super) fn merge(
        &self,
        other: &Self,
        terminals: &[tree::Choice],
    ) -> Result<Self, LookupFailure> {
        let (keys, choices) = merge(
            (&self.keys, &self.choices),
            (&other.keys, &other.choices),
            DateKey::compare,
            terminals,
        )?;
        Ok(Self {
            date_keys: self.date_keys,
            keys,
            choices,
        })
    }
}

/// Entries by version, ascending.
#[derive(Debug)]
pub(crate) struct VersionAfter {
    pub(crate) slots: Arc<[Slot]>,
    keys: Vec<Version>,
    choices: Vec<Choice>,
}

impl VersionAfter {
    pub(super) fn new(
        compiler: &mut Compiler<'_>,
        slots: &[Slot],
        entries: &[(Box<str>, tree::Choice)],
        level: usize,
    ) -> Result<Self, String> {
        let mut compiled = Vec::with_capacity(entries.len());
        for (key, choice) in entries {
            let version =
                version::parse(key).ok_or_else(|| format!("the key {key:?} is not a version"))?;
            compiled.push((version, compiler.choice(choice, level)?));
        }
        compiled.sort_by_key(|(version, _)| *version);
        if let Some(pair) = compiled.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(format!("two of its keys mean the version {:?}", pair[0].0));
        }
        let (keys, choices) = compiled.into_iter().unzip();
        Ok(Self {
            slots: slots.into(),
            keys,
            choices,
        })
    }

    /// The entry with the greatest version that is not after the given one.
    pub(super) fn choose(&self, text: &str) -> Result<Option<&Choice>, LookupFailure> {
        let version = version::parse(text)
            .ok_or_else(|| LookupFailure::InvalidVersion { value: text.into() })?;
        let after = self.keys.partition_point(|key| *key <= version);
        Ok(after.checked_sub(1).and_then(|at| self.choices.get(at)))
    }

    pub(super) fn merge(
        &self,
        other: &Self,
        terminals: &[tree::Choice],
    ) -> Result<Self, LookupFailure> {
        let (keys, choices) = merge(
            (&self.keys, &self.choices),
            (&other.keys, &other.choices),
            Version::cmp,
            terminals,
        )?;
        Ok(Self {
            slots: Arc::clone(&self.slots),
            keys,
            choices,
        })
    }
}

/// The union of two sorted lists.
fn merge<K: Clone>(
    (mut keys, mut choices): (&[K], &[Choice]),
    (mut other_keys, mut other_choices): (&[K], &[Choice]),
    compare: impl Fn(&K, &K) -> Ordering,
    terminals: &[tree::Choice],
) -> Result<(Vec<K>, Vec<Choice>), LookupFailure> {
    let total = keys.len() + other_keys.len();
    let mut merged = (Vec::with_capacity(total), Vec::with_capacity(total));
    while let (
        [key, keys_rest @ ..],
        [choice, choices_rest @ ..],
        [other_key, other_keys_rest @ ..],
        [other_choice, other_choices_rest @ ..],
    ) = (keys, choices, other_keys, other_choices)
    {
        let order = compare(key, other_key);
        let (taken_key, taken) = match order {
            Ordering::Less => (key, choice),
            Ordering::Greater => (other_key, other_choice),
            Ordering::Equal => match (name(choice, terminals), name(other_choice, terminals)) {
                (Some(own), Some(other)) if own >= other => (key, choice),
                (Some(_), Some(_)) => (other_key, other_choice),
                _ => return Err(LookupFailure::Unmergeable),
            },
        };
        merged.0.push(taken_key.clone());
        merged.1.push(taken.clone());
        if order.is_le() {
            (keys, choices) = (keys_rest, choices_rest);
        }
        if order.is_ge() {
            (other_keys, other_choices) = (other_keys_rest, other_choices_rest);
        }
    }
    merged.0.extend(keys.iter().chain(other_keys).cloned());
    merged
        .1
        .extend(choices.iter().chain(other_choices).cloned());
    Ok(merged)
}

fn name<'t>(choice: &Choice, terminals: &'t [tree::Choice]) -> Option<&'t str> {
    let Choice::Terminal(id) = choice else {
        return None;
    };
    match terminals.get(*id as usize)? {
        tree::Choice::File(name) => Some(name),
        _ => None,
    }
}
