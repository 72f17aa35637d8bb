//! The desk at which records are changed and carried out: the one place where a dataset's record,
//! its job and its messages are brought to agree.
//!
//! A change is a pure step applied under a conditional write. Carrying out makes the world match
//! the record: a pending attempt without a job gets one, the messages show the record's state. It
//! is safe to repeat at any point, so an invocation that died is made good by the next delivery of
//! its event.

use std::time::Duration;

use bytes::Bytes;
use caldp_core::batch::JobId;
use caldp_core::dataset::Dataset;
use caldp_core::layout::Layout;
use caldp_core::retry::RetryPolicy;
use caldp_core::s3::{ErrorKind, Precondition, S3, S3Error, Version};
use caldp_core::state::State;
use caldp_core::uri::S3Uri;
use futures_util::future::try_join_all;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::config::Config;
use crate::error::TriggerError;
use crate::job::LAYOUT_VARIABLE;
use crate::jobs::{Batch, Doubt, Jobs, NewJob};
use crate::ladder::Rung;
use crate::pace::{Budget, Pace};
use crate::place::Place;
use crate::record::{Attempt, Claim, Ended, Record};
use crate::step::{Rules, Step, shown};

/// How often a conditional write is tried against others.
const CONDITIONAL_TRIES: u32 = 12;

/// The largest document of ours that is read back, in bytes.
pub(crate) const MAX_DOCUMENT: usize = 32 << 20;

/// What the reason of a terminated job starts with; the verdict knows it.
pub(crate) const CANCELLED: &str = "Operator cancelled";

/// Everything an invocation works with.
#[derive(Debug)]
pub struct Desk<B> {
    /// The deployment.
    pub config: Config,
    /// The store.
    pub s3: S3,
    /// AWS Batch.
    pub jobs: Jobs<B>,
}

/// One invocation.
#[derive(Debug, Clone)]
pub struct Call {
    /// Its id; a retry of the same invocation has the same.
    pub id: String,
    /// Its time.
    pub budget: Budget,
}

/// A record as it is after a step.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Held {
    pub(crate) record: Record,
    pub(crate) version: Version,
}

/// What a step came to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Changed {
    /// The record, if there is one.
    pub(crate) held: Option<Held>,
    /// The reason of the change or of there being none.
    pub(crate) why: String,
    /// Whether this invocation changed it.
    pub(crate) fresh: bool,
}

/// Whether an attempt can be known not to have a job yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fresh {
    /// This invocation made the attempt a moment ago.
    Yes,
    /// Somebody made it and may have submitted it.
    No,
}

impl<B: Batch> Desk<B> {
    /// A desk. `batch` makes the client of AWS Batch, given how long one answer may take.
    pub async fn new<F>(
        config: Config,
        s3: impl Future<Output = S3>,
        batch: impl Fn(Duration) -> F,
    ) -> Self
    where
        F: Future<Output = B>,
    {
        let (answer, policy) = batch_patience(config.lease);
        let (s3, batch) = futures_util::join!(s3, batch(answer));
        let jobs = Jobs::new(batch, Pace::new(config.batch_rate), policy);
        Self { config, s3, jobs }
    }

    /// The rules at this moment.
    pub(crate) fn rules<'a>(&'a self, place: &'a Place, call: &Call) -> Rules<'a> {
        let now = Timestamp::now();
        Rules {
            limits: self.config.limits,
            ladder: &self.config.ladder,
            root: &place.root,
            now,
            claim: self.claim(call, now),
        }
    }

    pub(crate) fn claim_now(&self, call: &Call) -> Claim {
        self.claim(call, Timestamp::now())
    }

    fn claim(&self, call: &Call, now: Timestamp) -> Claim {
        let lease = SignedDuration::try_from(self.config.lease).unwrap_or(SignedDuration::MAX);
        Claim {
            owner: call.id.clone(),
            until: now.checked_add(lease).unwrap_or(Timestamp::MAX),
        }
    }

