//! What the tests of several crates begin with: S3 with the bucket that results go to, AWS Batch, a directory,
//! and commands that know of these and of nothing else. What a test puts there besides is its own.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use bytes::Bytes;
use serde_json::Value;
use tempfile::TempDir;

use crate::{BatchServer, S3Server, SubmittedJob};

/// The job queues of a deployment, one a memory bin.
pub const QUEUES: [&str; 4] = ["q2", "q8", "q16", "q64"];

/// Its job definitions.
pub const DEFINITIONS: [&str; 4] = ["d2", "d8", "d16", "d64"];

/// A bucket for results, a deployment of AWS Batch, a directory.
#[derive(Debug)]
pub struct World {
    /// The server that has the bucket.
    pub s3: S3Server,
    /// The stand-in for AWS Batch.
    pub batch: BatchServer,
    bucket: &'static str,
    directory: TempDir,
}

impl World {
    /// The bucket results go to, where no other is named.
    pub const BUCKET: &'static str = "hst-out";

    /// Nothing in any of them.
    pub fn new() -> Self {
        Self::with_buckets(&[Self::BUCKET])
    }

    /// The same with other buckets; keys are those of the first.
    ///
    /// # Panics
    /// When there is no bucket, or no room for a directory.
    pub fn with_buckets(buckets: &[&'static str]) -> Self {
        Self {
            s3: S3Server::start(buckets),
            batch: BatchServer::start(),
            bucket: buckets.first().expect("a bucket"),
            directory: tempfile::tempdir().expect("a temporary directory"),
        }
    }

    /// The directory: home and working directory of commands.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Where the servers are, and the credentials they accept.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let mut variables = self.s3.environment();
        variables.push(("AWS_ENDPOINT_URL_BATCH", self.batch.endpoint()));
        variables
    }

    /// A program in the directory, with [`Self::environment`] and nothing else.
    pub fn command<A: AsRef<OsStr>>(
        &self,
        program: &str,
        arguments: impl IntoIterator<Item = A>,
    ) -> Command {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(self.path())
            .env_clear()
            .envs(self.environment());
        command
    }

    /// Stores an object.
    pub fn put(&self, key: &str, body: impl Into<Bytes>) {
        self.s3.put(self.bucket, key, body);
    }

    /// Deletes an object.
    pub fn remove(&self, key: &str) {
        self.s3.remove(self.bucket, key);
    }

    /// The body of an object, if it exists.
    pub fn get(&self, key: &str) -> Option<Bytes> {
        self.s3.get(self.bucket, key)
    }

    /// The body of an object that exists.
    ///
    /// # Panics
    /// When it does not.
    pub fn stored(&self, key: &str) -> Bytes {
        self.get(key)
            .unwrap_or_else(|| panic!("there is no {key} in {:?}", self.keys()))
    }

    /// An object that exists, as JSON.
    ///
    /// # Panics
    /// When it does not, or is none.
    pub fn json(&self, key: &str) -> Value {
        serde_json::from_slice(&self.stored(key)).unwrap_or_else(|e| panic!("{key}: {e}"))
    }

    /// Every key, sorted.
    pub fn keys(&self) -> Vec<String> {
        self.s3.keys(self.bucket)
    }

    /// The states each dataset has a message of, in the tree layout below a root.
    pub fn states(&self, root: &str) -> BTreeMap<String, Vec<String>> {
        let prefix = format!("{root}messages/dataset-");
        let mut states: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for key in self.keys() {
            let of_dataset = key.strip_prefix(&prefix).and_then(|k| k.split_once('/'));
            if let Some((state, dataset)) = of_dataset {
                let states = states.entry(dataset.to_owned()).or_default();
                states.push(state.to_owned());
            }
        }
        states
    }

    /// The last job of one dataset.
    ///
    /// # Panics
    /// When it has none.
    pub fn last_job(&self, dataset: &str) -> SubmittedJob {
        let mut jobs = self.batch.jobs().into_iter();
        let of = |job: &SubmittedJob| {
            let command = job.request.pointer("/containerOverrides/command/2");
            command.is_some_and(|word| word == dataset)
        };
        jobs.rfind(of)
            .unwrap_or_else(|| panic!("no job of {dataset}"))
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}
