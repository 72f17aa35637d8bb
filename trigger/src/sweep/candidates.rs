//! Which datasets may be stuck, by their messages and records.

use std::time::Duration;

use caldp_core::batch::JobId;
use caldp_core::dataset::Dataset;
use caldp_core::state::State;
use jiff::{SignedDuration, Timestamp};

use crate::event::detail::JobDescription;
use crate::overview::dataset::DatasetProgress;

/// A dataset without a record that does not move for so long was left by somebody who ran it by hand.
const LEFT: SignedDuration = SignedDuration::from_hours(72);

/// A dataset that may be stuck.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) dataset: Dataset,
    /// Its job, if it is known.
    pub(super) job: Option<JobId>,
    /// Whether its record says that it ended and its message does not.
    pub(super) untold: bool,
}

/// What is wrong with a dataset.
#[derive(Debug, Clone)]
pub(super) enum StuckBy {
    /// Its job ended and nobody heard of it.
    Ended(Box<JobDescription>),
    /// AWS Batch does not know its job any more.
    Gone(JobId),
    /// It was to get a job and has none.
    NoJob,
    /// Its message is not what its record says.
    Untold,
}

impl StuckBy {
    /// As metrics count it.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Ended(_) => "job-ended",
            Self::Gone(_) => "job-unknown",
            Self::NoJob => "no-job",
            Self::Untold => "message-missing",
        }
    }

    /// In words.
    pub(super) const fn words(&self) -> &'static str {
        match self {
            Self::Ended(_) => "its job has ended, unnoticed",
            Self::Gone(_) => "AWS Batch does not know its job any more",
            Self::NoJob => "it was to get a job and has none",
            Self::Untold => "its message is not what its record says",
        }
    }
}

/// Those that may be stuck, in the order of their names, beginning after one of them.
pub(super) fn sorted_out(
    datasets: &[DatasetProgress],
    after: Option<&Dataset>,
    grace: Duration,
    now: Timestamp,
) -> Vec<Candidate> {
    let age = |at| Duration::try_from(now.duration_since(at));
    let old = |at: Timestamp| age(at).is_ok_and(|age| age >= grace);
    let mut candidates: Vec<Candidate> = datasets
        .iter()
        .filter_map(|d| {
            let waiting = d.pending && d.planned.is_some_and(old);
            let untold = !d.pending && is_untold(d) && d.ended.is_some_and(old);
            (waiting || untold).then(|| Candidate {
                dataset: d.dataset.clone(),
                job: d.job_id.clone().filter(|_| waiting),
                untold,
            })
        })
        .collect();
    candidates.sort_by(|a, b| a.dataset.cmp(&b.dataset));
    let begin = after.map_or(0, |after| {
        candidates.partition_point(|c| c.dataset <= *after)
    });
    if begin < candidates.len() {
        candidates.rotate_left(begin);
    }
    candidates
}

/// Whether the record ended after the message of work was written: whoever wrote the one did not come to
/// write the other, or to delete it. A message that is newer is of somebody who runs the dataset by hand.
fn is_untold(dataset: &DatasetProgress) -> bool {
    let moving = matches!(dataset.state, State::Submitted | State::Processing);
    let of_work = dataset.since.filter(|_| moving).or(dataset.left_over);
    let times = of_work.zip(dataset.ended);
    times.is_some_and(|(written, ended)| written <= ended)
}

/// Whether nobody of this system moves the dataset, and nobody else has for long.
pub(super) fn is_foreign(dataset: &DatasetProgress, now: Timestamp) -> bool {
    let since = dataset.since;
    !dataset.pending && since.is_some_and(|since| now.duration_since(since) > LEFT)
}
