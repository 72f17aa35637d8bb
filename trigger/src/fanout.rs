//! One request for many datasets: found by their messages, worked through many at a time, stopped
//! by a `broadcast-kill` message, handed on when the time is over.

use std::collections::{BTreeSet, HashSet};

use caldp_core::batch::BatchName;
use caldp_core::dataset::Dataset;
use caldp_core::layout::{Broadcast, Target, Verb};
use caldp_core::state::State;
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use storage::s3::{Delimiter, ErrorKind};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::desk::{CANCELLED, Call, Desk, json_bytes};
use crate::error::TriggerError;
use crate::jobs::Batch;
use crate::order::RequestBody;
use crate::place::Place;
use crate::request::{DELETE_BATCH, Request};

/// How often the kill message is looked for while a fan-out goes on.
const LOOK_FOR_KILL: std::time::Duration = std::time::Duration::from_secs(1);

/// Deletions under way at once; each is of up to a thousand keys.
const DELETIONS: usize = 8;

/// How many names a report lists in full.
const TOLD: usize = 20;

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
struct Leave {
    looked: Mutex<Option<(Instant, bool)>>,
}

impl<B: Batch> Desk<B> {
    /// Carries out a request for all datasets concerned, or for those in `left`.
    ///
    /// # Errors
    /// [`TriggerError`]; what was carried out stays so.
    pub async fn fan_out(
        &self,
        request: &Request<'_>,
        target: &Target,
        left: Option<Vec<Dataset>>,
        call: &Call,
    ) -> Result<Value, TriggerError> {
        let leave = Leave {
            looked: Mutex::new(None),
        };
        if self.killed(request.place, &leave).await? {
            return Ok(json!(
                "stopped: there is a broadcast-kill message; hint: delete it to allow fan-outs again"
            ));
        }
        let everything = request.verb == Verb::Clean && *target == Target::All && left.is_none();
        if everything && !request.body.dry_run {
            return self.clean_all(request, &leave, call).await;
        }
        let datasets = match left {
            Some(left) => left,
            None => self.concerned(request.place, request.verb, target).await?,
        };
        if request.body.dry_run {
            return Ok(told(request.verb, &datasets));
        }
        let leave = &leave;
        let turns = self
            .each(&datasets, |_, dataset| async move {
                if call.budget.is_spent() {
                    return Ok(Turn::Postponed(dataset.clone()));
                }
                if self.killed(request.place, leave).await? {
                    return Ok(Turn::Killed);
                }
                self.one(request, dataset, call).await.map(Turn::Done)
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
        let (count, handed_on) = (done.len(), rest.len());
        if !rest.is_empty() {
            self.hand_rest_on(request, Some(rest)).await?;
        }
        done.truncate(TOLD);
        Ok(json!({
            "verb": request.verb.to_string(),
            "datasets": datasets.len(),
            "carried_out": count,
            "stopped_by_kill": killed,
            "handed_on": handed_on,
            "first": done,
        }))
    }

    /// Carries out a part of a fan-out that was handed on.
    ///
    /// # Errors
    /// [`TriggerError`]; the part stays and can be delivered again.
    pub async fn broadcast(
        &self,
        place: &Place,
        id: &BatchName,
        call: &Call,
    ) -> Result<Value, TriggerError> {
        let uri = place.broadcast(&Broadcast::Part(id.clone()))?;
        let Some((rest, _)) = self.read::<Rest>(&uri).await? else {
            return Ok(json!({"broadcast": uri, "result": "it was carried out before"}));
        };
        let verb = Verb::ALL.into_iter().find(|v| v.to_string() == rest.verb);
        let verb = verb.ok_or_else(|| TriggerError::Document {
            place: uri.to_string(),
            reason: format!("{:?} is no request", rest.verb),
        })?;
        let request = Request {
            place,
            verb,
            body: &rest.body,
            origin: &rest.origin,
        };
        let result = self
            .fan_out(&request, &Target::All, rest.datasets, call)
            .await?;
        self.s3.delete(&uri).await?;
        Ok(json!({ "broadcast": uri, "result": result }))
    }

    /// The datasets a request for all is about, in the order of their names.
    async fn concerned(
        &self,
        place: &Place,
        verb: Verb,
        target: &Target,
    ) -> Result<Vec<Dataset>, TriggerError> {
        let states: &[State] = match (verb, target) {
            (_, Target::Ingested) => &[State::Archived],
            (Verb::Rescue, _) => &[State::Error, State::Terminated],
            (Verb::Cancel, _) => &[State::Submitted, State::Processing],
            (Verb::Clean | Verb::Placed, _) => &State::ALL,
        };
        let mut found = BTreeSet::new();
        for state in states {
            found.extend(self.datasets_in(place, *state).await?);
        }
        if verb == Verb::Placed {
            // those that have inputs and are in no state
            let placed = self.input_sizes(place).await?.into_keys();
            return Ok(placed
                .filter(|d| !found.contains(d))
                .collect::<BTreeSet<_>>()
                .into_iter()
                .collect());
        }
        Ok(found.into_iter().collect())
    }

    /// Deletes everything of every dataset, found by listing, a thousand keys at a time.
    async fn clean_all(
        &self,
        request: &Request<'_>,
        leave: &Leave,
        call: &Call,
    ) -> Result<Value, TriggerError> {
        let place = request.place;
        let stopped = self.stop_all(place).await?;
        let (bucket, mut deleted, mut datasets) = (place.root.bucket(), 0, HashSet::new());
        let mut ended = None;
        'folders: for folder in place.layout.dataset_folders() {
            let prefix = place.prefix(folder);
            let mut pages = self.s3.list(bucket, &prefix, Delimiter::None);
            loop {
                let mut chunks: Vec<Vec<String>> = vec![];
                while chunks.len() < DELETIONS {
                    let Some(page) = pages.next_page().await? else {
                        break;
                    };
                    let keys = page.objects.into_iter().map(|o| o.key);
                    let root = place.prefix("");
                    let owned: Vec<String> = keys
                        .filter(|key| {
                            let relative = key.strip_prefix(&root).unwrap_or(key);
                            let owner = place.layout.owner(relative);
                            datasets.extend(owner.clone());
                            owner.is_some()
                        })
                        .collect();
                    chunks.push(owned);
                }
                if chunks.is_empty() {
                    break;
                }
                let found = chunks.iter().map(Vec::len).sum::<usize>();
                deleted += found;
                stream::iter(chunks.iter().flat_map(|c| c.chunks(DELETE_BATCH)))
                    .map(|keys| self.s3.delete_many(bucket, keys))
                    .buffer_unordered(DELETIONS)
                    .try_collect::<()>()
                    .await?;
                if self.killed(place, leave).await? {
                    ended = Some("stopped by broadcast-kill");
                    break 'folders;
                }
                // every invocation gets something done, or the rest would be handed on for ever
                if found > 0 && call.budget.is_spent() {
                    self.hand_rest_on(request, None).await?;
                    ended = Some("the rest was handed on");
                    break 'folders;
                }
            }
        }
        Ok(json!({
            "verb": "clean",
            "datasets": datasets.len(),
            "deleted": deleted,
            "stopped_jobs": stopped,
            "ended": ended.unwrap_or("everything was deleted"),
        }))
    }

    /// Stops the jobs of all datasets that may have one, an array's once.
    async fn stop_all(&self, place: &Place) -> Result<usize, TriggerError> {
        let active = self.concerned(place, Verb::Cancel, &Target::All).await?;
        let held = self
            .each(&active, |_, dataset| self.held(place, dataset))
            .await?;
        let mut jobs = BTreeSet::new();
        for held in held.into_iter().flatten() {
            let id = held.record.pending().and_then(|a| a.job_id.clone());
            jobs.extend(id.map(|id| id.parent()));
        }
        stream::iter(&jobs)
            .map(|id| self.jobs.terminate(id, CANCELLED))
            .buffer_unordered(self.config.concurrency)
            .try_collect::<()>()
            .await?;
        Ok(jobs.len())
    }

    async fn killed(&self, place: &Place, leave: &Leave) -> Result<bool, TriggerError> {
        let mut looked = leave.looked.lock().await;
        if let Some((at, killed)) = *looked
            && (killed || at.elapsed() < LOOK_FOR_KILL)
        {
            return Ok(killed);
        }
        let uri = place.broadcast(&Broadcast::Kill)?;
        let killed = match self.s3.head(&uri).await {
            Ok(_) => true,
            Err(e) if e.kind() == ErrorKind::NotFound => false,
            Err(e) => return Err(e.into()),
        };
        *looked = Some((Instant::now(), killed));
        Ok(killed)
    }

    async fn hand_rest_on(
        &self,
        request: &Request<'_>,
        datasets: Option<Vec<Dataset>>,
    ) -> Result<(), TriggerError> {
        let name = format!("{}-{}", request.verb, Timestamp::now().as_nanosecond());
        let id = name.parse().map_err(|e| TriggerError::Document {
            place: name.clone(),
            reason: format!("{e}"),
        })?;
        let rest = Rest {
            verb: request.verb.to_string(),
            origin: request.origin.to_owned(),
            body: request.body.clone(),
            datasets,
        };
        let uri = request.place.broadcast(&Broadcast::Part(id))?;
        self.put(&uri, json_bytes(&json!(rest))).await
    }
}

fn told(verb: Verb, datasets: &[Dataset]) -> Value {
    let first: Vec<&str> = datasets.iter().take(TOLD).map(Dataset::name).collect();
    json!({"would": verb.to_string(), "datasets": datasets.len(), "first": first})
}
