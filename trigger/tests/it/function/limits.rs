//! Time, requests and memory at the limits that AWS documents; the figures are in `BENCHMARKS.md`.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use caldp_core::dataset::Dataset;
use caldp_tests::{LambdaFunction, World, long_variants};
use serde_json::json;

use super::function;
use crate::world::{assert_submitted, created, lines, names};

/// What AWS documents for `SubmitJob`, and for writes below one prefix.
const SUBMISSIONS: u32 = 50;
const WRITES: u32 = 3500;

/// The columns of a table of features that follow the dataset's name.
const FEATURES: &str = "n_files,total_mb,drizcorr,pctecorr,crsplit,subarray,large_detector";

/// The most memory the function may hold, in KiB.
const MEMORY: u64 = 64 * 1024;

/// How the datasets of a batch are named in the test.
#[derive(Clone, Copy, Debug)]
enum Listed {
    /// By their names, in the event itself.
    Names,
    /// In a table with the features of each, as `caldp submit --features` leaves it in the bucket.
    Features,
}

fn at_the_limits(datasets: &[Dataset], threshold: usize, listed: Listed) {
    let world = World::new();
    world.s3.limit_writes(WRITES);
    world.batch.limit_submissions(SUBMISSIONS);
    let threshold_text = threshold.to_string();
    let variables = [("CALDP_ARRAY_THRESHOLD", threshold_text.as_str())];
    let function = function(world.environment(), &variables);
    let event = match listed {
        Listed::Names => {
            let names: Vec<&str> = datasets.iter().map(Dataset::name).collect();
            json!({"datasets": names, "batch_name": "b"})
        }
        Listed::Features => {
            world.put("batches/b.csv", with_features(datasets));
            created("batches/b.csv", "1")
        }
    };
    let begin = Instant::now();
    let answer = function.invoke("one", event);
    let seconds = begin.elapsed().as_secs_f64();
    let (answer, peak) = (answer.answer(), function.peak_kib());
    let (requests, calls) = (world.s3.requests(), world.batch.requests());
    eprintln!(
        "{} datasets, {listed:?}, arrays above {threshold}: {seconds:.1} s, {} jobs, peak {peak} KiB, \
         S3 {requests:?}, AWS Batch {calls:?} of which {} throttled",
        datasets.len(),
        answer["jobs"],
        world.batch.throttled()
    );
    assert_eq!(answer["submitted"], datasets.len());
    assert_eq!(answer["continues"], false);
    let name = answer["batch"].as_str().unwrap();
    let root = format!("data/{name}/");
    assert_submitted(&world, &root, name, datasets);
    let jobs = world.batch.jobs().len();
    if datasets.len() > threshold {
        // one array for each memory bin and time limit
        assert!((2..=MOST_ARRAYS).contains(&jobs), "{jobs} array jobs");
    } else {
        assert_eq!(jobs, datasets.len());
    }
    assert!(peak <= MEMORY, "{peak} KiB");
}

/// The most array jobs that the batches here may need, whatever is known of their datasets.
const MOST_ARRAYS: usize = 40;

/// A batch list with features as real runs have them.
fn with_features(datasets: &[Dataset]) -> String {
    let mut table = format!("dataset,{FEATURES}\n");
    for (n, dataset) in datasets.iter().enumerate() {
        let (files, megabytes) = (2 + n % 3, 35 + n % 200);
        writeln!(table, "{dataset},{files},{megabytes},PERFORM,PERFORM,1,0,1").unwrap();
    }
    table
}

#[test]
fn a_batch_fits_into_time_and_memory() {
    at_the_limits(&names(300), 200, Listed::Names);
    at_the_limits(&names(300), 200, Listed::Features);
    at_the_limits(&names(100), 200, Listed::Names);
}

/// With arrays, then with ten thousand single jobs: 200 s at 50 a second.
#[test]
fn ten_thousand_fit_into_time_and_memory() {
    if long_variants("10,000 datasets at the limits AWS documents") {
        at_the_limits(&names(10_000), 200, Listed::Names);
        at_the_limits(&names(10_000), 200, Listed::Features);
        at_the_limits(&names(10_000), 100_000, Listed::Names);
    }
}

/// A deadline that is too near: the rest is handed on by a message, and taken up from it.
#[test]
fn a_batch_that_does_not_fit_is_handed_on() {
    let world = World::new();
    world.batch.limit_submissions(SUBMISSIONS);
    let variables = [("CALDP_RESERVE_SECONDS", "5")];
    let function = function(world.environment(), &variables);
    let datasets = names(150);
    world.put("batches/list.ids", lines(&datasets));
    let mut event = created("batches/list.ids", "1");
    for invocation in 0.. {
        assert!(invocation < 30, "{}", function.log());
        let time = Duration::from_secs(6);
        let id = format!("invocation {invocation}");
        let answer = function.invoke_within(&id, event, time).answer();
        let keys = world.keys();
        let next: Vec<_> = keys
            .iter()
            .filter(|k| k.starts_with("batches/continue-"))
            .collect();
        if answer["continues"] == false {
            assert!(invocation > 0 && next.is_empty(), "{next:?}");
            let batch_name = answer["batch"].as_str().unwrap();
            let root = format!("data/{batch_name}/");
            return assert_submitted(&world, &root, batch_name, &datasets);
        }
        assert_eq!(next.len(), 1, "{next:?}");
        event = created(next[0], "1");
    }
}

#[test]
fn the_function_starts_quickly() {
    let world = World::new();
    let start = || -> LambdaFunction { function(world.environment(), &[]) };
    let mut times: Vec<Duration> = (0..5).map(|_| start().first_request().unwrap()).collect();
    times.sort();
    eprintln!("start to first request: {times:?}, median {:?}", times[2]);
    // a debug build on a busy machine; the figure of a release build is in BENCHMARKS.md
    assert!(times[2] < Duration::from_secs(5), "{times:?}");
}
