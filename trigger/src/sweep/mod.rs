//! Nothing stays stuck: datasets whose job has ended, disappeared or never existed are found and settled, each
//! as its event would have settled it.
//!
//! An event may be lost, a queue deleted, an invocation killed between a claim and its job, and AWS Batch forgets
//! a job some time after its end. What a sweep finds it hands to the same code as events ([`crate::verdict`],
//! [`Reconciler`]), so it may be killed at any moment, and run at the same time as itself and as events.
//!
//! [`lookup`] asks AWS Batch; [`gone`] reads what a forgotten job left; [`candidates`] are those that may be stuck;
//! [`cursor`] is where the next sweep begins when time or calls did not suffice.

mod answer;
mod candidates;
mod cursor;
mod gone;
mod lookup;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use caldp_core::batch::JobId;
use caldp_core::dataset::Dataset;
use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use storage::hint::with_causes;
use storage::store::{S3Prefix, Store};

use crate::batch::Batch;
use crate::batch::client::{BatchClient, MaybeSubmitted};
use crate::config::Config;
use crate::error::TriggerError;
use crate::event::job_event::JobEvent;
use crate::invocation::Invocation;
use crate::metric::{self, SweepResult};
use crate::output_root::OutputRoot;
use crate::overview::progress;
use crate::record::documents::{Documents, unreadable};
use crate::record::transition::job_name;
use crate::submit::reconcile::{KnownDataset, Reconciler};
use crate::verdict::job_ends::JobEnds;
pub use answer::{Found, Mode, SweepAnswer, SweptOutput};
use candidates::{Candidate, StuckBy, sorted_out};
use cursor::Cursor;
use lookup::{Calls, FoundJob, fates};

/// How long one sweep of the schedule takes at most.
const TIME: Duration = Duration::from_mins(5);

/// How many requests it makes to AWS Batch at most, but for those of what it settles.
const CALLS: usize = 1000;

/// Of so many datasets in all, what a sweep of the schedule reads is kept for their pages.
const KEPT: usize = 25_000;

/// So many datasets an answer of the schedule names.
const TOLD: usize = 20;

/// What is done in one sweep.
struct Sweep<'a> {
    mode: Mode,
    invocation: &'a Invocation,
    calls: Calls,
    answer: SweepAnswer,
}

/// What became of a candidate.
enum Settling {
    Settled(String),
    Failed(TriggerError),
    Left,
}

/// Finds what is stuck and settles it.
#[derive(Debug)]
pub struct Sweeper<B> {
    config: Arc<Config>,
    documents: Documents,
    batch_client: Arc<BatchClient<B>>,
    job_ends: Arc<JobEnds<B>>,
    reconciler: Arc<Reconciler<B>>,
}

impl<B: Batch> Sweeper<B> {
    /// A sweeper of a deployment.
    pub const fn new(
        config: Arc<Config>,
        documents: Documents,
        batch_client: Arc<BatchClient<B>>,
        job_ends: Arc<JobEnds<B>>,
        reconciler: Arc<Reconciler<B>>,
    ) -> Self {
        Self {
            config,
            documents,
            batch_client,
            job_ends,
            reconciler,
        }
    }

    /// Sweeps outputs for an operator: all of them, however long it takes.
    ///
    /// # Errors
    /// [`TriggerError`] when an output cannot be read or AWS Batch cannot be asked.
    pub async fn sweep(
        &self,
        roots: &[OutputRoot],
        mode: Mode,
        invocation: &Invocation,
    ) -> Result<SweepAnswer, TriggerError> {
        let mut sweep = Sweep::new(mode, invocation, Calls(usize::MAX));
        for root in roots {
            self.output(root, None, &mut sweep).await?;
        }
        Ok(sweep.answer)
    }

