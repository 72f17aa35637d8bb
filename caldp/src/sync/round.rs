//! One look at an output: which datasets are to come, at most so many of them at once, and what follows for
//! their batches.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use caldp_core::dataset::Dataset;
use caldp_core::layout::BatchState;
use caldp_core::messages::{Messages, SeenStates};
use caldp_core::state::State;
use storage::blocking;
use storage::store::{self, Store, bytes_if_there};
use storage::uri::Location;

use super::acknowledge;
use super::batches::Batches;
use super::bring::{Changed, Packing};
use super::claim::Others;
use super::dataset::{self, Source};
use super::delivery::Part;
use super::error::SyncError;
use super::report::Report;
use super::run::{Found, Quiet, Run};
use super::site::Site;
use super::work;

/// No message is longer, in bytes.
const MOST_MESSAGE: usize = 1 << 20;

/// Why an output is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// It is time.
    Time,
    /// A queue tells of something.
    Told,
}

/// So many times as long as it is waited between looks, what is quiet or rests is left alone.
const QUIET: u32 = 20;

impl Run<'_> {
    /// Looks at an output and brings what is to come, unless it is quiet; none where there are no datasets.
    pub(super) async fn look(
        &mut self,
        output: &Location,
        reason: Reason,
    ) -> Result<Option<Report>, SyncError> {
        let name = output.to_string();
        if reason == Reason::Time
            && let Some(quiet) = self.quiet.get(&name)
            && quiet.looked.elapsed() < self.arguments.interval() * QUIET
            && acknowledgements(&quiet.sites).await? == quiet.acknowledged
        {
            return Ok(None);
        }
        let found = self.round(output).await?;
        self.quiet.remove(&name);
        let Some((report, sites)) = found else {
            return Ok(None);
        };
        if self.arguments.watch.is_some() && !report.is_under_way() && !report.has_news() {
            let acknowledged = acknowledgements(&sites).await?;
            let quiet = Quiet {
                looked: Instant::now(),
                sites,
                acknowledged,
            };
            self.quiet.insert(name, quiet);
        }
        Ok(Some(report))
    }

    async fn round(&mut self, output: &Location) -> Result<Option<(Report, Vec<Site>)>, SyncError> {
        let start = Instant::now();
        let layout = self.arguments.layout;
        let source = self.source(output).await;
        let batches = Batches::new(Arc::clone(&source.store), layout);
        let name = output.to_string();
        let found = self.find(output, &source, &batches).await?;
        if found.states.is_empty() && found.batches.is_empty() {
            return Ok(None);
        }
        let mut report = Report::begin(name.clone(), layout, self.directory.clone());
        report.dry_run = self.arguments.dry_run;
        let mut states: BTreeMap<Dataset, State> = found
            .states
            .iter()
            .filter_map(|(dataset, seen)| Some((dataset.clone(), seen.current()?)))
            .collect();
        let candidates = self.candidates(&source, &found).await?;
        if self.arguments.dry_run {
            work::estimate(&source, &candidates, &mut report).await;
        } else {
            self.tidy(&found).await?;
            let moves = source.parts.is_empty();
            if moves {
                self.begin(&source, &batches, &found, &name).await?;
            }
            self.bring(&source, &found, candidates, &mut states, &mut report)
                .await?;
            let lasting = report.failures.iter().filter(|failure| failure.lasts);
            let lasting = lasting.map(|failure| (failure.dataset.clone(), start));
            self.resting.extend(lasting);
            if moves {
                work::look_again(&found, &states, self.arguments, &mut report).await;
                self.acknowledge(&source, &found, &mut states, &mut report)
                    .await?;
                work::settle(&batches, &found, &states, &mut report)
                    .await
                    .map_err(|error| SyncError::states(error.into(), &name))?;
            }
        }
        report.not_here = work::not_here(&found, &states).await;
        for state in states.into_values() {
            *report.states.entry(state).or_default() += 1;
        }
        report.stopped = self.stop.is_asked();
        report.seconds = start.elapsed().as_secs_f64();
        Ok(Some((report, found.all_sites(&self.directory))))
    }

    /// An output, to be read and changed as the arguments say.
    async fn source(&self, output: &Location) -> Source {
        let arguments = self.arguments;
        let store: Arc<dyn Store> = store::open(output).await;
        Source {
            messages: Messages::new(Arc::clone(&store), arguments.layout),
            layout: arguments.layout,
            claim: self.claim.clone(),
            changed: if arguments.restore {
                Changed::Restore
            } else {
                Changed::Keep
            },
            others: if arguments.take_over {
                Others::TakeOver
            } else {
                Others::LeaveAlone
            },
            packing: if arguments.keep_archives {
                Packing::Keep
            } else {
                Packing::Unpack
            },
            parts: arguments.only.clone(),
            store,
        }
    }

    async fn find(
        &mut self,
        output: &Location,
        source: &Source,
        batches: &Batches,
    ) -> Result<Found, SyncError> {
        let known = self.known.entry(output.to_string()).or_default();
        // States after batches: a dataset has a state before its batch names it.
        let batches = batches.read(known).await?;
        let states = source.messages.all().await?;
        let own = Site::new(self.directory.join(name_of(output)));
        let mut sites = BTreeMap::new();
        for batch in &batches {
            let site = Site::new(self.directory.join(batch.name.as_str()));
            for dataset in &batch.datasets {
                sites.insert(dataset.clone(), site.clone());
            }
        }
        let found = Found {
            states,
            batches,
            sites,
            own,
        };
        if let Location::Dir(output) = output {
            for site in found.all_sites(&self.directory) {
                let real = output.canonicalize().ok();
                if real.is_some() && real == site.root().canonicalize().ok() {
                    return Err(SyncError::SameDirectory(output.clone()));
                }
            }
        }
        Ok(found)
    }

    /// The datasets that are to come.
    async fn candidates(
        &self,
        source: &Source,
        found: &Found,
    ) -> Result<Vec<(Dataset, SeenStates)>, SyncError> {
        let wanted = |state: State| match state {
            State::Processed | State::Syncing => true,
            State::Synced | State::Archived => self.arguments.restore || !source.parts.is_empty(),
            State::Error => source.parts.contains(&Part::Logs) || self.arguments.retry,
            State::Submitted | State::Processing | State::Terminated => false,
        };
        let rests = |dataset: &Dataset| {
            let since = self.resting.get(dataset);
            since.is_some_and(|since| since.elapsed() < self.arguments.interval() * QUIET)
        };
        let states = found.states.iter().filter(|(dataset, _)| !rests(dataset));
        let mut candidates: Vec<_> = states
            .filter(|(_, seen)| seen.current().is_some_and(wanted))
            .map(|(dataset, seen)| (dataset.clone(), seen.clone()))
            .collect();
        if source.parts.is_empty() {
            let mut ours = vec![];
            for (dataset, seen) in candidates {
                if seen.current() != Some(State::Error) || is_ours(source, &dataset).await? {
                    ours.push((dataset, seen));
                }
            }
            candidates = ours;
        }
        Ok(candidates)
    }

    /// Removes what a run that was killed left unfinished on site.
    async fn tidy(&self, found: &Found) -> Result<(), SyncError> {
        for site in found.all_sites(&self.directory) {
            let tidied = blocking::run(move || (site.tidy(), site)).await;
            tidied.0.map_err(|source| SyncError::Directory {
                directory: tidied.1.root().to_owned(),
                source,
            })?;
        }
        Ok(())
    }

    /// Takes up new batches, and ends the changes of states that were begun before.
    async fn begin(
        &self,
        source: &Source,
        batches: &Batches,
        found: &Found,
        output: &str,
    ) -> Result<(), SyncError> {
        for batch in &found.batches {
            if batch.states.contains(&BatchState::New) {
                let moved = batches.move_to(batch, BatchState::Syncing).await;
                moved.map_err(|error| SyncError::states(error.into(), output))?;
            }
        }
        let ended = source.end_changes(found).await;
        ended.map_err(|error| SyncError::states(error.into(), output))
    }
}

