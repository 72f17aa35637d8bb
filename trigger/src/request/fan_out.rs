//! One request for many datasets: found by their messages, worked through many at a time, stopped
//! by a `broadcast-kill` message, handed on when the time is over.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use caldp_core::batch::BatchName;
use caldp_core::dataset::Dataset;
use caldp_core::layout::{Broadcast, Target, Verb};
use caldp_core::state::State;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use storage::uri::S3Uri;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::dataset::{DatasetAnswer, DatasetRequests, Request};
use crate::batch::Batch;
use crate::batch::client::BatchClient;
use crate::bounded::for_each_bounded;
use crate::config::Config;
use crate::error::TriggerError;
use crate::event::EventError;
use crate::invocation::Invocation;
use crate::order::RequestBody;
use crate::output_root::OutputRoot;
use crate::record::documents::{Documents, MAX_DOCUMENT};
use crate::submit::lookup::input_sizes;

/// How often the kill message is looked for while a fan-out goes on.
const LOOK_FOR_KILL: Duration = Duration::from_secs(1);

/// How many names a report lists in full.
const TOLD: usize = 20;

/// Carries out requests for many datasets.
#[derive(Debug)]
pub struct FanOut<B> {
    pub(super) config: Arc<Config>,
    pub(super) documents: Documents,
    pub(super) batch_client: Arc<BatchClient<B>>,
    pub(super) datasets: Arc<DatasetRequests<B>>,
}

/// What came of a request for many.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum FanOutAnswer {
    /// Nothing was done.
    Stopped {
        /// Why.
        stopped: &'static str,
        /// What can be done about it.
        #[serde(skip_serializing_if = "Option::is_none")]
        remedy: Option<&'static str>,
    },
    /// Each dataset was dealt with, or handed on.
    Done {
        /// What was asked.
        verb: String,
        /// How many datasets it was asked of.
        datasets: usize,
        /// For how many it was carried out.
        carried_out: usize,
        /// How many were left because of a kill message.
        stopped_by_kill: usize,
        /// How many are for another invocation.
        handed_on: usize,
        /// What was done with the first.
        first: Vec<String>,
    },
    /// Everything was deleted, or a part of it.
    Cleaned {
        /// `clean`.
        verb: &'static str,
        /// How many datasets were found.
        datasets: usize,
        /// How many objects were deleted.
        deleted: usize,
        /// How many jobs were stopped, an array counting as one.
        stopped_jobs: usize,
        /// How it ended.
        ended: &'static str,
    },
    /// What would be done.
    Would {
        /// What was asked.
        would: String,
        /// Of how many datasets.
        datasets: usize,
        /// The first of them.
        first: Vec<Dataset>,
    },
}

impl FanOutAnswer {
    /// Whether a kill message, or what else a dataset is in the midst of, kept some from being done.
    pub(crate) fn is_partial(&self) -> bool {
        match self {
            Self::Stopped { .. } => true,
            Self::Done {
                datasets,
                carried_out,
                handed_on,
                ..
            } => carried_out + handed_on < *datasets,
            Self::Cleaned { ended, .. } => *ended == super::clean_all::STOPPED,
            Self::Would { .. } => false,
        }
    }
}

/// What came of a part of a fan-out that was handed on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BroadcastAnswer {
    /// The part's object.
    pub broadcast: S3Uri,
    /// What came of it.
    pub result: FanOutAnswer,
}

/// The rest of a fan-out, as it is handed on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Rest {
    verb: String,
    origin: String,
    #[serde(default)]
    body: RequestBody,
    /// The datasets left; none for cleaning everything, which finds what is left by itself.
    datasets: Option<Vec<Dataset>>,
}

/// What becomes of one dataset in a fan-out.
enum Turn {
    Done(DatasetAnswer),
    Postponed(Dataset),
    Killed,
}

/// Whether a fan-out may go on; the kill message is looked for once in a while.
#[derive(Default)]
pub(super) struct KillSwitch {
    looked: Mutex<Option<(Instant, bool)>>,
}

impl<B: Batch> FanOut<B> {
    /// Fan-outs of a deployment.
    pub const fn new(
        config: Arc<Config>,
        documents: Documents,
        batch_client: Arc<BatchClient<B>>,
        datasets: Arc<DatasetRequests<B>>,
    ) -> Self {
        Self {
            config,
            documents,
            batch_client,
            datasets,
        }
    }

    /// Carries out a request for all datasets concerned, or for those in `left`.
    ///
    /// # Errors
    /// [`TriggerError`]; what was carried out stays so.
    pub async fn perform(
        &self,
        request: &Request<'_>,
        target: &Target,
        left: Option<Vec<Dataset>>,
        invocation: &Invocation,
    ) -> Result<FanOutAnswer, TriggerError> {
        let switch = KillSwitch::default();
        if self.killed(request.root, &switch).await? {
            return Ok(FanOutAnswer::Stopped {
                stopped: "there is a broadcast-kill message",
                remedy: Some("delete it to allow fan-outs again"),
            });
        }
        let everything = request.verb == Verb::Clean && *target == Target::All && left.is_none();
        if everything && !request.body.dry_run {
            return self.clean_all(request, &switch, invocation).await;
        }
        let datasets = match left {
            Some(left) => left,
            None => self.concerned(request.root, request.verb, target).await?,
        };
        if request.body.dry_run {
            return Ok(FanOutAnswer::Would {
                would: request.verb.to_string(),
                datasets: datasets.len(),
                first: datasets.into_iter().take(TOLD).collect(),
            });
        }
        self.each(request, &datasets, &switch, invocation).await
    }

