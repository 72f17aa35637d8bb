//! A stand-in for AWS Batch's HTTP API: it keeps jobs, answers at the documented limit of
//! `SubmitJob` when told to, refuses what AWS refuses in a job, and can be made to fail.
//!
//! Jobs are not run: a test says how they end ([`BatchServer::end`]) and when their records are gone. `ListJobs` is
//! exact about names and knows the ended children of arrays; pages and other filters are left out, and every queue and
//! definition exists.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::{Request, StatusCode};
use serde_json::{Value, json};

use crate::calls::Calls;
use crate::http::{Answer, Bucket, HttpThread, Port, closed, json_answer, lock};

/// `SubmitJob` refuses larger payloads, in bytes.
const MAX_PAYLOAD: usize = 30 * 1024;

/// The most children an array job may have, and the fewest.
const ARRAY_SIZES: std::ops::RangeInclusive<u64> = 2..=10_000;

/// The shortest time limit of a job, in seconds.
const SHORTEST: u64 = 60;

/// The longest name of a job.
const LONGEST_NAME: usize = 128;

/// The most jobs that `DescribeJobs` tells of at once.
const DESCRIBED: usize = 100;

/// What names of queues stand behind in what is described.
const QUEUES: &str = "arn:aws:batch:us-east-1:123456789012:job-queue/";

/// How long a request that times out is kept waiting.
const SILENCE: Duration = Duration::from_hours(1);

/// One way in which a request fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchFault {
    /// 429; nothing is done.
    Throttled,
    /// 500; nothing is done.
    InternalError,
    /// 500; it was done.
    LateError,
    /// It is done and the connection closed before it is answered.
    LostAnswer,
    /// It is done and never answered.
    Timeout,
}

impl BatchFault {
    /// Every way.
    pub const ALL: [Self; 5] = [
        Self::Throttled,
        Self::InternalError,
        Self::LateError,
        Self::LostAnswer,
        Self::Timeout,
    ];
}

/// A job as it was submitted.
#[derive(Debug, Clone)]
pub struct SubmittedJob {
    /// Its id.
    pub id: String,
    /// The body of `SubmitJob`.
    pub request: Value,
    /// Why it was terminated, if it was.
    pub terminated: Option<String>,
}

/// A running stand-in; dropping it stops it.
#[derive(Debug)]
pub struct BatchServer {
    http: HttpThread,
    state: Arc<Mutex<BatchContents>>,
}

#[derive(Debug, Default)]
struct BatchContents {
    jobs: Vec<SubmittedJob>,
    /// What is said of jobs and children that ended, by id.
    ended: BTreeMap<String, Value>,
    forgotten: BTreeSet<String>,
    requests: BTreeMap<String, u64>,
    throttled: u64,
    limit: Option<Bucket>,
    faults: Option<(fastrand::Rng, u32, Vec<BatchFault>)>,
    /// What is said of every job that is submitted, instead of taking it.
    refusal: Option<String>,
}

impl BatchServer {
    /// Starts a server with no jobs and no limit.
    pub fn start() -> Self {
        let state = Arc::new(Mutex::new(BatchContents::default()));
        let shared = Arc::clone(&state);
        let calls = Calls::of_this_test();
        let http = Port::bind().serve("batch-server", move |request: Request<Incoming>| {
            let (shared, calls) = (Arc::clone(&shared), calls.clone());
            async move {
                let path = request.uri().path().to_owned();
                let body = request
                    .into_body()
                    .collect()
                    .await
                    .map_err(std::io::Error::other)?;
                let body = body.to_bytes();
                record(&calls, &path, &body);
                answer(&shared, &path, &body).await.ok_or_else(closed)
            }
        });
        Self { http, state }
    }

    /// `http://127.0.0.1:<port>`.
    pub fn endpoint(&self) -> String {
        self.http.url()
    }

    /// Answers 429 to more `SubmitJob` requests a second; AWS documents 50.
    pub fn limit_submissions(&self, per_second: u32) {
        lock(&self.state).limit = Some(Bucket::new(per_second));
    }

    /// Makes one in `one_in` requests fail, in a way drawn from `kinds`; none with 0.
    pub fn set_faults(&self, one_in: u32, kinds: &[BatchFault], seed: u64) {
        lock(&self.state).faults =
            (one_in > 0).then(|| (fastrand::Rng::with_seed(seed), one_in, kinds.to_vec()));
    }

    /// Refuses every job for good from now on, with a text; with none, none.
    pub fn refuse(&self, text: Option<&str>) {
        lock(&self.state).refusal = text.map(str::to_owned);
    }

