//! One dataset through its states: `processed -> syncing -> synced`, back to `processed` when it cannot
//! come now, to `error` when what was delivered is at fault. Interrupted anywhere, the next run goes on.

use std::sync::Arc;

use bytes::Bytes;
use caldp_core::dataset::Dataset;
use caldp_core::layout::Layout;
use caldp_core::messages::{MessageError, Messages, SeenStates};
use caldp_core::state::State;
use serde_json::json;
use storage::blocking;
use storage::hint::{Hint as _, with_causes};
use storage::store::{Store, bytes_if_there};

use super::bring::{Bringing, Changed, Flow, OnSite, Packing, local};
use super::claim::{Claim, Others};
use super::delivery::{Delivery, Part};
use super::error::{Consequence, DatasetError};
use super::site::Site;
use super::stop::Stop;

/// No message is longer, in bytes.
const MOST_MESSAGE: usize = 1 << 20;

/// Who says so, in the message of a dataset that became an error here.
pub(super) const BY: &str = "sync";

/// What all datasets of an output have in common.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) store: Arc<dyn Store>,
    pub(super) layout: Layout,
    pub(super) messages: Messages,
    pub(super) claim: Claim,
    pub(super) changed: Changed,
    pub(super) others: Others,
    pub(super) packing: Packing,
    /// Empty for all; of some, no states are moved.
    pub(super) parts: Vec<Part>,
}

/// What became of a dataset.
#[derive(Debug)]
pub(super) enum Ended {
    /// It is on site.
    OnSite(Arrived),
    /// Another process has it, on this site or another; in words.
    Elsewhere(String),
    /// It did not come.
    Not(DatasetError),
    /// It was not begun.
    NotBegun,
}

/// A dataset that is on site.
#[derive(Debug)]
pub(super) struct Arrived {
    pub(super) files: OnSite,
    pub(super) note: Option<String>,
}

impl Source {
    /// Brings a dataset on site and moves its state.
    pub(super) async fn sync(
        &self,
        site: &Site,
        dataset: &Dataset,
        seen: &SeenStates,
        flow: &Flow,
        stop: &Stop,
    ) -> Ended {
        if stop.is_asked() {
            return Ended::NotBegun;
        }
        let (holder, held) = (site.clone(), dataset.clone());
        let held = match blocking::run(move || holder.hold(&held)).await {
            Ok(Some(held)) => held,
            Ok(None) => return Ended::Elsewhere("another process brings it here".to_owned()),
            Err(error) => return Ended::Not(local(site.root(), error)),
        };
        let ended = if self.parts.is_empty() {
            self.sync_held(site, dataset, seen, flow, stop).await
        } else {
            let arrived = self.bring(site, dataset, flow, stop).await;
            arrived.map_or_else(Ended::Not, Ended::OnSite)
        };
        drop(held);
        ended
    }

    async fn sync_held(
        &self,
        site: &Site,
        dataset: &Dataset,
        seen: &SeenStates,
        flow: &Flow,
        stop: &Stop,
    ) -> Ended {
        // Repairs what is on site already; the state says so and stays.
        if let Some(state @ (State::Synced | State::Archived)) = seen.current() {
            let repaired = async {
                let arrived = self.bring(site, dataset, flow, stop).await?;
                if state == State::Synced {
                    self.announce(site, dataset, &arrived.files).await?;
                }
                Ok(arrived)
            };
            return repaired.await.map_or_else(Ended::Not, Ended::OnSite);
        }
        let processed = match self.begin(site, dataset, seen).await {
            Ok(Begun::Ours(processed)) => processed,
            Ok(Begun::Others(words)) => return Ended::Elsewhere(words),
            Err(error) => return Ended::Not(error),
        };
        match self.bring_and_announce(site, dataset, flow, stop).await {
            Ok(arrived) => Ended::OnSite(arrived),
            Err(error) => {
                let undone = self.undo(site, dataset, &error, processed).await;
                if let Err(more) = undone {
                    tracing::warn!("{dataset}: {}", with_causes(&more));
                }
                Ended::Not(error)
            }
        }
    }

