//! `UseAfter` and `VersionAfter`: the latest entry that is not later than the dataset.

use std::cmp::Ordering;
use std::sync::Arc;

use super::moment::Moment;
use super::slots::Slot;
use super::tree;
use super::version::{self, Version};
use super::{Choice, Compiler, LookupFailure};

/// Entries by date, in the text order of their keys.
#[derive(Debug)]
pub(crate) struct UseAfter {
    /// Which combination of header keys makes the date.
    pub(crate) date_keys: usize,
    /// What a lookup date has to reach, entry by entry.
    from: Vec<Moment>,
    /// Keys that are not the text of their moment, by entry; mostly there are none.
    odd: Vec<(usize, Box<str>)>,
    choices: Vec<Choice>,
}

/// A key while tables are put together.
#[derive(Debug, Clone)]
struct DateKey {
    from: Moment,
    /// The key's text where it is not the text of `from`.
    odd: Option<Box<str>>,
}

impl DateKey {
    fn new(text: &str) -> Self {
        match Moment::of_key(text) {
            Some(from) => Self { from, odd: None },
            None => Self {
                from: Moment::threshold(text),
                odd: Some(text.into()),
            },
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
        entries: &[(Box<str>, tree::RawChoice)],
        level: usize,
    ) -> Result<Self, String> {
        let date_keys = compiler.date_keys.number(slots);
        let mut dated = entries
            .iter()
            .map(|(key, choice)| Ok((DateKey::new(key), compiler.choice(choice, level)?)))
            .collect::<Result<Vec<_>, String>>()?;
        dated.sort_by(|a, b| a.0.compare(&b.0));
        Ok(Self::of_sorted(date_keys, dated.into_iter()))
    }

    fn of_sorted(date_keys: usize, entries: impl Iterator<Item = (DateKey, Choice)>) -> Self {
        let (length, _) = entries.size_hint();
        let mut table = Self {
            date_keys,
            from: Vec::with_capacity(length),
            odd: Vec::new(),
            choices: Vec::with_capacity(length),
        };
        for (index, (key, choice)) in entries.enumerate() {
            table.from.push(key.from);
            table.odd.extend(key.odd.map(|text| (index, text)));
            table.choices.push(choice);
        }
        table
    }

    /// The entry with the greatest key that is not after `date`.
    pub(crate) fn choose(&self, date: Moment) -> Option<&Choice> {
        let after = self.from.partition_point(|from| *from <= date);
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
        terminals: &[tree::RawChoice],
    ) -> Result<Self, LookupFailure> {
        let merged = merge(&self.keyed(), &other.keyed(), DateKey::compare, terminals)?;
        Ok(Self::of_sorted(self.date_keys, merged.into_iter()))
    }

    /// The moments from which entries hold, and what they give, in order.
    pub(super) fn entries(&self) -> impl Iterator<Item = (Moment, &Choice)> {
        self.from.iter().copied().zip(&self.choices)
    }

    fn keyed(&self) -> Vec<(DateKey, Choice)> {
        let mut odd = self.odd.iter().peekable();
        let pairs = self.from.iter().zip(&self.choices).enumerate();
        pairs
            .map(|(index, (from, choice))| {
                let odd = odd.next_if(|(at, _)| *at == index);
                let key = DateKey {
                    from: *from,
                    odd: odd.map(|(_, text)| text.clone()),
                };
                (key, choice.clone())
            })
            .collect()
    }
}

/// Entries by version, ascending.
#[derive(Debug)]
pub(crate) struct VersionAfter {
    pub(crate) slots: Arc<[Slot]>,
    pub(super) parameters: Arc<[Arc<str>]>,
    entries: Vec<(Version, Choice)>,
}

impl VersionAfter {
    pub(super) fn new(
        compiler: &mut Compiler<'_>,
        slots: &[Slot],
        entries: &[(Box<str>, tree::RawChoice)],
        level: usize,
    ) -> Result<Self, String> {
        let mut versions = Vec::with_capacity(entries.len());
        for (key, choice) in entries {
            let version =
                version::parse(key).ok_or_else(|| format!("the key {key:?} is not a version"))?;
            versions.push((version, compiler.choice(choice, level)?));
        }
        versions.sort_by_key(|(version, _)| *version);
        if let Some(pair) = versions.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(format!("two of its keys mean the version {:?}", pair[0].0));
        }
        Ok(Self {
            slots: slots.into(),
            parameters: slots
                .iter()
                .map(|slot| Arc::clone(compiler.slots.name(*slot)))
                .collect(),
            entries: versions,
        })
    }

    /// The entry with the greatest version that is not after the given one.
    pub(super) fn choose(&self, text: &str) -> Result<Option<&Choice>, LookupFailure> {
        let version = version::parse(text)
            .ok_or_else(|| LookupFailure::InvalidVersion { value: text.into() })?;
        let after = self.entries.partition_point(|(key, _)| *key <= version);
        let entry = after.checked_sub(1).and_then(|at| self.entries.get(at));
        Ok(entry.map(|(_, choice)| choice))
    }

    pub(super) fn merge(
        &self,
        other: &Self,
        terminals: &[tree::RawChoice],
    ) -> Result<Self, LookupFailure> {
        Ok(Self {
            slots: Arc::clone(&self.slots),
            parameters: Arc::clone(&self.parameters),
            entries: merge(&self.entries, &other.entries, Version::cmp, terminals)?,
        })
    }
}

/// The union of two sorted lists.
fn merge<K: Clone>(
    mut own: &[(K, Choice)],
    mut other: &[(K, Choice)],
    compare: impl Fn(&K, &K) -> Ordering,
    terminals: &[tree::RawChoice],
) -> Result<Vec<(K, Choice)>, LookupFailure> {
    let mut merged = Vec::with_capacity(own.len() + other.len());
    while let ([first, rest @ ..], [other_first, other_rest @ ..]) = (own, other) {
        let order = compare(&first.0, &other_first.0);
        let taken = match order {
            Ordering::Less => first,
            Ordering::Greater => other_first,
            Ordering::Equal => match (name(&first.1, terminals), name(&other_first.1, terminals)) {
                (Some(own), Some(other)) if own >= other => first,
                (Some(_), Some(_)) => other_first,
                _ => return Err(LookupFailure::Unmergeable),
            },
        };
        merged.push(taken.clone());
        if order.is_le() {
            own = rest;
        }
        if order.is_ge() {
            other = other_rest;
        }
    }
    merged.extend_from_slice(own);
    merged.extend_from_slice(other);
    Ok(merged)
}

fn name<'t>(choice: &Choice, terminals: &'t [tree::RawChoice]) -> Option<&'t str> {
    let Choice::Terminal(id) = choice else {
        return None;
    };
    match terminals.get(*id as usize)? {
        tree::RawChoice::File(name) => Some(name),
        _ => None,
    }
}