    /// Every job, in the order of submission.
    pub fn jobs(&self) -> Vec<SubmittedJob> {
        lock(&self.state).jobs.clone()
    }

    /// A job, or a child of an array, ends: `end` are the fields of its detail that change.
    pub fn end(&self, id: &str, end: Value) {
        lock(&self.state).ended.insert(id.to_owned(), end);
    }

    /// Nothing is known any more of a job or child.
    pub fn forget(&self, id: &str) {
        lock(&self.state).forgotten.insert(id.to_owned());
    }

    /// How many requests arrived, by the last part of their paths (`submitjob`, ...).
    pub fn requests(&self) -> BTreeMap<String, u64> {
        lock(&self.state).requests.clone()
    }

    /// How many of them were beyond the limit.
    pub fn throttled(&self) -> u64 {
        lock(&self.state).throttled
    }
}

/// A call and those of its fields that policies look at.
fn record(calls: &Calls, path: &str, body: &[u8]) {
    let request: Value = serde_json::from_slice(body).unwrap_or_default();
    let kept: serde_json::Map<_, _> = ["jobQueue", "jobDefinition", "tags"]
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), request.get(name)?.clone())))
        .collect();
    let operation = path.rsplit('/').next().unwrap_or_default();
    calls.record("batch", operation, &Value::Object(kept).to_string());
}

async fn answer(shared: &Mutex<BatchContents>, path: &str, body: &[u8]) -> Answer {
    let request = serde_json::from_slice(body).unwrap_or(Value::Null);
    let operation = path.rsplit('/').next().unwrap_or_default();
    let fault = {
        let mut state = lock(shared);
        *state.requests.entry(operation.to_owned()).or_default() += 1;
        state.faults.as_mut().and_then(|(random, one_in, kinds)| {
            let fails = random.u32(..*one_in) == 0;
            fails
                .then(|| random.choice(kinds.iter().copied()))
                .flatten()
        })
    };
    let error = |status, kind: &str, text: &str| {
        Some(json_answer(
            status,
            &json!({"__type": kind, "message": text}),
        ))
    };
    let broken = || {
        error(
            StatusCode::INTERNAL_SERVER_ERROR,
            "ServerException",
            "made to fail",
        )
    };
    match fault {
        Some(BatchFault::Throttled) => {
            let (status, kind) = (StatusCode::TOO_MANY_REQUESTS, "TooManyRequestsException");
            return error(status, kind, "made to fail");
        }
        Some(BatchFault::InternalError) => return broken(),
        _ => {}
    }
    let done = if operation == "submitjob" && body.len() > MAX_PAYLOAD {
        Err(refusal("the payload is too large"))
    } else {
        perform(&mut lock(shared), operation, &request)
    };
    match fault {
        Some(BatchFault::LateError) => return broken(),
        Some(BatchFault::LostAnswer) => return None,
        Some(BatchFault::Timeout) => tokio::time::sleep(SILENCE).await,
        _ => {}
    }
    match done {
        Ok(body) => Some(json_answer(StatusCode::OK, &body)),
        Err((StatusCode::TOO_MANY_REQUESTS, text)) => error(
            StatusCode::TOO_MANY_REQUESTS,
            "TooManyRequestsException",
            &text,
        ),
        Err((status, text)) => error(status, "ClientException", &text),
    }
}

type Refusal = (StatusCode, String);

fn refusal(text: &str) -> Refusal {
    (StatusCode::BAD_REQUEST, text.to_owned())
}

fn perform(state: &mut BatchContents, operation: &str, request: &Value) -> Result<Value, Refusal> {
    let text = |name: &str| request.get(name).and_then(Value::as_str);
    match operation {
        "submitjob" => submit(state, request),
        "listjobs" if text("arrayJobId").is_some() => {
            let children = format!("{}:", text("arrayJobId").unwrap_or_default());
            let ended = state.ended.iter().filter(|(id, end)| {
                let status = end.get("status").and_then(Value::as_str);
                let known = !state.forgotten.contains(*id);
                id.starts_with(&children) && status == text("jobStatus") && known
            });
            let ended: Vec<Value> = ended.map(|(id, _)| json!({ "jobId": id })).collect();
            Ok(json!({ "jobSummaryList": ended }))
        }
        "listjobs" => {
            let name = request
                .pointer("/filters/0/values/0")
                .and_then(Value::as_str);
            let found = state.jobs.iter().filter(|job| {
                let of = |field: &str| job.request.get(field).and_then(Value::as_str);
                let known = !state.forgotten.contains(&job.id);
                of("jobName") == name && of("jobQueue") == text("jobQueue") && known
            });
            let found: Vec<Value> = found
                .map(|job| json!({"jobId": job.id, "jobName": job.request.get("jobName")}))
                .collect();
            Ok(json!({ "jobSummaryList": found }))
        }
        "describejobs" => {
            let ids = request.get("jobs").and_then(Value::as_array);
            let ids: Vec<&str> = ids
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            if ids.len() > DESCRIBED {
                return Err(refusal("jobs: at most 100 are described at once"));
            }
            let described: Vec<Value> = ids.iter().filter_map(|id| describe(state, id)).collect();
            Ok(json!({ "jobs": described }))
        }
        "terminatejob" => {
            let id = text("jobId").unwrap_or_default();
            let (parent, child) = id.split_once(':').map_or((id, None), |(p, c)| (p, Some(c)));
            let job = state.jobs.iter_mut().find(|job| job.id == parent);
            let job = job.ok_or_else(|| refusal("there is no such job"))?;
            if child.is_none() {
                job.terminated = text("reason").map(str::to_owned);
            }
            Ok(json!({}))
        }
        _ => Err(refusal("this stand-in knows no such operation")),
    }
}

