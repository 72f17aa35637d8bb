//! `caldp rescue`, `cancel` and `clean`.

use caldp_core::batch::JobId;
use caldp_core::layout::{Target, Verb};
use clap::Args;
use storage::hint::parsed;
use storage::s3::Delimiter;
use storage::uri::S3Uri;

use super::arguments::{CommonArgs, RunArgs};
use super::error::CliError;
use super::output::{CommandAnswer, RequestedTarget};
use crate::batch::Batch;
use crate::error::TriggerError;
use crate::handler::Trigger;
use crate::invocation::Invocation;
use crate::order::RequestBody;
use crate::output_root::OutputRoot;
use crate::request::dataset::{DatasetAnswer, Request};
use crate::request::requests::TargetAnswer;
use crate::resources::Overrides;

/// What `caldp rescue` takes.
#[derive(Debug, Args)]
pub struct RescueArgs {
    #[command(flatten)]
    pub(super) request: RequestArgs,
    #[command(flatten)]
    run: RunArgs,
}

/// What `caldp cancel` and `clean` take, and `rescue` with more.
#[derive(Debug, Args)]
pub struct RequestArgs {
    /// Names of datasets, or all; clean also takes ingested, cancel also ids of jobs
    #[arg(required = true, value_name = "DATASET|all")]
    pub(super) targets: Vec<String>,
    /// The output path the datasets were submitted with
    #[arg(long, value_name = "S3_URI", value_parser = parsed::<S3Uri>)]
    pub(super) output: S3Uri,
    #[command(flatten)]
    pub(super) common: CommonArgs,
}

impl RescueArgs {
    pub(super) async fn run<B: Batch>(
        &self,
        trigger: &Trigger<B>,
        invocation: &Invocation,
    ) -> Result<CommandAnswer, CliError> {
        let body = RequestBody {
            overrides: Overrides {
                memory_bin: self.run.memory_bin,
                timeout_scale: self.run.timeout_scale,
                ..Overrides::default()
            },
            context: self.run.context.clone(),
            ..RequestBody::default()
        };
        let rescue = self.request.run(trigger, Verb::Rescue, body, invocation);
        rescue.await
    }
}

impl RequestArgs {
    /// What follows their options in their help.
    pub(super) const HELP: &'static str = "\
Exit status: 0 it is as was asked, 4 some of it is not: of a dataset nothing is known, or its job has not \
ended; 1 it could not be done.";

    pub(super) async fn run<B: Batch>(
        &self,
        trigger: &Trigger<B>,
        verb: Verb,
        body: RequestBody,
        invocation: &Invocation,
    ) -> Result<CommandAnswer, CliError> {
        let root = OutputRoot::new(self.output.clone(), self.common.layout);
        let dry_run = self.common.dry_run;
        let body = RequestBody { dry_run, ..body };
        let request = Request {
            root: &root,
            verb,
            body: &body,
            origin: &invocation.id,
        };
        // all of them are understood before anything is done
        let targets = self.targets.iter().map(|text| target(verb, text));
        let targets = targets.collect::<Result<Vec<_>, _>>()?;
        let of_many = |target: &Target| matches!(target, Target::All | Target::Ingested);
        if targets.iter().any(of_many) {
            self.expect_something(trigger, &root).await?;
        }
        let mut answers = vec![];
        for target in &targets {
            let result = if let Some(refused) = mistyped(trigger, &request, target).await? {
                TargetAnswer::One(refused)
            } else {
                let work = trigger.requests.perform(&request, target, invocation);
                work.await?
            };
            answers.push(RequestedTarget {
                target: target.to_string(),
                result,
            });
        }
        Ok(CommandAnswer::Request(answers))
    }

    /// Whoever asks something of all datasets means an output that has some.
    async fn expect_something<B: Batch>(
        &self,
        trigger: &Trigger<B>,
        root: &OutputRoot,
    ) -> Result<(), CliError> {
        let s3 = trigger.documents.s3();
        let mut pages = s3.list(root.uri.bucket(), &root.prefix(""), Delimiter::None);
        let first = pages.next_page().await.map_err(TriggerError::from)?;
        if first.is_none_or(|page| page.objects.is_empty()) {
            let output = self.output.clone();
            return Err(CliError::NothingThere { output });
        }
        Ok(())
    }
}

/// A rescue starts what was never run, too, where a message asks for it; a name that somebody types is
/// to be known.
async fn mistyped<B: Batch>(
    trigger: &Trigger<B>,
    request: &Request<'_>,
    target: &Target,
) -> Result<Option<DatasetAnswer>, TriggerError> {
    let Target::Dataset(dataset) = target else {
        return Ok(None);
    };
    let is_known =
        request.verb != Verb::Rescue || trigger.documents.knows(request.root, dataset).await?;
    Ok((!is_known).then(|| DatasetAnswer::unknown(dataset)))
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
