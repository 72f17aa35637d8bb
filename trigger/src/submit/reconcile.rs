//! Changing a dataset's record and making its job and messages agree with it.
//!
//! A change is a pure transition applied under a conditional write. Reconciling makes the world match
//! the record: a pending attempt without a job gets one, the messages show the record's state. It
//! is safe to repeat at any point, so an invocation that died is made good by the next delivery of
//! its event.

use std::sync::Arc;

use caldp_core::batch::JobId;
use caldp_core::dataset::Dataset;
use caldp_core::messages::SeenStates;
use caldp_core::state::State;
use jiff::{SignedDuration, Timestamp};
use storage::s3::Precondition;

use super::job::{queue_of, single_job};
use crate::batch::Batch;
use crate::batch::client::{BatchClient, MaybeSubmitted};
use crate::config::Config;
use crate::error::{CONDITIONAL_TRIES, TriggerError};
use crate::invocation::Invocation;
use crate::output_root::OutputRoot;
use crate::record::attempts::{Attempt, Claim, Record};
use crate::record::documents::{Documents, VersionedRecord, contended};
use crate::record::message;
use crate::record::transition::{Transition, job_name, shown};

/// Keeps datasets as their records say.
#[derive(Debug)]
pub struct Reconciler<B> {
    config: Arc<Config>,
    documents: Documents,
    batch_client: Arc<BatchClient<B>>,
}

/// What a transition came to.
#[derive(Debug)]
pub(crate) struct Transitioned {
    /// The record, if there is one.
    known: Option<KnownDataset>,
    /// The states that were seen before, where they mattered.
    seen: Option<SeenStates>,
    /// The reason of the change or of there being none.
    pub(crate) why: String,
}

/// A record, and whether its pending attempt may have a job that it does not name.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct KnownDataset {
    pub(crate) versioned: VersionedRecord,
    /// Certainly none only where this invocation made the attempt a moment ago.
    pub(crate) job: MaybeSubmitted,
}

impl Transitioned {
    /// The record after the transition, if there is one.
    pub(crate) fn record(&self) -> Option<&Record> {
        self.known.as_ref().map(|known| &known.versioned.record)
    }

    /// The dataset's state before the transition, where it mattered.
    pub(crate) fn state(&self) -> Option<State> {
        self.seen.as_ref().and_then(SeenStates::current)
    }

    /// Whether this invocation changed the record.
    pub(crate) fn is_new(&self) -> bool {
        let job = self.known.as_ref().map(|known| known.job);
        job == Some(MaybeSubmitted::None)
    }
}

impl<B: Batch> Reconciler<B> {
    /// A reconciler of a deployment.
    pub const fn new(
        config: Arc<Config>,
        documents: Documents,
        batch_client: Arc<BatchClient<B>>,
    ) -> Self {
        Self {
            config,
            documents,
            batch_client,
        }
    }

    /// Applies a transition to a dataset's record until it holds.
    pub(crate) async fn transition(
        &self,
        root: &OutputRoot,
        dataset: &Dataset,
        transition: impl Fn(Option<Record>) -> Transition,
    ) -> Result<Transitioned, TriggerError> {
        for _ in 0..CONDITIONAL_TRIES {
            let known = self.documents.record(root, dataset).await?;
            let decided = transition(known.as_ref().map(|known| known.record.clone()));
            if let Some(done) = self.apply(root, dataset, known, decided).await? {
                return Ok(done);
            }
        }
        Err(contended(&root.record(dataset)?))
    }

    /// Applies a transition that depends on the dataset's state too.
    pub(crate) async fn transition_with_states(
        &self,
        root: &OutputRoot,
        dataset: &Dataset,
        transition: impl Fn(Option<Record>, Option<State>) -> Transition,
    ) -> Result<Transitioned, TriggerError> {
        let messages = self.documents.messages(root);
        for _ in 0..CONDITIONAL_TRIES {
            let look = async { Ok(messages.look(dataset).await?) };
            let (known, seen) = tokio::try_join!(self.documents.record(root, dataset), look)?;
            let record = known.as_ref().map(|known| known.record.clone());
            let decided = transition(record, seen.current());
            if let Some(done) = self.apply(root, dataset, known, decided).await? {
                let seen = Some(seen);
                return Ok(Transitioned { seen, ..done });
            }
        }
        Err(contended(&root.record(dataset)?))
    }

