//! Events are lost, records of jobs deleted, jobs never made: one sweep puts every dataset right, and nothing
//! runs twice, also when it is killed at any moment.

mod cases;
mod lost;

use std::collections::BTreeMap;
use std::time::Duration;

use caldp_core::dataset::Dataset;
use caldp_core::layout::{Area, Layout};
use caldp_tests::{LambdaFunction, World};
use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};

use crate::function::function;
use crate::world::story::{EXITED, OOM};
use crate::world::{
    BUCKET, Job, Service, all_jobs, call, end_job, job_event, names, service, service_with,
};

/// How a dataset's job goes.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Course {
    Delivered,
    Broken,
    Memory,
    Spot,
    /// Its worker was killed, and nobody said why.
    Vanished,
    Running,
}

const COURSES: [Course; 6] = [
    Course::Delivered,
    Course::Broken,
    Course::Memory,
    Course::Spot,
    Course::Vanished,
    Course::Running,
];

/// A hundred datasets are submitted one by one, more as arrays.
const VARIABLES: [(&str, &str); 1] = [("CALDP_ARRAY_THRESHOLD", "100")];

/// What a killed sweep has claimed is free after this.
const LEASE: Duration = Duration::from_secs(5);

/// What is expected of a dataset: its state and how many attempts it has.
type Expected = (&'static str, usize);

fn clock() -> Value {
    json!({"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}})
}

async fn swept_at_once(world: &World) -> Service {
    let settings = |config: &mut caldp_trigger::config::Config| {
        config.lease = LEASE;
        config.grace = Duration::ZERO;
        config.close_after = Duration::ZERO;
    };
    service_with(world, &VARIABLES, settings).await
}

/// Every dataset of every job, with the job and the index in its array.
fn work(world: &World) -> Vec<(String, Job, Option<usize>)> {
    let of_job = |job: Job| {
        let work = job.new.command.last().unwrap().clone();
        let Some(key) = work.strip_prefix(&format!("@s3://{BUCKET}/")) else {
            return vec![(work, job, None)];
        };
        let list = String::from_utf8(world.stored(key).to_vec()).unwrap();
        let children = list.lines().enumerate();
        children
            .map(|(index, dataset)| (dataset.to_owned(), job.clone(), Some(index)))
            .collect()
    };
    all_jobs(world).into_iter().flat_map(of_job).collect()
}

/// The last job of each dataset, and its index in an array.
fn jobs_of(world: &World) -> BTreeMap<String, (Job, Option<usize>)> {
    let work = work(world).into_iter();
    work.map(|(dataset, job, child)| (dataset, (job, child)))
        .collect()
}

/// A worker leaves a dataset in a state, with its provenance record.
fn leave(world: &World, root: &str, dataset: &Dataset, state: &str, exit: u8, job: &str) {
    move_to(world, root, dataset, state);
    let key = Layout::Tree.file(dataset, Area::Logs, "provenance.json");
    let record = json!({
        "dataset": dataset, "state": state, "exit_code": exit, "worker": {"version": "1", "job_id": job},
    });
    world.put(&format!("{root}{key}"), record.to_string());
}

fn move_to(world: &World, root: &str, dataset: &Dataset, state: &str) {
    let message = |state: &str| format!("{root}messages/dataset-{state}/{dataset}");
    world.put(&message(state), "");
    world.remove(&message("submitted"));
}

/// 300 datasets in single and array jobs go different ways; a third of the events is lost, the records of a tenth of
/// the jobs too. What is expected of each dataset after a sweep.
async fn lose(world: &World, random: &mut fastrand::Rng) -> BTreeMap<String, (String, Expected)> {
    let service = &service(world, &VARIABLES).await;
    let all = names(300);
    let (singles, arrays) = all.split_at(100);
    for (batch, datasets) in [("singles", singles), ("arrays", arrays)] {
        let names: Vec<&str> = datasets.iter().map(Dataset::name).collect();
        let order = json!({"datasets": names, "batch_name": batch});
        service.handle(order, &call(batch)).await.unwrap();
    }
    let jobs = jobs_of(world);
    let (mut expected, mut delivered) = (BTreeMap::new(), vec![]);
    for dataset in &all {
        let (job, child) = &jobs[dataset.name()];
        let root = if child.is_some() {
            "data/arrays/"
        } else {
            "data/singles/"
        };
        let id = child.map_or(job.id.to_string(), |n| format!("{}:{n}", job.id));
        let course = COURSES[random.usize(..COURSES.len())];
        let (lost, forgotten) = (random.u8(..3) == 0, random.u8(..10) == 0);
        let event = match course {
            Course::Running => None,
            Course::Delivered => {
                // some die between the last product and the message
                let silent = lost && random.bool();
                leave(world, root, dataset, "processed", 0, &id);
                if silent {
                    world.remove(&format!("{root}messages/dataset-processed/{dataset}"));
                    move_to(world, root, dataset, "processing");
                }
                Some(("SUCCEEDED", Some(0), EXITED, ("processed", 1)))
                    .filter(|_| !silent || forgotten)
            }
            Course::Broken => {
                leave(world, root, dataset, "error", 23, &id);
                Some(("FAILED", Some(23), EXITED, ("error", 1)))
            }
            Course::Memory => {
                move_to(world, root, dataset, "processing");
                Some(("FAILED", Some(OOM), EXITED, ("submitted", 2)))
            }
            Course::Spot => {
                move_to(world, root, dataset, "processing");
                let reason = "Host EC2 (instance i-1) terminated.";
                Some(("FAILED", None, reason, ("submitted", 2)))
            }
            Course::Vanished => {
                move_to(world, root, dataset, "processing");
                Some(("FAILED", Some(137), EXITED, ("error", 1)))
            }
        };
        let Some((status, exit, reason, mut right)) = event else {
            let state = if course == Course::Running {
                "submitted"
            } else {
                "processing"
            };
            expected.insert(dataset.to_string(), (root.to_owned(), (state, 1)));
            continue;
        };
        let event = job_event(job, *child, status, exit, reason);
        end_job(world, &event);
        if lost {
            if forgotten && course == Course::Vanished {
                right = ("submitted", 2);
            }
        } else {
            delivered.push(event);
        }
        if forgotten {
            world.batch.forget(&id);
        }
        expected.insert(dataset.to_string(), (root.to_owned(), right));
    }
    stream::iter(delivered)
        .for_each_concurrent(16, async |event| {
            service.handle(event, &call("event")).await.unwrap();
        })
        .await;
    expected
}

/// Every dataset is as expected, every attempt has one job, and every job is of one attempt.
fn assert_right(world: &World, expected: &BTreeMap<String, (String, Expected)>) {
    let mut states = world.states("data/singles/");
    states.extend(world.states("data/arrays/"));
    let mut jobs = BTreeMap::<String, usize>::new();
    for job in all_jobs(world) {
        *jobs.entry(job.new.name.clone()).or_default() += 1;
    }
    assert!(jobs.values().all(|count| *count == 1), "{jobs:?}");
    let mut single_jobs = 0;
    for (dataset, (root, (state, attempts))) in expected {
        assert_eq!(states[dataset], [*state], "{dataset}");
        let record = world.json(&format!("{root}control/{dataset}/attempts.json"));
        let of_record = record["attempts"].as_array().unwrap();
        assert_eq!(of_record.len(), *attempts, "{dataset}: {record}");
        for attempt in of_record {
            assert!(attempt["job_id"].is_string(), "{dataset}: {record}");
            assert!(
                jobs.contains_key(attempt["job_name"].as_str().unwrap()),
                "{dataset}"
            );
        }
        let pending = of_record.last().unwrap()["outcome"].is_null();
        assert_eq!(
            pending,
            matches!(*state, "submitted" | "processing"),
            "{dataset}: {record}"
        );
        single_jobs += attempts - usize::from(root.contains("arrays"));
    }
    let of_arrays = all_jobs(world)
        .iter()
        .filter(|j| j.new.array_size.is_some())
        .count();
    let mut attempts = BTreeMap::<String, usize>::new();
    for (dataset, ..) in work(world) {
        *attempts.entry(dataset).or_default() += 1;
    }
    let arrays = expected
        .iter()
        .filter(|(_, (root, _))| root.contains("arrays"));
    for (dataset, (_, (_, right))) in arrays {
        assert_eq!(attempts.get(dataset), Some(right), "{dataset}");
    }
    assert_eq!(all_jobs(world).len(), single_jobs + of_arrays);
}

/// The function as AWS Lambda runs it, which sweeps at once.
fn sweeping_function(world: &World) -> LambdaFunction {
    let lease = LEASE.as_secs().to_string();
    let variables = [
        VARIABLES[0],
        ("CALDP_SWEEP_AFTER_SECONDS", "0"),
        ("CALDP_LEASE_SECONDS", &lease),
        ("CALDP_CONCURRENCY", "8"),
    ];
    function(world.environment(), &variables)
}
