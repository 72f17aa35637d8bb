//! How a batch is divided into array jobs and single ones: the one rule that planning, submitting and
//! forecasting follow.

use std::collections::HashMap;
use std::hash::Hash;

use crate::batch::ARRAY_SIZES;
use caldp_core::resources::MemoryBin;

/// The job a dataset is planned into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum JobShape {
    /// One of its own.
    Single,
    /// The array of a memory bin with this number, counted from 0.
    Array(MemoryBin, usize),
}

/// Items by the arrays they are in, and those that get jobs of their own.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Division<K, T> {
    pub(super) arrays: Vec<(K, Vec<T>)>,
    pub(super) singles: Vec<T>,
}

/// The job each dataset is planned into, given the memory bin of each. What is left for an array is a
/// single job where it is one dataset.
pub(super) fn shares(bins: &[MemoryBin]) -> Vec<JobShape> {
    let most = *ARRAY_SIZES.end();
    let mut totals: HashMap<MemoryBin, usize> = HashMap::new();
    for bin in bins {
        *totals.entry(*bin).or_default() += 1;
    }
    let mut counts: HashMap<MemoryBin, usize> = HashMap::new();
    let mut share = |bin: &MemoryBin| {
        let count = counts.entry(*bin).or_default();
        let number = *count / most;
        *count += 1;
        let total = totals.get(bin).copied().unwrap_or_default();
        let size = total.saturating_sub(number * most).min(most);
        if ARRAY_SIZES.contains(&size) {
            JobShape::Array(*bin, number)
        } else {
            JobShape::Single
        }
    };
    bins.iter().map(&mut share).collect()
}

/// The arrays of those that were claimed, each with the array it was planned into, or none. An array of
/// which too few could be claimed becomes single jobs.
pub(super) fn divide<K: Clone + Eq + Hash, T>(
    items: impl Iterator<Item = (Option<K>, T)>,
) -> Division<K, T> {
    let (mut all, mut singles): (Vec<(K, Vec<T>)>, Vec<T>) = (vec![], vec![]);
    let mut places: HashMap<K, usize> = HashMap::new();
    for (array, item) in items {
        let Some(array) = array else {
            singles.push(item);
            continue;
        };
        let place = *places.entry(array.clone()).or_insert_with(|| {
            all.push((array, vec![]));
            all.len() - 1
        });
        if let Some((_, items)) = all.get_mut(place) {
            items.push(item);
        }
    }
    let (arrays, few): (Vec<_>, Vec<_>) = all
        .into_iter()
        .partition(|(_, items)| ARRAY_SIZES.contains(&items.len()));
    singles.extend(few.into_iter().flat_map(|(_, items)| items));
    Division { arrays, singles }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remainder_of_one_is_a_single_job() {
        let [small, medium, ..] = MemoryBin::ALL;
        let jobs = |count: usize| {
            let mut bins = vec![small; count];
            bins.push(medium);
            let shares = shares(&bins);
            let array = |share: &JobShape| (*share != JobShape::Single).then_some(*share);
            let division = divide(shares.iter().map(|share| (array(share), ())));
            (division.arrays.len(), division.singles.len())
        };
        assert_eq!(jobs(1), (0, 2));
        assert_eq!(jobs(2), (1, 1));
        assert_eq!(jobs(10_000), (1, 1));
        assert_eq!(jobs(10_001), (1, 2));
        assert_eq!(jobs(10_002), (2, 1));
    }

    #[test]
    fn an_array_of_which_one_was_claimed_is_a_single_job() {
        let division =
            divide([(Some("a"), 1), (None, 2), (Some("b"), 3), (Some("a"), 4)].into_iter());
        assert_eq!(division.arrays, [("a", vec![1, 4])]);
        assert_eq!(division.singles, [2, 3]);
    }
}
