//! Every kind of event, as AWS delivers it, and what the function answers.

use caldp_tests::{LambdaFunction, SubmittedJob, World};
use serde_json::{Value, json};

use super::function;
use crate::world::story::state;
use crate::world::{BUCKET, created};

/// Two datasets submitted below `o/`.
fn submitted() -> (World, LambdaFunction) {
    let world = World::new();
    let function = function(world.environment(), &[]);
    let order = json!({
        "datasets": ["J8CB010B0", "lcyid1030"], "batch_name": "b",
        "s3_output_bucket": format!("s3://{BUCKET}/o"),
    });
    let answer = function.invoke("order", order).answer();
    assert_eq!(answer["submitted"], 2, "{answer}");
    (world, function)
}

fn ask(world: &World, function: &LambdaFunction, key: &str, body: &str) -> Value {
    world.put(key, body.to_owned());
    function.invoke(key, created(key, "1")).answer()
}

/// The state change of a job, as `EventBridge` sends it.
fn state_change(job: &SubmittedJob, status: &str, exit: i64) -> Value {
    let (request, overrides) = (&job.request, &job.request["containerOverrides"]);
    let queue = request["jobQueue"].as_str().unwrap();
    let environment = overrides.get("environment").cloned();
    let environment = environment.unwrap_or_else(|| json!([]));
    json!({
        "version": "0", "id": "c8f9c4b5-76e5-d76a-f980-7011e206042b", "detail-type": "Batch Job State Change",
        "source": "aws.batch", "account": "123456789012", "region": "us-east-1",
        "time": "2026-03-01T00:00:00Z", "resources": [],
        "detail": {
            "jobArn": format!("arn:aws:batch:us-east-1:123456789012:job/{}", job.id),
            "jobId": job.id, "jobName": request["jobName"], "status": status,
            "statusReason": "Essential container in task exited",
            "jobQueue": format!("arn:aws:batch:us-east-1:123456789012:job-queue/{queue}"),
            "attempts": [], "retryStrategy": {"attempts": 1, "evaluateOnExit": []},
            "container": {
                "command": overrides["command"], "environment": environment, "exitCode": exit,
            },
        },
    })
}

#[test]
fn lists_arrive_from_s3_and_from_eventbridge() {
    let (world, function) = submitted();
    let answer = ask(&world, &function, "batches/from s3.ids", "j8cb010b1\n");
    assert_eq!(answer["submitted"], 1, "{answer}");
    world.put(
        "batches/bridged.yaml",
        "datasets: [j8cb010b2]\nbatch_name: bridged\n",
    );
    let event = json!({
        "version": "0", "id": "17793124-05d4-b198-2fde-7ededc63b103", "detail-type": "Object Created",
        "source": "aws.s3", "account": "123456789012", "region": "us-east-1", "resources": [],
        "detail": {
            "version": "0", "bucket": {"name": BUCKET}, "reason": "PutObject",
            "object": {"key": "batches/bridged.yaml", "size": 46, "etag": "b1946ac92492d234", "sequencer": "00617F08"},
        },
    });
    let answer = function.invoke("bridged", event).answer();
    assert_eq!(
        (&answer["submitted"], &answer["batch"]),
        (&json!(1), &json!("bridged"))
    );
    assert_eq!(world.batch.jobs().len(), 4);
}

#[test]
fn jobs_change_their_states() {
    let (world, function) = submitted();
    let first = world.last_job("j8cb010b0");
    let tell = |id: &str, event: Value| function.invoke(id, event).answer();
    let answer = tell("running", state_change(&first, "RUNNING", 0));
    assert!(answer.to_string().contains("nothing to do"), "{answer}");
    assert_eq!(state(&world, "j8cb010b0"), ["submitted"]);
    // out of memory: a memory bin higher, once however often the news comes
    for id in ["failed", "failed again"] {
        tell(id, state_change(&first, "FAILED", 33));
    }
    let second = world.last_job("j8cb010b0");
    assert_eq!(world.batch.jobs().len(), 3);
    assert_eq!(
        (&first.request["jobQueue"], &second.request["jobQueue"]),
        (&json!("q8"), &json!("q16"))
    );
    world.put("o/messages/dataset-processed/j8cb010b0", "");
    tell("succeeded", state_change(&second, "SUCCEEDED", 0));
    assert_eq!(state(&world, "j8cb010b0"), ["processed"]);
    // success without products is none
    tell(
        "alleged",
        state_change(&world.last_job("lcyid1030"), "SUCCEEDED", 0),
    );
    assert_eq!(state(&world, "lcyid1030"), ["error"]);
}

