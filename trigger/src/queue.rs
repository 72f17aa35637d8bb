//! The queue that events come from, as far as it is spoken to: when a failed message comes back.

use std::time::Duration;

use aws_sdk_sqs::Client;

use crate::event::Queued;

/// Says when failed messages come back to their queue; by default the queue decides.
#[derive(Debug, Clone, Default)]
pub struct Returns(Option<Client>);

impl Returns {
    /// The client of the environment.
    pub async fn from_env() -> Self {
        let config = aws_config::load_from_env().await;
        Self(Some(Client::new(&config)))
    }

    /// Has a message that failed come back after `delay`. That this fails only costs time: the message
    /// comes back when the queue thinks that it was forgotten.
    pub(crate) async fn come_back(&self, message: &Queued, delay: Duration) {
        let Some((client, receipt)) = self.0.as_ref().zip(message.receipt.as_ref()) else {
            return;
        };
        let Some(url) = message.queue.as_deref().and_then(queue_url) else {
            return;
        };
        let seconds = i32::try_from(delay.as_secs()).unwrap_or(i32::MAX);
        let request = client
            .change_message_visibility()
            .queue_url(url)
            .receipt_handle(receipt)
            .visibility_timeout(seconds);
        match request.send().await {
            Ok(_) => tracing::info!(seconds, "the message comes back"),
            Err(error) => {
                let error = aws_sdk_sqs::error::DisplayErrorContext(&error).to_string();
                tracing::warn!(error, "the message comes back when its queue sees fit");
            }
        }
    }
}

/// The URL of the queue with an ARN.
fn queue_url(arn: &str) -> Option<String> {
    let [_, partition, "sqs", region, account, name] =
        *arn.splitn(6, ':').collect::<Vec<_>>().as_slice()
    else {
        return None;
    };
    let domain = match partition {
        "aws-cn" => "amazonaws.com.cn",
        _ => "amazonaws.com",
    };
    Some(format!("https://sqs.{region}.{domain}/{account}/{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_found_by_its_arn() {
        let url = queue_url("arn:aws:sqs:us-east-1:123456789012:caldp-events");
        let expected = "https://sqs.us-east-1.amazonaws.com/123456789012/caldp-events";
        assert_eq!(url.as_deref(), Some(expected));
        assert_eq!(queue_url("arn:aws:s3:::bucket"), None);
        assert_eq!(queue_url(""), None);
    }
}