    /// A document of ours, if it is there.
    pub(crate) async fn read<T: DeserializeOwned>(
        &self,
        uri: &S3Uri,
    ) -> Result<Option<(T, Version)>, TriggerError> {
        let (bytes, version) = match self.s3.get_bytes(uri, MAX_DOCUMENT).await {
            Ok(found) => found,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e.into()),
        };
        let document = |reason: String| TriggerError::Document {
            place: uri.to_string(),
            reason,
        };
        let value = serde_json::from_slice(&bytes).map_err(|e| document(e.to_string()))?;
        let version = version.ok_or_else(|| document("the server gives it no ETag".to_owned()))?;
        Ok(Some((value, version)))
    }

    /// Writes a document of ours; none when the precondition fails.
    pub(crate) async fn write<T: Serialize>(
        &self,
        uri: &S3Uri,
        value: &T,
        precondition: &Precondition,
    ) -> Result<Option<Version>, TriggerError> {
        let document = |reason: String| TriggerError::Document {
            place: uri.to_string(),
            reason,
        };
        let bytes = serde_json::to_vec(value).map_err(|e| document(e.to_string()))?;
        match self.s3.put_bytes(uri, bytes.into(), precondition).await {
            Ok(stored) => stored
                .version
                .map(Some)
                .ok_or_else(|| document("the server gives it no ETag".to_owned())),
            Err(e) if lost(&e) => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    /// A dataset's record.
    pub(crate) async fn held(
        &self,
        place: &Place,
        dataset: &Dataset,
    ) -> Result<Option<Held>, TriggerError> {
        let uri = place.record(dataset)?;
        let found = self.read::<Record>(&uri).await?;
        match found {
            Some((record, _)) if record.dataset != *dataset => Err(TriggerError::Document {
                place: uri.to_string(),
                reason: format!("it is of {}", record.dataset),
            }),
            other => Ok(other.map(|(record, version)| Held { record, version })),
        }
    }

    /// Applies a step to a dataset's record until it holds.
    pub(crate) async fn change(
        &self,
        place: &Place,
        dataset: &Dataset,
        step: impl Fn(Option<Record>, Option<State>) -> Step + Send + Sync,
    ) -> Result<Changed, TriggerError> {
        let uri = place.record(dataset)?;
        for _ in 0..CONDITIONAL_TRIES {
            let (held, states) =
                futures_util::try_join!(self.held(place, dataset), self.states(place, dataset))?;
            let record = held.as_ref().map(|h| h.record.clone());
            match step(record, states.last().copied()) {
                Step::Nothing(why) => {
                    return Ok(Changed {
                        held,
                        why,
                        fresh: false,
                    });
                }
                Step::Change(record, why) => {
                    let condition = held.map_or(Precondition::IfAbsent, |h| {
                        Precondition::IfVersion(h.version)
                    });
                    if let Some(version) = self.write(&uri, &record, &condition).await? {
                        let record = *record;
                        return Ok(Changed {
                            held: Some(Held { record, version }),
                            why,
                            fresh: true,
                        });
                    }
                }
            }
        }
        Err(contended(&uri))
    }

    /// Makes the job and the messages of a dataset match its record.
    pub(crate) async fn carry_out(
        &self,
        place: &Place,
        mut held: Held,
        mut fresh: Fresh,
        call: &Call,
    ) -> Result<Held, TriggerError> {
        let dataset = held.record.dataset.clone();
        let uri = place.record(&dataset)?;
        for _ in 0..CONDITIONAL_TRIES {
            let Some(attempt) = held.record.pending().filter(|a| a.job_id.is_none()) else {
                self.show(place, &held.record).await?;
                return Ok(held);
            };
            let now = Timestamp::now();
            let doubt = match (&attempt.claim, fresh) {
                (Some(claim), _) if claim.owner != call.id && claim.until > now => {
                    return Err(busy(&format!("the job of {dataset}"), claim));
                }
                (Some(claim), Fresh::Yes) if claim.owner == call.id => Doubt::None,
                _ => Doubt::Perhaps,
            };
            if !self.well_claimed(attempt, call, now) {
                let mut record = held.record.clone();
                if let Some(attempt) = record.pending_mut() {
                    attempt.claim = Some(self.claim(call, now));
                }
                held = self.replace(place, held, record).await?.0;
                // somebody else may have been at it, unless it was just ours
                fresh = if doubt == Doubt::None {
                    fresh
                } else {
                    Fresh::No
                };
                continue;
            }
            self.show(place, &held.record).await?;
            let job = self.single(place, &held.record, attempt);
            let id = self.jobs.submit(&job, doubt).await?;
            fresh = Fresh::No;
            let (next, done) = self.note_job(place, held, &id).await?;
            held = next;
            if done {
                return Ok(held);
            }
        }
        Err(contended(&uri))
    }

    /// Whether enough is left of a claim of ours to submit under it.
    fn well_claimed(&self, attempt: &Attempt, call: &Call, now: Timestamp) -> bool {
        let half = SignedDuration::try_from(self.config.lease / 2).unwrap_or_default();
        attempt
            .claim
            .as_ref()
            .is_some_and(|c| c.owner == call.id && c.until.duration_since(now) > half)
    }

    /// Writes the `submitted` message and the job's id. True when that was all: else the record
    /// was changed by others meanwhile and is to be looked at again.
    pub(crate) async fn note_job(
        &self,
        place: &Place,
        held: Held,
        id: &JobId,
    ) -> Result<(Held, bool), TriggerError> {
        let mut record = held.record.clone();
        let Some(attempt) = record.pending_mut() else {
            return Ok((held, false));
        };
        attempt.job_id = Some(id.clone());
        attempt.claim = None;
        let submitted = submitted_body(attempt);
        let message = place.message(State::Submitted, &record.dataset)?;
        self.put(&message, submitted).await?;
        let (held, ours) = match self.replace(place, held, record).await {
            Err(cleaned @ TriggerError::Cleaned { .. }) => {
                // nothing of the dataset may stay, and its next job must be its only one
                self.s3.delete(&message).await?;
                self.jobs.terminate(id, CANCELLED).await?;
                return Err(cleaned);
            }
            other => other?,
        };
        if !ours {
            if held.record.terminated {
                self.jobs.terminate(id, CANCELLED).await?;
            }
            self.show(place, &held.record).await?;
        }
        Ok((held, ours))
    }

    /// Replaces a record; when others were faster, theirs is returned, and false.
    async fn replace(
        &self,
        place: &Place,
        held: Held,
        record: Record,
    ) -> Result<(Held, bool), TriggerError> {
        let uri = place.record(&record.dataset)?;
        let condition = Precondition::IfVersion(held.version);
        if let Some(version) = self.write(&uri, &record, &condition).await? {
            return Ok((Held { record, version }, true));
        }
        match self.held(place, &record.dataset).await? {
            Some(held) => Ok((held, false)),
            None => Err(TriggerError::Cleaned {
                dataset: record.dataset,
            }),
        }
    }

    /// The single job of an attempt.
    pub(crate) fn single(&self, place: &Place, record: &Record, attempt: &Attempt) -> NewJob {
        let settings = &record.settings;
        let words = |words: &[&str]| words.iter().map(|&w| w.to_owned()).collect();
        let (root, dataset) = (place.root.to_string(), record.dataset.name());
        let command = match &settings.inputs {
            Some(inputs) => words(&["caldp-process", dataset, inputs, &root, "caldp-config-aws"]),
            None => words(&["caldp-process-aws", &root, dataset]),
        };
        self.job(record, attempt, command)
    }

    /// A job of an attempt that runs a command.
    pub(crate) fn job(&self, record: &Record, attempt: &Attempt, command: Vec<String>) -> NewJob {
        let settings = &record.settings;
        let site = self.config.ladder.site(attempt.rung);
        let mut environment = vec![];
        if settings.layout != Layout::default() {
            environment.push((
                LAYOUT_VARIABLE.to_owned(),
                settings.layout.name().to_owned(),
            ));
        }
        if let Some(context) = &settings.context {
            environment.push(("CRDS_CONTEXT".to_owned(), context.clone()));
        }
        NewJob {
            name: attempt.job_name.clone(),
            queue: queue_of(record, attempt.rung, &self.config).to_owned(),
            definition: settings
                .job_definition
                .clone()
                .unwrap_or_else(|| site.definition.clone()),
            command,
            environment,
            timeout: attempt.timeout(),
            array_size: None,
            memory_mib: settings
                .job_definition
                .is_some()
                .then(|| attempt.rung.usable_mib()),
        }
    }

    /// Stops the job of a record's latest attempt, if it may have one.
    pub(crate) async fn stop(&self, place: &Place, record: &Record) -> Result<(), TriggerError> {
        let Some(attempt) = record.last() else {
            return Ok(());
        };
        let id = match &attempt.job_id {
            Some(id) => Some(id.clone()),
            // An array's name would find all its children: the one who submits it sees that this
            // child is terminated.
            None if attempt.job_name != expected_name(place, record, attempt) => None,
            None => {
                let queue = queue_of(record, attempt.rung, &self.config);
                self.jobs.find(queue, &attempt.job_name).await?
            }
        };
        match id {
            Some(id) => Ok(self.jobs.terminate(&id, CANCELLED).await?),
            None => Ok(()),
        }
    }

    /// Every state a dataset has a message of, in order of life: the last is the one that holds.
    pub(crate) async fn states(
        &self,
        place: &Place,
        dataset: &Dataset,
    ) -> Result<Vec<State>, TriggerError> {
        let found = State::ALL.map(|state| async move {
            let uri = place.message(state, dataset)?;
            match self.s3.head(&uri).await {
                Ok(_) => Ok(Some(state)),
                Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
                Err(e) => Err(TriggerError::from(e)),
            }
        });
        Ok(try_join_all(found).await?.into_iter().flatten().collect())
    }

    /// Makes the messages show the record's state: the right one is written first, then the
    /// others are deleted.
    pub(crate) async fn show(&self, place: &Place, record: &Record) -> Result<(), TriggerError> {
        let dataset = &record.dataset;
        let present = self.states(place, dataset).await?;
        let current = present.last().copied();
        let Some(right) = shown(record, current) else {
            return Ok(());
        };
        let told = matches!(right, State::Error | State::Terminated);
        if told || !present.contains(&right) {
            let uri = place.message(right, dataset)?;
            self.put(&uri, body(record, right)).await?;
        }
        for state in present.into_iter().filter(|s| *s != right) {
            self.s3.delete(&place.message(state, dataset)?).await?;
        }
        Ok(())
    }

    pub(crate) async fn put(&self, uri: &S3Uri, body: Bytes) -> Result<(), TriggerError> {
        let stored = self.s3.put_bytes(uri, body, &Precondition::None).await;
        Ok(stored.map(drop)?)
    }
}

/// The queue an attempt's job is on.
pub(crate) fn queue_of<'a>(record: &'a Record, rung: Rung, config: &'a Config) -> &'a str {
    record
        .settings
        .job_queue
        .as_deref()
        .unwrap_or(&config.ladder.site(rung).queue)
}

fn expected_name(place: &Place, record: &Record, attempt: &Attempt) -> String {
    crate::step::job_name(
        &place.root,
        &record.dataset,
        attempt.number,
        &attempt.origin,
    )
}

/// The body of the message that shows a state.
fn body(record: &Record, state: State) -> Bytes {
    let Some(attempt) = record.last() else {
        return Bytes::new();
    };
    match state {
        State::Submitted => submitted_body(attempt),
        State::Error | State::Terminated => {
            let outcome = attempt.outcome.as_ref();
            json_bytes(&json!({
                "dataset": record.dataset,
                "explanation": outcome.map(|o| o.explanation.as_str()),
                "cause": outcome.and_then(|o| match o.result {
                    Ended::Failed(cause) => Some(cause.name()),
                    Ended::Succeeded => None,
                }),
                "exit_code": outcome.and_then(|o| o.exit_code),
                "job_id": attempt.job_id,
                "job_name": attempt.job_name,
                "rung": attempt.rung,
                "attempt": attempt.number,
                "log_stream": outcome.and_then(|o| o.log_stream.as_deref()),
                "at": outcome.map(|o| o.at),
            }))
        }
        _ => Bytes::new(),
    }
}

/// The body of a `submitted` message.
pub(crate) fn submitted_body(attempt: &Attempt) -> Bytes {
    json_bytes(&json!({
        "job_id": attempt.job_id,
        "job_name": attempt.job_name,
        "rung": attempt.rung,
        "attempt": attempt.number,
        "submitted_at": Timestamp::now(),
    }))
}

pub(crate) fn json_bytes(value: &serde_json::Value) -> Bytes {
    Bytes::from(value.to_string())
}

/// Whether a conditional write lost against another. S3 answers 404 when the object that was to
/// be of a version is gone, and 409 while two conditional writes race.
pub(crate) fn lost(error: &S3Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::AlreadyExists | ErrorKind::Changed | ErrorKind::NotFound
    )
}

pub(crate) fn busy(what: &str, claim: &Claim) -> TriggerError {
    TriggerError::Busy {
        what: what.to_owned(),
        owner: claim.owner.clone(),
        until: claim.until.to_string(),
    }
}

pub(crate) fn contended(uri: &S3Uri) -> TriggerError {
    TriggerError::Contended {
        place: uri.to_string(),
        tries: CONDITIONAL_TRIES,
    }
}

/// The longest a request to AWS Batch is waited for and repeated under a lease.
fn batch_patience(lease: Duration) -> (Duration, RetryPolicy) {
    let policy = RetryPolicy {
        tries: 12,
        total: lease / 4,
        cap: Duration::from_secs(5).min(lease / 16),
        ..Default::default()
    };
    (lease / 8, policy)
}
