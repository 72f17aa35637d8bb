//! The trigger on an operator's machine: `caldp submit`, `rescue`, `cancel` and `clean`, the same
//! library on the same state.
//!
//! The commands read the deployment's variables ([`crate::config::VARIABLES`]) from the
//! environment; the bucket is that of `--output`.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use caldp_core::batch::{BatchName, JobId};
use caldp_core::dataset::{Dataset, DatasetError};
use caldp_core::layout::{BatchListFormat, Layout, Target, Verb};
use caldp_core::resources::MemoryBin;
use caldp_core::resources::table::TableError;
use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use storage::hint::{Hint, parsed};
use storage::s3::S3;
use storage::uri::S3Uri;

use crate::batch::Batch;
use crate::batch::aws::AwsBatch;
use crate::config::{Config, ConfigError};
use crate::error::TriggerError;
use crate::handler::Trigger;
use crate::invocation::{Budget, Invocation};
use crate::order::dataset_list::{self, DatasetListError, MAX_LIST_BYTES};
use crate::order::document::OrderError;
use crate::order::offers::Offers;
use crate::order::{Order, RequestBody};
use crate::output_root::OutputRoot;
use crate::record::transition::digest;
use crate::request::dataset::Request;
use crate::request::requests::TargetAnswer;
use crate::resources::Overrides;
use crate::resources::Scale;
use crate::submit::submitter::OrderAnswer;

/// A command that died by hand is taken up again after so long at most.
const LEASE: Duration = Duration::from_mins(1);

/// The commands of the trigger, to be mounted beside others.
#[derive(Debug, Subcommand)]
pub enum TriggerCommand {
    /// Submit datasets to AWS Batch
    Submit(SubmitArgs),
    /// Submit datasets again that failed or were terminated
    Rescue(RequestArgs),
    /// Terminate the jobs of datasets
    Cancel(RequestArgs),
    /// Delete everything of datasets: inputs, outputs, records, messages
    Clean(RequestArgs),
}

/// What `caldp submit` takes.
#[derive(Debug, Args)]
pub struct SubmitArgs {
    /// A list (.ids, .txt, .csv, .json, .yaml; - for standard input; s3://...), or names of datasets
    #[arg(required = true, value_name = "LIST|DATASET")]
    what: Vec<String>,
    /// Where results go
    #[arg(long, value_name = "S3_URI", value_parser = parsed::<S3Uri>)]
    output: S3Uri,
    /// A CSV table of what is known of the datasets, as caldp estimate takes it
    #[arg(long, value_name = "FILE")]
    features: Option<PathBuf>,
    /// The batch's name; given again, the same submission is continued
    #[arg(long, value_parser = parsed::<BatchName>)]
    batch_name: Option<BatchName>,
    /// A job queue for all memory bins of memory
    #[arg(long)]
    job_queue: Option<String>,
    /// A job definition for all memory bins of memory
    #[arg(long)]
    job_definition: Option<String>,
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    common: CommonArgs,
}

/// What `caldp rescue`, `cancel` and `clean` take.
#[derive(Debug, Args)]
pub struct RequestArgs {
    /// Names of datasets, or all; clean also takes ingested, cancel also ids of jobs
    #[arg(required = true, value_name = "DATASET|all")]
    targets: Vec<String>,
    /// The output path the datasets were submitted with
    #[arg(long, value_name = "S3_URI", value_parser = parsed::<S3Uri>)]
    output: S3Uri,
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    common: CommonArgs,
}

/// How jobs are run.
#[derive(Debug, Args)]
struct RunArgs {
    /// The memory bin of memory to start on, 0 to 3
    #[arg(long, value_parser = parse_memory_bin)]
    memory_bin: Option<MemoryBin>,
    /// A factor for time limits
    #[arg(long, value_parser = parse_scale)]
    timeout_scale: Option<Scale>,
    /// The CRDS context
    #[arg(long, env = "CRDS_CONTEXT")]
    context: Option<String>,
}

/// What all commands take.
#[derive(Debug, Args)]
struct CommonArgs {
    /// The layout of results and messages
    #[arg(long, env = "CALDP_LAYOUT", default_value_t, value_parser = parsed::<Layout>)]
    layout: Layout,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// A command that did not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The environment does not describe a deployment.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The work.
    #[error(transparent)]
    Trigger(#[from] TriggerError),
    /// The list.
    #[error("the list {path} cannot be read")]
    List {
        /// Its path.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The table of features.
    #[error("the features in {path} cannot be read")]
    Features {
        /// Its path.
        path: String,
        /// Why.
        source: TableError,
    },
    /// A target that makes no sense.
    #[error("{target:?} cannot be {verb}ed")]
    Target {
        /// As given.
        target: String,
        /// What was to be done with it.
        verb: Verb,
        /// Why not.
        source: DatasetError,
    },
}

impl CliError {
    /// Whether the command was given wrongly, rather than carried out badly.
    pub const fn is_of_the_command_line(&self) -> bool {
        matches!(
            self,
            Self::Config(_)
                | Self::List { .. }
                | Self::Features { .. }
                | Self::Target { .. }
                | Self::Trigger(
                    TriggerError::Order(_) | TriggerError::Uri(_) | TriggerError::NotOffered { .. }
                )
        )
    }
}

impl Hint for CliError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Config(error) => error.hint(),
            Self::Trigger(error) => error.hint(),
            Self::List { .. } => None,
            Self::Features { .. } => Some(
                "a table is CSV whose first line names the columns, one of them dataset".into(),
            ),
            Self::Target { source, .. } => {
                let hint = source.hint().unwrap_or_default();
                Some(format!("{hint}; or give all").into())
            }
        }
    }
}