    /// Writes what was decided; none when another was faster.
    async fn apply(
        &self,
        root: &OutputRoot,
        dataset: &Dataset,
        known: Option<VersionedRecord>,
        decided: Transition,
    ) -> Result<Option<Transitioned>, TriggerError> {
        let (versioned, job, why) = match decided {
            Transition::None(why) => (known, MaybeSubmitted::Perhaps, why),
            Transition::Change(record, why) => {
                let condition = known.map_or(Precondition::IfAbsent, |known| {
                    Precondition::IfVersion(known.version)
                });
                let uri = root.record(dataset)?;
                let Some(version) = self.documents.write(&uri, &record, &condition).await? else {
                    return Ok(None);
                };
                let record = *record;
                let versioned = VersionedRecord { record, version };
                (Some(versioned), MaybeSubmitted::None, why)
            }
        };
        Ok(Some(Transitioned {
            known: versioned.map(|versioned| KnownDataset { versioned, job }),
            seen: None,
            why,
        }))
    }

    /// Makes the job and the messages of a dataset match its record after a transition.
    pub(crate) async fn reconcile(
        &self,
        root: &OutputRoot,
        changed: Transitioned,
        invocation: &Invocation,
    ) -> Result<Option<Record>, TriggerError> {
        match changed.known {
            None => Ok(None),
            Some(known) => {
                let settled = self
                    .reconcile_record(root, known, changed.seen, invocation)
                    .await?;
                Ok(Some(settled.record))
            }
        }
    }

    /// Makes the job and the messages of a dataset match its record. `seen` are its states where they
    /// were looked at a moment ago.
    pub(crate) async fn reconcile_record(
        &self,
        root: &OutputRoot,
        known: KnownDataset,
        mut seen: Option<SeenStates>,
        invocation: &Invocation,
    ) -> Result<VersionedRecord, TriggerError> {
        let KnownDataset { versioned, mut job } = known;
        let mut known = versioned;
        let dataset = known.record.dataset.clone();
        for _ in 0..CONDITIONAL_TRIES {
            let Some(attempt) = known.record.pending().filter(|a| a.job_id.is_none()) else {
                self.show(root, &known.record, seen).await?;
                return Ok(known);
            };
            let now = Timestamp::now();
            let maybe = match (&attempt.claim, job) {
                (Some(claim), _) if claim.owner != invocation.id && claim.until > now => {
                    return Err(claim.busy(&format!("the job of {dataset}")));
                }
                (Some(claim), MaybeSubmitted::None) if claim.owner == invocation.id => {
                    MaybeSubmitted::None
                }
                _ => MaybeSubmitted::Perhaps,
            };
            if !self.well_claimed(attempt, invocation, now) {
                let mut record = known.record.clone();
                if let Some(attempt) = record.pending_mut() {
                    let claim = Claim::from_now(&invocation.id, self.config.lease, now);
                    attempt.claim = Some(claim);
                }
                known = self.replace(root, known, record).await?.0;
                // somebody else may have been at it, unless it was just ours
                job = maybe;
                continue;
            }
            self.show(root, &known.record, seen.take()).await?;
            let new = single_job(&self.config.memory_bins, root, &known.record, attempt);
            let submitted = self.batch_client.submit(&new, maybe).await;
            job = MaybeSubmitted::Perhaps;
            let id = match submitted {
                Ok(id) => id,
                Err(error) => {
                    let refusal = error.refusal().map(str::to_owned).ok_or(error)?;
                    known = self.note_refusal(root, known, &refusal).await?;
                    continue;
                }
            };
            let (next, done) = self.note_job(root, known, &id).await?;
            known = next;
            if done {
                return Ok(known);
            }
        }
        Err(contended(&root.record(&dataset)?))
    }

    /// Submits the first job of a dataset of which nothing but the claim exists.
    pub(crate) async fn submit_first(
        &self,
        root: &OutputRoot,
        known: VersionedRecord,
    ) -> Result<VersionedRecord, TriggerError> {
        let Some(attempt) = known.record.pending() else {
            return Ok(known);
        };
        let job = single_job(&self.config.memory_bins, root, &known.record, attempt);
        match self.batch_client.submit(&job, MaybeSubmitted::None).await {
            Ok(id) => Ok(self.note_job(root, known, &id).await?.0),
            Err(error) => {
                let refusal = error.refusal().map(str::to_owned).ok_or(error)?;
                self.note_refusal(root, known, &refusal).await
            }
        }
    }

