//! A header's values where the rules of its instrument look for them, and the dates they make.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::sync::Arc;

use crate::header::{Fields, LookupPath, condition, trim};
use crate::rules::Instrument;
use crate::selector::date;
use crate::selector::moment::Moment;
use crate::selector::slots::{Slot, Values};
use crate::selector::{Dates, LookupFailure};

/// A header's values in the slots of an instrument's rules.
pub(super) struct SlottedHeader<'h> {
    pub(super) instrument: &'h Instrument,
    pub(super) path: LookupPath,
    /// Unconditioned; on the conditioned path only needed keys are there.
    raw: Vec<Option<&'h str>>,
    values: OnceCell<Values<'h>>,
    dates: Vec<OnceCell<Result<Moment, Arc<LookupFailure>>>>,
}

impl<'h> SlottedHeader<'h> {
    pub(super) fn new(
        instrument: &'h Instrument,
        header: &'h (impl Fields + ?Sized),
        path: LookupPath,
    ) -> Self {
        let mut raw: Vec<Option<&'h str>> = vec![None; instrument.slots.len()];
        for (key, value) in header.pairs() {
            let slot = match path {
                LookupPath::AsGiven => instrument.slots.find(key),
                LookupPath::Conditioned => instrument.reduced(key),
            };
            if let Some(held) = slot.and_then(|slot| raw.get_mut(usize::from(slot))) {
                *held = Some(value);
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

    pub(super) fn raw(&self, slot: Slot) -> Option<&'h str> {
        self.raw.get(usize::from(slot)).copied().flatten()
    }

    pub(super) fn is_needed(&self, slot: Slot) -> bool {
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
    pub(super) fn values(&self) -> &Values<'h> {
        self.values.get_or_init(|| {
            let slots = (0..self.raw.len()).map_while(|slot| Slot::try_from(slot).ok());
            Values::new(slots.map(|slot| self.value(slot)).collect())
        })
    }
}

impl Dates for SlottedHeader<'_> {
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
        let found = self.reduced.get(key);
        // Only upper-case keys are in there.
        if found.is_some() || key.bytes().all(|b| b.is_ascii() && !b.is_ascii_lowercase()) {
            return found;
        }
        self.reduced.get(&key.to_uppercase())
    }
}

/// Dates of a header that special rules may have changed.
pub(super) struct DatesOf<'d, 'v> {
    pub(super) instrument: &'d Instrument,
    pub(super) values: &'d Values<'v>,
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
    let mut text = String::with_capacity(32);
    let mut undefined = None;
    for (index, &slot) in keys.iter().enumerate() {
        let value = get(slot).ok_or_else(|| LookupFailure::MissingParameter {
            selector: "UseAfter",
            parameter: name(slot),
        })?;
        let part = trim(&value);
        if part == "UNDEFINED" {
            undefined = undefined.or(Some(slot));
        }
        if index > 0 {
            text.push(' ');
        }
        text.push_str(part);
    }
    if let Some(slot) = undefined {
        return Err(LookupFailure::UndefinedDate {
            parameter: name(slot),
        });
    }
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
