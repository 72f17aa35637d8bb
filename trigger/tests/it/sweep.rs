//! Events are lost, records of jobs deleted, jobs never made: one sweep puts every dataset right, and nothing
//! runs twice, also when it is killed at any moment.

use std::collections::BTreeMap;
use std::time::Duration;

use caldp_core::dataset::Dataset;
use caldp_core::layout::{Area, Layout};
use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};

use crate::world::story::{EXITED, OOM};
use crate::world::{BUCKET, Job, Service, World, call, job_event, names};

/// How a dataset's job goes.
#[derive(Debug, Clone, Copy, PartialEq)]
enum End {
    Delivered,
    Broken,
    Memory,
    Spot,
    /// Its worker was killed, and nobody said why.
    Vanished,
    Running,
}

const ENDS: [End; 6] = [
    End::Delivered,
    End::Broken,
    End::Memory,
    End::Spot,
    End::Vanished,
    End::Running,
];

/// A hundred datasets are submitted one by one, more as arrays.
const VARIABLES: [(&str, &str); 1] = [("CALDP_ARRAY_THRESHOLD", "100")];

/// What a killed sweep has claimed is free after this.
const LEASE: Duration = Duration::from_secs(2);

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
    world.service_with(&VARIABLES, settings).await
}

/// The job of each dataset, and its index in an array.
fn jobs_of(world: &World) -> BTreeMap<String, (Job, Option<usize>)> {
    let mut jobs = BTreeMap::new();
    for job in world.batch.jobs() {
        let work = job.new.command.last().unwrap().clone();
        match work.strip_prefix(&format!("@s3://{BUCKET}/")) {
            None => {
                jobs.insert(work, (job, None));
            }
            Some(key) => {
                let list = world.s3.get(BUCKET, key).unwrap();
                let list = String::from_utf8(list.to_vec()).unwrap();
                for (index, dataset) in list.lines().enumerate() {
                    jobs.insert(dataset.to_owned(), (job.clone(), Some(index)));
                }
            }
        }
    }
    jobs
}

/// A worker leaves a dataset in a state, with its provenance record.
fn leave(world: &World, root: &str, dataset: &Dataset, state: &str, exit: u8, job: &str) {
    move_to(world, root, dataset, state);
    let key = Layout::Tree.file(dataset, Area::Logs, "provenance.json");
    let record = json!({
        "dataset": dataset, "state": state, "exit_code": exit, "worker": {"version": "1", "job_id": job},
    });
    world
        .s3
        .put(BUCKET, &format!("{root}{key}"), record.to_string());
}

fn move_to(world: &World, root: &str, dataset: &Dataset, state: &str) {
    let message = |state: &str| format!("{root}messages/dataset-{state}/{dataset}");
    world.s3.put(BUCKET, &message(state), "");
    world.s3.remove(BUCKET, &message("submitted"));
}

