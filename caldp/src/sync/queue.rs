//! Being told by an SQS queue that something happened in the output, instead of looking now and then: every
//! message means no more than "look again", whatever it says.

use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::DisplayErrorContext;
use storage::hint::Hint;

/// How long one request waits for a message; the most that SQS allows.
const WAIT: Duration = Duration::from_secs(20);

/// So many messages are taken at once; the most that SQS allows.
const AT_ONCE: i32 = 10;

/// A pause after what tells of many things at once, so that one look serves them all.
const GATHER: Duration = Duration::from_secs(2);

/// A queue that tells of an output.
#[derive(Debug, Clone)]
pub(super) struct Queue {
    client: Client,
    url: String,
}

/// The queue cannot be asked.
#[derive(Debug, thiserror::Error)]
#[error("the queue {url} cannot be read: {reason}")]
pub(super) struct QueueError {
    url: String,
    reason: String,
}

impl Hint for QueueError {
    fn hint(&self) -> Option<std::borrow::Cow<'_, str>> {
        Some(
            "it takes sqs:ReceiveMessage and sqs:DeleteMessage on the queue; until then the output is looked at \
             as often as --watch says"
                .into(),
        )
    }
}

impl Queue {
    /// With the client of the environment.
    pub(super) async fn new(url: String) -> Self {
        let config = aws_config::load_from_env().await;
        let client = Client::new(&config);
        Self { client, url }
    }

    /// Waits until something happened; then takes what it was told off the queue.
    ///
    /// # Errors
    /// When the queue cannot be read; what cannot be deleted comes again, which does no harm.
    pub(super) async fn told(&self) -> Result<(), QueueError> {
        while self.take().await? == 0 {}
        tokio::time::sleep(GATHER).await;
        Ok(())
    }

    /// Takes some messages off the queue; how many.
    async fn take(&self) -> Result<usize, QueueError> {
        let seconds = i32::try_from(WAIT.as_secs()).unwrap_or_default();
        let received = self
            .client
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(AT_ONCE)
            .wait_time_seconds(seconds)
            .send()
            .await
            .map_err(|error| QueueError {
                url: self.url.clone(),
                reason: DisplayErrorContext(&error).to_string(),
            })?;
        let messages = received.messages.unwrap_or_default();
        for receipt in messages.iter().filter_map(|m| m.receipt_handle.as_deref()) {
            let delete = self.client.delete_message().queue_url(&self.url);
            if let Err(error) = delete.receipt_handle(receipt).send().await {
                tracing::debug!("{}", DisplayErrorContext(&error));
            }
        }
        Ok(messages.len())
    }
}
