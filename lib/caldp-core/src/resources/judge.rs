//! What a model would have done on measured runs: the cost beside that of perfect knowledge, the
//! runs killed at their time limit, the runs that climb.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::bin::{BINS, MemoryBin};
use super::features::Features;
use super::fit;
use super::model::Model;
use super::quantiles::quantile;
use super::run::Run;

/// The default prices, as numbers and as a variable has them.
macro_rules! prices {
    ($first:literal $(, $other:literal)*) => {
        /// US dollars for a job-hour in each bin, as `infra/variables.tf` has them by default.
        pub const PRICES: [f64; BINS] = [$first $(, $other)*];
        /// [`PRICES`] as the variable `CALDP_HOURLY_PRICES` has them.
        pub const PRICES_TEXT: &str = concat!($first $(, ",", $other)*);
    };
}
prices!(0.0385, 0.086, 0.113, 0.452);

/// What the model is told of each run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Knowledge {
    /// All that was known before the run.
    Features,
    /// The name alone.
    Name,
}

/// How a model would have done.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Judgement {
    /// How many runs were looked at.
    pub runs: usize,
    /// Cost over the cost of starting each run in the smallest bin that holds it. Each climb costs
    /// the whole run in the bin that was too small.
    pub cost_ratio: f64,
    /// Runs that would have been stopped at their time limit.
    pub killed: usize,
    /// Runs that would have had to climb to another bin.
    pub climbed: usize,
    /// The median of time limit over real time.
    pub median_limit_ratio: f64,
    /// The largest part of its limit that a run needed: killed from one on.
    pub closest: f64,
}

impl Judgement {
    /// Why a model judged like this is no good in place of one judged like `other` on the same
    /// runs; none when it is as good.
    pub fn worse_than(&self, other: &Self) -> Option<String> {
        /// A difference of cost that is not worth a word.
        const SLACK: f64 = 1.002;
        if self.killed > other.killed {
            Some(format!(
                "it kills {} runs at their time limit, the one in use {}",
                self.killed, other.killed
            ))
        } else if self.cost_ratio > other.cost_ratio * SLACK {
            Some(format!(
                "it costs {:.3} times perfect knowledge, the one in use {:.3}",
                self.cost_ratio, other.cost_ratio
            ))
        } else {
            None
        }
    }
}

/// Judges a model on runs; none without runs.
pub fn judge<'a>(
    model: &Model,
    runs: impl IntoIterator<Item = &'a Run>,
    knowledge: Knowledge,
    prices: [f64; BINS],
) -> Option<Judgement> {
    let mut tally = Tally::new(prices);
    for run in runs {
        tally.add(model, run, knowledge);
    }
    tally.judgement()
}

/// Judges fits of these runs on runs of proposals that the fit has not seen: the proposals are
/// dealt to `parts` parts, and each part is judged by a fit of the others. None when there are
/// fewer proposals than parts.
pub fn cross_validate(
    runs: &[Run],
    base: &Model,
    parts: usize,
    prices: [f64; BINS],
) -> Option<Judgement> {
    let proposals: BTreeSet<Option<&str>> = runs.iter().map(|r| r.features.proposal()).collect();
    if parts == 0 || proposals.len() < parts {
        return None;
    }
    let part_of: BTreeMap<_, _> = proposals
        .into_iter()
        .enumerate()
        .map(|(index, proposal)| (proposal, index % parts))
        .collect();
    let empty = base.with_groups(base.origin.clone(), Vec::new());
    let mut tally = Tally::new(prices);
    for part in 0..parts {
        let (judged, learnt): (Vec<&Run>, Vec<&Run>) = runs
            .iter()
            .partition(|run| part_of.get(&run.features.proposal()) == Some(&part));
        let model = fit::fit(&learnt, "cross validation", &empty);
        for run in judged {
            tally.add(&model, run, Knowledge::Features);
        }
    }
    tally.judgement()
}

struct Tally {
    prices: [f64; BINS],
    cost: f64,
    least_cost: f64,
    killed: usize,
    climbed: usize,
    ratios: Vec<f64>,
}

impl Tally {
    const fn new(prices: [f64; BINS]) -> Self {
        Self {
            prices,
            cost: 0.0,
            least_cost: 0.0,
            killed: 0,
            climbed: 0,
            ratios: Vec::new(),
        }
    }

    fn add(&mut self, model: &Model, run: &Run, knowledge: Knowledge) {
        let estimate = match knowledge {
            Knowledge::Features => model.estimate(&run.features),
            Knowledge::Name => model.estimate(&Features::of_name(run.features.dataset.clone())),
        };
        let price = |bin: MemoryBin| self.prices.get(bin.index()).copied().unwrap_or(0.0);
        let needed = MemoryBin::holding_gib(run.peak_gib);
        self.least_cost += price(needed) * run.seconds;
        self.cost += MemoryBin::ALL
            .into_iter()
            .filter(|bin| (estimate.memory_bin..=needed.max(estimate.memory_bin)).contains(bin))
            .map(|bin| price(bin) * run.seconds)
            .sum::<f64>();
        self.climbed += usize::from(estimate.memory_bin < needed);
        self.killed += usize::from(estimate.timeout_seconds.floor() < run.seconds);
        self.ratios.push(estimate.timeout_seconds / run.seconds);
    }

    fn judgement(mut self) -> Option<Judgement> {
        self.ratios.sort_by(f64::total_cmp);
        Some(Judgement {
            runs: self.ratios.len(),
            cost_ratio: self.cost / self.least_cost,
            killed: self.killed,
            climbed: self.climbed,
            median_limit_ratio: quantile(&self.ratios, 0.5)?,
            closest: self.ratios.first()?.recip(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_worse_that_kills_more_or_costs_more() {
        let good = Judgement {
            runs: 10,
            cost_ratio: 1.02,
            killed: 0,
            climbed: 1,
            median_limit_ratio: 5.0,
            closest: 0.5,
        };
        let kills = Judgement { killed: 1, ..good };
        let costs = Judgement {
            cost_ratio: 1.03,
            ..good
        };
        assert_eq!(good.worse_than(&good), None);
        assert_eq!(good.worse_than(&kills), None);
        assert!(
            kills
                .worse_than(&costs)
                .is_some_and(|w| w.contains("kills 1"))
        );
        assert!(costs.worse_than(&good).is_some_and(|w| w.contains("1.030")));
    }
}
