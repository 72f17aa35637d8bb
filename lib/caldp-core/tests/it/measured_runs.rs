//! Fits against real runs: `data/measured-runs.csv` below `CALDP_TEST_DATA`, 795 runs of ACS and
//! WFC3. A fit of the runs of some proposals is judged on the runs of the others.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use caldp_core::resources::fit::{self, Runs};
use caldp_core::resources::judge::{Judgement, Knowledge, PRICES, cross_validate, judge};
use caldp_core::resources::{MemoryBin, Model, Run};

/// How often the proposals are split.
const SPLITS: u64 = 20;

fn measured() -> Option<Runs> {
    let Some(data) = std::env::var_os("CALDP_TEST_DATA") else {
        eprintln!("LEFT OUT: fits against real runs, because CALDP_TEST_DATA is not set");
        return None;
    };
    let file = File::open(Path::new(&data).join("data/measured-runs.csv")).unwrap();
    let mut runs = Runs::default();
    runs.add_table(file, "measured-runs.csv").unwrap();
    assert_eq!((runs.all().len(), runs.left_out().count()), (795, 0));
    Some(runs)
}

fn without_groups() -> Model {
    let shipped = Model::shipped().unwrap();
    shipped.with_groups(shipped.origin.clone(), Vec::new())
}

/// Deals proposals to two halves, differently for each seed.
fn first_half(run: &Run, seed: u64) -> bool {
    let mix = |hash: u64, byte: u8| {
        let hash = (hash ^ u64::from(byte)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        hash ^ (hash >> 29)
    };
    let proposal = run.features.proposal().unwrap();
    proposal
        .bytes()
        .fold(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15), mix)
        .count_ones()
        % 2
        == 0
}

/// The least cost that any choice can reach which sees the same for runs with the same features.
fn least_cost_ratio(runs: &[Run]) -> f64 {
    let price = |bin: MemoryBin| PRICES[bin.index()];
    let mut alike: BTreeMap<String, Vec<&Run>> = BTreeMap::new();
    for run in runs {
        let f = &run.features;
        let seen = format!(
            "{:?} {:?} {:?} {:?}",
            f.key(),
            f.files,
            f.input_mb,
            f.crsplit
        );
        alike.entry(seen).or_default().push(run);
    }
    let cost = |first: MemoryBin, run: &Run| {
        let needed = MemoryBin::holding_gib(run.peak_gib);
        let climb = if first < needed { price(needed) } else { 0.0 };
        (price(first) + climb) * run.seconds
    };
    let least: f64 = alike
        .values()
        .map(|runs| {
            let total = |bin: &MemoryBin| runs.iter().map(|run| cost(*bin, run)).sum::<f64>();
            MemoryBin::ALL.iter().map(total).fold(f64::MAX, f64::min)
        })
        .sum();
    let perfect: f64 = runs
        .iter()
        .map(|run| price(MemoryBin::holding_gib(run.peak_gib)) * run.seconds)
        .sum();
    least / perfect
}

#[test]
fn the_shipped_model_is_the_fit_of_the_measured_runs_and_does_well_on_them() {
    let Some(runs) = measured() else { return };
    let shipped = Model::shipped().unwrap();
    let all: Vec<&Run> = runs.all().iter().collect();
    assert_eq!(
        fit::fit(&all, &shipped.origin.source, &without_groups()),
        shipped
    );

    let known = judge(&shipped, runs.all(), Knowledge::Features, PRICES).unwrap();
    let least = least_cost_ratio(runs.all());
    eprintln!("features: {known:?}; no choice by these features costs less than {least:.4}");
    assert_eq!((known.killed, known.climbed), (0, 0));
    assert!(known.cost_ratio <= least * 1.003, "{known:?}");
    assert!(known.median_limit_ratio <= 6.0, "{known:?}");

    let name = judge(&shipped, runs.all(), Knowledge::Name, PRICES).unwrap();
    eprintln!("name alone: {name:?}");
    assert_eq!(name.killed, 0);
    assert!(name.cost_ratio <= 1.10, "{name:?}");
}

#[test]
fn fits_hold_on_runs_of_proposals_they_have_not_seen() {
    let Some(runs) = measured() else { return };
    let judge_halves = |knowledge| -> Vec<Judgement> {
        (0..SPLITS)
            .map(|seed| {
                let (learnt, judged): (Vec<&Run>, Vec<&Run>) =
                    runs.all().iter().partition(|run| first_half(run, seed));
                let model = fit::fit(&learnt, "one half", &without_groups());
                judge(&model, judged, knowledge, PRICES).unwrap()
            })
            .collect()
    };
    let median = |all: &[Judgement], of: fn(&Judgement) -> f64| {
        let mut values: Vec<f64> = all.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let known = judge_halves(Knowledge::Features);
    let name = judge_halves(Knowledge::Name);
    for (what, all) in [("features", &known), ("name alone", &name)] {
        let worst = |of: fn(&Judgement) -> f64| all.iter().map(of).fold(0.0, f64::max);
        eprintln!(
            "{what}, {SPLITS} splits: cost median {:.3} worst {:.3}, limit ratio median {:.2}, \
             nearest to a limit {:.2}",
            median(all, |j| j.cost_ratio),
            worst(|j| j.cost_ratio),
            median(all, |j| j.median_limit_ratio),
            worst(|j| j.closest),
        );
        assert!(all.iter().all(|j| j.killed == 0), "{what}: {all:?}");
        assert!(median(all, |j| j.cost_ratio) <= 1.10, "{what}");
    }
    assert!(median(&known, |j| j.median_limit_ratio) <= 6.0);
    let (climbed, judged) = known
        .iter()
        .fold((0, 0), |(c, r), j| (c + j.climbed, r + j.runs));
    assert!(climbed * 100 <= judged, "{climbed} of {judged} climb");

    let crossed = cross_validate(runs.all(), &Model::shipped().unwrap(), 5, PRICES).unwrap();
    let least = least_cost_ratio(runs.all());
    eprintln!("five parts: {crossed:?}; no choice by these features costs less than {least:.4}");
    assert_eq!(crossed.killed, 0);
    assert!(crossed.cost_ratio <= least + 0.005, "{crossed:?}");
    assert!(crossed.climbed * 100 <= crossed.runs, "{crossed:?}");
    assert!(crossed.median_limit_ratio <= 6.0, "{crossed:?}");
}
