//! Header keys as numbers, so that tables need not compare texts to find their parameters.

use std::borrow::Cow;
use std::sync::Arc;

use crate::text_map::TextMap;

/// The number of a header key among those one instrument's rules mention.
pub(crate) type Slot = u16;

/// The header keys one instrument's rules mention.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    names: Vec<Arc<str>>,
    numbers: TextMap<Slot>,
}

impl Slots {
    /// The number of a key, new if need be.
    pub(crate) fn number(&mut self, name: &str) -> Result<Slot, String> {
        if let Some(slot) = self.numbers.get(name) {
            return Ok(slot);
        }
        let slot = Slot::try_from(self.names.len())
            .map_err(|_| "its rules mention more header keys than can be".to_owned())?;
        self.names.push(name.into());
        self.numbers.insert(name, slot);
        Ok(slot)
    }

    pub(crate) fn find(&self, name: &str) -> Option<Slot> {
        self.numbers.get(name)
    }

    pub(crate) fn name(&self, slot: Slot) -> &Arc<str> {
        &self.names[usize::from(slot)]
    }

    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }
}

/// The keys that dates are made of, as numbers.
#[derive(Debug, Default)]
pub(crate) struct DateKeys(Vec<Arc<[Slot]>>);

impl DateKeys {
    /// The number of these keys, new if need be.
    pub(crate) fn number(&mut self, slots: &[Slot]) -> usize {
        let known = self.0.iter().position(|keys| **keys == *slots);
        known.unwrap_or_else(|| {
            self.0.push(slots.into());
            self.0.len() - 1
        })
    }

    pub(crate) fn get(&self, number: usize) -> Option<&Arc<[Slot]>> {
        self.0.get(number)
    }

    pub(crate) fn into_list(self) -> Vec<Arc<[Slot]>> {
        self.0
    }
}

/// The header as one table sees it: a value, or nothing, for every slot.
#[derive(Debug, Clone)]
pub(crate) struct Values<'v>(Vec<Option<Cow<'v, str>>>);

impl<'v> Values<'v> {
    pub(crate) fn new(values: Vec<Option<Cow<'v, str>>>) -> Self {
        Self(values)
    }

    /// The same values, to be changed.
    pub(crate) fn borrowed(&self) -> Values<'_> {
        let values = self.0.iter();
        Values(
            values
                .map(|value| value.as_deref().map(Cow::Borrowed))
                .collect(),
        )
    }

    pub(crate) fn get(&self, slot: Slot) -> Option<&str> {
        self.0.get(usize::from(slot))?.as_deref()
    }

    pub(crate) fn set(&mut self, slot: Slot, value: impl Into<Cow<'v, str>>) {
        if let Some(old) = self.0.get_mut(usize::from(slot)) {
            *old = Some(value.into());
        }
    }
}