    /// Sweeps outputs for the schedule, beginning where the sweep before had to stop, within a time and a
    /// number of calls. What cannot be read in one output does not keep the others from their turn.
    pub(crate) async fn on_schedule(
        &self,
        roots: &[OutputRoot],
        invocation: &Invocation,
    ) -> Result<(SweepAnswer, Vec<SweptOutput>, Vec<TriggerError>), TriggerError> {
        let invocation = Invocation {
            id: invocation.id.clone(),
            budget: invocation.budget.at_most(TIME),
        };
        let cursor = Cursor::read(&self.documents).await?;
        let mut sweep = Sweep::new(Mode::Settle, &invocation, Calls(CALLS));
        let (mut seen, mut errors, mut stopped_at) = (vec![], vec![], None);
        let mut kept = 0;
        let mut note = |output: Option<SweptOutput>| {
            seen.extend(output.map(|output| output.within(KEPT, &mut kept)));
        };
        for root in cursor.in_turn(roots) {
            if sweep.is_over() {
                stopped_at = Some((root.clone(), None));
                break;
            }
            match self.output(root, cursor.after(root), &mut sweep).await {
                Ok((output, None)) => note(output),
                Ok((output, last)) => {
                    note(output);
                    stopped_at = Some((root.clone(), last));
                    break;
                }
                Err(error) => errors.push(error),
            }
        }
        cursor.write(&self.documents, stopped_at).await?;
        let mut answer = sweep.answer;
        answer.found.truncate(TOLD);
        answer.failed.truncate(TOLD);
        Ok((answer, seen, errors))
    }

    /// Sweeps one output, beginning after a dataset. How it is doing, unless something was settled in it; and
    /// the last dataset that was looked at where not all were.
    async fn output(
        &self,
        root: &OutputRoot,
        after: Option<&Dataset>,
        sweep: &mut Sweep<'_>,
    ) -> Result<(Option<SweptOutput>, Option<Dataset>), TriggerError> {
        let s3 = self.documents.s3().clone();
        let store: Arc<dyn Store> = Arc::new(S3Prefix::new(s3, root.uri.clone()));
        let progress = progress::read(&store, root.layout).await?;
        let datasets = &progress.datasets;
        let now = Timestamp::now();
        sweep.answer.outputs += 1;
        sweep.answer.active += datasets.iter().filter(|d| !d.is_settled()).count();
        let candidates = sorted_out(datasets, after, self.config.grace, now);
        if candidates.is_empty() {
            let output = SweptOutput::of(root, progress, now);
            return Ok((Some(output), None));
        }
        let jobs: Vec<JobId> = candidates.iter().filter_map(|c| c.job.clone()).collect();
        let fates = fates(&self.batch_client, &jobs, &mut sweep.calls).await?;
        let (stuck, looked_at) = stuck(candidates, &fates);
        let last = self.settle_all(root, &stuck, sweep).await;
        let unasked = jobs.len() > fates.len();
        let stopped = last.or_else(|| looked_at.filter(|_| unasked));
        if unasked {
            sweep.answer.left += jobs.len() - fates.len();
        }
        let untouched = stuck
            .is_empty()
            .then(|| SweptOutput::of(root, progress, now));
        Ok((untouched, stopped))
    }

    /// Settles what was found in an output. The last that was looked at, where there was not time for all.
    async fn settle_all(
        &self,
        root: &OutputRoot,
        stuck: &[(Candidate, StuckBy)],
        sweep: &mut Sweep<'_>,
    ) -> Option<Dataset> {
        let found = |(candidate, trouble): &(Candidate, StuckBy), result: String| Found {
            dataset: candidate.dataset.clone(),
            output: root.uri.clone(),
            found: trouble.words(),
            result,
        };
        sweep.answer.stuck += stuck.len();
        if sweep.mode == Mode::Tell {
            let all = stuck.iter().map(|stuck| found(stuck, String::new()));
            sweep.answer.found.extend(all);
            return None;
        }
        let invocation = sweep.invocation;
        let mut turns = stream::iter(stuck)
            .map(|stuck| async move {
                let turn = if invocation.budget.is_spent() {
                    None
                } else {
                    let (candidate, trouble) = stuck;
                    Some(self.settle(root, candidate, trouble, invocation).await)
                };
                (stuck, turn)
            })
            .buffered(self.config.concurrency);
        let (mut last, mut stopped) = (None, false);
        while let Some((stuck, turn)) = turns.next().await {
            if !stopped && turn.is_some() {
                last = Some(stuck.0.dataset.clone());
            }
            match turn {
                None => {
                    stopped = true;
                    sweep.answer.left += 1;
                }
                Some(Settling::Left) => sweep.answer.left += 1,
                Some(Settling::Settled(words)) => {
                    tracing::warn!(dataset = %stuck.0.dataset, output = %root.uri, words, "swept");
                    metric::swept(stuck.1.kind(), SweepResult::Settled);
                    sweep.answer.settled += 1;
                    sweep.answer.found.push(found(stuck, words));
                }
                Some(Settling::Failed(error)) => {
                    let words = with_causes(&error).to_string();
                    tracing::error!(dataset = %stuck.0.dataset, output = %root.uri, words, "not swept");
                    metric::swept(stuck.1.kind(), SweepResult::Failed);
                    sweep.answer.failed.push(found(stuck, words));
                }
            }
        }
        last.filter(|_| stopped)
    }

