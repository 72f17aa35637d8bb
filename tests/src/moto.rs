//! AWS Batch and S3 of a server somebody else wrote: moto, in a process of its own.
//!
//! The Python that has it is named by `CALDP_TEST_PYTHON`; `make test` makes one from the pinned
//! `tests/system/system.txt`. Jobs are not run: they succeed at once.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Names the Python in which moto is installed.
const PYTHON: &str = "CALDP_TEST_PYTHON";

/// AWS describes so many jobs at once.
const DESCRIBED_AT_ONCE: usize = 100;

/// How long the server may take to answer for the first time.
const START: Duration = Duration::from_mins(1);

/// A running moto server; dropping it stops it.
#[derive(Debug)]
pub struct Moto {
    process: Child,
    address: SocketAddr,
}

impl Moto {
    /// Starts a server with nothing in it.
    ///
    /// # Panics
    /// When `CALDP_TEST_PYTHON` is not set or has no moto.
    pub fn start() -> Self {
        let python = std::env::var_os(PYTHON).unwrap_or_else(|| {
            panic!(
                "{PYTHON} is not set: it names a Python with moto[server] 5.2.5; \
                 `tests/setup.sh system` makes .venv/system/bin/python"
            )
        });
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .and_then(|listener| listener.local_addr())
            .expect("a free local port")
            .port();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let process = Command::new(&python)
            .args(["-m", "moto.server", "-H", "127.0.0.1", "-p"])
            .arg(port.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|e| panic!("{} cannot be run: {e}", python.display()));
        let mut moto = Self { process, address };
        let begin = Instant::now();
        while TcpStream::connect(address).is_err() {
            if let Ok(Some(status)) = moto.process.try_wait() {
                panic!(
                    "{} -m moto.server ended with {status}; is moto[server] installed?",
                    python.display()
                );
            }
            assert!(begin.elapsed() < START, "moto does not answer on {address}");
            std::thread::sleep(Duration::from_millis(50));
        }
        moto.post(
            "moto-api",
            "/moto-api/config",
            &json!({"batch": {"use_docker": false}}),
        );
        moto
    }

