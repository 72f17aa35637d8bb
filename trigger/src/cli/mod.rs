//! The trigger on an operator's machine: `caldp submit`, `rescue`, `cancel`, `clean` and `sweep`, the same
//! library on the same state.
//!
//! The commands read the deployment's variables ([`crate::config::VARIABLES`]) from the
//! environment; the bucket is that of the output they are given.

mod arguments;
mod error;
mod inputs;
mod output;
mod request;
mod submit;
mod sweep;

use std::time::Duration;

use caldp_core::layout::Verb;
use clap::Subcommand;
use jiff::Timestamp;
use storage::s3::S3;

use crate::batch::Batch;
use crate::batch::aws::AwsBatch;
use crate::config::Config;
use crate::handler::Trigger;
use crate::invocation::{Budget, Invocation};
use crate::order::RequestBody;
use crate::order::offers::Offers;
use crate::submit::submitter::OrderAnswer;

pub use error::CliError;
pub use inputs::{Inputs, ReadInputs};
pub use output::{CommandAnswer, CommandOutput, RequestedTarget};
pub use request::{RequestArgs, RescueArgs};
pub use submit::SubmitArgs;
pub use sweep::SweepArgs;
use sweep::Swept;

/// Something that was asked for could not be done.
const SOME_FAILED: u8 = 4;

/// A command that died by hand is taken up again after so long at most.
const LEASE: Duration = Duration::from_mins(1);

/// The commands of the trigger, to be mounted beside others.
#[derive(Debug, Subcommand)]
pub enum TriggerCommand {
    /// Submit datasets to AWS Batch
    Submit(SubmitArgs),
    /// Submit datasets again that failed or were terminated
    #[command(after_help = RequestArgs::HELP)]
    Rescue(RescueArgs),
    /// Terminate the jobs of datasets
    #[command(after_help = RequestArgs::HELP)]
    Cancel(RequestArgs),
    /// Delete everything of datasets: inputs, outputs, records, messages
    #[command(after_help = RequestArgs::HELP)]
    Clean(RequestArgs),
    /// Find datasets whose job ended, disappeared or was never made without word, and settle them
    #[command(after_help = SweepArgs::HELP)]
    Sweep(SweepArgs),
}

impl TriggerCommand {
    /// Does what the command says, and gives what is to be printed on standard output. What raw files
    /// say of their datasets, `read_inputs` reads.
    ///
    /// # Errors
    /// [`CliError`], to be printed on standard error.
    pub async fn run(&self, read_inputs: &ReadInputs<'_>) -> Result<CommandOutput, CliError> {
        let (bucket, layout, json) = match self {
            Self::Submit(SubmitArgs { output, common, .. })
            | Self::Rescue(RescueArgs {
                request: RequestArgs { output, common, .. },
                ..
            })
            | Self::Cancel(RequestArgs { output, common, .. })
            | Self::Clean(RequestArgs { output, common, .. }) => {
                (Some(output.bucket()), common.layout, common.json)
            }
            Self::Sweep(SweepArgs { target, common }) => {
                let bucket = target.as_ref().and_then(Swept::bucket);
                (bucket, common.layout, common.json)
            }
        };
        let mut config = Config::from_lookup(|name| match name {
            "BUCKET" if bucket.is_some() => bucket.map(str::to_owned),
            // an operator knows what else there is, unless the environment says what may be used
            Offers::QUEUES | Offers::DEFINITIONS | Offers::OUTPUTS => {
                Some(std::env::var(name).unwrap_or_else(|_| "*".to_owned()))
            }
            _ => std::env::var(name).ok(),
        })?;
        config.layout = layout;
        config.lease = LEASE;
        let sharing = config.sharing;
        let trigger = Box::pin(Trigger::new(config, S3::from_env(), |answer| {
            AwsBatch::from_env(answer, sharing)
        }))
        .await;
        let answer = Box::pin(self.perform(&trigger, read_inputs)).await?;
        Ok(CommandOutput {
            status: self.status(&answer),
            answer,
            json,
        })
    }

    /// Does what the command says.
    async fn perform<B: Batch>(
        &self,
        trigger: &Trigger<B>,
        read_inputs: &ReadInputs<'_>,
    ) -> Result<CommandAnswer, CliError> {
        let now = Timestamp::now();
        let invocation = Invocation {
            id: format!("cli-{}-{}", std::process::id(), now.as_millisecond()),
            budget: Budget::UNLIMITED,
        };
        match self {
            Self::Submit(args) => args.run(trigger, &invocation, read_inputs).await,
            Self::Rescue(args) => args.run(trigger, &invocation).await,
            Self::Cancel(args) => {
                let body = RequestBody::default();
                args.run(trigger, Verb::Cancel, body, &invocation).await
            }
            Self::Clean(args) => {
                let body = RequestBody::default();
                args.run(trigger, Verb::Clean, body, &invocation).await
            }
            Self::Sweep(args) => args.run(trigger, &invocation).await,
        }
    }

    /// The exit status of a command that was carried out.
    fn status(&self, answer: &CommandAnswer) -> u8 {
        match (self, answer) {
            (Self::Sweep(args), CommandAnswer::Sweep(answer)) => args.status(answer),
            (_, CommandAnswer::Order(OrderAnswer::Submitted(done))) if !done.refused.is_empty() => {
                SOME_FAILED
            }
            (_, CommandAnswer::Request(targets)) if targets.iter().any(RequestedTarget::failed) => {
                SOME_FAILED
            }
            _ => 0,
        }
    }
}
