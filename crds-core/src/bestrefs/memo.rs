//! The memo of bulk lookups: the numbers of values they met, and what each combination of values
//! means to a table. Dates are never part of it. All of it is bounded, and emptied when full.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::table::Evaluation;
use crate::header::condition;
use crate::selector::Timeline;
use crate::selector::slots::Slot;
use crate::text_map::TextMap;

/// The number of a header value.
pub(super) type ValueId = u16;

/// The number that stands for no value.
pub(super) const ABSENT: ValueId = 0;

/// How many values are kept apart before all are dropped. One header adds fewer than there are
/// numbers left.
const MAX_VALUES: usize = 1 << 15;

/// The longest value that is kept, in bytes.
const MAX_VALUE: usize = 256;

/// How many combinations of values are kept for a table.
const MAX_COMBINATIONS: usize = 1 << 14;

/// Numbers for header values.
#[derive(Debug, Default)]
pub(super) struct ValueInterner {
    exact: TextMap<ValueId>,
    /// By unconditioned text, the number of the conditioned one.
    conditioned: TextMap<ValueId>,
}

impl ValueInterner {
    pub(super) fn is_full(&self) -> bool {
        self.exact.len() > MAX_VALUES || self.conditioned.len() > 2 * MAX_VALUES
    }

    pub(super) fn clear(&mut self) {
        self.exact.clear();
        self.conditioned.clear();
    }

    /// The number of a value; nothing if it is too long to be kept.
    pub(super) fn exact(&mut self, text: &str) -> Option<ValueId> {
        if let Some(id) = self.exact.get(text) {
            return Some(id);
        }
        if text.len() > MAX_VALUE {
            return None;
        }
        let id = ValueId::try_from(self.exact.len() + 1).ok()?;
        self.exact.insert(text, id);
        Some(id)
    }

    /// The number of a value's conditioned form.
    pub(super) fn conditioned(&mut self, text: &str) -> Option<ValueId> {
        if let Some(id) = self.conditioned.get(text) {
            return Some(id);
        }
        let id = self.exact(&condition(text))?;
        if text.len() <= MAX_VALUE {
            self.conditioned.insert(text, id);
        }
        Some(id)
    }
}

/// What a table was found to say, dates aside.
#[derive(Debug)]
pub(super) enum CachedAnswer {
    Rows(Arc<Timeline>),
    /// The table has nothing but dates.
    Dates,
}

/// The numbers of the values that decide about a table, packed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Combination {
    Narrow([u64; 2]),
    Wide([u64; 6]),
    Any(Box<[ValueId]>),
}

impl Combination {
    /// Packs the numbers found at these slots, and one more.
    pub(super) fn new(slots: &[Slot], ids: &[ValueId], last: ValueId) -> Self {
        let id = |slot: &Slot| ids.get(usize::from(*slot)).copied().unwrap_or(ABSENT);
        match slots.len() {
            0..8 => Self::Narrow(packed(slots, id, last)),
            8..24 => Self::Wide(packed(slots, id, last)),
            _ => Self::Any(slots.iter().map(id).chain([last]).collect()),
        }
    }
}

fn packed<const N: usize>(
    slots: &[Slot],
    id: impl Fn(&Slot) -> ValueId,
    last: ValueId,
) -> [u64; N] {
    let mut words = [0; N];
    for (word, slots) in words.iter_mut().zip(slots.chunks(4)) {
        for slot in slots {
            *word = *word << 16 | u64::from(id(slot));
        }
    }
    // Fewer slots than words have room for: the last quarter is free.
    if let Some(word) = words.last_mut() {
        *word |= u64::from(last) << 48;
    }
    words
}

/// What is kept about one table.
#[derive(Debug, Default)]
pub(super) struct TableMemo {
    /// Where in `evaluations` a combination's are. A table has combinations of one kind only.
    narrow: FxHashMap<[u64; 2], u32>,
    wide: FxHashMap<[u64; 6], u32>,
    any: FxHashMap<Box<[ValueId]>, u32>,
    evaluations: Vec<Arc<Evaluation<CachedAnswer>>>,
    /// The same rows fit for many combinations.
    timelines: FxHashMap<Box<[u32]>, Arc<Timeline>>,
}

impl TableMemo {
    pub(super) fn find(&self, combination: &Combination) -> Option<&Arc<Evaluation<CachedAnswer>>> {
        let index = match combination {
            Combination::Narrow(words) => self.narrow.get(words),
            Combination::Wide(words) => self.wide.get(words),
            Combination::Any(ids) => self.any.get(ids),
        };
        self.evaluations.get(*index? as usize)
    }

    pub(super) fn insert(
        &mut self,
        combination: Combination,
        evaluation: Arc<Evaluation<CachedAnswer>>,
    ) {
        let Some(index) = u32::try_from(self.evaluations.len())
            .ok()
            .filter(|_| self.evaluations.len() < MAX_COMBINATIONS)
        else {
            *self = Self::default();
            return;
        };
        match combination {
            Combination::Narrow(words) => self.narrow.insert(words, index),
            Combination::Wide(words) => self.wide.insert(words, index),
            Combination::Any(ids) => self.any.insert(ids, index),
        };
        self.evaluations.push(evaluation);
    }

    /// The timeline of these candidates, made by `make` if it is new.
    pub(super) fn timeline(
        &mut self,
        candidates: &[Vec<u32>],
        make: impl FnOnce() -> Option<Timeline>,
    ) -> Option<Arc<Timeline>> {
        const BETWEEN: [u32; 1] = [u32::MAX];
        let rows = candidates.join(&BETWEEN[..]);
        if let Some(known) = self.timelines.get(rows.as_slice()) {
            return Some(Arc::clone(known));
        }
        let timeline = Arc::new(make()?);
        self.timelines.insert(rows.into(), Arc::clone(&timeline));
        Some(timeline)
    }
}
