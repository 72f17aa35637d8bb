//! The commands of `caldp`: those of the worker, those of the trigger, and those about the program.

use caldp_trigger::cli::TriggerCommand;
use caldp_worker::cli::{ConfigArguments, Doctor, Process, ProcessAws};
use clap::{Parser, Subcommand};

use crate::page::PageArguments;
use crate::plan::PlanArguments;
use crate::resources::estimate::EstimateArguments;
use crate::resources::learn::LearnArguments;
use crate::status::StatusArguments;
use crate::status::explain::ExplainArguments;
use crate::sync::SyncArguments;
use std::path::PathBuf;

/// Calibrates Hubble Space Telescope datasets: one here, thousands on AWS Batch.
#[derive(Debug, Parser)]
#[command(
    name = "caldp",
    version,
    propagate_version = true,
    max_term_width = 100,
    after_help = HELP
)]
pub(crate) struct Caldp {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Calibrate one dataset
    #[command(after_help = Process::help())]
    Process(Process),
    /// Calibrate one dataset on AWS Batch: inputs from MAST, references from S3
    #[command(after_help = ProcessAws::help())]
    ProcessAws(ProcessAws),
    /// Check programs, cache, access and machine: what a run needs and what is missing
    #[command(after_help = Doctor::HELP)]
    Doctor(Doctor),
    /// Print what a configuration sets, for a shell: `source caldp-config-offsite` does it
    Config(ConfigArguments),
    /// Say what datasets will need: memory bin, time limit, expected time and peak memory
    #[command(after_help = EstimateArguments::HELP)]
    Estimate(EstimateArguments),
    /// Fit the model behind estimates again, from measured runs
    Learn(LearnArguments),
    /// Say which datasets other rules would give other references, and what running them again costs
    #[command(after_help = PlanArguments::HELP)]
    Plan(PlanArguments),
    #[command(flatten)]
    Trigger(TriggerCommand),
    /// Say how the datasets of an output are doing: states, failures, speed, cost
    #[command(after_help = StatusArguments::HELP)]
    Status(StatusArguments),
    /// Tell the story of one dataset: attempts, failure, what to do next
    #[command(after_help = ExplainArguments::HELP)]
    Explain(ExplainArguments),
    /// Bring finished datasets on site, and carry up what the archive says of them
    #[command(after_help = SyncArguments::HELP)]
    Sync(SyncArguments),
    /// Write pages that show how the datasets of an output are doing
    #[command(after_help = PageArguments::HELP)]
    Page(PageArguments),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
        /// For which of the names that this program answers to
        #[arg(default_value = "caldp")]
        name: String,
    },
    /// Print the manual page of caldp, or of one of its commands
    Man {
        /// The command
        command: Option<String>,
        /// Write the pages of all commands into this directory instead
        #[arg(long, conflicts_with = "command")]
        directory: Option<PathBuf>,
    },
    /// Print the names that this program answers to, one on each line
    #[command(hide = true)]
    Names,
}

const HELP: &str = "\
Each command is also a program of its own, caldp-<command>, where `make install` was run.
First steps: `caldp doctor` says what is missing; worker/docs/native.md leads from nothing to a
calibrated dataset.";