/// The acknowledgements on some sites.
async fn acknowledgements(sites: &[Site]) -> Result<Vec<Vec<(Dataset, u64)>>, SyncError> {
    let mut all = vec![];
    for site in sites {
        all.push(acknowledge::on_site(site).await?);
    }
    Ok(all)
}

/// The name of an output, for datasets that are in no batch: the last part of its path.
fn name_of(output: &Location) -> String {
    match output {
        Location::S3(uri) => {
            let last = uri.key().rsplit('/').next().filter(|last| !last.is_empty());
            last.unwrap_or(uri.bucket()).to_owned()
        }
        Location::Dir(path) => {
            let whole = path.canonicalize().unwrap_or_else(|_| path.clone());
            let last = whole.file_name().and_then(|name| name.to_str());
            last.unwrap_or("output").to_owned()
        }
    }
}

/// Whether an error is of an earlier sync, and not of processing.
async fn is_ours(source: &Source, dataset: &Dataset) -> Result<bool, SyncError> {
    let key = source.layout.message(State::Error, dataset);
    let body = bytes_if_there(&*source.store, &key, MOST_MESSAGE).await?;
    let body = body.and_then(|body| serde_json::from_slice::<serde_json::Value>(&body).ok());
    Ok(body.is_some_and(|body| body.get("by").is_some_and(|by| by == dataset::BY)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn an_output_has_the_name_of_its_end() {
        let name = |location: &str| name_of(&location.parse().unwrap());
        assert_eq!(name("s3://hst-out/data/spring"), "spring");
        assert_eq!(name("s3://hst-out"), "hst-out");
        assert_eq!(name("file:/no/such/summer"), "summer");
    }
}