    async fn settle(
        &self,
        root: &OutputRoot,
        candidate: &Candidate,
        trouble: &StuckBy,
        invocation: &Invocation,
    ) -> Settling {
        let dataset = &candidate.dataset;
        let done = match trouble {
            StuckBy::Ended(detail) => match JobEvent::from_detail((**detail).clone()) {
                Ok(event) => self.ended(root, dataset, &event, invocation).await,
                Err(error) => Err(error.into()),
            },
            StuckBy::Gone(job) => match gone::event(&self.documents, root, dataset, job).await {
                Ok(event) => self.ended(root, dataset, &event, invocation).await,
                Err(error) => Err(error),
            },
            StuckBy::NoJob | StuckBy::Untold => self.reconciled(root, dataset, invocation).await,
        };
        match done {
            Ok(Some(words)) => Settling::Settled(words),
            Ok(None) | Err(TriggerError::Busy { .. }) => Settling::Left,
            Err(error) => Settling::Failed(error),
        }
    }

    async fn ended(
        &self,
        root: &OutputRoot,
        dataset: &Dataset,
        event: &JobEvent,
        invocation: &Invocation,
    ) -> Result<Option<String>, TriggerError> {
        let settled = Box::pin(self.job_ends.settle(event, root, dataset, invocation));
        settled.await.map(Some)
    }

    /// Makes job and messages of a dataset match its record. A dataset that waits for its array is left to
    /// the submission of that.
    async fn reconciled(
        &self,
        root: &OutputRoot,
        dataset: &Dataset,
        invocation: &Invocation,
    ) -> Result<Option<String>, TriggerError> {
        let Some(versioned) = self.documents.record(root, dataset).await? else {
            return Ok(None);
        };
        let own = |number, origin: &str| job_name(&root.uri, dataset, number, origin);
        let pending = versioned.record.pending();
        if pending.is_some_and(|a| a.job_id.is_none() && a.job_name != own(a.number, &a.origin)) {
            return Ok(None);
        }
        let job = MaybeSubmitted::Perhaps;
        let known = KnownDataset { versioned, job };
        let known = Box::pin(
            self.reconciler
                .reconcile_record(root, known, None, invocation),
        )
        .await?;
        let last = known.record.last();
        let last =
            last.ok_or_else(|| unreadable(&root.uri, "a record without attempts".to_owned()))?;
        Ok(Some(match (&last.outcome, &last.job_id) {
            (Some(outcome), _) => outcome.explanation.clone(),
            (None, Some(job)) => format!("its job is {job}"),
            (None, None) => "it has no job yet".to_owned(),
        }))
    }
}

impl<'a> Sweep<'a> {
    fn new(mode: Mode, invocation: &'a Invocation, calls: Calls) -> Self {
        Self {
            mode,
            invocation,
            calls,
            answer: SweepAnswer::default(),
        }
    }

    fn is_over(&self) -> bool {
        self.calls.0 == 0 || self.invocation.budget.is_spent()
    }
}

/// What is wrong with candidates, and the last of those of which that is known.
fn stuck(
    candidates: Vec<Candidate>,
    fates: &HashMap<JobId, FoundJob>,
) -> (Vec<(Candidate, StuckBy)>, Option<Dataset>) {
    let (mut stuck, mut last) = (vec![], None);
    for candidate in candidates {
        let trouble = match (&candidate.job, &candidate.untold) {
            (Some(id), _) => match fates.get(id) {
                None => continue,
                Some(FoundJob::UnderWay) => None,
                Some(FoundJob::Ended(detail)) => Some(StuckBy::Ended(detail.clone())),
                Some(FoundJob::Gone) => Some(StuckBy::Gone(id.clone())),
            },
            (None, true) => Some(StuckBy::Untold),
            (None, false) => Some(StuckBy::NoJob),
        };
        last = Some(candidate.dataset.clone());
        stuck.extend(trouble.map(|trouble| (candidate, trouble)));
    }
    (stuck, last)
}
