//! What bulk lookups remember: the numbers of values they met, and what each combination of values
//! means to a table. Dates are never part of it. All of it is bounded, and forgotten when full.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::table::Steps;
use crate::header::condition;
use crate::selector::Group;

/// The number of a header value.
pub(super) type ValueId = u32;

/// The number that stands for no value.
pub(super) const ABSENT: ValueId = 0;

/// How many values are kept apart.
const MAX_VALUES: usize = 1 << 16;

/// The longest value that is remembered, in bytes.
const MAX_VALUE: usize = 256;

/// How many combinations of values are remembered for a table.
const MAX_COMBINATIONS: usize = 1 << 14;

/// Numbers for header values.
#[derive(Debug)]
pub(super) struct Numbers {
    exact: FxHashMap<Box<str>, ValueId>,
    /// By unconditioned text, the number of the conditioned one.
    conditioned: FxHashMap<Box<str>, ValueId>,
    next: ValueId,
}

impl Default for Numbers {
    fn default() -> Self {
        Self {
            exact: FxHashMap::default(),
            conditioned: FxHashMap::default(),
            next: ABSENT + 1,
        }
    }
}

impl Numbers {
    pub(super) fn is_full(&self) -> bool {
        self.exact.len() + self.conditioned.len() > MAX_VALUES
    }

    /// The number of a value; nothing if it is too long to be remembered.
    pub(super) fn exact(&mut self, text: &str) -> Option<ValueId> {
        if let Some(id) = self.exact.get(text) {
            return Some(*id);
        }
        if text.len() > MAX_VALUE {
            return None;
        }
        let id = self.next;
        self.next += 1;
        self.exact.insert(text.into(), id);
        Some(id)
    }

    /// The number of a value's conditioned form.
    pub(super) fn conditioned(&mut self, text: &str) -> Option<ValueId> {
        if let Some(id) = self.conditioned.get(text) {
            return Some(*id);
        }
        let id = self.exact(&condition(text))?;
        if text.len() > MAX_VALUE {
            return None;
        }
        self.conditioned.insert(text.into(), id);
        Some(id)
    }
}

/// What a table was found to say, dates aside.
#[derive(Debug)]
pub(super) enum Known {
    /// The rows that fit, best first.
    Rows(Box<[Arc<Group>]>),
    /// The table has nothing but dates.
    Dates,
}

/// What is remembered about one table.
#[derive(Debug, Default)]
pub(super) struct TableMemory {
    combinations: FxHashMap<Box<[ValueId]>, Steps<Known>>,
    /// Rows that fit equally well, and so are merged, are the same for many combinations.
    groups: FxHashMap<Box<[u32]>, Arc<Group>>,
}

impl TableMemory {
    pub(super) fn get(&self, combination: &[ValueId]) -> Option<&Steps<Known>> {
        self.combinations.get(combination)
    }

    pub(super) fn insert(&mut self, combination: &[ValueId], steps: Steps<Known>) -> &Steps<Known> {
        if self.combinations.len() >= MAX_COMBINATIONS {
            self.combinations.clear();
            self.groups.clear();
        }
        self.combinations.entry(combination.into()).or_insert(steps)
    }

    pub(super) fn groups(&mut self, candidates: Vec<Vec<u32>>) -> Box<[Arc<Group>]> {
        let mut known = |rows: Vec<u32>| match self.groups.get(rows.as_slice()) {
            Some(group) => Arc::clone(group),
            None => {
                let rows: Box<[u32]> = rows.into();
                let group = Arc::new(Group::new(rows.clone()));
                self.groups.insert(rows, Arc::clone(&group));
                group
            }
        };
        candidates.into_iter().map(&mut known).collect()
    }
}
