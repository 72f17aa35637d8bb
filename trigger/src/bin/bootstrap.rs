//! The Lambda function: one binary for every event.
//!
//! The clients are made once, before the first event; what an event means is for the library.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use caldp_trigger::aws::AwsBatch;
use caldp_trigger::config::Config;
use caldp_trigger::desk::{Call, Desk};
use caldp_trigger::pace::Budget;
use lambda_runtime::{Diagnostic, Error, LambdaEvent, run, service_fn, tracing};
use serde_json::Value;
use storage::s3::S3;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    tracing::init_default_subscriber();
    match serve().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the function cannot run");
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> Result<(), Error> {
    let config = Config::from_environment()?;
    let desk = Arc::new(Box::pin(Desk::new(config, S3::from_env(), AwsBatch::from_env)).await);
    run(service_fn(|event: LambdaEvent<Value>| {
        let desk = Arc::clone(&desk);
        async move {
            let call = Call {
                budget: Budget::within(left(event.context.deadline), desk.config.reserve),
                id: event.context.request_id,
            };
            let answer = desk.handle(event.payload, &call).await;
            match &answer {
                Ok(answer) => tracing::info!(%answer, "handled"),
                Err(error) => tracing::error!(%error, "not handled"),
            }
            answer.map_err(|error| Diagnostic {
                error_type: error.kind().to_owned(),
                error_message: error.to_string(),
            })
        }
    }))
    .await
}

/// The time until a deadline in milliseconds of the epoch.
fn left(deadline: u64) -> Duration {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Duration::from_millis(deadline).saturating_sub(now)
}
