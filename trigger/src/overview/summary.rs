//! What the datasets of an output add up to: counts, failures by reason, speed, time left and cost.
//!
//! Pure: the time and the prices are given.

use std::collections::BTreeMap;

use caldp_core::dataset::Dataset;
use caldp_core::resources::{BINS, Features, Model};
use caldp_core::state::State;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::dataset::{DatasetProgress, Remedy};
use crate::order::details::Why;

/// The currency of all costs.
pub const CURRENCY: &str = "USD";
/// How far back the present speed is measured.
const RECENT: SignedDuration = SignedDuration::from_mins(15);
/// So many of the slowest and of those that look stuck are named.
const NAMED: usize = 5;
/// A job of unknown limit that runs longer than this looks stuck.
const LONGEST: SignedDuration = SignedDuration::from_hours(48);
/// A job starts so much later than its limit counts from, at most.
const SLACK: SignedDuration = SignedDuration::from_mins(10);
const SECONDS_PER_HOUR: f64 = 3600.0;

/// What is asked beside the datasets.
#[derive(Debug, Clone, Copy)]
pub struct Assumptions<'a> {
    /// The time now.
    pub now: Timestamp,
    /// US dollars for an hour of each memory bin.
    pub prices: [f64; BINS],
    /// What estimates come from.
    pub model: &'a Model,
}

/// How an output is doing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// How many datasets there are.
    pub datasets: usize,
    /// How many are in each state that any is in.
    pub states: BTreeMap<State, usize>,
    /// Whether any is submitted or processing.
    pub under_way: bool,
    /// Failures by reason, the most frequent first.
    pub failures: Vec<FailureGroup>,
    /// How many datasets ran last, or are to run, in each memory bin.
    pub memory_bins: [usize; BINS],
    /// Jobs beyond the first of each dataset.
    pub retries: usize,
    /// Datasets that ended in the last 15 minutes, by the hour.
    pub recent_per_hour: f64,
    /// Datasets that ended, by the hour since the first one did.
    pub per_hour: Option<f64>,
    /// Seconds until all have ended at the present speed.
    pub seconds_left: Option<f64>,
    /// What the jobs that ended cost, as far as AWS Batch said how long they ran.
    pub cost_so_far: f64,
    /// What all of them will have cost.
    pub cost_expected: f64,
    /// The currency of costs.
    pub currency: &'static str,
    /// The jobs that took longest.
    pub slowest: Vec<Slow>,
    /// Why datasets are in their batch, where their order said: the most frequent reasons.
    pub because: Vec<Because>,
    /// Datasets that have been processing for longer than their time limit.
    pub stuck: Vec<Dataset>,
}

/// Datasets that failed for one reason.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FailureGroup {
    /// The reason.
    pub reason: String,
    /// How many.
    pub datasets: usize,
    /// One of them.
    pub example: Dataset,
    /// What to do.
    pub remedy: Remedy,
}

/// Datasets that are in their batch for one reason.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Because {
    /// The reason.
    pub why: Why,
    /// How many.
    pub datasets: usize,
}

/// A dataset and how long its latest job took.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Slow {
    /// The dataset.
    pub dataset: Dataset,
    /// Seconds.
    pub seconds: u64,
}

/// Adds up how datasets are doing.
pub fn summarize(datasets: &[DatasetProgress], assumed: Assumptions<'_>) -> Summary {
    let mut states = BTreeMap::new();
    let mut memory_bins = [0; BINS];
    let (mut retries, mut cost_so_far, mut cost_left) = (0, 0.0, 0.0);
    for progress in datasets {
        *states.entry(progress.state).or_insert(0) += 1;
        retries += progress.attempts.saturating_sub(1);
        if let Some(count) = progress
            .memory_bin
            .and_then(|bin| memory_bins.get_mut(bin.index()))
        {
            *count += 1;
        }
        cost_so_far += cost(&progress.seconds, &assumed.prices);
        if is_to_run(progress) {
            cost_left += expected_cost(progress, assumed);
        }
    }
    let to_run = datasets.iter().filter(|d| is_to_run(d)).count();
    let recent_per_hour = recent_per_hour(datasets, assumed.now);
    let per_hour = per_hour(datasets, assumed.now);
    let speed = Some(recent_per_hour).filter(|r| *r > 0.0).or(per_hour);
    Summary {
        datasets: datasets.len(),
        under_way: to_run > 0,
        failures: failures(datasets),
        memory_bins,
        retries,
        recent_per_hour,
        per_hour,
        seconds_left: speed
            .filter(|speed| to_run > 0 && *speed > 0.0)
            .map(|speed| float(to_run) / speed * SECONDS_PER_HOUR),
        cost_so_far,
        cost_expected: cost_so_far + cost_left,
        currency: CURRENCY,
        slowest: slowest(datasets),
        because: because(datasets),
        stuck: stuck(datasets, assumed.now),
        states,
    }
}

