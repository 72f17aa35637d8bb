//! What can be said on the command line, and what it means where something is left out.

use super::doctor::{self, Doctor};
use crate::config::ConfigName;
use crate::input::Source;
use crate::run::Request;
use caldp_core::dataset::Dataset;
use caldp_core::layout::Layout;
use caldp_core::uri::{Location, S3Uri};
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// Calibrates Hubble Space Telescope datasets.
#[derive(Debug, Parser)]
#[command(name = "caldp", version, max_term_width = 100)]
pub(super) struct Caldp {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Calibrate one dataset
    #[command(after_help = PROCESS_HELP)]
    Process(Process),
    /// Calibrate one dataset on AWS Batch: inputs from MAST, references from S3
    #[command(after_help = PROCESS_AWS_HELP)]
    ProcessAws(ProcessAws),
    /// Check programs, cache, access and machine: what a run needs and what is missing
    #[command(after_help = doctor::HELP)]
    Doctor(Doctor),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

const PROCESS_HELP: &str = "\
Examples:
  caldp-process j8cb010b0
  caldp-process j8cb010b0 file:inputs file:outputs
  caldp-process j8cb010b0 s3://my-bucket/inputs s3://my-bucket/batch-22 caldp-config-aws

The working directory is made below CALDP_HOME (default: the current directory).
Exit status: 0 all products stored; 2 command line; 21 input archive; 22 MAST; 23, 24 calibration;
25 S3 upload; 26 S3 download; 27 references; 28 previews; 31-34 memory; 35 terminated.";

const PROCESS_AWS_HELP: &str = "\
Reads CRDSBUCKET (s3://<bucket> with config/hst, references/hst and pickles/hst), and
CALDP_INPUT_URI where inputs are to come from elsewhere than MAST.

Example, the command of a Batch job definition:
  caldp-process-aws Ref::s3_output_path Ref::dataset";

#[derive(Debug, Args)]
pub(super) struct Process {
    /// Dataset: an exposure or association such as `j8cb010b0`, a visit (`acs_8ph_01`) or sky cell
    dataset: Dataset,
    /// Where inputs come from: file:<dir>, s3://..., astroquery:, stpubdata:
    #[arg(default_value = "file:.")]
    input: Source,
    /// Where results go: file:<dir> or s3://...
    #[arg(default_value = "file:.")]
    output: Location,
    /// caldp-config-onsite, caldp-config-offsite, caldp-config-aws, or a file of KEY=VALUE lines
    #[arg(default_value = "caldp-config-onsite", value_parser = |text: &str| Ok::<_, String>(ConfigName::parse(text)))]
    config: ConfigName,
    #[command(flatten)]
    options: Options,
}

#[derive(Debug, Args)]
pub(super) struct ProcessAws {
    /// Where results go: s3://<bucket>/<batch>
    s3_output_path: S3Uri,
    /// Dataset: an exposure or association such as `j8cb010b0`, a visit (`acs_8ph_01`) or sky cell
    dataset: Dataset,
    /// Where inputs come from
    #[arg(
        long,
        env = "CALDP_INPUT_URI",
        default_value = "astroquery:",
        hide_env_values = true
    )]
    input: Source,
    #[command(flatten)]
    options: Options,
}

#[derive(Debug, Args)]
struct Options {
    /// How results are laid out: tree or calcloud
    #[arg(
        long,
        env = "CALDP_LAYOUT",
        default_value = "tree",
        hide_env_values = true
    )]
    layout: Layout,
    /// Below this directory the working directory is made
    #[arg(long, env = "CALDP_HOME", default_value = ".", hide_env_values = true)]
    home: PathBuf,
    /// Print the provenance record on standard output when done
    #[arg(long)]
    json: bool,
    /// Print the variables the configuration results in, and where each comes from; run nothing
    #[arg(long)]
    print_config: bool,
}

/// What `process` and `process-aws` both come to.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) request: Request,
    pub(super) json: bool,
    pub(super) print_config: bool,
}

impl Run {
    fn new(
        (dataset, input, output): (Dataset, Source, Location),
        config: ConfigName,
        options: Options,
    ) -> Self {
        Self {
            request: Request {
                dataset,
                input,
                output,
                config,
                layout: options.layout,
                home: options.home,
            },
            json: options.json,
            print_config: options.print_config,
        }
    }
}

impl From<Process> for Run {
    fn from(it: Process) -> Self {
        Self::new((it.dataset, it.input, it.output), it.config, it.options)
    }
}

impl From<ProcessAws> for Run {
    fn from(it: ProcessAws) -> Self {
        let output = Location::S3(it.s3_output_path);
        Self::new((it.dataset, it.input, output), ConfigName::Aws, it.options)
    }
}
