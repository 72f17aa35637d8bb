//! How stories of datasets begin and what is looked at in them: submitted below `o/`.

use caldp_tests::World;
use serde_json::{Value, json};

use super::{BUCKET, Job, Service, all_jobs, call, created, service};

pub(crate) const EXITED: &str = "Essential container in task exited";
pub(crate) const OOM: i64 = 33;

/// A world with some datasets submitted below `o/`.
pub(crate) async fn submitted(names: &str, variables: &[(&str, &str)]) -> (World, Service) {
    let world = World::new();
    let service = service(&world, variables).await;
    let order = json!({"datasets": names, "batch_name": "b", "s3_output_bucket": format!("s3://{BUCKET}/o")});
    service.handle(order, &call("order")).await.unwrap();
    (world, service)
}

pub(crate) fn last_job(world: &World) -> Job {
    all_jobs(world).last().unwrap().clone()
}

/// The first job of a dataset; jobs are not submitted in the order of the list.
pub(crate) fn job_of(world: &World, dataset: &str) -> Job {
    let jobs = all_jobs(world);
    jobs.into_iter()
        .find(|j| j.new.command[2] == dataset)
        .unwrap()
}

pub(crate) fn state(world: &World, dataset: &str) -> Vec<String> {
    world.states("o/").remove(dataset).unwrap_or_default()
}

pub(crate) fn attempts(world: &World, dataset: &str) -> Value {
    world.json(&format!("o/control/{dataset}/attempts.json"))
}

/// The worker moves a dataset to a state, as it does.
pub(crate) fn worker_says(world: &World, state: &str, dataset: &str) {
    world.put(&format!("o/messages/dataset-{state}/{dataset}"), "");
}

pub(crate) async fn ask(
    world: &World,
    service: &Service,
    key: &str,
    body: &str,
    mark: &str,
) -> Value {
    world.put(key, body.to_owned());
    service
        .handle(created(key, mark), &call(mark))
        .await
        .unwrap()
}
