//! The process killed at random moments, everything failing a third of the time, the same event
//! delivered by three at once: exactly one job for every dataset.

use std::time::Duration;

use caldp_tests::{BatchFault, Fault, Faults, Invoked, LambdaFunction, World, long_variants};

use super::function;
use crate::world::{assert_submitted, created, lines, names};

/// How long a killed invocation's rights last when another comes, in seconds.
const LEASE: &str = "8";

const S3_FAULTS: [Fault; 5] = [
    Fault::InternalError,
    Fault::SlowDown,
    Fault::Reset,
    Fault::LostAnswer,
    Fault::Slow(Duration::from_millis(500)),
];

/// Everything fails a third of the time.
fn failing(seed: u64) -> World {
    let world = World::new();
    world
        .s3
        .set_faults(Faults::one_in(3, &S3_FAULTS).seeded(seed));
    world.batch.set_faults(3, &BatchFault::ALL, seed);
    world
}

fn started(world: &World, threshold: &str) -> LambdaFunction {
    let variables = [
        ("CALDP_LEASE_SECONDS", LEASE),
        ("CALDP_ARRAY_THRESHOLD", threshold),
        ("CALDP_CONCURRENCY", "8"),
    ];
    function(world.environment(), &variables)
}

/// Delivers the list's event as Lambda does: again, under the same id, until it is handled.
fn deliver(function: &LambdaFunction, id: &str) -> serde_json::Value {
    for _ in 0..60 {
        match function.invoke(id, created("batches/list.ids", "1")) {
            Invoked::Answer(answer) => return answer,
            Invoked::Error { kind, message } => eprintln!("{id}: {kind}: {message}"),
            Invoked::Died => panic!("the function ended by itself: {}", function.log()),
        }
    }
    panic!("sixty deliveries did not suffice: {}", function.log());
}

/// How many of `kills` invocations were killed before they ended.
fn kill(start: impl Fn() -> LambdaFunction, kills: usize, random: &mut fastrand::Rng) -> usize {
    let killed = (0..kills).filter(|_| {
        let function = start();
        assert!(function.first_request().is_some(), "{}", function.log());
        let moment = Duration::from_millis(random.u64(1..250));
        std::thread::scope(|scope| {
            let invoked =
                scope.spawn(|| function.invoke("the same", created("batches/list.ids", "1")));
            std::thread::sleep(moment);
            function.kill();
            invoked.join().unwrap() == Invoked::Died
        })
    });
    killed.count()
}

fn story(threshold: &'static str, kills: usize, count: usize, seed: u64) {
    let world = failing(seed);
    let start = || started(&world, threshold);
    let start = &start;
    let datasets = names(count);
    world.put("batches/list.ids", lines(&datasets));
    let killed = kill(start, kills, &mut fastrand::Rng::with_seed(seed));
    assert!(killed * 3 >= kills * 2, "killed {killed} of {kills} only");
    // three deliveries at once, one of them the retry of what was killed
    let answers = std::thread::scope(|scope| {
        let deliveries =
            ["the same", "another", "a third"].map(|id| scope.spawn(move || deliver(&start(), id)));
        deliveries.map(|d| d.join().unwrap())
    });
    let batch = answers[0]["batch"].as_str().unwrap();
    assert!(answers.iter().all(|a| a["batch"] == batch), "{answers:?}");
    let root = format!("data/{batch}/");
    assert_submitted(&world, &root, batch, &datasets);
    eprintln!(
        "{count} datasets, arrays above {threshold}: killed {killed} times, one job each; S3 {:?}, AWS Batch {:?}",
        world.s3.requests(),
        world.batch.requests()
    );
}

#[test]
fn killed_and_retried_every_dataset_has_one_job() {
    story("1000", 4, 60, 1);
    story("10", 4, 60, 2);
}

#[test]
fn killed_at_thirty_moments_every_dataset_has_one_job() {
    if long_variants("the function killed at thirty moments") {
        story("1000", 30, 300, 3);
        story("10", 30, 300, 4);
    }
}
