//! 300 datasets in single jobs and arrays, a third of the events lost, a tenth of the jobs' records deleted.

use std::time::Duration;

use caldp_tests::{Invoked, World};
use serde_json::json;

use super::{LEASE, assert_right, clock, lose, sweeping_function, swept_at_once};
use crate::world::call;

/// A sweep that knows its datasets has so many requests to S3 until it settles some, and while it does.
const MOMENTS: u64 = 160;

#[tokio::test]
async fn lost_events_and_lost_jobs_are_made_good_in_one_sweep() {
    let world = World::new();
    let service = swept_at_once(&world).await;
    let expected = lose(&world, &mut fastrand::Rng::with_seed(17)).await;
    let asked = || world.batch.requests()["describejobs"];
    let before = world.batch.requests().get("describejobs").copied();
    let answer = service.handle(clock(), &call("clock")).await.unwrap();
    let calls = asked() - before.unwrap_or_default();
    eprintln!(
        "{} settled, DescribeJobs {calls} times",
        answer["sweep"]["settled"]
    );
    assert!(
        answer["sweep"]["settled"].as_u64().unwrap() > 60,
        "{answer}"
    );
    assert_eq!(answer["sweep"]["failed"], json!([]), "{answer}");
    assert_eq!(answer["sweep"]["left"], 0, "{answer}");
    // 3 for the singles, one for the arrays, a few for the children of those
    assert!(calls <= 8, "{calls}");
    assert_right(&world, &expected);
    let again = service.handle(clock(), &call("again")).await.unwrap();
    assert_eq!(again["sweep"]["settled"], 0, "{again}");
    assert_right(&world, &expected);
}

/// The function as AWS Lambda runs it, killed by SIGKILL in the middle of a sweep.
#[tokio::test]
async fn a_sweep_whose_process_is_killed_at_twenty_moments_does_no_harm() {
    let world = World::new();
    let mut random = fastrand::Rng::with_seed(4);
    let expected = lose(&world, &mut random).await;
    let (mut killed, mut settled) = (0, vec![]);
    for number in 0..20 {
        let function = sweeping_function(&world);
        assert!(function.first_request().is_some(), "{}", function.log());
        let requests = || world.s3.requests().values().sum::<u64>();
        let before = requests();
        // what no sweep before has come to remember is read once more
        let unread = [("singles", 100), ("arrays", 200)].map(|(batch, datasets)| {
            let remembered = format!("data/{batch}/blackboard/status.json");
            world.get(&remembered).map_or(datasets, |_| 0)
        });
        let moments = MOMENTS + unread.iter().sum::<u64>();
        // a moment is a number of requests: how fast the machine is does not matter
        let moment = random.u64(1..moments);
        killed += usize::from(std::thread::scope(|scope| {
            let sweep = scope.spawn(|| function.invoke(&format!("clock {number}"), clock()));
            while requests() - before < moment && !sweep.is_finished() {
                std::thread::sleep(Duration::from_millis(1));
            }
            function.kill();
            sweep.join().unwrap() == Invoked::Died
        }));
        settled.push((moment, function.log().matches("\"Swept\":1").count()));
    }
    eprintln!(
        "killed {killed} times of 20; requests to S3, and datasets settled, until then: {settled:?}"
    );
    assert!(killed >= 18, "killed {killed} times only");
    let at_work = settled.iter().filter(|(_, datasets)| *datasets > 0);
    assert!(at_work.count() >= 2, "{settled:?}");
    // what the killed had claimed is free again
    tokio::time::sleep(LEASE).await;
    let answer = sweeping_function(&world).invoke("last", clock()).answer();
    assert_eq!(answer["sweep"]["failed"], json!([]), "{answer}");
    assert_eq!(answer["sweep"]["left"], 0, "{answer}");
    assert_right(&world, &expected);
}
