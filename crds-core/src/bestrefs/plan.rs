//! What a header means, its date aside: for each type the settled answer, or what is left to do.
//!
//! Headers of one observing mode differ in little but their dates. Once one of them was looked up,
//! a single look finds what all of its types' tables said to those values.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::Outcome;
use super::memo::{CachedAnswer, ValueId};
use super::table::{Evaluation, Fallback};

/// How many plans are kept for an instrument before all are dropped.
const MAX_PLANS: usize = 1 << 13;

/// What is left to do, for each type of an instrument in the order of its rules.
pub(super) type Plan = Arc<[PlanEntry]>;

/// What is left to do for one type.
#[derive(Debug)]
pub(super) enum PlanEntry {
    /// The answer; nothing if the type is omitted.
    Settled(Option<Outcome>),
    /// The date decides.
    Dated(Arc<Evaluation<CachedAnswer>>),
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

impl Evaluation<CachedAnswer> {
    /// Whether the answer depends on the date.
    pub(super) fn is_dated(&self) -> bool {
        let asks = |known: &CachedAnswer| match known {
            CachedAnswer::Rows(timeline) => timeline.is_dated(),
            CachedAnswer::Dates => true,
        };
        match self {
            Self::Settled(_) => false,
            Self::Asked(first, fallback) => {
                let second = match fallback {
                    Fallback::Again(second) => second.as_ref().ok(),
                    Fallback::None | Fallback::NotApplicable | Fallback::Failed(_) => None,
                };
                first.as_ref().ok().into_iter().chain(second).any(asks)
            }
        }
    }
}