    /// Names and credentials with which a child process talks to this server and to no other.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", self.endpoint()),
            ("AWS_ACCESS_KEY_ID", "test".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_CONFIG_FILE", "/dev/null".to_owned()),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null".to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ]
    }

    /// `http://127.0.0.1:<port>`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Makes a bucket.
    pub fn create_bucket(&self, name: &str) {
        self.send("s3", "PUT", &format!("/{name}"), "application/xml", "");
    }

    /// Makes job queues and job definitions of these names.
    pub fn create_batch(&self, queues: &[&str], definitions: &[&str]) {
        let role =
            "Action=CreateRole&Version=2010-05-08&RoleName=batch&AssumeRolePolicyDocument=%7B%7D";
        self.send(
            "iam",
            "POST",
            "/",
            "application/x-www-form-urlencoded",
            role,
        );
        self.post(
            "batch",
            "/v1/createcomputeenvironment",
            &json!({
                "computeEnvironmentName": "compute", "type": "UNMANAGED", "state": "ENABLED",
                "serviceRole": "arn:aws:iam::123456789012:role/batch",
            }),
        );
        for queue in queues {
            self.post(
                "batch",
                "/v1/createjobqueue",
                &json!({
                    "jobQueueName": queue, "state": "ENABLED", "priority": 1,
                    "computeEnvironmentOrder": [{"order": 1, "computeEnvironment": "compute"}],
                }),
            );
        }
        for definition in definitions {
            self.post("batch", "/v1/registerjobdefinition", &json!({
                "jobDefinitionName": definition, "type": "container",
                "containerProperties": {"image": "busybox", "vcpus": 1, "memory": 512, "command": []},
            }));
        }
    }

    /// Makes an SQS queue, sends it a message and receives that: what the delivery is known by.
    pub fn queue_and_receive(&self, queue: &str, message: &str) -> String {
        let url = format!("http://{}/123456789012/{queue}", self.address);
        let encoded: Vec<String> = message.bytes().map(|b| format!("%{b:02X}")).collect();
        let encoded = encoded.concat();
        let ask = |action: &str| {
            let form = "application/x-www-form-urlencoded";
            self.send(
                "sqs",
                "POST",
                "/",
                form,
                &format!("Version=2012-11-05&{action}"),
            )
        };
        ask(&format!("Action=CreateQueue&QueueName={queue}"));
        ask(&format!(
            "Action=SendMessage&QueueUrl={url}&MessageBody={encoded}"
        ));
        let answer = ask(&format!("Action=ReceiveMessage&QueueUrl={url}"));
        let receipt = answer.split("<ReceiptHandle>").nth(1);
        let receipt = receipt.and_then(|rest| rest.split("</ReceiptHandle>").next());
        receipt.expect("moto gives what was sent").to_owned()
    }

    /// What AWS Batch knows of jobs.
    pub fn describe_jobs(&self, ids: &[String]) -> Vec<Value> {
        let chunks = ids.chunks(DESCRIBED_AT_ONCE).map(|ids| {
            let answer = self.post("batch", "/v1/describejobs", &json!({ "jobs": ids }));
            list(&answer, "jobs")
        });
        chunks.flatten().collect()
    }

    /// The ids of all jobs on a queue, children of arrays included.
    pub fn jobs(&self, queue: &str) -> Vec<String> {
        let body = json!({"jobQueue": queue, "filters": [{"name": "JOB_NAME", "values": ["*"]}]});
        let answer = self.post("batch", "/v1/listjobs", &body);
        let id = |job: &Value| job.get("jobId").and_then(Value::as_str).map(str::to_owned);
        let jobs = list(&answer, "jobSummaryList");
        jobs.iter().filter_map(id).collect()
    }

    /// Stores an object.
    pub fn put(&self, bucket: &str, key: &str, body: &str) {
        self.send("s3", "PUT", &format!("/{bucket}/{key}"), "text/plain", body);
    }

    /// The text of an object.
    pub fn get(&self, bucket: &str, key: &str) -> String {
        self.send("s3", "GET", &format!("/{bucket}/{key}"), "text/plain", "")
    }

    /// Every key of a bucket that starts with `prefix`, sorted.
    pub fn keys(&self, bucket: &str, prefix: &str) -> Vec<String> {
        let (mut keys, mut after) = (vec![], String::new());
        loop {
            let path = format!("/{bucket}?list-type=2&prefix={prefix}&start-after={after}");
            let page = self.send("s3", "GET", &path, "text/plain", "");
            let parts = page.split("<Key>").skip(1);
            let found = parts.filter_map(|part| part.split_once("</Key>"));
            keys.extend(found.map(|(key, _)| key.to_owned()));
            if !page.contains("<IsTruncated>true</IsTruncated>") {
                return keys;
            }
            after = keys.last().cloned().unwrap_or_default();
        }
    }

    fn post(&self, service: &str, path: &str, body: &Value) -> Value {
        let text = self.send(service, "POST", path, "application/json", &body.to_string());
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    /// One request. moto tells services apart by the scope of the signature, which it does not check.
    fn send(&self, service: &str, method: &str, path: &str, kind: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(self.address).expect("moto listens");
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: {kind}\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{service}/aws4_request, \
             SignedHeaders=host, Signature=0\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        )
        .expect("moto reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("moto answers");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head.split_whitespace().nth(1).unwrap_or_default();
        assert!(status.starts_with('2'), "{service} {path}: {answer}");
        body.to_owned()
    }
}

fn list(answer: &Value, field: &str) -> Vec<Value> {
    let list = answer.get(field).and_then(Value::as_array);
    list.cloned().unwrap_or_default()
}

impl Drop for Moto {
    fn drop(&mut self) {
        // Both fail only when the process is gone already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
