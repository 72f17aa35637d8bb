//! Changing a dataset's record and making its job agree with it.
//!
//! A change is a pure step applied under a conditional write. Carrying out makes the world match
//! the record: a pending attempt without a job gets one, the messages show the record's state. It
//! is safe to repeat at any point, so an invocation that died is made good by the next delivery of
//! its event.

use caldp_core::batch::JobId;
use caldp_core::dataset::Dataset;
use caldp_core::job_command::{CONTEXT_VARIABLE, JobCommand, JobInput, LAYOUT_VARIABLE};
use caldp_core::layout::Layout;
use caldp_core::state::State;
use jiff::{SignedDuration, Timestamp};
use storage::s3::{Precondition, Version};

use crate::config::Config;
use crate::desk::{CANCELLED, CONDITIONAL_TRIES, Call, Desk, busy, contended};
use crate::error::TriggerError;
use crate::jobs::{Batch, Doubt, NewJob};
use crate::ladder::Rung;
use crate::messages::submitted_body;
use crate::place::Place;
use crate::record::{Attempt, Record};
use crate::step::Step;

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
                tokio::try_join!(self.held(place, dataset), self.states(place, dataset))?;
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
        let (output, dataset) = (place.root.clone(), record.dataset.clone());
        let command = match settings.inputs.clone() {
            Some(inputs) => JobCommand::Process {
                dataset,
                inputs,
                output,
            },
            None => JobCommand::ProcessAws {
                output,
                input: JobInput::Dataset(dataset),
            },
        };
        self.job(record, attempt, &command)
    }

    /// A job of an attempt that runs a command.
    pub(crate) fn job(&self, record: &Record, attempt: &Attempt, command: &JobCommand) -> NewJob {
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
            environment.push((CONTEXT_VARIABLE.to_owned(), context.clone()));
        }
        NewJob {
            name: attempt.job_name.clone(),
            queue: queue_of(record, attempt.rung, &self.config).to_owned(),
            definition: settings
                .job_definition
                .clone()
                .unwrap_or_else(|| site.definition.clone()),
            command: command.words(),
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