fn submit(state: &mut BatchContents, request: &Value) -> Result<Value, Refusal> {
    if state.limit.as_mut().is_some_and(|limit| !limit.take()) {
        state.throttled += 1;
        let text = "Too Many Requests".to_owned();
        return Err((StatusCode::TOO_MANY_REQUESTS, text));
    }
    if let Some(text) = state.refusal.as_deref().or_else(|| wrong_in(request)) {
        return Err(refusal(text));
    }
    let id = format!("00000000-0000-4000-8000-{:012x}", state.jobs.len());
    state.jobs.push(SubmittedJob {
        id: id.clone(),
        request: request.clone(),
        terminated: None,
    });
    Ok(json!({"jobId": id, "jobName": request.get("jobName")}))
}

/// What AWS refuses in a job, if anything.
fn wrong_in(request: &Value) -> Option<&'static str> {
    let name = request.get("jobName").and_then(Value::as_str).unwrap_or("");
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    let named = (1..=LONGEST_NAME).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.bytes().all(allowed);
    let number = |at| request.pointer(at).and_then(Value::as_u64);
    let size = number("/arrayProperties/size");
    let limit = number("/timeout/attemptDurationSeconds");
    if !named {
        Some("the job's name is not allowed")
    } else if size.is_some_and(|size| !ARRAY_SIZES.contains(&size)) {
        Some("an array has 2 to 10000 children")
    } else if limit.is_some_and(|limit| limit < SHORTEST) {
        Some("the time limit is below 60 seconds")
    } else {
        None
    }
}

fn describe(state: &BatchContents, id: &str) -> Option<Value> {
    let (parent, child) = id.split_once(':').map_or((id, None), |(p, c)| (p, Some(c)));
    let job = state.jobs.iter().find(|job| job.id == parent)?;
    if state.forgotten.contains(id) {
        return None;
    }
    let size = job.request.pointer("/arrayProperties/size");
    let size = size.and_then(Value::as_u64);
    let array = match (child, size) {
        (Some(index), _) => json!({"index": index.parse::<u64>().ok()?}),
        (None, Some(size)) => json!({"size": size, "statusSummary": summary(state, id, size)}),
        (None, None) => Value::Null,
    };
    let overrides = job.request.get("containerOverrides")?;
    let queue = job.request.get("jobQueue").and_then(Value::as_str)?;
    let queue = if queue.starts_with("arn:") {
        queue.to_owned()
    } else {
        format!("{QUEUES}{queue}")
    };
    let mut detail = json!({
        "jobId": id, "jobName": job.request.get("jobName"), "jobQueue": queue,
        "status": "RUNNING", "startedAt": 0, "jobDefinition": job.request.get("jobDefinition"),
        "arrayProperties": array,
        "container": {"command": overrides.get("command"), "environment": overrides.get("environment")},
    });
    let fields = detail.as_object_mut()?;
    let end = state.ended.get(id).and_then(Value::as_object);
    fields.extend(
        end.into_iter()
            .flatten()
            .map(|(name, value)| (name.clone(), value.clone())),
    );
    Some(detail)
}

/// How many children of an array are in each status; those that are forgotten are in none.
fn summary(state: &BatchContents, array: &str, size: u64) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::from([("RUNNING".to_owned(), 0)]);
    for child in (0..size).map(|index| format!("{array}:{index}")) {
        if !state.forgotten.contains(&child) {
            let end = state.ended.get(&child).and_then(|end| end.get("status"));
            let status = end.and_then(Value::as_str).unwrap_or("RUNNING");
            *counts.entry(status.to_owned()).or_insert(0) += 1;
        }
    }
    counts
}
