//! Shares, priorities and tags of jobs, as they stand in the requests that arrive at AWS Batch.

use caldp_tests::{SubmittedJob, World};
use serde_json::{Value, json};

use super::function;
use crate::world::story::{EXITED, OOM};
use crate::world::{Job, job_event};

/// The requests for jobs of a deployment with or without fair share that handles these events.
fn requests(fair_share: &str, events: &[Value]) -> Vec<Value> {
    let world = World::new();
    let variables = [
        ("CALDP_FAIR_SHARE", fair_share),
        ("CALDP_ARRAY_THRESHOLD", "2"),
    ];
    let function = function(world.environment(), &variables);
    for (n, event) in events.iter().enumerate() {
        function
            .invoke(&format!("event {n}"), event.clone())
            .answer();
    }
    // the first job needs more memory: what it is given then is asked for as well
    let first = world.batch.jobs().first().map(Job::of).unwrap();
    let child = first.new.array_size.map(|_| 0);
    let end = job_event(&first, child, "FAILED", Some(OOM), EXITED);
    function.invoke("the end", end).answer();
    world
        .batch
        .jobs()
        .into_iter()
        .map(|SubmittedJob { request, .. }| request)
        .collect()
}

/// A queue with a fair-share policy wants a share of every job, one without refuses any, and of a queue that
/// an order names nothing is known.
#[test]
fn every_batch_has_a_share_of_its_own_where_queues_are_shared() {
    let shares = |fair_share: &str, orders: &[Value]| {
        let share =
            |request: &Value| Some(request.get("shareIdentifier")?.as_str().unwrap().to_owned());
        requests(fair_share, orders)
            .iter()
            .map(share)
            .collect::<Vec<_>>()
    };
    let spring = json!({"datasets": ["j8cb010b0", "j8cb010c0"], "batch_name": "spring-1"});
    let autumn = json!({"datasets": ["lcyid1030"], "batch_name": "autumn"});
    let elsewhere = json!({"datasets": ["lcyid1030"], "batch_name": "own", "job_queue": "own"});
    assert_eq!(
        shares("0", std::slice::from_ref(&spring)),
        [None, None, None]
    );
    let all = shares("1", &[spring, autumn, elsewhere]);
    let [Some(first), Some(second), Some(other), None, Some(again)] = all.as_slice() else {
        unreachable!("{all:?}")
    };
    assert_eq!((first, first), (second, again));
    assert_ne!(first, other);
    assert!(first.starts_with("spring1") && first.chars().all(|c| c.is_ascii_alphanumeric()));
}

/// AWS Batch orders jobs of one share by priority; on a queue without shares it takes none.
#[test]
fn an_orders_priority_is_that_of_its_jobs_and_of_what_is_tried_again() {
    let urgent =
        |names: &[&str]| json!({"datasets": names, "batch_name": "urgent", "priority": 900});
    let single = urgent(&["j8cb010b0"]);
    let array = urgent(&["j8cb010b0", "j8cb010c0", "j8cb010d0"]);
    let usual = json!({"datasets": ["j8cb010b0"], "batch_name": "usual"});
    let elsewhere = json!({"datasets": ["lcyid1030"], "batch_name": "own", "job_queue": "own", "priority": 900});
    let priorities = |fair_share: &str, order: &Value| {
        let priority = |request: &Value| request.get("schedulingPriorityOverride").cloned();
        requests(fair_share, std::slice::from_ref(order))
            .iter()
            .map(priority)
            .collect::<Vec<_>>()
    };
    let high = Some(json!(900));
    assert_eq!(priorities("1", &single), [high.clone(), high.clone()]);
    assert_eq!(priorities("1", &array), [high.clone(), high]);
    assert_eq!(priorities("1", &usual), [None, None]);
    assert_eq!(priorities("0", &single), [None, None]);
    assert_eq!(priorities("1", &elsewhere), [None, None]);
}

/// Costs are told apart by the tag, on the job and on what AWS makes for it.
#[test]
fn jobs_are_tagged_with_their_batch() {
    let orders = [
        json!({"datasets": ["j8cb010b0"], "batch_name": "spring"}),
        json!({"datasets": ["j8cb010c0", "lcyid1030", "o8l7sws9q"], "batch_name": "autumn"}),
    ];
    let told = |request: &Value| {
        let array = !request["arrayProperties"].is_null();
        assert_eq!(request["propagateTags"], true, "{request}");
        (request["tags"].clone(), array)
    };
    let jobs: Vec<_> = requests("1", &orders).iter().map(told).collect();
    let tag = |batch: &str| json!({"caldp-batch": batch});
    assert!(jobs.contains(&(tag("spring"), false)), "{jobs:?}");
    assert!(jobs.contains(&(tag("autumn"), true)), "{jobs:?}");
    let spring = jobs.iter().filter(|job| job.0 == tag("spring"));
    assert_eq!(spring.count(), 2, "{jobs:?}");
    let known = |job: &(Value, bool)| job.0 == tag("spring") || job.0 == tag("autumn");
    assert!(jobs.iter().all(known), "{jobs:?}");
}
