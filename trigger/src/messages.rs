//! The messages that show in which state a dataset is: read from the store, made to match its
//! record. Which state a record shows is for `step`.

use bytes::Bytes;
use caldp_core::dataset::Dataset;
use caldp_core::state::State;
use futures_util::future::try_join_all;
use jiff::Timestamp;
use serde_json::json;
use storage::s3::ErrorKind;

use crate::desk::{Desk, json_bytes};
use crate::error::TriggerError;
use crate::jobs::Batch;
use crate::place::Place;
use crate::record::{Attempt, Ended, Record};
use crate::step::shown;

impl<B: Batch> Desk<B> {
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
