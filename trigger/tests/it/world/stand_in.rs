//! A stand-in for AWS Batch behind the trigger's trait, in memory and without a wire.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use caldp_core::batch::JobId;
use caldp_trigger::batch::{
    ARRAY_SIZES, Batch, BatchFailure, DESCRIBED, EndStatus, FailureKind, NewJob,
};
use caldp_trigger::event::detail::JobDescription;
use serde_json::{Value, json};

use super::job_event;

/// A job the stand-in was given.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) id: JobId,
    pub(crate) new: NewJob,
    pub(crate) terminated: Option<String>,
}

/// How requests to the stand-in fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BatchFault {
    /// 429: nothing is done.
    Throttled,
    /// 500 or a timeout, nothing was done.
    Before,
    /// 500 or a timeout, it was done.
    After,
}

#[derive(Debug, Default)]
struct State {
    jobs: Vec<Job>,
    /// The details of jobs that ended, by id.
    ended: BTreeMap<String, Value>,
    /// Jobs of which nothing is known any more.
    forgotten: BTreeSet<String>,
    /// How often each operation was asked for.
    requests: BTreeMap<&'static str, usize>,
    /// What is said of every job that is submitted, instead of taking it.
    refusal: Option<(FailureKind, String)>,
    random: Option<(fastrand::Rng, u32)>,
}

/// AWS Batch as its API reference documents it, in memory: names, array sizes, time limits,
/// payload, existing queues and definitions are checked; failures are drawn from a seed.
#[derive(Debug, Clone, Default)]
pub(crate) struct StandIn(Arc<Mutex<State>>);

/// `SubmitJob` refuses larger payloads, in bytes.
const MAX_PAYLOAD: usize = 30 * 1024;

impl StandIn {
    /// One in `one_in` requests fails from now on; none with 0.
    pub(crate) fn fail_one_in(&self, one_in: u32, seed: u64) {
        self.0.lock().unwrap().random =
            (one_in > 0).then(|| (fastrand::Rng::with_seed(seed), one_in));
    }

    /// A job ends, as the detail of its event says.
    pub(crate) fn end(&self, event: &Value) {
        let detail = event["detail"].clone();
        let id = detail["jobId"].as_str().unwrap().to_owned();
        self.0.lock().unwrap().ended.insert(id, detail);
    }

    /// Nothing is known of a job any more.
    pub(crate) fn forget(&self, id: &str) {
        self.0.lock().unwrap().forgotten.insert(id.to_owned());
    }

    /// No job is taken any more, or with none all are.
    pub(crate) fn refuse(&self, refusal: Option<(FailureKind, &str)>) {
        let refusal = refusal.map(|(kind, text)| (kind, text.to_owned()));
        self.0.lock().unwrap().refusal = refusal;
    }

    /// How often each operation was asked for since the last time.
    pub(crate) fn requests(&self) -> BTreeMap<&'static str, usize> {
        std::mem::take(&mut self.0.lock().unwrap().requests)
    }

    pub(crate) fn jobs(&self) -> Vec<Job> {
        self.0.lock().unwrap().jobs.clone()
    }

    fn fault(&self) -> Option<BatchFault> {
        let mut state = self.0.lock().unwrap();
        let (random, one_in) = state.random.as_mut()?;
        if random.u32(..*one_in) != 0 {
            return None;
        }
        random
            .choice(&[BatchFault::Throttled, BatchFault::Before, BatchFault::After])
            .copied()
    }

    fn answer<T>(
        &self,
        operation: &'static str,
        act: impl FnOnce(&mut State) -> Result<T, BatchFailure>,
    ) -> Result<T, BatchFailure> {
        let failure = |kind, text: &str| {
            Err(BatchFailure {
                kind,
                text: text.to_owned(),
                source: None,
            })
        };
        *self
            .0
            .lock()
            .unwrap()
            .requests
            .entry(operation)
            .or_default() += 1;
        match self.fault() {
            Some(BatchFault::Throttled) => failure(FailureKind::Throttled, "429"),
            Some(BatchFault::Before) => failure(FailureKind::Unclear, "500"),
            Some(BatchFault::After) => {
                act(&mut self.0.lock().unwrap())?;
                failure(FailureKind::Unclear, "timed out")
            }
            None => act(&mut self.0.lock().unwrap()),
        }
    }
}