/// Whether a job of it is to end yet.
const fn is_to_run(progress: &DatasetProgress) -> bool {
    matches!(progress.state, State::Submitted | State::Processing)
}

/// Counts are far below what a float holds exactly.
#[expect(clippy::cast_precision_loss, reason = "counts of datasets")]
const fn float(count: usize) -> f64 {
    count as f64
}

#[expect(clippy::cast_precision_loss, reason = "seconds of jobs")]
fn cost(seconds: &[u64; BINS], prices: &[f64; BINS]) -> f64 {
    let by_bin = seconds.iter().zip(prices);
    by_bin
        .map(|(seconds, price)| *seconds as f64 / SECONDS_PER_HOUR * price)
        .sum()
}

fn expected_cost(progress: &DatasetProgress, assumed: Assumptions<'_>) -> f64 {
    let features = Features::of_name(progress.dataset.clone());
    let estimate = assumed.model.estimate(&features);
    let bin = progress.memory_bin.unwrap_or(estimate.memory_bin);
    let price = assumed.prices.get(bin.index()).copied().unwrap_or(0.0);
    estimate.expected_seconds / SECONDS_PER_HOUR * price
}

/// When datasets ended that did. Results may have been brought on site long after.
fn ends(datasets: &[DatasetProgress]) -> impl Iterator<Item = Timestamp> {
    let ended = datasets.iter().filter(|d| !is_to_run(d));
    ended.filter_map(|d| d.ended.or(d.since))
}

fn recent_per_hour(datasets: &[DatasetProgress], now: Timestamp) -> f64 {
    let recent = ends(datasets).filter(|end| now.duration_since(*end) <= RECENT);
    float(recent.count()) * SECONDS_PER_HOUR / RECENT.as_secs_f64()
}

/// Nothing is said of less than a minute.
fn per_hour(datasets: &[DatasetProgress], now: Timestamp) -> Option<f64> {
    let first = ends(datasets).min()?;
    let last = if datasets.iter().any(is_to_run) {
        now
    } else {
        ends(datasets).max()?
    };
    let hours = last.duration_since(first).as_secs_f64() / SECONDS_PER_HOUR;
    (hours * 60.0 >= 1.0).then(|| float(ends(datasets).count()) / hours)
}

fn failures(datasets: &[DatasetProgress]) -> Vec<FailureGroup> {
    let mut groups: BTreeMap<&str, FailureGroup> = BTreeMap::new();
    for progress in datasets {
        let Some(failure) = &progress.failure else {
            continue;
        };
        let group = groups.entry(&failure.reason);
        let group = group.or_insert_with(|| FailureGroup {
            reason: failure.reason.clone(),
            datasets: 0,
            example: progress.dataset.clone(),
            remedy: failure.remedy.clone(),
        });
        group.datasets += 1;
    }
    let mut groups: Vec<_> = groups.into_values().collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.datasets));
    groups
}

fn because(datasets: &[DatasetProgress]) -> Vec<Because> {
    let mut counts: BTreeMap<&str, (usize, &Why)> = BTreeMap::new();
    for why in datasets.iter().filter_map(|progress| progress.why.as_ref()) {
        counts.entry(why.as_str()).or_insert((0, why)).0 += 1;
    }
    let mut counts: Vec<_> = counts.into_values().collect();
    counts.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
    let first = counts.into_iter().take(NAMED);
    first
        .map(|(datasets, why)| Because {
            why: why.clone(),
            datasets,
        })
        .collect()
}

fn slowest(datasets: &[DatasetProgress]) -> Vec<Slow> {
    let mut slow: Vec<Slow> = datasets
        .iter()
        .filter_map(|d| {
            Some(Slow {
                dataset: d.dataset.clone(),
                seconds: d.last_seconds?,
            })
        })
        .collect();
    slow.sort_by_key(|slow| std::cmp::Reverse(slow.seconds));
    slow.truncate(NAMED);
    slow
}

fn stuck(datasets: &[DatasetProgress], now: Timestamp) -> Vec<Dataset> {
    let overdue = datasets.iter().filter(|progress| {
        let limit = progress
            .timeout_seconds
            .and_then(|seconds| i64::try_from(seconds).ok())
            .map_or(LONGEST, |seconds| {
                SignedDuration::from_secs(seconds) + SLACK
            });
        let since = progress
            .since
            .filter(|_| progress.state == State::Processing);
        since.is_some_and(|since| now.duration_since(since) > limit)
    });
    overdue.map(|d| d.dataset.clone()).collect()
}

#[cfg(test)]
#[path = "summary_tests.rs"]
mod tests;
