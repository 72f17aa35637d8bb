//! What the schedule does: takes up submissions that nobody works on any more, sweeps, counts the states of
//! every output into `blackboard/overview.json`, writes their pages, and closes the outputs in which nothing happens any more.
//!
//! It looks at open outputs only ([`crate::record::batches`]); when there is none, a tick is one read and one
//! listing. [`outputs`] finds outputs that nobody noted, [`resume`] is about submissions.

mod outputs;
mod resume;

use std::collections::BTreeMap;
use std::sync::Arc;

use caldp_core::batch::BatchName;
use caldp_core::layout::Layout;
use caldp_core::state::State;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use storage::uri::S3Uri;

use crate::batch::Batch;
use crate::config::Config;
use crate::error::TriggerError;
use crate::invocation::Invocation;
use crate::output_root::OutputRoot;
use crate::overview::board::{Board, Output};
use crate::record::batches::{Batches, Entry, Index};
use crate::record::documents::Documents;
use crate::submit::submitter::Submitter;
use crate::sweep::{SweepAnswer, Sweeper, SweptOutput};

/// Does what the schedule asks for.
#[derive(Debug)]
pub struct Schedule<B> {
    config: Arc<Config>,
    documents: Documents,
    batches: Batches,
    submitter: Arc<Submitter<B>>,
    sweeper: Arc<Sweeper<B>>,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScheduleAnswer {
    /// How many outputs are open.
    pub open: usize,
    /// How many are closed.
    pub closed: usize,
    /// The submissions that were taken up.
    pub resumed: Vec<BatchName>,
    /// What was found stuck.
    pub sweep: SweepAnswer,
}

/// How many datasets of each output are in each state.
#[derive(Serialize)]
struct Overview {
    written_at: Timestamp,
    batches: BTreeMap<String, BTreeMap<State, usize>>,
}

impl<B: Batch> Schedule<B> {
    /// The schedule of a deployment.
    pub const fn new(
        config: Arc<Config>,
        documents: Documents,
        batches: Batches,
        submitter: Arc<Submitter<B>>,
        sweeper: Arc<Sweeper<B>>,
    ) -> Self {
        Self {
            config,
            documents,
            batches,
            submitter,
            sweeper,
        }
    }

    /// Does what is to be done once in a while.
    ///
    /// # Errors
    /// [`TriggerError`] when S3 or AWS Batch fails; what concerns other outputs is done all the same.
    pub async fn run(&self, invocation: &Invocation) -> Result<ScheduleAnswer, TriggerError> {
        let begun = Timestamp::now();
        let index = self.known_outputs(begun).await?;
        let open: Vec<&Entry> = index
            .batches
            .iter()
            .filter(|e| e.closed.is_none())
            .collect();
        let mut answer = ScheduleAnswer {
            open: open.len(),
            closed: index.batches.len() - open.len(),
            resumed: vec![],
            sweep: SweepAnswer::default(),
        };
        if open.is_empty() {
            return Ok(answer);
        }
        let submissions = self.resume(&open, begun).await?;
        answer.resumed = submissions.resumed;
        let roots: Vec<OutputRoot> = open.iter().map(|entry| entry.root()).collect();
        let swept = Box::pin(self.sweeper.on_schedule(&roots, invocation)).await?;
        let (sweep, mut outputs, mut errors) = swept;
        answer.sweep = sweep;
        errors.extend(self.write_pages(&roots, &mut outputs).await);
        let closed = self.close(&open, &outputs, &submissions.over, begun).await;
        match closed {
            Ok(closed) => {
                answer.open -= closed;
                answer.closed += closed;
            }
            Err(error) => errors.push(error),
        }
        errors.extend(self.count(&index, &outputs).await.err());
        match TriggerError::of_parts(errors, roots.len()) {
            Some(error) => Err(error),
            None => Ok(answer),
        }
    }