    /// Claims a dataset; what its `processed` message said.
    async fn begin(
        &self,
        site: &Site,
        dataset: &Dataset,
        seen: &SeenStates,
    ) -> Result<Begun, DatasetError> {
        if seen.current() == Some(State::Syncing) {
            let key = self.layout.message(State::Syncing, dataset);
            let body = bytes_if_there(&*self.store, &key, MOST_MESSAGE).await?;
            let claim = body.and_then(|body| serde_json::from_slice::<Claim>(&body).ok());
            if let Some(claim) = claim {
                if claim.site != self.claim.site && self.others == Others::LeaveAlone {
                    let Claim {
                        host, directory, ..
                    } = claim;
                    return Ok(Begun::Others(format!(
                        "it is brought to {directory} on {host}"
                    )));
                }
                // Looks whether it still is so: the last run may have ended since.
                let claim = self.claim.now(claim.processed);
                self.messages
                    .enter_seen(seen, dataset, State::Syncing, &claim.body())
                    .await?;
                return Ok(Begun::Ours(claim.processed));
            }
        }
        let processed = self.processed_message(dataset).await?;
        let claim = self.claim.now(processed);
        self.messages
            .enter_seen(seen, dataset, State::Syncing, &claim.body())
            .await?;
        // What was said of an earlier delivery is not true of this one.
        let (site, of) = (site.clone(), dataset.clone());
        let retracted = blocking::run(move || {
            for state in [State::Synced, State::Archived] {
                site.retract(state, &of)
                    .map_err(|e| local(&site.message(state, &of), e))?;
            }
            Ok::<_, DatasetError>(())
        });
        if let Err(error) = retracted.await {
            self.put_back(dataset, claim.processed).await?;
            return Err(error);
        }
        Ok(Begun::Ours(claim.processed))
    }

    /// What the `processed` message says: on S3 in the tree nothing.
    async fn processed_message(&self, dataset: &Dataset) -> Result<String, DatasetError> {
        if self.layout == Layout::Tree && self.store.to_string().starts_with("s3:") {
            return Ok(String::new());
        }
        let key = self.layout.message(State::Processed, dataset);
        let body = bytes_if_there(&*self.store, &key, MOST_MESSAGE).await?;
        Ok(String::from_utf8_lossy(&body.unwrap_or_default()).into_owned())
    }

    async fn bring_and_announce(
        &self,
        site: &Site,
        dataset: &Dataset,
        flow: &Flow,
        stop: &Stop,
    ) -> Result<Arrived, DatasetError> {
        let arrived = self.bring(site, dataset, flow, stop).await?;
        if !arrived.files.kept.is_empty() {
            return Err(DatasetError::Changed(arrived.files.kept));
        }
        self.announce(site, dataset, &arrived.files).await?;
        let body = json!({"site": self.claim.site, "host": self.claim.host,
            "directory": site.root().display().to_string(), "files": arrived.files.files.len()});
        self.leave(dataset, State::Synced, body.to_string().as_bytes())
            .await?;
        Ok(arrived)
    }

    /// Says on site that a dataset is there.
    async fn announce(
        &self,
        site: &Site,
        dataset: &Dataset,
        files: &OnSite,
    ) -> Result<(), DatasetError> {
        let names: Vec<String> = files.files.keys().cloned().collect();
        let (of, here) = (dataset.clone(), site.clone());
        let announced = blocking::run(move || here.announce(&of, &names)).await;
        announced.map_err(|e| local(&site.message(State::Synced, dataset), e))
    }

    async fn bring(
        &self,
        site: &Site,
        dataset: &Dataset,
        flow: &Flow,
        stop: &Stop,
    ) -> Result<Arrived, DatasetError> {
        let work = async {
            let mut delivery = Delivery::look(&*self.store, self.layout, dataset).await?;
            delivery.keep(&self.parts);
            let note = delivery.note.take();
            let bringing = Bringing {
                store: &self.store,
                site,
                dataset,
                changed: self.changed,
                packing: self.packing,
                flow,
                parts: &self.parts,
            };
            let files = bringing.bring(delivery).await?;
            Ok(Arrived { files, note })
        };
        tokio::select! {
            biased;
            () = stop.asked() => Err(DatasetError::Stopped),
            arrived = work => arrived,
        }
    }

    /// Takes back what was said of a dataset that did not come.
    async fn undo(
        &self,
        site: &Site,
        dataset: &Dataset,
        error: &DatasetError,
        processed: String,
    ) -> Result<(), DatasetError> {
        let (of, here) = (dataset.clone(), site.clone());
        let retracted = blocking::run(move || here.retract(State::Synced, &of)).await;
        match error.consequence() {
            Consequence::LeftAlone => {}
            Consequence::PutBack | Consequence::Stop => {
                self.put_back(dataset, processed).await?;
            }
            Consequence::Failed => {
                let body = json!({"by": BY, "explanation": with_causes(error).to_string(),
                    "remedy": error.hint()});
                self.leave(dataset, State::Error, body.to_string().as_bytes())
                    .await?;
            }
        }
        retracted.map_err(|e| local(&site.message(State::Synced, dataset), e))
    }

    /// Moves a dataset on that this process brings.
    async fn leave(&self, dataset: &Dataset, to: State, body: &[u8]) -> Result<(), MessageError> {
        let seen = SeenStates::only(State::Syncing);
        self.messages.enter_seen(&seen, dataset, to, body).await
    }

    /// Back to `processed`, with what its message said.
    async fn put_back(&self, dataset: &Dataset, processed: String) -> Result<(), MessageError> {
        let body = Bytes::from(processed);
        self.leave(dataset, State::Processed, &body).await
    }
}

/// Whose a dataset is after the first step.
enum Begun {
    /// Ours; what its `processed` message said.
    Ours(String),
    /// Another's, in words.
    Others(String),
}