#[test]
fn requests_are_carried_out() {
    let (world, function) = submitted();
    ask(&world, &function, "o/messages/request-cancel/j8cb010b0", "");
    assert_eq!(state(&world, "j8cb010b0"), ["terminated"]);
    assert!(world.last_job("j8cb010b0").terminated.is_some());
    ask(
        &world,
        &function,
        "o/messages/request-rescue/j8cb010b0",
        "memory_bin: 3\n",
    );
    assert_eq!(state(&world, "j8cb010b0"), ["submitted"]);
    assert_eq!(world.last_job("j8cb010b0").request["jobQueue"], "q64");
    world.put("o/inputs/j8cb010b1.tar.gz", "raw");
    ask(&world, &function, "o/messages/request-placed/j8cb010b1", "");
    assert_eq!(state(&world, "j8cb010b1"), ["submitted"]);
    ask(&world, &function, "o/messages/request-clean/j8cb010b0", "");
    let keys = world.keys();
    assert!(
        !keys.iter().any(|key| key.contains("j8cb010b0")),
        "{keys:?}"
    );
    assert!(keys.contains(&"o/inputs/j8cb010b1.tar.gz".to_owned()));
    let (kind, message) = {
        let key = "o/messages/request-rescue/lcyid1030";
        world.put(key, "memory_bins: 3\n");
        function.invoke("typo", created(key, "2")).error()
    };
    assert_eq!(kind, "Order");
    assert!(
        message.contains("memory_bins") && message.contains("memory_bin ("),
        "{message}"
    );
}

#[test]
fn the_clock_and_a_test_of_s3() {
    let (world, function) = submitted();
    let clock = json!({
        "version": "0", "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa", "detail-type": "Scheduled Event",
        "source": "aws.events", "account": "123456789012", "time": "2026-03-01T00:00:00Z",
        "region": "us-east-1", "resources": ["arn:aws:events:us-east-1:123456789012:rule/caldp"], "detail": {},
    });
    function.invoke("clock", clock).answer();
    assert!(world.get("blackboard/overview.json").is_some());
    let before = world.keys();
    let test = json!({
        "Service": "Amazon S3", "Event": "s3:TestEvent", "Time": "2026-03-01T00:00:00.000Z",
        "Bucket": BUCKET, "RequestId": "5582815E1AEA5ADF", "HostId": "8cLeGAmw098X5cv4Zkwcmo8vvZa3eH3eKxsPzbB9wrR",
    });
    function.invoke("test", test.clone()).answer();
    assert!(
        function.log().contains("S3 tried out a notification"),
        "{}",
        function.log()
    );
    let queued = json!({"Records": [{"eventSource": "aws:sqs", "messageId": "1", "body": test.to_string()}]});
    let answer = function.invoke("queued", queued).answer();
    assert_eq!(answer["batchItemFailures"], json!([]));
    assert_eq!(world.keys(), before);
}

#[test]
fn what_a_queue_sends_is_handled_one_by_one() {
    let (world, function) = submitted();
    let failed = state_change(&world.last_job("j8cb010b0"), "FAILED", 23);
    world.put("batches/list.ids", "j8cb010b1\n");
    let record = |id: &str, body: &Value| {
        json!({
            "messageId": id, "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a", "body": body.to_string(),
            "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1545082649183"},
            "messageAttributes": {}, "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
            "eventSource": "aws:sqs", "awsRegion": "us-east-1",
            "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:trigger",
        })
    };
    let event = json!({"Records": [
        record("job", &failed),
        record("list", &created("batches/list.ids", "1")),
        record("no list", &created("batches/list.pdf", "1")),
        record("torn", &json!("{\"Records\": [")),
        record("unknown", &json!({"what": "is this"})),
    ]});
    let answer = function.invoke("queue", event).answer();
    let failures = answer["batchItemFailures"].as_array().unwrap();
    let failed: Vec<_> = failures
        .iter()
        .map(|f| f["itemIdentifier"].as_str().unwrap())
        .collect();
    assert!(failed.is_empty(), "{failed:?}");
    // what will never succeed is counted, in the format CloudWatch makes metrics of
    let log = function.log();
    let lines = log
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let metrics: Vec<Value> = lines.filter(|line| line["_aws"].is_object()).collect();
    let refused = |line: &&Value| line["Refused"] == 1 && line["kind"].is_string();
    assert_eq!(metrics.iter().filter(refused).count(), 2, "{log}");
    let verdict = metrics.iter().find(|line| line["Verdicts"] == 1).unwrap();
    assert_eq!(
        (
            &verdict["verdict"],
            &verdict["memory_bin"],
            &verdict["dataset"]
        ),
        (&json!("error"), &json!("1"), &json!("j8cb010b0"))
    );
    let declared = &verdict["_aws"]["CloudWatchMetrics"][0];
    assert_eq!(
        declared,
        &json!({
            "Namespace": "caldp", "Dimensions": [["verdict", "memory_bin"]],
            "Metrics": [{"Name": "Verdicts", "Unit": "Count"}],
        })
    );
    assert_eq!(state(&world, "j8cb010b0"), ["error"]);
    assert_eq!(world.last_job("j8cb010b1").request["jobQueue"], "q8");
}