    /// Writes the pages of outputs, of what the sweep read where it changed nothing; what fails for one is told
    /// after the others.
    async fn write_pages(
        &self,
        roots: &[OutputRoot],
        swept: &mut [SweptOutput],
    ) -> Vec<TriggerError> {
        let board = match Board::of_deployment(&self.documents, &self.config) {
            Ok(board) => board,
            Err(error) => return vec![error],
        };
        let (mut written, mut errors) = (vec![], vec![]);
        for root in roots {
            let read = swept.iter_mut().find(|swept| swept.root == *root);
            let read = read.and_then(|swept| swept.progress.take());
            let output = Output::in_bucket(&self.documents, root);
            match board.write(&output, read).await {
                Ok(done) => written.push(done),
                Err(error) => errors.push(error.into()),
            }
        }
        match board.publish(&written).await {
            Ok(left) => left.iter().for_each(|words| tracing::warn!("{words}")),
            Err(error) => errors.push(error.into()),
        }
        errors
    }

    /// The outputs that are not closed, those found that nobody noted included.
    ///
    /// # Errors
    /// [`TriggerError`] when S3 fails.
    pub async fn open_outputs(&self) -> Result<Vec<OutputRoot>, TriggerError> {
        let index = self.known_outputs(Timestamp::now()).await?;
        let open = index.batches.iter().filter(|e| e.closed.is_none());
        Ok(open.map(Entry::root).collect())
    }

    /// Closes the outputs in which everything is settled and of which nothing was asked for a while; how many.
    async fn close(
        &self,
        open: &[&Entry],
        outputs: &[SweptOutput],
        over: &[BatchName],
        begun: Timestamp,
    ) -> Result<usize, TriggerError> {
        let quiet = SignedDuration::try_from(self.config.close_after).unwrap_or_default();
        let settled: Vec<(&Entry, &SweptOutput)> = outputs
            .iter()
            .filter(|output| output.settled)
            .filter_map(|output| {
                let of_it = |entry: &&&Entry| entry.root() == output.root;
                let entry = open.iter().find(of_it)?;
                let quiet = begun.duration_since(entry.opened) >= quiet;
                let done = entry.submissions.iter().all(|id| over.contains(id));
                (quiet && done).then_some((*entry, output))
            })
            .collect();
        if settled.is_empty() && over.is_empty() {
            return Ok(0);
        }
        let change = |index: &mut Index| {
            let mut changed = false;
            for entry in &mut index.batches {
                let before = entry.submissions.len();
                entry.submissions.retain(|id| !over.contains(id));
                changed |= entry.submissions.len() < before;
            }
            for (seen, output) in &settled {
                let Some(entry) = index.entry_mut(&output.root) else {
                    continue;
                };
                // asked for something since: it stays open
                if entry.opened == seen.opened && entry.submissions.is_empty() {
                    entry.closed = Some(begun);
                    entry.datasets.clone_from(&output.datasets);
                    changed = true;
                }
            }
            changed
        };
        let index = self.batches.change(change).await?;
        let closed = |entry: &&Entry| entry.closed == Some(begun);
        Ok(index.batches.iter().filter(closed).count())
    }

    /// Writes the counts of all outputs.
    async fn count(&self, index: &Index, outputs: &[SweptOutput]) -> Result<(), TriggerError> {
        let closed = index.batches.iter().filter(|entry| entry.closed.is_some());
        let closed = closed.map(|entry| (&entry.output, &entry.datasets));
        let seen = outputs
            .iter()
            .map(|output| (&output.root.uri, &output.datasets));
        let batches = closed
            .chain(seen)
            .filter(|(_, datasets)| !datasets.is_empty());
        let overview = Overview {
            written_at: Timestamp::now(),
            batches: batches
                .map(|(output, datasets)| (output.to_string(), datasets.clone()))
                .collect(),
        };
        let key = Layout::Tree.blackboard("overview.json");
        let uri = S3Uri::new(self.documents.bucket(), &key)?;
        self.documents.put(&uri, &overview).await
    }
}
