//! What a header means, its date aside: for each type the settled answer, or what is left to do.
//!
//! Headers of one observing mode differ in little but their dates. Once one of them was looked up,
//! a single look finds what all of its types' tables said to those values.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::Outcome;
use super::remember::{Known, ValueId};
use super::table::{Rescue, Steps};

/// How many plans are kept for an instrument before all are forgotten.
const MAX_PLANS: usize = 1 << 13;

/// What is left to do, for each type of an instrument in the order of its rules.
pub(super) type Plan = Arc<[Entry]>;

/// What is left to do for one type.
#[derive(Debug)]
pub(super) enum Entry {
    /// The answer; nothing if the type is omitted.
    Settled(Option<Outcome>),
    /// The date decides.
    Dated(Arc<Steps<Known>>),
    /// More than values and the date decides.
    Ask,
}

/// The plans of one instrument, by the numbers of the values that decide.
#[derive(Debug, Default)]
pub(super) struct Plans(FxHashMap<Box<[ValueId]>, Plan>);

impl Plans {
    pub(super) fn find(&self, values: &[ValueId]) -> Option<Plan> {
        self.0.get(values).map(Arc::clone)
    }

    pub(super) fn insert(&mut self, values: &[ValueId], plan: &Plan) {
        if self.0.len() >= MAX_PLANS {
            self.0.clear();
        }
        self.0.insert(values.into(), Arc::clone(plan));
    }
}

impl Steps<Known> {
    /// Whether the answer depends on the date.
    pub(super) fn is_dated(&self) -> bool {
        let asks = |known: &Known| match known {
            Known::Rows(timeline) => timeline.is_dated(),
            Known::Dates => true,
        };
        match self {
            Self::Settled(_) => false,
            Self::Asked(first, rescue) => {
                let second = match rescue {
                    Rescue::Again(second) => second.as_ref().ok(),
                    Rescue::None | Rescue::NotApplicable | Rescue::Failed(_) => None,
                };
                first.as_ref().ok().into_iter().chain(second).any(asks)
            }
        }
    }
}
