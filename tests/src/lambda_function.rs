//! AWS Lambda as a function sees it: the Runtime API, one process at a time, environment and all.
//!
//! Each [`LambdaFunction`] is one execution environment: its own process and its own API. Killing
//! it is what Lambda does when an invocation's time is over; a retry starts another.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::{Method, Request, StatusCode};
use serde_json::{Value, json};

use crate::http::{Answer, HttpThread, Port, closed, json_answer, lock};

/// The time an invocation has unless a test says otherwise: the most that Lambda allows.
const DEADLINE: Duration = Duration::from_mins(15);

/// How long an answer is waited for before the test is given up.
const PATIENCE: Duration = Duration::from_mins(10);

/// How an invocation ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Invoked {
    /// The function answered.
    Answer(Value),
    /// The function reported an error.
    Error {
        /// `errorType`.
        kind: String,
        /// `errorMessage`.
        message: String,
    },
    /// The process was gone before it answered.
    Died,
}

impl Invoked {
    /// The answer.
    ///
    /// # Panics
    /// When there was none.
    pub fn answer(self) -> Value {
        match self {
            Self::Answer(answer) => answer,
            other => panic!("the function did not answer: {other:?}"),
        }
    }

    /// The type and text of the error.
    ///
    /// # Panics
    /// When there was none.
    pub fn error(self) -> (String, String) {
        match self {
            Self::Error { kind, message } => (kind, message),
            other => panic!("the function did not fail: {other:?}"),
        }
    }
}

/// One execution environment; dropping it kills its process.
#[derive(Debug)]
pub struct LambdaFunction {
    process: Mutex<Child>,
    shared: Arc<RuntimeApi>,
    events: tokio::sync::mpsc::UnboundedSender<Event>,
    log: tempfile::NamedTempFile,
    // last, so that the process is gone before its API
    _http: HttpThread,
}

#[derive(Debug)]
struct Event {
    id: String,
    payload: Value,
    time: Duration,
    answer: mpsc::Sender<Invoked>,
}

#[derive(Debug)]
struct RuntimeApi {
    started: Mutex<Instant>,
    ready: Mutex<Option<Duration>>,
    waiting: Mutex<BTreeMap<String, mpsc::Sender<Invoked>>>,
    queue: tokio::sync::Mutex<tokio::sync::mpsc::UnboundedReceiver<Event>>,
}

