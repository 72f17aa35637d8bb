//! The parts of a round: all datasets that are to come, at most so many at once; what they would be; what
//! the archive says; what follows for batches.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use caldp_core::dataset::Dataset;
use caldp_core::layout::BatchState;
use caldp_core::messages::{MessageError, SeenStates};
use caldp_core::state::State;
use futures_util::stream::{self, StreamExt as _};
use storage::blocking;
use storage::store::StoreError;

use super::SyncArguments;
use super::acknowledge;
use super::batches::Batches;
use super::dataset::{Ended, Source};
use super::delivery::Delivery;
use super::error::{Consequence, DatasetError, SyncError};
use super::progress::Progress;
use super::report::{BatchReport, Elsewhere, Failure, Report};
use super::run::{Found, Run};
use super::stop::Stop;

/// So many datasets are under way at once, at most.
const MOST_DATASETS: u32 = 16;

/// After so many datasets that were put back no more are begun: the server or the network is at fault.
const MOST_PUT_BACK: usize = 16;

impl Run<'_> {
    /// Brings all that are to come, until asked to stop or going on is of no use.
    pub(super) async fn bring(
        &self,
        source: &Source,
        found: &Found,
        candidates: Vec<(Dataset, SeenStates)>,
        states: &mut BTreeMap<Dataset, State>,
        report: &mut Report,
    ) -> Result<(), SyncError> {
        let counted = || {
            let flow = &self.flow;
            (
                flow.bytes.load(Ordering::Relaxed),
                flow.files.load(Ordering::Relaxed),
            )
        };
        let before = counted();
        let progress = Progress::start(candidates.len() as u64, Arc::clone(&self.flow));
        // Ends this round alone; what watches goes on.
        let halt = Stop::new();
        let following = halt.follow(&self.stop);
        let at_once = self.arguments.jobs.clamp(1, MOST_DATASETS) as usize;
        let mut bringing = stream::iter(candidates)
            .map(|(dataset, seen)| {
                let (halt, site) = (&halt, found.site(&dataset));
                async move {
                    let ended = source.sync(site, &dataset, &seen, &self.flow, halt).await;
                    (dataset, ended)
                }
            })
            .buffer_unordered(at_once);
        let mut refused = None;
        while let Some((dataset, ended)) = bringing.next().await {
            progress.one_ended();
            match take(source, dataset, ended, states, report) {
                Some(error) if error.consequence() == Consequence::Stop => {
                    halt.ask();
                    if let DatasetError::Message(error) = error {
                        refused.get_or_insert(error);
                    }
                }
                _ => {}
            }
            if report.failures.iter().filter(|f| !f.is_error).count() >= MOST_PUT_BACK {
                halt.ask();
            }
        }
        following.abort();
        let after = counted();
        report.files.bytes = after.0 - before.0;
        report.files.fetched = after.1 - before.1;
        match refused {
            Some(error @ MessageError::Store(_)) => Err(SyncError::states(error, &report.output)),
            _ => Ok(()),
        }
    }

    /// Carries up what the archive says.
    pub(super) async fn acknowledge(
        &self,
        source: &Source,
        found: &Found,
        states: &mut BTreeMap<Dataset, State>,
        report: &mut Report,
    ) -> Result<(), SyncError> {
        for site in found.all_sites(&self.directory) {
            let mut acknowledged = acknowledge::on_site(&site).await?;
            // Another output may have a batch of the same name.
            acknowledged.retain(|(dataset, _)| {
                states.contains_key(dataset) && *found.site(dataset) == site
            });
            if acknowledged.is_empty() {
                continue;
            }
            let carried = source
                .acknowledge(&site, acknowledged, &found.states)
                .await?;
            report.archived += carried.datasets.len() as u64;
            for dataset in carried.datasets {
                states.insert(dataset, State::Archived);
            }
            report.notes.extend(carried.notes);
        }
        Ok(())
    }
}

impl Source {
    /// Ends what an interrupted run left of changes to states that sync makes: a dataset is in one.
    pub(super) async fn end_changes(&self, found: &Found) -> Result<(), StoreError> {
        for (dataset, seen) in &found.states {
            if let Some(state @ (State::Synced | State::Archived)) = seen.current()
                && seen.is_changing()
            {
                let key = self.layout.message(state, dataset);
                // Not when it went on since it was seen.
                if self.store.head(&key).await?.is_some() {
                    self.messages.keep_only(seen, dataset, state).await?;
                }
            }
        }
        Ok(())
    }
}

