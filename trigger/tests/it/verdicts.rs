//! Every failure AWS documents, and the real ones, against the table of verdicts.

use std::path::PathBuf;

use caldp_core::resources::MemoryBin;
use caldp_core::state::State;
use caldp_trigger::config::{Config, Limits};
use caldp_trigger::event::evidence::Cause;
use caldp_trigger::event::job_event::{JobEvent, Status, Work};
use caldp_trigger::record::attempts::{Claim, Ended, Record, Settings};
use caldp_trigger::record::transition::{Transition, TransitionRules};
use caldp_trigger::verdict::ended::ended;
use serde_json::{Value, json};

/// What becomes of a dataset: its attempt's end and, when it is tried again, in which memory bin.
#[derive(Debug, PartialEq)]
enum Outcome {
    Again(Cause, u8),
    Terminated,
    Error(Cause),
}

fn config() -> Config {
    Config::from_lookup(|name| {
        Some(match name {
            "BUCKET" => "hst-out".to_owned(),
            "JOBQUEUES" => "q2,q8,q16,q64".to_owned(),
            "JOBDEFINITIONS" => "d2,d8,d16,d64".to_owned(),
            _ => return None,
        })
    })
    .unwrap()
}

fn outcome_of(event: &Value, state: Option<State>) -> (Outcome, Record, String) {
    let config = config();
    let change = JobEvent::from_event(event).unwrap();
    let task = change.task().unwrap();
    let Work::Dataset(dataset) = task.work else {
        unreachable!("these events are of single jobs")
    };
    let now = "2026-03-01T00:00:00Z".parse().unwrap();
    let rules = TransitionRules {
        limits: Limits {
            memory_retries: 4,
            infrastructure_retries: 4,
            timeout_retries: 1,
        },
        memory_bins: &config.memory_bins,
        root: &task.root,
        now,
        claim: Claim {
            owner: "test".to_owned(),
            until: now,
        },
    };
    let step = ended(None, &dataset, &Settings::default(), &change, state, &rules);
    let Transition::Change(record, explanation) = step else {
        unreachable!("a found job always changes the record")
    };
    let ended = record.attempts.first().unwrap().outcome.as_ref().unwrap();
    let Ended::Failed(cause) = ended.result else {
        unreachable!("these jobs failed")
    };
    let outcome = match record.pending() {
        Some(next) => Outcome::Again(cause, next.memory_bin.number()),
        None if record.terminated => Outcome::Terminated,
        None => Outcome::Error(cause),
    };
    (outcome, *record, explanation)
}

fn event(exit: Option<i64>, container: &str, status: &str) -> Value {
    let mut what = json!({"command": ["caldp-process-aws", "s3://hst-out/data/b", "j8cb010b0"]});
    let fields = what.as_object_mut().unwrap();
    if let Some(code) = exit {
        fields.insert("exitCode".to_owned(), json!(code));
    }
    if !container.is_empty() {
        fields.insert("reason".to_owned(), json!(container));
    }
    json!({
        "source": "aws.batch", "detail-type": "Batch Job State Change",
        "detail": {
            "jobId": "5b202ca1-bfd0-4c9f-b2a0-f396843ef639", "jobName": "j8cb010b0",
            "jobQueue": "arn:aws:batch:us-east-1:123456789012:job-queue/q8",
            "status": "FAILED", "statusReason": status,
            "attempts": [{"container": what.clone(), "statusReason": status}],
            "container": what,
        },
    })
}

const EXITED: &str = "Essential container in task exited";
const OOM: &str = "OutOfMemoryError: Container killed due to memory usage";
const TIMEOUT: &str = "Job attempt duration exceeded timeout";