/// 300 datasets in single and array jobs go different ways; a third of the events is lost, the records of a tenth of
/// the jobs too. What is expected of each dataset after a sweep.
async fn lose(world: &World, random: &mut fastrand::Rng) -> BTreeMap<String, (String, Expected)> {
    let service = &world.service(&VARIABLES).await;
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
        let end = ENDS[random.usize(..ENDS.len())];
        let (lost, forgotten) = (random.u8(..3) == 0, random.u8(..10) == 0);
        let event = match end {
            End::Running => None,
            End::Delivered => {
                // some die between the last product and the message
                let silent = lost && random.bool();
                leave(world, root, dataset, "processed", 0, &id);
                if silent {
                    world.s3.remove(
                        BUCKET,
                        &format!("{root}messages/dataset-processed/{dataset}"),
                    );
                    move_to(world, root, dataset, "processing");
                }
                Some(("SUCCEEDED", Some(0), EXITED, ("processed", 1)))
                    .filter(|_| !silent || forgotten)
            }
            End::Broken => {
                leave(world, root, dataset, "error", 23, &id);
                Some(("FAILED", Some(23), EXITED, ("error", 1)))
            }
            End::Memory => {
                move_to(world, root, dataset, "processing");
                Some(("FAILED", Some(OOM), EXITED, ("submitted", 2)))
            }
            End::Spot => {
                move_to(world, root, dataset, "processing");
                let reason = "Host EC2 (instance i-1) terminated.";
                Some(("FAILED", None, reason, ("submitted", 2)))
            }
            End::Vanished => {
                move_to(world, root, dataset, "processing");
                Some(("FAILED", Some(137), EXITED, ("error", 1)))
            }
        };
        let Some((status, exit, reason, mut right)) = event else {
            let state = if end == End::Running {
                "submitted"
            } else {
                "processing"
            };
            expected.insert(dataset.to_string(), (root.to_owned(), (state, 1)));
            continue;
        };
        let event = job_event(job, *child, status, exit, reason);
        world.batch.end(&event);
        if lost {
            if forgotten && end == End::Vanished {
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
    for job in world.batch.jobs() {
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
    let of_arrays = world
        .batch
        .jobs()
        .iter()
        .filter(|j| j.new.array_size.is_some())
        .count();
    let alone = world.jobs_per_dataset().into_iter().filter(|(d, n)| {
        let arrays = expected[d].0.contains("arrays");
        *n != expected[d].1.1 && arrays
    });
    assert_eq!(alone.count(), 0);
    assert_eq!(world.batch.jobs().len(), single_jobs + of_arrays);
}

#[tokio::test]
async fn lost_events_and_lost_jobs_are_made_good_in_one_sweep() {
    let world = World::new();
    let service = swept_at_once(&world).await;
    let expected = lose(&world, &mut fastrand::Rng::with_seed(17)).await;
    world.batch.requests();
    let answer = service.handle(clock(), &call("clock")).await.unwrap();
    let calls = world.batch.requests();
    eprintln!("{} settled with {calls:?}", answer["sweep"]["settled"]);
    assert!(
        answer["sweep"]["settled"].as_u64().unwrap() > 60,
        "{answer}"
    );
    assert_eq!(answer["sweep"]["failed"], json!([]), "{answer}");
    assert_eq!(answer["sweep"]["left"], 0, "{answer}");
    // 3 for the singles, one for the arrays, a few for the children of those
    assert!(calls["describe"] <= 8, "{calls:?}");
    assert_right(&world, &expected);
    let again = service.handle(clock(), &call("again")).await.unwrap();
    assert_eq!(again["sweep"]["settled"], 0, "{again}");
    assert_right(&world, &expected);
}

#[tokio::test]
async fn a_sweep_killed_at_twenty_moments_does_no_harm() {
    let world = World::new();
    let service = swept_at_once(&world).await;
    let mut random = fastrand::Rng::with_seed(4);
    let expected = lose(&world, &mut random).await;
    let mut killed = 0;
    for number in 0..20 {
        let moment = Duration::from_millis(random.u64(20..180));
        let id = call(&format!("clock {number}"));
        let sweep = service.handle(clock(), &id);
        killed += usize::from(tokio::time::timeout(moment, sweep).await.is_err());
    }
    eprintln!("killed {killed} times of 20");
    assert!(killed >= 5, "killed {killed} times only");
    // what the killed had claimed is free again
    tokio::time::sleep(LEASE).await;
    let answer = service.handle(clock(), &call("last")).await.unwrap();
    assert_eq!(answer["sweep"]["left"], 0, "{answer}");
    assert_right(&world, &expected);
}

/// The invocation died between the claim and the job, or between the job and the record.
#[tokio::test]
async fn a_dataset_without_its_job_gets_it_once() {
    let world = World::new();
    let service = swept_at_once(&world).await;
    let order = json!({"datasets": "j8cb010b0 lcyid1030", "batch_name": "b"});
    service.handle(order, &call("order")).await.unwrap();
    for (job, _) in jobs_of(&world).values() {
        let event = job_event(job, None, "FAILED", Some(OOM), EXITED);
        service.handle(event, &call("oom")).await.unwrap();
    }
    assert_eq!(world.batch.jobs().len(), 4);
    for dataset in ["j8cb010b0", "lcyid1030"] {
        let key = format!("data/b/control/{dataset}/attempts.json");
        let mut record = world.json(&key);
        let attempt = record["attempts"][1].as_object_mut().unwrap();
        attempt.remove("job_id");
        if dataset == "lcyid1030" {
            // a name that no job has
            let name = attempt["job_name"].as_str().unwrap().to_owned();
            let id = world
                .batch
                .jobs()
                .into_iter()
                .find(|j| j.new.name == name)
                .unwrap()
                .id;
            world.batch.forget(id.as_str());
        }
        world.s3.put(BUCKET, &key, record.to_string());
    }
    let answer = service.handle(clock(), &call("clock")).await.unwrap();
    assert_eq!(answer["sweep"]["settled"], 2, "{answer}");
    assert_eq!(world.batch.jobs().len(), 5, "one was found by its name");
    for dataset in ["j8cb010b0", "lcyid1030"] {
        let record = world.json(&format!("data/b/control/{dataset}/attempts.json"));
        assert!(record["attempts"][1]["job_id"].is_string(), "{record}");
    }
}

/// A young job is left alone: its event may be under way.
#[tokio::test]
async fn the_young_are_left_alone() {
    let world = World::new();
    let service = world.service(&[]).await;
    let order = json!({"datasets": "j8cb010b0", "batch_name": "b"});
    service.handle(order, &call("order")).await.unwrap();
    let (job, _) = jobs_of(&world).remove("j8cb010b0").unwrap();
    world
        .batch
        .end(&job_event(&job, None, "FAILED", Some(23), EXITED));
    world.batch.requests();
    let answer = service.handle(clock(), &call("clock")).await.unwrap();
    assert_eq!(answer["sweep"]["settled"], 0, "{answer}");
    assert_eq!(world.batch.requests(), BTreeMap::new());
}