#[test]
fn what_is_not_understood_is_a_clear_error() {
    let (world, function) = submitted();
    let before = (world.keys(), world.batch.jobs().len());
    let mut foreign = created("batches/list.ids", "1");
    foreign["Records"][0]["s3"]["bucket"]["name"] = json!("somebody-elses");
    let mut elsewhere = state_change(&world.last_job("j8cb010b0"), "FAILED", 1);
    elsewhere["detail"]["jobQueue"] =
        json!("arn:aws:batch:us-east-1:1:job-queue/calcloud-jobqueue-prod");
    for (event, kind, part) in [
        (json!({"what": "is this"}), "UnknownEvent", "no known kind"),
        (json!([]), "UnknownEvent", "not a JSON object"),
        (
            json!({"source": "aws.ec2", "detail-type": "EC2 Instance State-change Notification"}),
            "UnknownEvent",
            "aws.ec2",
        ),
        (
            json!({"Records": []}),
            "MalformedEvent",
            "at least one record",
        ),
        (
            json!({"source": "aws.batch", "detail-type": "Batch Job State Change", "detail": {}}),
            "MalformedEvent",
            "Batch Job State Change",
        ),
        (json!({"datasets": ["j8cb010b0", "x"]}), "Order", "\"x\""),
        (
            json!({"datasets": "j8cb010b0", "urgency": 1}),
            "Order",
            "urgency",
        ),
        (foreign, "ForeignEvent", "somebody-elses"),
        (elsewhere, "ForeignEvent", "calcloud-jobqueue-prod"),
        (
            json!({"datasets": "j8cb010b0", "s3_output_bucket": "s3://somebody-elses/x"}),
            "ForeignEvent",
            "somebody-elses",
        ),
    ] {
        let (found, message) = function.invoke("a", event.clone()).error();
        assert_eq!(found, kind, "{event}: {message}");
        assert!(message.contains(part), "{event}: {message}");
        // a sentence, not a structure
        assert!(
            !message.contains(" { ") && !message.contains("Error("),
            "{message}"
        );
    }
    assert_eq!((world.keys(), world.batch.jobs().len()), before);
}

#[test]
fn a_deployment_that_is_not_described_is_named_in_the_log() {
    let world = World::new();
    let function = function(world.environment(), &[("JOBQUEUES", "q2,q8")]);
    assert_eq!(function.first_request(), None);
    let log = function.log();
    assert!(
        log.contains("JOBQUEUES") && log.contains("the function cannot run"),
        "{log}"
    );
}

/// Every line of the log is one JSON object that says which invocation, batch and dataset it is about.
#[test]
fn the_log_is_json_with_what_it_is_about_as_fields() {
    let (world, function) = submitted();
    let job = world.last_job("j8cb010b0");
    let body = state_change(&job, "FAILED", 23).to_string();
    let record =
        |id: &str, body: &str| json!({"eventSource": "aws:sqs", "messageId": id, "body": body});
    let queue = json!({"Records": [record("m1", &body), record("m2", "no json")]});
    function.invoke("queue", queue).answer();
    let log = function.log();
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
        .collect();
    let find = |field: &str, value: &str| {
        let found = lines.iter().find(|line| line[field] == value);
        found.unwrap_or_else(|| panic!("no {field} {value} in {log}"))
    };
    let order = find("message", "handled");
    assert_eq!(
        (&order["requestId"], &order["level"]),
        (&json!("order"), &json!("INFO"))
    );
    assert!(order["timestamp"].is_string());
    let answer: Value = serde_json::from_str(order["answer"].as_str().unwrap()).unwrap();
    assert_eq!(answer["batch"], "b");
    let lost = find("message_id", "m2");
    assert_eq!(
        (&lost["requestId"], &lost["kind"]),
        (&json!("queue"), &json!("MalformedEvent"))
    );
    let of_queue = |line: &&Value| line["requestId"] == "queue" && line["dataset"] == "j8cb010b0";
    let ended = lines
        .iter()
        .find(of_queue)
        .unwrap_or_else(|| panic!("{log}"));
    assert_eq!(
        (&ended["requestId"], &ended["job_id"]),
        (&json!("queue"), &json!(job.id))
    );
    assert_eq!(ended["batch"], "b");
    let submitted = find("dataset", "lcyid1030");
    assert_eq!(
        (&submitted["requestId"], &submitted["batch"]),
        (&json!("order"), &json!("b"))
    );
}
