//! What is tried again and how often, and what operators are told.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::event::evidence::Stopped;
use caldp_core::resources::MemoryBin;

const LIMITS: Limits = Limits {
    memory_retries: 4,
    infrastructure_retries: 4,
    timeout_retries: 1,
};

const SPOT: &str = "Host EC2 (instance i-0123456789abcdef0) terminated.";

fn bin(number: u64) -> MemoryBin {
    MemoryBin::new(number).unwrap()
}

fn standing(memory_bin: u64, memory: u32, infrastructure: u32) -> Standing {
    Standing {
        terminated: false,
        had: Grant {
            memory_bin: bin(memory_bin),
            timeout_seconds: 3600,
            market: Market::Usual,
        },
        used: Used {
            memory,
            infrastructure,
            timeout: 0,
        },
        reclaimed: 0,
        plain_timeout: 3600.0,
    }
}

fn exit(code: i64) -> Evidence {
    Evidence {
        exit_code: Some(code),
        ..Evidence::default()
    }
}

fn status(reason: &str) -> Evidence {
    Evidence {
        status_reasons: vec![reason.to_owned()],
        ..Evidence::default()
    }
}

fn granted(verdict: &Verdict) -> Option<Grant> {
    match &verdict.action {
        Action::Retry(_, grant) => Some(*grant),
        _ => None,
    }
}

#[test]
fn memory_is_raised_to_the_last_bin_and_no_further() {
    let (mut memory_bin, mut climbed) = (0, 0);
    while let Some(next) = granted(&judge(&exit(33), standing(memory_bin, climbed, 0), LIMITS)) {
        assert_eq!(u64::from(next.memory_bin.number()), memory_bin + 1);
        memory_bin += 1;
        climbed += 1;
    }
    assert_eq!((memory_bin, climbed), (3, 3));
    let last = judge(&exit(33), standing(3, 3, 0), LIMITS);
    let words = last.explanation;
    assert!(words.contains("last memory bin"), "{words}");
}

#[test]
fn retries_are_counted() {
    let strict = Limits {
        memory_retries: 1,
        infrastructure_retries: 2,
        timeout_retries: 0,
    };
    let starved = judge(&exit(31), standing(1, 1, 0), strict);
    assert_eq!(starved.action, Action::Fail);
    let lost = judge(&status(SPOT), standing(1, 0, 1), strict);
    assert_eq!(granted(&lost).unwrap().memory_bin, bin(1));
    assert!(lost.explanation.contains("retry 2 of 2"));
    let lost = judge(&status(SPOT), standing(1, 0, 2), strict);
    assert_eq!(lost.action, Action::Fail);
    let late = judge(
        &status("Job attempt duration exceeded timeout"),
        standing(1, 0, 0),
        strict,
    );
    assert_eq!(late.action, Action::Fail);
}

#[test]
fn what_was_reclaimed_twice_goes_where_nothing_is_reclaimed() {
    let first = judge(&status(SPOT), standing(1, 0, 0), LIMITS);
    assert_eq!(granted(&first).unwrap().market, Market::Usual);
    let again = Standing {
        reclaimed: 1,
        ..standing(1, 0, 1)
    };
    let second = judge(&status(SPOT), again, LIMITS);
    assert_eq!(granted(&second).unwrap().market, Market::OnDemand);
    let words = second.explanation;
    assert!(words.contains("without spot instances"), "{words}");
    // and stays there when it needs more memory
    let mut there = again;
    there.had.market = Market::OnDemand;
    let climbed = granted(&judge(&exit(33), there, LIMITS)).unwrap();
    assert_eq!(climbed.market, Market::OnDemand);
}

#[test]
fn a_time_limit_is_doubled_once_and_then_the_factor_is_told() {
    let late = status("Job attempt duration exceeded timeout");
    let first = judge(&late, standing(1, 0, 0), LIMITS);
    let grant = granted(&first).unwrap();
    assert_eq!((grant.timeout_seconds, grant.memory_bin), (7200, bin(1)));
    let words = first.explanation;
    assert!(words.contains("timeout retry 1 of 1"), "{words}");
    let mut doubled = standing(1, 0, 0);
    doubled.had.timeout_seconds = 7200;
    doubled.used.timeout = 1;
    let words = judge(&late, doubled, LIMITS).remedy.unwrap();
    assert!(words.contains("timeout_scale: 4,"), "{words}");
    // a rescue with a factor of 1.5 and its doubling were not enough
    doubled.had.timeout_seconds = 10_800;
    let words = judge(&late, doubled, LIMITS).remedy.unwrap();
    assert!(words.contains("timeout_scale: 6,"), "{words}");
}

#[test]
fn terminated_stays_terminated_whatever_the_evidence() {
    for code in 0..=255 {
        let before = Standing {
            terminated: true,
            ..standing(0, 0, 0)
        };
        assert_eq!(judge(&exit(code), before, LIMITS).action, Action::Terminate);
    }
}

#[test]
fn an_error_says_what_to_do() {
    let verdict = judge(&exit(27), standing(0, 0, 0), LIMITS);
    assert_eq!(verdict.action, Action::Fail);
    let (words, remedy) = (verdict.explanation, verdict.remedy.unwrap());
    assert!(words.contains("best references"), "{words}");
    assert!(remedy.contains("check CRDS_CONTEXT"), "{remedy}");
    let waiting = "Canceled by JobStateTimeLimit action due to reason: ";
    let wrong = Evidence {
        stopped: Stopped::Yes,
        ..status(&format!(
            "{waiting}MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT"
        ))
    };
    let verdict = judge(&wrong, standing(0, 0, 0), LIMITS);
    assert_eq!(verdict.action, Action::Fail);
    let words = verdict.remedy.unwrap();
    assert!(words.contains("job definition"), "{words}");
    assert!(!words.contains("log"), "{words}");
    let short = status(&format!("{waiting}CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY"));
    let verdict = judge(&short, standing(0, 0, 0), LIMITS);
    assert!(granted(&verdict).is_some());
    let verdict = judge(&short, standing(0, 0, 4), LIMITS);
    let words = verdict.remedy.unwrap();
    assert!(words.contains("quotas"), "{words}");
}
