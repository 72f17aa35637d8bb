//! Messages of a queue: each is an event by itself. Those that failed go back to the queue alone, and soon;
//! those that will never succeed do not.

use std::time::Duration;

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse};
use jiff::Timestamp;
use tracing::{Instrument, info_span};

use super::{Answer, Trigger, log};
use crate::batch::Batch;
use crate::error::TriggerError;
use crate::event::{EventError, Queued, classify};
use crate::invocation::Invocation;

/// After how long a message that failed for the first time comes back.
const FIRST_RETURN: Duration = Duration::from_mins(1);

/// Each further time it takes this many times as long.
const LONGER: u32 = 3;

/// A message comes back after so long at most.
const LAST_RETURN: Duration = Duration::from_hours(1);

impl<B: Batch> Trigger<B> {
    /// Handles messages. Those that failed and may succeed later go back to the queue, alone.
    pub(super) async fn queue(&self, messages: Vec<Queued>, invocation: &Invocation) -> Answer {
        let mut failures = vec![];
        for message in messages {
            let span = info_span!("message", message_id = message.id);
            let result = self.queued(&message, invocation).instrument(span.clone());
            let result = Box::pin(result).await;
            span.in_scope(|| log(&result));
            if let Err(error) = result
                && !error.is_final()
            {
                let delay = return_after(&error, message.received, Timestamp::now());
                self.returns
                    .come_back(&message, delay)
                    .instrument(span)
                    .await;
                let mut failure = BatchItemFailure::default();
                failure.item_identifier = message.id;
                failures.push(failure);
            }
        }
        let mut response = SqsBatchResponse::default();
        response.batch_item_failures = failures;
        Answer::Queue(response)
    }

    async fn queued(
        &self,
        message: &Queued,
        invocation: &Invocation,
    ) -> Result<Answer, TriggerError> {
        let event = serde_json::from_str(&message.body).map_err(|error| EventError::Malformed {
            kind: "SQS",
            reason: format!("the body is not JSON: {error}"),
        })?;
        let of_message = Invocation {
            id: format!("message:{}", message.id),
            budget: invocation.budget,
        };
        self.handle_one(classify(event)?, &of_message).await
    }
}

/// After how long a message that failed comes back: the longer the more often it was received, but as
/// soon as what another invocation works on is free.
fn return_after(error: &TriggerError, received: u32, now: Timestamp) -> Duration {
    let times = LONGER.saturating_pow(received.saturating_sub(1));
    let delay = FIRST_RETURN.saturating_mul(times).min(LAST_RETURN);
    match error {
        TriggerError::Busy { until, .. } => {
            let left = Duration::try_from(until.duration_since(now)).unwrap_or_default();
            delay.min(left + Duration::from_secs(1))
        }
        _ => delay,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_message_comes_back_later_each_time_and_when_work_is_free() {
        let now: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
        let failed = TriggerError::Foreign {
            what: String::new(),
            ours: String::new(),
        };
        let minutes = [1, 2, 3, 4, 5, 99].map(|n| return_after(&failed, n, now).as_secs() / 60);
        assert_eq!(minutes, [1, 3, 9, 27, 60, 60]);
        let busy = TriggerError::Busy {
            what: String::new(),
            owner: String::new(),
            until: "2026-03-01T00:00:20Z".parse().unwrap(),
        };
        assert_eq!(return_after(&busy, 3, now), Duration::from_secs(21));
    }
}