/// Exit code, container reason, status reason, outcome. The job ran in memory bin 1.
#[allow(clippy::too_many_lines, reason = "a table")]
fn table() -> Vec<(Option<i64>, &'static str, &'static str, Outcome)> {
    use Cause::{Capacity, Infrastructure, Memory, Misconfiguration, Other, Timeout};
    use Outcome::{Again, Error, Terminated};
    let memory = || Again(Memory, 2);
    let infrastructure = || Again(Infrastructure, 1);
    vec![
        // the worker's own codes for lack of memory
        (Some(31), "", EXITED, memory()),
        (Some(32), "", EXITED, memory()),
        (Some(33), "", EXITED, memory()),
        (Some(34), "", EXITED, memory()),
        // the container runtime's word for it, whatever the exit code
        (Some(137), OOM, EXITED, memory()),
        (Some(0), OOM, EXITED, memory()),
        (Some(1), OOM, EXITED, memory()),
        (Some(23), OOM, EXITED, memory()),
        (Some(24), OOM, EXITED, memory()),
        (Some(35), OOM, EXITED, memory()),
        (Some(143), OOM, EXITED, memory()),
        (None, OOM, EXITED, memory()),
        (None, "OutOfMemoryError: Container killed", "", memory()),
        // memory wins over the time limit
        (Some(137), OOM, TIMEOUT, memory()),
        (Some(33), "", TIMEOUT, memory()),
        // the infrastructure
        (
            None,
            "CannotInspectContainerError: Could not transition to inspecting; timed out after waiting 30s",
            EXITED,
            infrastructure(),
        ),
        (
            Some(137),
            "CannotInspectContainerError: inspect: error",
            EXITED,
            infrastructure(),
        ),
        (
            None,
            "DockerTimeoutError: Could not transition to started; timed out after waiting 3m0s",
            "Task failed to start",
            infrastructure(),
        ),
        (
            None,
            "DockerTimeoutError: Could not transition to created; timed out after waiting 4m0s",
            "Task failed to start",
            infrastructure(),
        ),
        (
            None,
            "CannotStartContainerError: Error response from daemon: failed to initialize logging driver",
            "Task failed to start",
            infrastructure(),
        ),
        (
            None,
            "CannotStartContainerError: API error (500): devmapper: thin pool is full",
            "Task failed to start",
            infrastructure(),
        ),
        (
            None,
            "CannotPullContainerError: inspect image has been retried 5 time(s): i/o timeout",
            "Task failed to start",
            infrastructure(),
        ),
        (
            None,
            "CannotPullContainerError: Error response from daemon: toomanyrequests: Rate exceeded",
            "Task failed to start",
            infrastructure(),
        ),
        (
            None,
            "CannotPullContainerError: write /var/lib/docker/tmp/GetImageBlob: no space left on device",
            "Task failed to start",
            infrastructure(),
        ),
        (
            None,
            "",
            "Host EC2 (instance i-0123456789abcdef0) terminated.",
            infrastructure(),
        ),
        (
            Some(137),
            "",
            "Host EC2 (instance i-0123456789abcdef0) terminated.",
            infrastructure(),
        ),
        (
            Some(35),
            "",
            "Host EC2 (instance i-0123456789abcdef0) terminated.",
            infrastructure(),
        ),
        (
            None,
            "Your Spot Task was interrupted.",
            EXITED,
            infrastructure(),
        ),
        (
            Some(143),
            "",
            "Your Spot Task was interrupted.",
            infrastructure(),
        ),
        (
            Some(35),
            "",
            "Your Spot Task was interrupted.",
            infrastructure(),
        ),
        // the worker was told to stop, and AWS names neither spot nor host
        (Some(35), "", EXITED, Error(Other)),
        (Some(35), "", "", Error(Other)),
        // a container that could never be created or started
        (
            None,
            "CannotCreateContainerError: API error (500): devmapper: Thin Pool has 2840 free data blocks",
            "Task failed to start",
            infrastructure(),
        ),
        (
            None,
            "ResourceInitializationError: unable to pull secrets or registry auth",
            "Task failed to start",
            infrastructure(),
        ),
        (None, "", "Task failed to start", infrastructure()),
        (
            None,
            "HostConfigError: no such device",
            "Task failed to start",
            Error(Misconfiguration),
        ),
        // no machine in time
        (
            None,
            "",
            "Canceled by JobStateTimeLimit action due to reason: CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY",
            Again(Capacity, 1),
        ),
        (
            None,
            "",
            "Canceled by JobStateTimeLimit action due to reason: MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE",
            Error(Misconfiguration),
        ),
        // somebody's decision
        (Some(137), "", "Operator cancelled", Terminated),
        (
            None,
            "",
            "Operator cancelled: the wrong context",
            Terminated,
        ),
        (Some(35), "", "Operator cancelled", Terminated),
        (Some(137), OOM, "Operator cancelled", Terminated),
        (None, "", "Terminated via console", Terminated),
        (Some(143), "", "Terminated via console", Terminated),
        (Some(35), "", "the wrong context, stop it", Terminated),
        // the time limit
        (Some(137), "", TIMEOUT, Again(Timeout, 1)),
        (Some(35), "", TIMEOUT, Again(Timeout, 1)),
        (Some(143), "", TIMEOUT, Again(Timeout, 1)),
        (None, "", TIMEOUT, Again(Timeout, 1)),
        (Some(23), "", TIMEOUT, Again(Timeout, 1)),
        // anything else
        (Some(1), "", EXITED, Error(Other)),
        (Some(2), "", EXITED, Error(Other)),
        (Some(21), "", EXITED, Error(Other)),
        (Some(22), "", EXITED, Error(Other)),
        (Some(23), "", EXITED, Error(Other)),
        (Some(24), "", EXITED, Error(Other)),
        (Some(25), "", EXITED, Error(Other)),
        (Some(26), "", EXITED, Error(Other)),
        (Some(27), "", EXITED, Error(Other)),
        (Some(28), "", EXITED, Error(Other)),
        (Some(40), "", EXITED, Error(Other)),
        (Some(41), "", EXITED, Error(Other)),
        (Some(126), "", EXITED, Error(Other)),
        (Some(127), "", EXITED, Error(Other)),
        (Some(134), "", EXITED, Error(Other)),
        (Some(137), "", EXITED, Error(Other)),
        (Some(139), "", EXITED, Error(Other)),
        (Some(143), "", EXITED, Error(Other)),
        (Some(255), "", EXITED, Error(Other)),
        (None, "", "Dependent Job failed", Error(Other)),
        (None, "", "Array Child Job failed", Error(Other)),
        (None, "", "", Error(Other)),
        (
            None,
            "",
            "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT",
            Error(Misconfiguration),
        ),
        (
            None,
            "",
            "JobDefinition caldp:3 is not in ACTIVE state",
            Error(Misconfiguration),
        ),
    ]
}

