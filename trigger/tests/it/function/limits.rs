//! Time, requests and memory at the limits that AWS documents; the figures are in `BENCHMARKS.md`.

use std::time::{Duration, Instant};

use caldp_core::dataset::Dataset;
use caldp_tests::{BatchServer, LambdaFunction, S3Server};
use serde_json::json;

use super::check::Seen;
use super::{BUCKET, function, lines, long, names, servers};

/// What AWS documents for `SubmitJob`, and for writes below one prefix.
const SUBMISSIONS: u32 = 50;
const WRITES: u32 = 3500;

/// The most memory the function may hold, in KiB.
const MEMORY: u64 = 64 * 1024;

fn at_the_limits(datasets: &[Dataset], threshold: usize) {
    let (s3, batch) = (S3Server::start(&[BUCKET]), BatchServer::start());
    s3.limit_writes(WRITES);
    batch.limit_submissions(SUBMISSIONS);
    let threshold_text = threshold.to_string();
    let variables = [("CALDP_ARRAY_THRESHOLD", threshold_text.as_str())];
    let function = function(servers(&s3, &batch), &variables);
    let names: Vec<&str> = datasets.iter().map(Dataset::name).collect();
    let begin = Instant::now();
    let answer = function.invoke("one", json!({"datasets": names, "batch_name": "b"}));
    let seconds = begin.elapsed().as_secs_f64();
    let (answer, peak) = (answer.answer(), function.peak_kib());
    let (requests, calls) = (s3.requests(), batch.requests());
    eprintln!(
        "{} datasets, arrays above {threshold}: {seconds:.1} s, {} jobs, peak {peak} KiB, S3 {requests:?}, \
         AWS Batch {calls:?} of which {} throttled",
        datasets.len(),
        answer["jobs"],
        batch.throttled()
    );
    assert_eq!(answer["submitted"], datasets.len());
    assert_eq!(answer["continues"], false);
    Seen::of_stand_ins(&s3, &batch).assert_fanned_out("data/b/", "b", datasets);
    let jobs = batch.jobs().len();
    assert_eq!(
        jobs,
        if datasets.len() > threshold {
            2
        } else {
            datasets.len()
        }
    );
    assert!(peak <= MEMORY, "{peak} KiB");
}

#[test]
fn a_batch_fits_into_time_and_memory() {
    at_the_limits(&names(300), 200);
    at_the_limits(&names(100), 200);
}

/// With arrays, then with ten thousand single jobs: 200 s at 50 a second.
#[test]
fn ten_thousand_fit_into_time_and_memory() {
    if long("10,000 datasets at the limits AWS documents") {
        at_the_limits(&names(10_000), 200);
        at_the_limits(&names(10_000), 100_000);
    }
}

/// A deadline that is too near: the rest is handed on by a message, and taken up from it.
#[test]
fn a_batch_that_does_not_fit_is_handed_on() {
    let (s3, batch) = (S3Server::start(&[BUCKET]), BatchServer::start());
    batch.limit_submissions(SUBMISSIONS);
    let variables = [("CALDP_RESERVE_SECONDS", "5")];
    let function = function(servers(&s3, &batch), &variables);
    let datasets = names(150);
    s3.put(BUCKET, "batches/list.ids", lines(&datasets));
    let mut event = super::created("batches/list.ids", "1");
    for invocation in 0.. {
        assert!(invocation < 30, "{}", function.log());
        let time = Duration::from_secs(6);
        let id = format!("invocation {invocation}");
        let answer = function.invoke_within(&id, event, time).answer();
        let keys = s3.keys(BUCKET);
        let next: Vec<_> = keys
            .iter()
            .filter(|k| k.starts_with("batches/continue-"))
            .collect();
        if answer["continues"] == false {
            assert!(invocation > 0 && next.is_empty(), "{next:?}");
            let batch_name = answer["batch"].as_str().unwrap();
            let root = format!("data/{batch_name}/");
            return Seen::of_stand_ins(&s3, &batch).assert_fanned_out(&root, batch_name, &datasets);
        }
        assert_eq!(next.len(), 1, "{next:?}");
        event = super::created(next[0], "1");
    }
}

#[test]
fn the_function_starts_quickly() {
    let (s3, batch) = (S3Server::start(&[BUCKET]), BatchServer::start());
    let start = || -> LambdaFunction { function(servers(&s3, &batch), &[]) };
    let mut times: Vec<Duration> = (0..5).map(|_| start().first_request().unwrap()).collect();
    times.sort();
    eprintln!("start to first request: {times:?}, median {:?}", times[2]);
    // a debug build on a busy machine; the figure of a release build is in BENCHMARKS.md
    assert!(times[2] < Duration::from_secs(5), "{times:?}");
}
