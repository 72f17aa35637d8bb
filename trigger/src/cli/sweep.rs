//! `caldp sweep`: what the schedule does about datasets that are stuck, by hand and without its limits.

use std::str::FromStr;

use caldp_core::batch::BatchName;
use caldp_core::layout::Layout;
use clap::Args;
use storage::hint::explain;
use storage::uri::S3Uri;

use super::SOME_FAILED;
use super::arguments::CommonArgs;
use super::error::CliError;
use super::output::CommandAnswer;
use crate::batch::Batch;
use crate::error::TriggerError;
use crate::handler::Trigger;
use crate::invocation::Invocation;
use crate::output_root::OutputRoot;
use crate::sweep::{Mode, SweepAnswer};

/// Something is or stays stuck: it was a dry run, or others are at it.
const STUCK: u8 = 3;

/// What `caldp sweep` takes.
#[derive(Debug, Args)]
pub struct SweepArgs {
    /// An output path (s3://...), or a batch of the deployment in BUCKET; a bucket, or nothing, for every output that is not closed
    #[arg(value_name = "OUTPUT|BATCH")]
    pub(super) target: Option<Swept>,
    #[command(flatten)]
    pub(super) common: CommonArgs,
}

/// What is swept.
#[derive(Debug, Clone)]
pub(super) enum Swept {
    /// An output, or where it has no folder every output of its bucket.
    Output(S3Uri),
    /// A batch of the deployment.
    Batch(BatchName),
}

impl Swept {
    /// The bucket, where it is named.
    pub(super) fn bucket(&self) -> Option<&str> {
        match self {
            Self::Output(uri) => Some(uri.bucket()),
            Self::Batch(_) => None,
        }
    }
}

impl FromStr for Swept {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.contains(':') {
            let uri = text.parse().map(Self::Output);
            return uri.map_err(|error| explain(&error).to_string());
        }
        let batch = text.parse().map(Self::Batch);
        batch.map_err(|error| explain(&error).to_string())
    }
}

impl SweepArgs {
    pub(super) const HELP: &'static str = "\
Each dataset is settled as the event that was lost would have settled it; jobs younger than 15 minutes are \
left alone. The schedule does the same, within limits of time and requests.
Exit status: 0 nothing is stuck any more, 3 something is (with --dry-run, or because another is at it), \
4 something could not be settled.";

    pub(super) async fn run<B: Batch>(
        &self,
        trigger: &Trigger<B>,
        invocation: &Invocation,
    ) -> Result<CommandAnswer, CliError> {
        let roots = self.roots(trigger).await?;
        let mode = if self.common.dry_run {
            Mode::Tell
        } else {
            Mode::Settle
        };
        let sweep = trigger.sweeper.sweep(&roots, mode, invocation);
        Ok(CommandAnswer::Sweep(Box::pin(sweep).await?))
    }

    async fn roots<B: Batch>(&self, trigger: &Trigger<B>) -> Result<Vec<OutputRoot>, TriggerError> {
        let layout = self.common.layout;
        match &self.target {
            Some(Swept::Output(uri)) if !uri.key().is_empty() || layout == Layout::Calcloud => {
                Ok(vec![OutputRoot::new(uri.clone(), layout)])
            }
            Some(Swept::Batch(batch)) => {
                let bucket = trigger.documents.bucket();
                let uri = S3Uri::new(bucket, &format!("data/{batch}"))?;
                Ok(vec![OutputRoot::new(uri, layout)])
            }
            _ => trigger.schedule.open_outputs().await,
        }
    }

    pub(super) fn status(&self, answer: &SweepAnswer) -> u8 {
        let stuck = self.common.dry_run && answer.stuck > 0;
        match (answer.failed.is_empty(), stuck || answer.left > 0) {
            (false, _) => SOME_FAILED,
            (true, true) => STUCK,
            (true, false) => 0,
        }
    }
}
