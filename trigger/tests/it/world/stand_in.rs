//! A stand-in for AWS Batch behind the trigger's trait, in memory and without a wire.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use caldp_core::batch::JobId;
use caldp_trigger::batch::{ARRAY_SIZES, Batch, BatchFailure, FailureKind, KnownJob, NewJob};

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
        act: impl FnOnce(&mut State) -> Result<T, BatchFailure>,
    ) -> Result<T, BatchFailure> {
        let failure = |kind, text: &str| {
            Err(BatchFailure {
                kind,
                text: text.to_owned(),
                source: None,
            })
        };
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
        self.answer(|state| {
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
        self.answer(|state| {
            let mut jobs = state.jobs.iter();
            let found = jobs.find(|j| j.new.queue == queue && j.new.name == name);
            Ok(found.map(|j| j.id.clone()))
        })
    }

    async fn describe(&self, id: &JobId) -> Result<Option<KnownJob>, BatchFailure> {
        let parent = id.as_str().split(':').next().unwrap().to_owned();
        self.answer(|state| {
            let job = state.jobs.iter().find(|j| j.id.as_str() == parent);
            Ok(job.map(|j| KnownJob {
                command: j.new.command.clone(),
                environment: j.new.environment.clone(),
                name: j.new.name.clone(),
                queue: j.new.queue.clone(),
                array_size: (parent == id.as_str())
                    .then_some(j.new.array_size)
                    .flatten()
                    .and_then(|n| u32::try_from(n).ok()),
            }))
        })
    }

    async fn terminate(&self, id: &JobId, reason: &str) -> Result<(), BatchFailure> {
        let parent = id.as_str().split(':').next().unwrap().to_owned();
        let reason = reason.to_owned();
        let child = parent != id.as_str();
        self.answer(move |state| {
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