    /// Carries out a request for each of the datasets, and hands on those there is no time for.
    async fn each(
        &self,
        request: &Request<'_>,
        datasets: &[Dataset],
        switch: &KillSwitch,
        invocation: &Invocation,
    ) -> Result<FanOutAnswer, TriggerError> {
        let turns = for_each_bounded(self.config.concurrency, datasets, |_, dataset| async move {
            if invocation.budget.is_spent() {
                return Ok(Turn::Postponed(dataset.clone()));
            }
            if self.killed(request.root, switch).await? {
                return Ok(Turn::Killed);
            }
            let work = self.datasets.perform(request, dataset, invocation);
            work.await.map(Turn::Done)
        })
        .await?;
        let (mut done, mut carried_out, mut killed, mut rest) = (vec![], 0, 0, vec![]);
        for turn in turns {
            match turn {
                Turn::Done(what) => {
                    carried_out += usize::from(matches!(what, DatasetAnswer::Done(_)));
                    done.push(what.to_string());
                }
                Turn::Killed => killed += 1,
                Turn::Postponed(dataset) => rest.push(dataset),
            }
        }
        let handed_on = rest.len();
        if !rest.is_empty() {
            self.hand_on(request, Some(rest)).await?;
        }
        done.truncate(TOLD);
        Ok(FanOutAnswer::Done {
            verb: request.verb.to_string(),
            datasets: datasets.len(),
            carried_out,
            stopped_by_kill: killed,
            handed_on,
            first: done,
        })
    }

    /// Carries out a part of a fan-out that was handed on.
    ///
    /// # Errors
    /// [`TriggerError`]; the part stays and can be delivered again.
    pub async fn broadcast(
        &self,
        root: &OutputRoot,
        id: &BatchName,
        invocation: &Invocation,
    ) -> Result<BroadcastAnswer, TriggerError> {
        let uri = root.broadcast(&Broadcast::Part(id.clone()))?;
        let Some(bytes) = self.documents.bytes(&uri, MAX_DOCUMENT).await? else {
            let result = FanOutAnswer::Stopped {
                stopped: "it was carried out before",
                remedy: None,
            };
            return Ok(BroadcastAnswer {
                broadcast: uri,
                result,
            });
        };
        let (rest, verb) = part(&bytes)?;
        let request = Request {
            root,
            verb,
            body: &rest.body,
            origin: &rest.origin,
        };
        let result = self
            .perform(&request, &Target::All, rest.datasets, invocation)
            .await?;
        self.documents.delete(&uri).await?;
        Ok(BroadcastAnswer {
            broadcast: uri,
            result,
        })
    }

    /// The datasets a request for all is about, in the order of their names.
    pub(super) async fn concerned(
        &self,
        root: &OutputRoot,
        verb: Verb,
        target: &Target,
    ) -> Result<Vec<Dataset>, TriggerError> {
        let states: &[State] = match (verb, target) {
            (_, Target::Ingested) => &[State::Archived],
            (Verb::Rescue, _) => &[State::Error, State::Terminated],
            (Verb::Cancel, _) => &[State::Submitted, State::Processing],
            (Verb::Clean | Verb::Placed, _) => &State::ALL,
        };
        let messages = self.documents.messages(root);
        let mut found = BTreeSet::new();
        for state in states {
            found.extend(messages.list(*state).await?);
        }
        if verb == Verb::Placed {
            // those that have inputs and are in no state
            let placed = input_sizes(&self.documents, root).await?.into_keys();
            let placed: BTreeSet<_> = placed.filter(|d| !found.contains(d)).collect();
            return Ok(placed.into_iter().collect());
        }
        Ok(found.into_iter().collect())
    }

    pub(super) async fn killed(
        &self,
        root: &OutputRoot,
        switch: &KillSwitch,
    ) -> Result<bool, TriggerError> {
        let mut looked = switch.looked.lock().await;
        if let Some((at, killed)) = *looked
            && (killed || at.elapsed() < LOOK_FOR_KILL)
        {
            return Ok(killed);
        }
        let killed = self
            .documents
            .exists(&root.broadcast(&Broadcast::Kill)?)
            .await?;
        *looked = Some((Instant::now(), killed));
        Ok(killed)
    }

    pub(super) async fn hand_on(
        &self,
        request: &Request<'_>,
        datasets: Option<Vec<Dataset>>,
    ) -> Result<(), TriggerError> {
        let name = format!("{}-{}", request.verb, Timestamp::now().as_nanosecond());
        let id = name.parse();
        let id = id.map_err(|source| TriggerError::Name { name, source })?;
        let rest = Rest {
            verb: request.verb.to_string(),
            origin: request.origin.to_owned(),
            body: request.body.clone(),
            datasets,
        };
        let uri = request.root.broadcast(&Broadcast::Part(id))?;
        self.documents.put(&uri, &rest).await
    }
}

/// A part of a fan-out, as it was handed on. One that cannot be read will never be.
fn part(bytes: &[u8]) -> Result<(Rest, Verb), EventError> {
    let malformed = |reason| EventError::Malformed {
        kind: "broadcast",
        reason,
    };
    let rest: Rest = serde_json::from_slice(bytes).map_err(|e| malformed(e.to_string()))?;
    let verb = Verb::ALL.into_iter().find(|v| v.to_string() == rest.verb);
    let verb = verb.ok_or_else(|| malformed(format!("{:?} is no request", rest.verb)))?;
    Ok((rest, verb))
}