    /// Whether enough is left of a claim of ours to submit under it.
    fn well_claimed(&self, attempt: &Attempt, invocation: &Invocation, now: Timestamp) -> bool {
        let half = SignedDuration::try_from(self.config.lease / 2).unwrap_or_default();
        let claim = attempt.claim.as_ref();
        claim.is_some_and(|c| c.owner == invocation.id && c.until.duration_since(now) > half)
    }

    /// Writes the `submitted` message and the job's id. True when that was all: else the record
    /// was changed by others meanwhile and is to be looked at again.
    pub(crate) async fn note_job(
        &self,
        root: &OutputRoot,
        known: VersionedRecord,
        id: &JobId,
    ) -> Result<(VersionedRecord, bool), TriggerError> {
        let (messages, dataset) = (self.documents.messages(root), known.record.dataset.clone());
        let mut record = known.record.clone();
        let Some(attempt) = record.pending_mut() else {
            return Ok((known, false));
        };
        tracing::info!(job_id = %id, job_name = attempt.job_name, "submitted");
        attempt.job_id = Some(id.clone());
        attempt.claim = None;
        let body = message::body(&record, State::Submitted);
        messages.write(&dataset, State::Submitted, body).await?;
        let (known, ours) = match self.replace(root, known, record).await {
            Err(cleaned @ TriggerError::Cleaned { .. }) => {
                // nothing of the dataset may stay, and its next job must be its only one
                messages.delete(&dataset, State::Submitted).await?;
                self.batch_client.terminate(id).await?;
                return Err(cleaned);
            }
            other => other?,
        };
        if !ours {
            if known.record.terminated {
                self.batch_client.terminate(id).await?;
            }
            self.show(root, &known.record, None).await?;
        }
        Ok((known, ours))
    }

    /// Replaces a record; when others were faster, theirs is returned, and false.
    pub(super) async fn replace(
        &self,
        root: &OutputRoot,
        known: VersionedRecord,
        record: Record,
    ) -> Result<(VersionedRecord, bool), TriggerError> {
        let uri = root.record(&record.dataset)?;
        let condition = Precondition::IfVersion(known.version);
        if let Some(version) = self.documents.write(&uri, &record, &condition).await? {
            return Ok((VersionedRecord { record, version }, true));
        }
        match self.documents.record(root, &record.dataset).await? {
            Some(known) => Ok((known, false)),
            None => Err(TriggerError::Cleaned {
                dataset: record.dataset,
            }),
        }
    }

    /// Makes the messages show the record's state: the right one is written first, then the
    /// others are deleted.
    pub(super) async fn show(
        &self,
        root: &OutputRoot,
        record: &Record,
        seen: Option<SeenStates>,
    ) -> Result<(), TriggerError> {
        let (messages, dataset) = (self.documents.messages(root), &record.dataset);
        let seen = match seen {
            Some(seen) => seen,
            None => messages.look(dataset).await?,
        };
        let Some(right) = shown(record, seen.current()) else {
            return Ok(());
        };
        let told = matches!(right, State::Error | State::Terminated);
        if told || !seen.contains(right) {
            let body = message::body(record, right);
            messages.replace(&seen, dataset, right, body).await?;
        } else {
            messages.keep_only(&seen, dataset, right).await?;
        }
        Ok(())
    }

    /// Stops the job of a dataset that was terminated, and shows that it was. Also when the record
    /// said so before: whoever wrote that may have died since.
    pub(crate) async fn stop_and_show(
        &self,
        root: &OutputRoot,
        changed: &Transitioned,
    ) -> Result<(), TriggerError> {
        if let Some(record) = changed.record().filter(|record| record.terminated) {
            self.stop(root, record).await?;
            self.show(root, record, None).await?;
        }
        Ok(())
    }

    /// Stops the job of a record's latest attempt, if it may have one.
    pub(crate) async fn stop(
        &self,
        root: &OutputRoot,
        record: &Record,
    ) -> Result<(), TriggerError> {
        let Some(attempt) = record.last() else {
            return Ok(());
        };
        let own_name = job_name(&root.uri, &record.dataset, attempt.number, &attempt.origin);
        let id = match &attempt.job_id {
            Some(id) => Some(id.clone()),
            // An array's name would find all its children: the one who submits it sees that this
            // child is terminated.
            None if attempt.job_name != own_name => None,
            None => {
                let bins = &self.config.memory_bins;
                let queue = queue_of(bins, &record.settings, attempt);
                self.batch_client.find(queue, &attempt.job_name).await?
            }
        };
        match id {
            Some(id) => Ok(self.batch_client.terminate(&id).await?),
            None => Ok(()),
        }
    }
}