impl LambdaFunction {
    /// Starts `program` with these environment variables and no others but Lambda's.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(program: &Path, variables: &[(&str, String)]) -> Self {
        let (events, queue) = tokio::sync::mpsc::unbounded_channel();
        let shared = Arc::new(RuntimeApi {
            started: Mutex::new(Instant::now()),
            ready: Mutex::default(),
            waiting: Mutex::default(),
            queue: tokio::sync::Mutex::new(queue),
        });
        let served = Arc::clone(&shared);
        let http = Port::bind().serve("lambda-runtime-api", move |request| {
            let shared = Arc::clone(&served);
            async move { answer(&shared, request).await.ok_or_else(closed) }
        });
        let log = tempfile::NamedTempFile::new().expect("a temporary file");
        let output = log.reopen().expect("the file is there");
        *lock(&shared.started) = Instant::now();
        let process = Command::new(program)
            .env_clear()
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .env("AWS_LAMBDA_RUNTIME_API", http.address.to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", "trigger")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/trigger")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "stream")
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("the file is open"))
            .stderr(output)
            .spawn()
            .unwrap_or_else(|e| panic!("{} cannot be run: {e}", program.display()));
        Self {
            process: Mutex::new(process),
            shared,
            events,
            log,
            _http: http,
        }
    }

    /// Invokes the function and waits for the end. What is no letter or digit of `id` becomes `-`.
    pub fn invoke(&self, id: &str, payload: Value) -> Invoked {
        self.invoke_within(id, payload, DEADLINE)
    }

    /// Invokes the function, telling it that it has `time`; nothing ends it when that is over.
    ///
    /// # Panics
    /// When there is no end within ten minutes.
    pub fn invoke_within(&self, id: &str, payload: Value, time: Duration) -> Invoked {
        let (answer, answered) = mpsc::channel();
        // ids are parts of URLs and headers
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        let event = Event {
            id: id.chars().map(plain).collect(),
            payload,
            time,
            answer,
        };
        // It fails only when the server is gone.
        let _ = self.events.send(event);
        let begin = Instant::now();
        loop {
            match answered.recv_timeout(Duration::from_millis(20)) {
                Ok(end) => return end,
                Err(mpsc::RecvTimeoutError::Disconnected) => return Invoked::Died,
                Err(mpsc::RecvTimeoutError::Timeout) if self.is_gone() => {
                    // what it said last may be on its way
                    let last = answered.recv_timeout(Duration::from_millis(50));
                    return last.unwrap_or(Invoked::Died);
                }
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    assert!(
                        begin.elapsed() < PATIENCE,
                        "no answer to {id}: {}",
                        self.log()
                    );
                }
            }
        }
    }

    /// Kills the process, whatever it is doing.
    pub fn kill(&self) {
        let mut process = lock(&self.process);
        // Both fail only when the process is gone already.
        let _ = process.kill();
        let _ = process.wait();
    }

    fn is_gone(&self) -> bool {
        !matches!(lock(&self.process).try_wait(), Ok(None))
    }

    /// When the process asked for its first event, counted from its start; none if it never did
    /// within ten seconds.
    pub fn first_request(&self) -> Option<Duration> {
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(10) && !self.is_gone() {
            if let Some(ready) = *lock(&self.shared.ready) {
                return Some(ready);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        *lock(&self.shared.ready)
    }

    /// Everything the process wrote so far.
    ///
    /// # Panics
    /// When its output cannot be read.
    pub fn log(&self) -> String {
        let bytes = std::fs::read(self.log.path()).expect("the log is readable");
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The most memory the process held, in KiB.
    ///
    /// # Panics
    /// When the process is gone.
    pub fn peak_kib(&self) -> u64 {
        let path = format!("/proc/{}/status", lock(&self.process).id());
        let status = std::fs::read_to_string(path).expect("the process is there");
        let line = status.lines().find(|line| line.starts_with("VmHWM"));
        line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok())
            .expect("the peak is a number of KiB")
    }
}

impl Drop for LambdaFunction {
    fn drop(&mut self) {
        self.kill();
    }
}

async fn answer(shared: &RuntimeApi, request: Request<Incoming>) -> Answer {
    let path = request.uri().path().to_owned();
    if request.method() == Method::GET && path.ends_with("/invocation/next") {
        lock(&shared.ready).get_or_insert(lock(&shared.started).elapsed());
        return next(shared).await;
    }
    let body = request.into_body().collect().await.ok()?.to_bytes();
    let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let mut parts = path.rsplit('/');
    let (kind, id) = (parts.next()?, parts.next()?);
    let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
    let end = if kind == "response" {
        Invoked::Answer(body)
    } else {
        Invoked::Error {
            kind: text("errorType").unwrap_or_default(),
            message: text("errorMessage").unwrap_or_default(),
        }
    };
    if let Some(answer) = lock(&shared.waiting).remove(id) {
        // It fails only when nobody waits any more.
        let _ = answer.send(end);
    }
    Some(json_answer(StatusCode::ACCEPTED, &json!({"status": "OK"})))
}

async fn next(shared: &RuntimeApi) -> Answer {
    let event = shared.queue.lock().await.recv().await?;
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let deadline = (now + event.time).as_millis().to_string();
    let arn = "arn:aws:lambda:us-east-1:123456789012:function:trigger";
    let mut response = json_answer(StatusCode::OK, &event.payload);
    for (name, value) in [
        ("lambda-runtime-aws-request-id", event.id.as_str()),
        ("lambda-runtime-deadline-ms", &deadline),
        ("lambda-runtime-invoked-function-arn", arn),
        (
            "lambda-runtime-trace-id",
            "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700",
        ),
    ] {
        let value = HeaderValue::from_str(value).expect("the tests' ids fit into headers");
        response.headers_mut().insert(name, value);
    }
    lock(&shared.waiting).insert(event.id, event.answer);
    Some(response)
}
