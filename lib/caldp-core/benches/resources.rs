//! What it costs to learn from runs and to estimate datasets, without files:
//! `cargo bench --package caldp-core`.
#![allow(missing_docs, reason = "criterion makes items without")]
#![allow(clippy::unwrap_used, reason = "a bench")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Duration;

use caldp_core::resources::fit::{self, Runs};
use caldp_core::resources::table::Table;
use caldp_core::resources::{Features, Model, Run};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// As many rows as `caldp learn` is promised to take in seconds.
const ROWS: u32 = 100_000;

/// A table of runs of ACS and WFC3, with and without their time and peak.
fn table(rows: u32) -> String {
    let mut text = String::from(
        "dataset,n_files,total_mb,drizcorr,pctecorr,crsplit,subarray,large_detector,memory_gb,wallclock_s\n",
    );
    for i in 0..rows {
        let letter = if i % 2 == 0 { 'j' } else { 'i' };
        let (files, last) = (2 + i % 9, if i % 3 == 0 { 'q' } else { '0' });
        let (mb, full) = (files * 17, u32::from(i % 5 != 0));
        let wobble = f64::from(i * 7919 % 1000) / 1000.0;
        let gb = 0.7 + 0.02 * f64::from(mb) * (0.95 + 0.1 * wobble);
        let seconds = 100.0 * f64::from(files) * (0.7 + wobble);
        writeln!(
            text,
            "{letter}{i:07}{last},{files},{mb},PERFORM,PERFORM,1,{},1,{gb},{seconds}",
            1 - full
        )
        .unwrap();
    }
    text
}

fn runs(text: &str) -> Runs {
    let mut runs = Runs::default();
    runs.add_table(text.as_bytes(), "runs.csv").unwrap();
    runs
}

fn learn(c: &mut Criterion) {
    let text = table(ROWS);
    let shipped = Model::shipped().unwrap();
    let learnt = runs(&text);
    let all: Vec<&Run> = learnt.all().iter().collect();
    let mut group = c.benchmark_group("learn");
    group
        .throughput(Throughput::Elements(ROWS.into()))
        .sample_size(10)
        .measurement_time(Duration::from_secs(20));
    group.bench_function("read a table of runs", |b| {
        b.iter(|| runs(black_box(&text)));
    });
    group.bench_function("fit", |b| {
        b.iter(|| fit::fit(black_box(&all), "bench", &shipped));
    });
    group.finish();
}

fn estimate(c: &mut Criterion) {
    const DATASETS: u32 = 10_000;
    let text = table(DATASETS);
    let lines = Table::open(text.as_bytes()).unwrap();
    let known: Vec<Features> = lines.map(|line| line.features.unwrap()).collect();
    let names: Vec<Features> = known
        .iter()
        .map(|features| Features::of_name(features.dataset.clone()))
        .collect();
    let model = Model::shipped().unwrap();
    let mut group = c.benchmark_group("estimate");
    group.throughput(Throughput::Elements(DATASETS.into()));
    for (what, datasets) in [("with features", &known), ("from names", &names)] {
        group.bench_function(what, |b| {
            b.iter(|| {
                let estimates = datasets.iter().map(|features| model.estimate(features));
                estimates
                    .map(|estimate| estimate.timeout_seconds)
                    .sum::<f64>()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, learn, estimate);
criterion_main!(benches);