/// What a command did, displayed as lines of `name: value`, or as JSON where that was asked for.
#[derive(Debug)]
pub struct CommandOutput {
    /// What was done.
    pub answer: CommandAnswer,
    json: bool,
}

/// What a command did.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum CommandAnswer {
    /// An order was submitted, or asked what it would do.
    Order(OrderAnswer),
    /// A request was carried out for each target.
    Request(Vec<RequestedTarget>),
}

/// What came of a request for one target.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RequestedTarget {
    /// The target, as it is called in keys.
    pub target: String,
    /// What came of it.
    pub result: TargetAnswer,
}

impl fmt::Display for CommandOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = serde_json::to_value(&self.answer).map_err(|_| fmt::Error)?;
        if self.json {
            write!(f, "{value:#}")
        } else {
            f.write_str(in_words(&value, 0).trim_end())
        }
    }
}

impl TriggerCommand {
    /// Does what the command says, and gives what is to be printed on standard output.
    ///
    /// # Errors
    /// [`CliError`], to be printed on standard error.
    pub async fn run(&self) -> Result<CommandOutput, CliError> {
        let (output, common) = match self {
            Self::Submit(args) => (&args.output, &args.common),
            Self::Rescue(args) | Self::Cancel(args) | Self::Clean(args) => {
                (&args.output, &args.common)
            }
        };
        let mut config = Config::from_lookup(|name| match name {
            "BUCKET" => Some(output.bucket().to_owned()),
            // an operator knows what else there is, unless the environment says what may be used
            Offers::QUEUES | Offers::DEFINITIONS | Offers::OUTPUTS => {
                Some(std::env::var(name).unwrap_or_else(|_| "*".to_owned()))
            }
            _ => std::env::var(name).ok(),
        })?;
        config.layout = common.layout;
        config.lease = LEASE;
        let sharing = config.sharing;
        let trigger = Box::pin(Trigger::new(config, S3::from_env(), |answer| {
            AwsBatch::from_env(answer, sharing)
        }))
        .await;
        Ok(CommandOutput {
            answer: Box::pin(self.carry_out(&trigger)).await?,
            json: common.json,
        })
    }

    /// Does what the command says.
    async fn carry_out<B: Batch>(&self, trigger: &Trigger<B>) -> Result<CommandAnswer, CliError> {
        let now = Timestamp::now();
        let invocation = Invocation {
            id: format!("cli-{}-{}", std::process::id(), now.as_millisecond()),
            budget: Budget::UNLIMITED,
        };
        match self {
            Self::Submit(args) => args.run(trigger, &invocation).await,
            Self::Rescue(args) => args.run(trigger, Verb::Rescue, &invocation).await,
            Self::Cancel(args) => args.run(trigger, Verb::Cancel, &invocation).await,
            Self::Clean(args) => args.run(trigger, Verb::Clean, &invocation).await,
        }
    }
}

impl SubmitArgs {
    async fn run<B: Batch>(
        &self,
        trigger: &Trigger<B>,
        invocation: &Invocation,
    ) -> Result<CommandAnswer, CliError> {
        let mut order = self.order(trigger).await?;
        if let Some(path) = &self.features {
            add_features(&mut order, path)?;
        }
        order.output = Some(self.output.clone());
        order.layout = Some(self.common.layout);
        order.dry_run |= self.common.dry_run;
        order.batch_name = self.batch_name.clone().or(order.batch_name);
        order.job_queue = self.job_queue.clone().or(order.job_queue);
        order.job_definition = self.job_definition.clone().or(order.job_definition);
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

impl RequestArgs {
    async fn run<B: Batch>(
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
            let result = trigger.requests.carry_out(&request, target, invocation);
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

/// Takes what a table knows of the datasets into an order; what it cannot use is told.
fn add_features(order: &mut Order, path: &Path) -> Result<(), CliError> {
    let place = path.display().to_string();
    let file = std::fs::File::open(path).map_err(|source| unreadable(&place, source))?;
    let tell = |line, what: String| match line {
        0 => eprintln!("caldp: {place}: {what}"),
        line => eprintln!("caldp: {place}:{line}: {what}; estimated without it"),
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
        eprintln!("caldp: {place}: of {count} datasets it has {used}");
    }
    Ok(())
}

fn unreadable(path: &str, source: std::io::Error) -> CliError {
    let path = path.to_owned();
    CliError::List { path, source }
}

fn parse_memory_bin(text: &str) -> Result<MemoryBin, String> {
    let number = text.parse().ok();
    number
        .and_then(MemoryBin::new)
        .ok_or_else(|| "a memory bin is 0, 1, 2 or 3".to_owned())
}

fn parse_scale(text: &str) -> Result<Scale, String> {
    let number: f64 = text.parse().map_err(|_| format!("{text:?} is no number"))?;
    Scale::try_from(number)
}

/// An answer as lines of `name: value`.
fn in_words(value: &Value, depth: usize) -> String {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| match value {
                Value::Object(_) | Value::Array(_) => {
                    format!("{indent}{name}:\n{}", in_words(value, depth + 1))
                }
                other => format!("{indent}{name}: {}\n", plain(other)),
            })
            .collect(),
        Value::Array(items) if items.iter().all(|i| !i.is_object() && !i.is_array()) => {
            let words: Vec<String> = items.iter().map(plain).collect();
            format!("{indent}{}\n", words.join(" "))
        }
        Value::Array(items) => items.iter().map(|i| in_words(i, depth) + "\n").collect(),
        other => format!("{indent}{}\n", plain(other)),
    }
}

fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}
