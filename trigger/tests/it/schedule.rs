//! What the schedule costs: a batch under way a few requests and one for each dataset that changed; one in which
//! nothing happens any more none, because it is closed, and looked at again only when something is asked of it.

use caldp_tests::{World, long_variants};
use std::time::Duration;

use caldp_core::layout::Layout;
use caldp_core::state::State;
use serde_json::{Value, json};

use crate::world::story::{EXITED, ask};
use crate::world::{BUCKET, Service, all_jobs, call, job_event, service, service_with};

/// Settled batches of the test.
const BATCHES: usize = 300;

/// What a tick costs with one batch under way in which nothing changed: requests however many datasets there
/// are, and those for each thousand, one of messages and one of records. `infra/README.md` has these numbers.
const A_TICK: u64 = 12;
const PAGES_OF_DATASETS: u64 = 2;

fn clock() -> Value {
    json!({"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}})
}

async fn tick(service: &Service) -> Value {
    service.handle(clock(), &call("clock")).await.unwrap()
}

async fn closing_at_once(world: &World) -> Service {
    let at_once = |config: &mut caldp_trigger::config::Config| {
        config.grace = Duration::ZERO;
        config.close_after = Duration::ZERO;
    };
    service_with(world, &[], at_once).await
}

/// A batch of one dataset whose job ended well.
fn settled_batch(world: &World, batch: &str) {
    let record = json!({
        "dataset": "j8cb010b0", "terminated": false, "settings": {"batch": batch, "layout": "tree"},
        "attempts": [{
            "number": 1, "reason": "batch", "origin": batch, "rung": 1, "timeout_seconds": 3600,
            "job_name": format!("caldp-j8cb010b0-1-{batch}"), "job_id": "11111111-0000-4000-8000-000000000000",
            "claimed_at": "2026-03-01T00:00:00Z",
            "outcome": {"result": "succeeded", "explanation": "delivered", "at": "2026-03-01T01:00:00Z"},
        }],
    });
    let put = |key: &str, body: String| {
        world.put(&format!("data/{batch}/{key}"), body);
    };
    put("messages/dataset-processed/j8cb010b0", String::new());
    put("control/j8cb010b0/attempts.json", record.to_string());
}

fn requests(world: &World) -> u64 {
    world.s3.requests().values().sum()
}

#[tokio::test]
async fn three_hundred_settled_batches_cost_two_requests_a_tick() {
    let world = World::new();
    for number in 0..BATCHES {
        settled_batch(&world, &format!("batch-{number}"));
    }
    let service = closing_at_once(&world).await;
    let first = tick(&service).await;
    // the bucket itself is an output too
    assert_eq!(first["closed"], BATCHES + 1, "{first}");
    let overview = world.json("blackboard/overview.json");
    assert_eq!(overview["batches"].as_object().unwrap().len(), BATCHES);
    // each has a page, and a line on that of all
    let lines = world.json("blackboard/batches.json");
    assert_eq!(lines["batches"].as_array().unwrap().len(), BATCHES);
    world.s3.reset_counts();
    let asked = world.batch.requests();
    let idle = tick(&service).await;
    assert_eq!(idle["open"], 0, "{idle}");
    eprintln!(
        "an idle tick with {BATCHES} settled batches: {:?}",
        world.s3.requests()
    );
    assert_eq!(world.s3.count("ListObjectsV2"), 1);
    assert_eq!(world.s3.count("GetObject"), 1);
    assert_eq!(requests(&world), 2, "{:?}", world.s3.requests());
    assert_eq!(world.batch.requests(), asked);
}

#[tokio::test]
async fn a_request_opens_a_batch_again() {
    let world = World::new();
    for batch in ["one", "two"] {
        settled_batch(&world, batch);
    }
    let service = closing_at_once(&world).await;
    assert_eq!(tick(&service).await["closed"], 3);
    ask(
        &world,
        &service,
        "data/one/messages/request-rescue/j8cb010b0",
        "",
        "1",
    )
    .await;
    assert_eq!(tick(&service).await["open"], 1);
    // and closes when that is over
    let job = all_jobs(&world).pop().unwrap();
    world.remove("data/one/messages/dataset-submitted/j8cb010b0");
    world.put("data/one/messages/dataset-processed/j8cb010b0", "");
    let event = job_event(&job, None, "SUCCEEDED", Some(0), EXITED);
    service.handle(event, &call("end")).await.unwrap();
    let answer = tick(&service).await;
    assert_eq!(
        (&answer["open"], &answer["closed"]),
        (&json!(0), &json!(3)),
        "{answer}"
    );
    let counts = world.json("blackboard/overview.json");
    assert_eq!(
        counts["batches"][format!("s3://{BUCKET}/data/one")]["processed"],
        1
    );
}

/// What was asked of a batch a moment ago may not be seen yet: it is not closed before that is certain.
#[tokio::test]
async fn a_batch_is_not_closed_before_time() {
    let world = World::new();
    settled_batch(&world, "one");
    let service = service(&world, &[]).await;
    for _ in 0..2 {
        let answer = tick(&service).await;
        assert_eq!(
            (&answer["open"], &answer["closed"]),
            (&json!(2), &json!(0)),
            "{answer}"
        );
    }
    let mut index = world.json("control/batches.json");
    for entry in index["batches"].as_array_mut().unwrap() {
        entry["opened"] = json!("2026-03-01T00:00:00Z");
    }
    world.put("control/batches.json", index.to_string());
    assert_eq!(tick(&service).await["closed"], 2);
}

/// A new batch is noted when it is ordered; one that is not done is not closed.
#[tokio::test]
async fn a_batch_is_open_from_its_order_until_all_of_it_has_ended() {
    let world = World::new();
    let service = closing_at_once(&world).await;
    let order = json!({"datasets": "j8cb010b0", "batch_name": "b"});
    service.handle(order, &call("order")).await.unwrap();
    let index = world.json("control/batches.json");
    assert_eq!(
        index["batches"][0]["output"],
        format!("s3://{BUCKET}/data/b")
    );
    assert_eq!(
        index["batches"][0]["submissions"].as_array().unwrap().len(),
        1
    );
    for _ in 0..2 {
        assert_eq!(tick(&service).await["open"], 1);
    }
    let job = all_jobs(&world).pop().unwrap();
    let event = job_event(&job, None, "FAILED", Some(23), EXITED);
    service.handle(event, &call("end")).await.unwrap();
    assert_eq!(tick(&service).await["open"], 0);
}

/// How many requests the schedule makes now, of S3 and of AWS Batch.
async fn cost(world: &World, service: &Service) -> u64 {
    world.s3.reset_counts();
    let asked = || world.batch.requests().into_values().sum::<u64>();
    let before = asked();
    tick(service).await;
    let batch = asked() - before;
    eprintln!("a tick: {:?}, {batch} of AWS Batch", world.s3.requests());
    requests(world) + batch
}

/// A batch of `count` datasets that were submitted and are all waiting.
async fn batch_under_way(world: &World, layout: Layout, names: &[String]) -> Service {
    // every job is asked about, as those of which nobody heard for long are
    let asking = |config: &mut caldp_trigger::config::Config| config.grace = Duration::ZERO;
    let service = service_with(world, &[("CALDP_LAYOUT", layout.name())], asking).await;
    let mut order = json!({"datasets": names.join(" "), "batch_name": "b"});
    if layout == Layout::Calcloud {
        order["s3_output_bucket"] = json!(format!("s3://{BUCKET}"));
    }
    service.handle(order, &call("order")).await.unwrap();
    service
}

async fn quiet_and_busy_ticks(layout: Layout, count: u64) {
    let world = World::new();
    let names: Vec<String> = (0..count).map(|n| format!("j{n:08}")).collect();
    let service = batch_under_way(&world, layout, &names).await;
    let root = match layout {
        Layout::Tree => "data/b/",
        Layout::Calcloud => "",
    };
    let message = |state: State, dataset: &str| {
        let dataset = dataset.parse().unwrap();
        format!("{root}{}", layout.message(state, &dataset))
    };
    let first = cost(&world, &service).await;
    assert!(first > count, "the records were read once: {first}");

    let quiet = cost(&world, &service).await;
    let pages = count.div_ceil(1_000);
    assert!(
        quiet <= A_TICK + PAGES_OF_DATASETS * pages,
        "{quiet} requests a tick"
    );

    // work begins on some, and some jobs end
    let changed = &names[..40];
    for (number, dataset) in changed.iter().enumerate() {
        let to = match number % 2 {
            0 => State::Processing,
            _ => State::Processed,
        };
        world.put(&message(to, dataset), "");
        world.s3.remove(BUCKET, &message(State::Submitted, dataset));
    }
    let busy = cost(&world, &service).await;
    // and what was read is remembered
    let most = quiet + changed.len() as u64 + 2;
    assert!(
        busy <= most,
        "{busy} requests, {quiet} when nothing changed"
    );
    let lines = world.json("blackboard/batches.json");
    let states = &lines["batches"][0]["states"];
    assert_eq!(
        (&states["processing"], &states["processed"]),
        (&json!(20), &json!(20)),
        "{lines}"
    );

    // a record that changes while its message stays is read, and no other
    let key = format!("{root}control/{}/attempts.json", names[100]);
    let mut record = world.json(&key);
    record["attempts"][0]["timeout_seconds"] = json!(4321);
    world.put(&key, record.to_string());
    let one = cost(&world, &service).await;
    assert!(
        one <= quiet + 3,
        "{one} requests, {quiet} when nothing changed"
    );
    let remembered = world.json(&format!("{root}blackboard/status.json"));
    let datasets = remembered["datasets"].as_array().unwrap();
    let limits = |d: &Value| d["timeout_seconds"] == 4321;
    assert_eq!(datasets.iter().filter(|d| limits(d)).count(), 1);
}

#[tokio::test]
async fn a_batch_under_way_costs_few_requests_and_one_for_each_dataset_that_changed() {
    let count = if long_variants("10,000 datasets under way") {
        10_000
    } else {
        600
    };
    for layout in Layout::ALL {
        quiet_and_busy_ticks(layout, count).await;
    }
}

/// What was deleted is not shown: the page of a batch, its line among all and in the table go with its datasets.
#[tokio::test]
async fn a_batch_that_is_cleaned_goes_from_the_pages() {
    let world = World::new();
    for batch in ["one", "two"] {
        settled_batch(&world, batch);
    }
    let service = closing_at_once(&world).await;
    tick(&service).await;
    let shown = |file: &str| world.get(&format!("blackboard/{file}"));
    let text = |file: &str| String::from_utf8(shown(file).unwrap().to_vec()).unwrap();
    assert!(shown("one/index.html").is_some());
    assert_eq!(text("blackboardAWS.snapshot").lines().count(), 3);
    let key = "data/one/messages/request-clean/all";
    ask(&world, &service, key, "", "1").await;
    tick(&service).await;
    assert!(shown("one/index.html").is_none() && shown("two/index.html").is_some());
    let lines = world.json("blackboard/batches.json");
    assert_eq!(lines["batches"].as_array().unwrap().len(), 1, "{lines}");
    for file in ["index.html", "blackboardAWS.snapshot", "overview.json"] {
        assert!(!text(file).contains("data/one"), "{file}: {}", text(file));
    }
    // and it is closed: nothing is asked for it any more
    world.s3.reset_counts();
    assert_eq!(tick(&service).await["open"], 0);
    assert_eq!(requests(&world), 2, "{:?}", world.s3.requests());
}
