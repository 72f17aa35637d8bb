//! The Lambda function: one binary for every event.
//!
//! The clients are made once, before the first event; what an event means is for the library.

mod log;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use caldp_trigger::batch::aws::AwsBatch;
use caldp_trigger::config::{Config, metrics_namespace};
use caldp_trigger::handler::{self, Trigger};
use caldp_trigger::invocation::{Budget, Invocation};
use caldp_trigger::queue::Returns;
use lambda_runtime::{Diagnostic, Error, LambdaEvent, run, service_fn};
use serde_json::Value;
use storage::hint::explain;
use storage::s3::S3;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    log::init(metrics_namespace());
    let config = match Config::from_environment() {
        Ok(config) => config,
        Err(error) => {
            let error = explain(&error).to_string();
            tracing::error!(error, "the function cannot run");
            return ExitCode::FAILURE;
        }
    };
    match serve(config).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error, "the function cannot run");
            ExitCode::FAILURE
        }
    }
}

async fn serve(config: Config) -> Result<(), Error> {
    let (reserve, sharing) = (config.reserve, config.sharing);
    let trigger = Trigger::new(config, S3::from_env(), |answer| {
        AwsBatch::from_env(answer, sharing)
    });
    let (trigger, returns) = tokio::join!(Box::pin(trigger), Returns::from_env());
    let trigger = Arc::new(trigger.with_returns(returns));
    run(service_fn(|event: LambdaEvent<Value>| {
        let trigger = Arc::clone(&trigger);
        async move {
            let invocation = Invocation {
                budget: Budget::within(left(event.context.deadline), reserve),
                id: event.context.request_id,
            };
            let result = trigger.handle(event.payload, &invocation).await;
            handler::log(&result);
            result.map_err(|error| Diagnostic {
                error_type: error.kind().to_owned(),
                error_message: explain(&error).to_string(),
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
