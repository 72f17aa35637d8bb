//! `caldp rescue`, `cancel` and `clean`.

use caldp_core::batch::JobId;
use caldp_core::layout::{Target, Verb};
use clap::Args;
use storage::hint::parsed;
use storage::uri::S3Uri;

use super::arguments::{CommonArgs, RunArgs};
use super::error::CliError;
use super::output::{CommandAnswer, RequestedTarget};
use crate::batch::Batch;
use crate::handler::Trigger;
use crate::invocation::Invocation;
use crate::order::RequestBody;
use crate::output_root::OutputRoot;
use crate::request::dataset::Request;
use crate::resources::Overrides;

/// What `caldp rescue`, `cancel` and `clean` take.
#[derive(Debug, Args)]
pub struct RequestArgs {
    /// Names of datasets, or all; clean also takes ingested, cancel also ids of jobs
    #[arg(required = true, value_name = "DATASET|all")]
    pub(super) targets: Vec<String>,
    /// The output path the datasets were submitted with
    #[arg(long, value_name = "S3_URI", value_parser = parsed::<S3Uri>)]
    pub(super) output: S3Uri,
    #[command(flatten)]
    pub(super) run: RunArgs,
    #[command(flatten)]
    pub(super) common: CommonArgs,
}

impl RequestArgs {
    pub(super) async fn run<B: Batch>(
        &self,
        trigger: &Trigger<B>,
        verb: Verb,
        invocation: &Invocation,
    ) -> Result<CommandAnswer, CliError> {
        let root = OutputRoot::new(self.output.clone(), self.common.layout);
        let body = RequestBody {
            overrides: Overrides {
                memory_bin: self.run.memory_bin,
                timeout_scale: self.run.timeout_scale,
                ..Overrides::default()
            },
            context: self.run.context.clone(),
            dry_run: self.common.dry_run,
        };
        let request = Request {
            root: &root,
            verb,
            body: &body,
            origin: &invocation.id,
        };
        // all of them are understood before anything is done
        let targets = self.targets.iter().map(|text| target(verb, text));
        let targets = targets.collect::<Result<Vec<_>, _>>()?;
        let mut answers = vec![];
        for target in &targets {
            let result = trigger.requests.perform(&request, target, invocation);
            answers.push(RequestedTarget {
                target: target.to_string(),
                result: result.await?,
            });
        }
        Ok(CommandAnswer::Request(answers))
    }
}

fn target(verb: Verb, text: &str) -> Result<Target, CliError> {
    match (verb, text) {
        (_, "all") => return Ok(Target::All),
        (Verb::Clean, "ingested") => return Ok(Target::Ingested),
        _ => {}
    }
    if let (Verb::Cancel, Ok(id)) = (verb, text.parse::<JobId>()) {
        return Ok(Target::Job(id));
    }
    text.parse()
        .map(Target::Dataset)
        .map_err(|source| CliError::Target {
            target: text.to_owned(),
            verb,
            source,
        })
}
