//! `caldp submit`.

use std::path::{Path, PathBuf};

use caldp_core::batch::BatchName;
use caldp_core::dataset::Dataset;
use caldp_core::layout::BatchListFormat;
use clap::Args;
use storage::hint::{parsed, say};
use storage::uri::{Location, S3Uri};

use super::arguments::{CommonArgs, RunArgs, parse_priority};
use super::error::{CliError, unreadable};
use super::inputs::{self, ReadInputs};
use super::output::CommandAnswer;
use crate::batch::Batch;
use crate::error::TriggerError;
use crate::handler::Trigger;
use crate::invocation::Invocation;
use crate::order::Order;
use crate::order::dataset_list::{self, DatasetListError, MAX_LIST_BYTES};
use crate::order::document::OrderError;
use crate::record::transition::digest;
use crate::resources::Priority;

/// What `caldp submit` takes.
#[derive(Debug, Args)]
pub struct SubmitArgs {
    /// A list (.ids, .txt, .csv, .json, .yaml; - for standard input; s3://...), or names of datasets
    #[arg(required = true, value_name = "LIST|DATASET")]
    pub(super) what: Vec<String>,
    /// Where results go
    #[arg(long, value_name = "S3_URI", value_parser = parsed::<S3Uri>)]
    pub(super) output: S3Uri,
    /// A CSV table of what is known of the datasets, as caldp estimate takes it
    #[arg(long, value_name = "FILE")]
    pub(super) features: Option<PathBuf>,
    /// Where the raw files are whose headers say what the datasets need; without it those in inputs/ of
    /// the output are looked at, of up to 200 datasets
    #[arg(long, value_name = "PLACE", value_parser = parsed::<Location>)]
    pub(super) inputs: Option<Location>,
    /// The batch's name; given again, the same submission is continued
    #[arg(long, value_parser = parsed::<BatchName>)]
    pub(super) batch_name: Option<BatchName>,
    /// A job queue for all memory bins
    #[arg(long)]
    pub(super) job_queue: Option<String>,
    /// A job definition for all memory bins
    #[arg(long)]
    pub(super) job_definition: Option<String>,
    /// Which of the jobs with results in the same place go first: those of a higher number, 0 to 9999
    #[arg(long, value_parser = parse_priority)]
    pub(super) priority: Option<Priority>,
    #[command(flatten)]
    pub(super) run: RunArgs,
    #[command(flatten)]
    pub(super) common: CommonArgs,
}

impl SubmitArgs {
    pub(super) async fn run<B: Batch>(
        &self,
        trigger: &Trigger<B>,
        invocation: &Invocation,
        read_inputs: &ReadInputs<'_>,
    ) -> Result<CommandAnswer, CliError> {
        let mut order = self.order(trigger).await?;
        if let Some(path) = &self.features {
            add_features(&mut order, path)?;
        }
        inputs::add(&mut order, self.inputs.as_ref(), &self.output, read_inputs).await?;
        order.output = Some(self.output.clone());
        order.layout = Some(self.common.layout);
        order.dry_run |= self.common.dry_run;
        order.batch_name = self.batch_name.clone().or(order.batch_name);
        order.job_queue = self.job_queue.clone().or(order.job_queue);
        order.job_definition = self.job_definition.clone().or(order.job_definition);
        order.priority = self.priority.or(order.priority);
        order.context = self.run.context.clone().or(order.context);
        order.overrides.memory_bin = self.run.memory_bin.or(order.overrides.memory_bin);
        order.overrides.timeout_scale = self.run.timeout_scale.or(order.overrides.timeout_scale);
        // the same batch of the same datasets in the same place is the same submission
        let origin = match &order.batch_name {
            Some(name) => {
                let names: Vec<&str> = order.datasets.iter().map(Dataset::name).collect();
                let all = names.join(" ");
                format!(
                    "cli:{}",
                    digest(&[name.as_str(), &self.output.to_string(), &all])
                )
            }
            None => invocation.id.clone(),
        };
        let answer = trigger.submitter.order(order, &origin, invocation).await?;
        Ok(CommandAnswer::Order(answer))
    }

    async fn order<B: Batch>(&self, trigger: &Trigger<B>) -> Result<Order, CliError> {
        let [one] = self.what.as_slice() else {
            return self.of_names();
        };
        let (bytes, name) = if one == "-" {
            let mut bytes = vec![];
            let mut stdin = std::io::Read::take(std::io::stdin(), MAX_LIST_BYTES as u64 + 1);
            std::io::Read::read_to_end(&mut stdin, &mut bytes).map_err(|e| unreadable(one, e))?;
            (bytes, one.as_str())
        } else if one.starts_with("s3://") {
            let uri: S3Uri = one.parse().map_err(TriggerError::from)?;
            let s3 = trigger.documents.s3();
            let object = s3.get_bytes(&uri, MAX_LIST_BYTES).await;
            (object.map_err(TriggerError::from)?.0.to_vec(), one.as_str())
        } else if one.parse::<Dataset>().is_err() || Path::new(one).is_file() {
            let bytes = std::fs::read(one).map_err(|e| unreadable(one, e))?;
            (bytes, one.as_str())
        } else {
            return self.of_names();
        };
        let extension = Path::new(name).extension().and_then(|e| e.to_str());
        let format = extension.and_then(BatchListFormat::of_extension);
        let order = Order::from_list(&bytes, format.unwrap_or(BatchListFormat::Lines));
        Ok(order.map_err(TriggerError::from)?)
    }

    fn of_names(&self) -> Result<Order, CliError> {
        let numbered = self.what.iter().enumerate();
        let datasets = dataset_list::from_names(numbered.map(|(i, name)| (i + 1, name.as_str())));
        let datasets =
            datasets.map_err(|e: DatasetListError| TriggerError::from(OrderError::from(e)))?;
        Ok(Order::of(datasets))
    }
}

/// Takes what a table knows of the datasets into an order; what it cannot use is told.
fn add_features(order: &mut Order, path: &Path) -> Result<(), CliError> {
    let place = path.display().to_string();
    let file = std::fs::File::open(path).map_err(|source| unreadable(&place, source))?;
    let tell = |line, what: String| match line {
        0 => say(format_args!("caldp: {place}: {what}")),
        line => say(format_args!(
            "caldp: {place}:{line}: {what}; estimated without it"
        )),
    };
    let count = order.datasets.len();
    let used = order
        .details
        .add_features(std::io::BufReader::new(file), &order.datasets, tell)
        .map_err(|source| CliError::Features {
            path: place.clone(),
            source,
        })?;
    if used < count {
        say(format_args!(
            "caldp: {place}: of {count} datasets it has {used}"
        ));
    }
    Ok(())
}