impl State {
    /// What is known of a job or child.
    fn detail(&self, id: &JobId) -> Option<JobDescription> {
        let job = self.jobs.iter().find(|job| job.id == id.parent())?;
        if self.forgotten.contains(id.as_str()) {
            return None;
        }
        let running = || {
            let child = id.index().map(usize::from);
            let mut event = job_event(job, child, "RUNNING", None, "");
            if let (None, Some(size)) = (child, job.new.array_size) {
                let count = |status: &str| {
                    let ended = self.ended_children(id);
                    ended
                        .filter(|(_, detail)| detail["status"] == status)
                        .count()
                };
                let summary = json!({"SUCCEEDED": count("SUCCEEDED"), "FAILED": count("FAILED")});
                event["detail"]["arrayProperties"] =
                    json!({"size": size, "statusSummary": summary});
            }
            event["detail"].clone()
        };
        let detail = self.ended.get(id.as_str()).cloned().unwrap_or_else(running);
        Some(serde_json::from_value(detail).unwrap())
    }

    fn ended_children(&self, array: &JobId) -> impl Iterator<Item = (&String, &Value)> {
        let prefix = format!("{array}:");
        let known = |id: &String| !self.forgotten.contains(id);
        let ended = self.ended.iter();
        ended.filter(move |(id, _)| id.starts_with(&prefix) && known(id))
    }
}

fn refused(text: String) -> BatchFailure {
    BatchFailure {
        kind: FailureKind::Refused,
        text,
        source: None,
    }
}

fn check(job: &NewJob) -> Result<(), BatchFailure> {
    let name_ok = (1..=128).contains(&job.name.len())
        && job.name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && job
            .name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if !name_ok {
        return Err(refused(format!("{} is no job name", job.name)));
    }
    if !["q2", "q8", "q16", "q64", "own"].contains(&job.queue.as_str())
        || !["d2", "d8", "d16", "d64", "own"].contains(&job.definition.as_str())
    {
        return Err(refused(format!(
            "{} or {} do not exist",
            job.queue, job.definition
        )));
    }
    if job.timeout < Duration::from_mins(1) {
        return Err(refused("the timeout is below 60 seconds".to_owned()));
    }
    if job.array_size.is_some_and(|n| !ARRAY_SIZES.contains(&n)) {
        return Err(refused(format!("{:?} is no array size", job.array_size)));
    }
    if format!("{job:?}").len() > MAX_PAYLOAD {
        return Err(refused("the payload is too large".to_owned()));
    }
    Ok(())
}

impl Batch for StandIn {
    async fn submit(&self, job: &NewJob) -> Result<JobId, BatchFailure> {
        tokio::task::yield_now().await;
        self.answer("submit", |state| {
            if let Some((kind, text)) = state.refusal.clone() {
                let source = None;
                return Err(BatchFailure { kind, text, source });
            }
            check(job)?;
            let id: JobId = format!("00000000-0000-4000-8000-{:012x}", state.jobs.len())
                .parse()
                .unwrap();
            state.jobs.push(Job {
                id: id.clone(),
                new: job.clone(),
                terminated: None,
            });
            Ok(id)
        })
    }

    async fn find(&self, queue: &str, name: &str) -> Result<Option<JobId>, BatchFailure> {
        tokio::task::yield_now().await;
        self.answer("find", |state| {
            let mut jobs = state.jobs.iter();
            let found = jobs.find(|j| {
                let known = !state.forgotten.contains(j.id.as_str());
                known && j.new.queue == queue && j.new.name == name
            });
            Ok(found.map(|j| j.id.clone()))
        })
    }

    async fn describe(&self, ids: &[JobId]) -> Result<Vec<JobDescription>, BatchFailure> {
        assert!(ids.len() <= DESCRIBED, "{} at once", ids.len());
        self.answer("describe", |state| {
            let details = ids.iter().filter_map(|id| state.detail(id));
            Ok(details.collect())
        })
    }

    async fn children(&self, array: &JobId, status: EndStatus) -> Result<Vec<JobId>, BatchFailure> {
        let wanted = match status {
            EndStatus::Succeeded => "SUCCEEDED",
            EndStatus::Failed => "FAILED",
        };
        self.answer("children", |state| {
            let ended = state.ended_children(array);
            let ended = ended.filter(|(_, detail)| detail["status"] == wanted);
            Ok(ended.map(|(id, _)| id.parse().unwrap()).collect())
        })
    }

    async fn terminate(&self, id: &JobId, reason: &str) -> Result<(), BatchFailure> {
        let parent = id.as_str().split(':').next().unwrap().to_owned();
        let reason = reason.to_owned();
        let child = parent != id.as_str();
        self.answer("terminate", move |state| {
            let job = state.jobs.iter_mut().find(|j| j.id.as_str() == parent);
            let Some(job) = job else {
                return Err(refused("no such job".to_owned()));
            };
            if !child {
                job.terminated = Some(reason);
            }
            Ok(())
        })
    }
}