#[test]
fn every_documented_failure_has_its_verdict() {
    let table = table();
    assert!(table.len() > 40);
    for (exit, container, status, expected) in table {
        let (outcome, _, explanation) = outcome_of(&event(exit, container, status), None);
        assert_eq!(outcome, expected, "{exit:?} {container:?} {status:?}");
        assert!(explanation.len() > 20, "{explanation}");
        if let Some(code) = exit.filter(|c| (21..=41).contains(c)) {
            assert!(explanation.contains(&code.to_string()), "{explanation}");
        }
    }
}

/// `TerminateJob` and `CancelJob` take any text.
#[test]
fn whoever_stops_a_job_is_obeyed() {
    for flag in ["isTerminated", "isCancelled"] {
        for text in ["enough", EXITED, OOM, "Host EC2 (instance i-1) terminated."] {
            for code in [None, Some(35), Some(137)] {
                let mut event = event(code, "", text);
                event["detail"][flag] = json!(true);
                let (outcome, _, explanation) = outcome_of(&event, None);
                assert_eq!(outcome, Outcome::Terminated, "{explanation}");
            }
        }
    }
    let mut cancelled = event(
        None,
        "",
        "Canceled by JobStateTimeLimit action due to reason: CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY",
    );
    cancelled["detail"]["isCancelled"] = json!(true);
    let (outcome, ..) = outcome_of(&cancelled, None);
    assert_eq!(outcome, Outcome::Again(Cause::Capacity, 1));
}

#[test]
fn the_last_memory_bin_is_the_end() {
    let mut event = event(Some(33), "", EXITED);
    *event.pointer_mut("/detail/jobQueue").unwrap() =
        json!("arn:aws:batch:us-east-1:123456789012:job-queue/q64");
    let (outcome, record, explanation) = outcome_of(&event, None);
    assert_eq!(outcome, Outcome::Error(Cause::Memory));
    assert_eq!(record.last().unwrap().memory_bin, MemoryBin::ALL[3]);
    assert!(explanation.contains("last memory bin"), "{explanation}");
}

#[test]
fn a_failure_after_delivery_is_a_success() {
    let config = config();
    let change = JobEvent::from_event(&event(Some(137), "", EXITED)).unwrap();
    let task = change.task().unwrap();
    let now = "2026-03-01T00:00:00Z".parse().unwrap();
    let rules = TransitionRules {
        limits: config.limits,
        memory_bins: &config.memory_bins,
        root: &task.root,
        now,
        claim: Claim {
            owner: "test".to_owned(),
            until: now,
        },
    };
    let dataset = "j8cb010b0".parse().unwrap();
    for state in [State::Processed, State::Synced] {
        let settings = Settings::default();
        let step = ended(None, &dataset, &settings, &change, Some(state), &rules);
        let Transition::Change(record, _) = step else {
            unreachable!()
        };
        let outcome = record.last().unwrap().outcome.as_ref().unwrap();
        assert_eq!(outcome.result, Ended::Succeeded);
    }
}

#[test]
fn real_events_have_their_verdicts() {
    let Some(data) = std::env::var_os("CALDP_TEST_DATA") else {
        eprintln!("left out: the real events, because CALDP_TEST_DATA is not set");
        return;
    };
    let events = PathBuf::from(data).join("data/events");
    let expected = [
        ("caldp-memory-error", Cause::Memory, "iabs02uaq"),
        ("container-memory-error", Cause::Memory, "j8hqdfgaq"),
        ("log-memory-error", Cause::Memory, "iabs02uaq"),
        ("os-memory-error", Cause::Memory, "iabs02uaq"),
        ("operator-cancelled", Cause::Terminated, "j8hqdfgaq"),
        ("timeout-error", Cause::Timeout, "iea607020"),
    ];
    for (name, cause, dataset) in expected {
        let path = events.join(format!("batch-event-{name}.json"));
        let event: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let change = JobEvent::from_event(&event).unwrap();
        assert_eq!(change.status, Status::Failed);
        assert_eq!(
            change.task().unwrap().root.to_string(),
            "s3://calcloud-processing-moto"
        );
        let (outcome, record, explanation) = outcome_of(&event, None);
        assert_eq!(record.dataset.name(), dataset);
        match cause {
            Cause::Memory => assert_eq!(outcome, Outcome::Again(cause, 1), "{name}: {explanation}"),
            Cause::Terminated => assert_eq!(outcome, Outcome::Terminated, "{name}: {explanation}"),
            _ => {
                assert_eq!(outcome, Outcome::Again(cause, 0), "{name}: {explanation}");
                assert!(explanation.contains("timeout retry 1 of 1"));
            }
        }
    }
}
