//! One request for many datasets: found by their messages, worked through many at a time, stopped
//! by a `broadcast-kill` message, handed on when the time is over.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use caldp_core::batch::BatchName;
use caldp_core::dataset::Dataset;
use caldp_core::layout::{Broadcast, Target, Verb};
use caldp_core::state::State;
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use storage::s3::{Delimiter, Lister};
use storage::uri::S3Uri;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::dataset::{DELETE_BATCH, DatasetRequests, Request};
use crate::batch::Batch;
use crate::batch::client::BatchClient;
use crate::bounded::for_each_bounded;
use crate::config::Config;
use crate::error::TriggerError;
use crate::event::EventError;
use crate::invocation::Invocation;
use crate::order::RequestBody;
use crate::output_root::OutputRoot;
use crate::record::attempts::Record;
use crate::record::documents::{Documents, MAX_DOCUMENT};
use crate::submit::lookup::input_sizes;

/// How often the kill message is looked for while a fan-out goes on.
const LOOK_FOR_KILL: Duration = Duration::from_secs(1);

/// Deletions under way at once; each is of up to a thousand keys.
const DELETIONS: usize = 8;

/// How many names a report lists in full.
const TOLD: usize = 20;

/// Carries out requests for many datasets.
#[derive(Debug)]
pub struct FanOut<B> {
    config: Arc<Config>,
    documents: Documents,
    batch_client: Arc<BatchClient<B>>,
    datasets: Arc<DatasetRequests<B>>,
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
    Done(String),
    Postponed(Dataset),
    Killed,
}

/// Whether a fan-out may go on; the kill message is looked for once in a while.
#[derive(Default)]
struct KillSwitch {
    looked: Mutex<Option<(Instant, bool)>>,
}

/// A page of a listing: the keys that belong to datasets, and to which.
struct OwnedKeys {
    keys: Vec<String>,
    datasets: Vec<Dataset>,
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
    pub async fn carry_out(
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
            let work = self.datasets.carry_out(request, dataset, invocation);
            work.await.map(Turn::Done)
        })
        .await?;
        let (mut done, mut killed, mut rest) = (vec![], 0, vec![]);
        for turn in turns {
            match turn {
                Turn::Done(what) => done.push(what),
                Turn::Killed => killed += 1,
                Turn::Postponed(dataset) => rest.push(dataset),
            }
        }
        let (carried_out, handed_on) = (done.len(), rest.len());
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
            .carry_out(&request, &Target::All, rest.datasets, invocation)
            .await?;
        self.documents.delete(&uri).await?;
        Ok(BroadcastAnswer {
            broadcast: uri,
            result,
        })
    }

    /// The datasets a request for all is about, in the order of their names.
    async fn concerned(
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

    /// Deletes everything of every dataset, found by listing, a thousand keys at a time.
    async fn clean_all(
        &self,
        request: &Request<'_>,
        switch: &KillSwitch,
        invocation: &Invocation,
    ) -> Result<FanOutAnswer, TriggerError> {
        let root = request.root;
        self.datasets.open(root).await?;
        let stopped_jobs = self.stop_all(root).await?;
        let (bucket, s3) = (root.uri.bucket(), self.documents.s3());
        let (mut deleted, mut datasets) = (0, HashSet::new());
        let mut ended = "everything was deleted";
        'folders: for folder in root.layout.dataset_folders() {
            let mut pages = s3.list(bucket, &root.prefix(folder), Delimiter::None);
            while let Some(OwnedKeys { keys, datasets: of }) = next_keys(root, &mut pages).await? {
                deleted += keys.len();
                datasets.extend(of);
                stream::iter(keys.chunks(DELETE_BATCH))
                    .map(|keys| s3.delete_many(bucket, keys))
                    .buffer_unordered(DELETIONS)
                    .try_collect::<()>()
                    .await?;
                if self.killed(root, switch).await? {
                    ended = "stopped by broadcast-kill";
                    break 'folders;
                }
                // every invocation gets something done, or the rest would be handed on for ever
                if !keys.is_empty() && invocation.budget.is_spent() {
                    self.hand_on(request, None).await?;
                    ended = "the rest was handed on";
                    break 'folders;
                }
            }
        }
        Ok(FanOutAnswer::Cleaned {
            verb: "clean",
            datasets: datasets.len(),
            deleted,
            stopped_jobs,
            ended,
        })
    }

    /// Stops the jobs of all datasets that may have one, an array's once.
    async fn stop_all(&self, root: &OutputRoot) -> Result<usize, TriggerError> {
        let active = self.concerned(root, Verb::Cancel, &Target::All).await?;
        let known = for_each_bounded(self.config.concurrency, &active, |_, dataset| {
            self.documents.record(root, dataset)
        })
        .await?;
        let records = known.into_iter().flatten().map(|known| known.record);
        let id = |record: Record| Some(record.pending()?.job_id.as_ref()?.parent());
        let jobs: BTreeSet<_> = records.filter_map(id).collect();
        stream::iter(&jobs)
            .map(|id| self.batch_client.terminate(id))
            .buffer_unordered(self.config.concurrency)
            .try_collect::<()>()
            .await?;
        Ok(jobs.len())
    }

    async fn killed(&self, root: &OutputRoot, switch: &KillSwitch) -> Result<bool, TriggerError> {
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

    async fn hand_on(
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

/// The next keys that belong to datasets, of as many pages as are deleted at once; none at the end.
async fn next_keys(
    root: &OutputRoot,
    pages: &mut Lister<'_>,
) -> Result<Option<OwnedKeys>, TriggerError> {
    let start = root.prefix("");
    let mut found = None;
    for _ in 0..DELETIONS {
        let Some(page) = pages.next_page().await? else {
            break;
        };
        let owned = found.get_or_insert_with(|| OwnedKeys {
            keys: vec![],
            datasets: vec![],
        });
        for key in page.objects.into_iter().map(|object| object.key) {
            let relative = key.strip_prefix(&start).unwrap_or(&key);
            if let Some(owner) = root.layout.owner(relative) {
                owned.datasets.push(owner);
                owned.keys.push(key);
            }
        }
    }
    Ok(found)
}