/// Notes what became of a dataset; gives the reason back if it did not come.
fn take(
    source: &Source,
    dataset: Dataset,
    ended: Ended,
    states: &mut BTreeMap<Dataset, State>,
    report: &mut Report,
) -> Option<DatasetError> {
    let moves = source.parts.is_empty();
    match ended {
        Ended::NotBegun => None,
        Ended::OnSite(arrived) => {
            report.notes.extend(arrived.note);
            report.add(arrived.files);
            if moves {
                let state = states.entry(dataset).or_insert(State::Synced);
                if *state != State::Archived {
                    *state = State::Synced;
                }
            }
            None
        }
        Ended::Elsewhere(by) => {
            report.elsewhere.push(Elsewhere { dataset, by });
            None
        }
        Ended::Not(error) => {
            if let DatasetError::Changed(kept) = &error {
                report.changed.extend(kept.iter().cloned());
            }
            let had = states.get(&dataset).copied();
            if moves && !matches!(had, Some(State::Synced | State::Archived)) {
                match error.consequence() {
                    Consequence::Failed => states.insert(dataset.clone(), State::Error),
                    Consequence::PutBack | Consequence::Stop => {
                        states.insert(dataset.clone(), State::Processed)
                    }
                    Consequence::LeftAlone => None,
                };
            }
            match &error {
                DatasetError::Stopped => {}
                // Somebody else was faster, or wants it processed again.
                DatasetError::Message(MessageError::NotAllowed { from, .. }) => {
                    states.insert(dataset, *from);
                }
                _ => report.failures.push(Failure::of(dataset, &error)),
            }
            Some(error)
        }
    }
}

/// Says what would be brought.
pub(super) async fn estimate(
    source: &Source,
    candidates: &[(Dataset, SeenStates)],
    report: &mut Report,
) {
    let mut looking = stream::iter(candidates)
        .map(|(dataset, _)| async move {
            let delivery = Delivery::look(&*source.store, source.layout, dataset).await;
            (dataset, delivery)
        })
        .buffer_unordered(MOST_DATASETS as usize);
    while let Some((dataset, delivery)) = looking.next().await {
        match delivery {
            Ok(mut delivery) => {
                delivery.keep(&source.parts);
                let (files, bytes) = delivery.size();
                report.synced += 1;
                report.files.fetched += files;
                report.files.bytes += bytes;
                report.notes.extend(delivery.note);
            }
            Err(error) => report.failures.push(Failure::of(dataset.clone(), &error)),
        }
    }
}

/// Looks whether what was brought before still is as it was brought; once, not in every round.
pub(super) async fn look_again(
    found: &Found,
    states: &BTreeMap<Dataset, State>,
    arguments: &SyncArguments,
    report: &mut Report,
) {
    if arguments.watch.is_some() || arguments.restore {
        return;
    }
    let on_site: Vec<_> = states
        .iter()
        .filter(|(_, state)| **state == State::Synced)
        .map(|(dataset, _)| (found.site(dataset).clone(), dataset.clone()))
        .collect();
    let differences = blocking::run(move || {
        on_site
            .iter()
            .map(|(site, dataset)| site.differences(dataset))
            .collect::<Vec<_>>()
    });
    for (changed, missing) in differences.await {
        report.changed.extend(changed);
        report.missing.extend(missing);
    }
}

/// The datasets that are on a site, of which this one has nothing: another directory is that site.
pub(super) async fn not_here(found: &Found, states: &BTreeMap<Dataset, State>) -> Vec<Dataset> {
    let synced = states.iter().filter(|(_, state)| **state == State::Synced);
    let synced: Vec<_> = synced
        .map(|(dataset, _)| (found.site(dataset).clone(), dataset.clone()))
        .collect();
    blocking::run(move || {
        let absent = synced
            .into_iter()
            .filter(|(site, dataset)| !site.has(dataset));
        absent.map(|(_, dataset)| dataset).collect()
    })
    .await
}

/// Moves each batch to the state that follows from its datasets.
pub(super) async fn settle(
    batches: &Batches,
    found: &Found,
    states: &BTreeMap<Dataset, State>,
    report: &mut Report,
) -> Result<(), StoreError> {
    for batch in &found.batches {
        // Settled before; a submission that adds to it makes it new.
        if batch.states.iter().all(|state| *state == BatchState::Done) {
            continue;
        }
        let (mut under_way, mut failed) = (false, false);
        for dataset in &batch.datasets {
            match states.get(dataset) {
                Some(State::Synced | State::Archived) => {}
                Some(State::Error | State::Terminated) | None => failed = true,
                Some(State::Submitted | State::Processing | State::Processed | State::Syncing) => {
                    under_way = true;
                }
            }
        }
        let to = match (under_way, failed) {
            (true, _) => BatchState::Syncing,
            (false, true) => BatchState::Error,
            (false, false) => BatchState::Done,
        };
        let mut now = batch.clone();
        if now.states.remove(&BatchState::New) {
            now.states.insert(BatchState::Syncing);
        }
        let had = now.states.first().copied();
        batches.move_to(&now, to).await?;
        if had != Some(to) || batch.states.contains(&BatchState::New) {
            report.batches.push(BatchReport {
                batch: batch.name.clone(),
                state: to.to_string(),
            });
        }
    }
    Ok(())
}
