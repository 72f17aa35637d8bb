#![allow(clippy::unwrap_used, clippy::float_cmp, reason = "tests")]

use caldp_core::layout::Layout;
use caldp_core::resources::judge::PRICES;

use super::*;
use crate::output_root::OutputRoot;
use crate::record::attempts::Record;

const NOW: &str = "2026-03-01T12:00:00Z";

fn at(time: &str) -> Timestamp {
    format!("2026-03-01T{time}:00Z").parse().unwrap()
}

fn dataset(name: &str, state: State, since: &str) -> DatasetProgress {
    DatasetProgress::of_state(name.parse().unwrap(), state, Some(at(since)))
}

/// A record whose jobs ended with these causes, exit codes and seconds.
fn record(name: &str, ends: &[(&str, i64, u64)]) -> Record {
    let attempts: Vec<_> = ends
        .iter()
        .enumerate()
        .map(|(index, (cause, code, seconds))| {
            serde_json::json!({"number": index + 1, "reason": "batch", "origin": "o", "rung": index.min(3),
                "timeout_seconds": 3600, "job_name": "n", "claimed_at": NOW,
                "outcome": {"result": {"failed": cause}, "explanation": "seen", "exit_code": code,
                    "ran_seconds": seconds, "at": NOW}})
        })
        .collect();
    let json = serde_json::json!({"dataset": name, "terminated": false,
        "settings": {"layout": "tree"}, "attempts": attempts});
    serde_json::from_value(json).unwrap()
}

fn summary(datasets: &[DatasetProgress]) -> Summary {
    let model = Model::shipped().unwrap();
    let assumed = Assumptions {
        now: NOW.parse().unwrap(),
        prices: PRICES,
        model: &model,
    };
    summarize(datasets, assumed)
}

#[test]
fn failures_are_grouped_by_reason_with_a_remedy_to_paste() {
    let failed = |name: &str, ends: &[(&str, i64, u64)]| {
        dataset(name, State::Error, "11:00").with_record(&record(name, ends))
    };
    let datasets = [
        failed("j8cb010b0", &[("timeout", 35, 3600)]),
        failed("j8cb010c0", &[("other", 23, 60)]),
        failed("j8cb010d0", &[("memory", 32, 60), ("other", 23, 90)]),
        dataset("j8cb010e0", State::Error, "11:00").with_message("no such\u{7} file\n\nhint: x"),
    ];
    let summary = summary(&datasets);
    let counts: Vec<(usize, &str)> = summary
        .failures
        .iter()
        .map(|group| (group.datasets, group.remedy.words()))
        .collect();
    assert_eq!(counts.iter().map(|(n, _)| n).sum::<usize>(), 4);
    assert_eq!(counts.first().unwrap().0, 2);
    assert_eq!((summary.retries, summary.under_way), (1, false));
    let timeout = datasets.first().unwrap();
    let command = |layout| {
        let root = OutputRoot::new("s3://bucket/o".parse().unwrap(), layout);
        let failure = timeout.failure.as_ref().unwrap();
        failure.command(&timeout.dataset, &root)
    };
    assert_eq!(
        [Layout::Tree, Layout::Calcloud].map(command),
        [
            "caldp rescue j8cb010b0 --output=s3://bucket/o --timeout-scale=2",
            "caldp rescue j8cb010b0 --output=s3://bucket/o --layout=calcloud --timeout-scale=2"
        ]
    );
    let last = datasets.last().unwrap().failure.as_ref().unwrap();
    assert_eq!(
        (last.explanation.as_str(), last.remedy.words()),
        ("no such file", "x"),
        "what the run advised is what to do"
    );
}

#[test]
fn speed_time_left_and_cost_follow_from_what_ended() {
    let mut datasets: Vec<_> = (0..10)
        .map(|n| dataset(&format!("j8cb01{n:02}0"), State::Processed, "11:50"))
        .collect();
    datasets.push(dataset("j8cb01990", State::Processed, "10:00"));
    datasets.push(dataset("j8cb01980", State::Submitted, "11:00"));
    datasets.push(dataset("j8cb01970", State::Processing, "11:00"));
    let before = summary(&datasets);
    assert_eq!(before.recent_per_hour, 40.0);
    assert_eq!(before.per_hour, Some(5.5));
    assert_eq!(before.seconds_left, Some(180.0));
    assert!(before.cost_so_far == 0.0 && before.cost_expected > 0.0);
    assert_eq!(before.states.get(&State::Processed), Some(&11));

    let name = "j8cb01990";
    let ran = dataset(name, State::Processed, "10:00")
        .with_record(&record(name, &[("memory", 32, 3600)]));
    let after = summary(std::slice::from_ref(&ran));
    assert!((after.cost_so_far - PRICES.first().unwrap()).abs() < 1e-9);
    assert_eq!(after.cost_expected, after.cost_so_far);
    assert_eq!(after.slowest.len(), 1);
}

#[test]
fn a_dataset_that_runs_beyond_its_limit_looks_stuck() {
    let name = "j8cb01970";
    let limit_of_an_hour = record(name, &[("memory", 32, 10)]);
    let looks_stuck = |state, since| {
        let progress = dataset(name, state, since).with_record(&limit_of_an_hour);
        !summary(&[progress]).stuck.is_empty()
    };
    assert!(looks_stuck(State::Processing, "10:30"));
    assert!(!looks_stuck(State::Processing, "11:30"));
    assert!(!looks_stuck(State::Submitted, "01:00"));
    let unknown = dataset(name, State::Processing, "01:00");
    assert!(summary(&[unknown]).stuck.is_empty());
}

#[test]
fn what_the_record_does_not_say_yet_is_neither_settled_nor_taken_from_an_earlier_attempt() {
    let name = "j8cb01970";
    let mut unended = record(name, &[("memory", 32, 60), ("other", 23, 90)]);
    unended.attempts.last_mut().unwrap().outcome = None;
    let early = dataset(name, State::Error, "11:59").with_record(&unended);
    assert!(!early.is_settled() && early.failure.is_none());
    let told = early.with_message("it broke");
    assert_eq!(told.failure.unwrap().explanation, "it broke");

    let ended = record(name, &[("memory", 32, 60), ("other", 23, 90)]);
    let later = dataset(name, State::Error, "11:59").with_record(&ended);
    assert!(later.is_settled() && later.failure.unwrap().exit_code == Some(23));
}

#[test]
fn bringing_results_on_site_is_not_counted_as_speed() {
    let name = "j8cb01970";
    let mut early = record(name, &[("other", 0, 60)]);
    let outcome = early.attempts.last_mut().unwrap().outcome.as_mut().unwrap();
    outcome.at = at("01:00");
    let synced = dataset(name, State::Synced, "11:59").with_record(&early);
    assert_eq!(summary(&[synced]).recent_per_hour, 0.0);
}

#[test]
fn the_reasons_of_an_order_are_counted() {
    let mut datasets: Vec<_> = (0..7)
        .map(|n| dataset(&format!("j8cb01{n:02}0"), State::Processed, "11:50"))
        .collect();
    for (n, progress) in datasets.iter_mut().enumerate().skip(1) {
        progress.why = Why::new(if n < 3 {
            "IDCTAB a -> b"
        } else {
            "DARKFILE x -> y"
        });
    }
    let because = summary(&datasets).because;
    let counts: Vec<(&str, usize)> = because
        .iter()
        .map(|because| (because.why.as_str(), because.datasets))
        .collect();
    assert_eq!(counts, [("DARKFILE x -> y", 4), ("IDCTAB a -> b", 2)]);
}
