//! `caldp doctor`: from the command line to the report, and from its verdict to the exit status.
#![allow(
    rustdoc::invalid_html_tags,
    reason = "the texts are shown by --help as they are"
)]

use super::arguments::directory;
use crate::config::{ConfigName, Settings, variables};
use crate::doctor::{self, Examination};
use crate::input::source::Source;
use caldp_core::dataset::Dataset;
use caldp_core::exit_code::ExitCode as Code;
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;
use storage::hint::{answer, parsed};
use storage::uri::Location;

/// What `caldp doctor` takes.
#[derive(Debug, Args)]
pub struct Doctor {
    /// Dataset: an exposure or association such as `j8cb010b0`, a visit (`acs_8ph_01`) or sky
    /// cell; without one, all instruments are looked at
    #[arg(value_parser = parsed::<Dataset>)]
    dataset: Option<Dataset>,
    /// Where inputs come from: file:<dir>, s3://..., astroquery:, stpubdata:
    #[arg(long, value_parser = parsed::<Source>)]
    input: Option<Source>,
    /// Where results go: file:<dir> or s3://...
    #[arg(long, default_value = "file:.", value_parser = parsed::<Location>)]
    output: Location,
    /// caldp-config-onsite, caldp-config-offsite, caldp-config-aws, or a file of KEY=VALUE lines
    #[arg(long, default_value = "caldp-config-onsite", value_parser = |text: &str| Ok::<_, String>(ConfigName::parse(text)))]
    config: ConfigName,
    /// Below this directory the working directory is made
    #[arg(long, env = variables::HOME_DIRECTORY, default_value = ".", value_parser = directory, hide_env_values = true)]
    home: PathBuf,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

impl Doctor {
    /// What follows its options in its help.
    pub const HELP: &str = "\
Examples:
  caldp doctor
  caldp doctor j8cb010b0 --input file:inputs
  caldp doctor lbgu17qnq --input astroquery: --output s3://my-bucket/batch-22 --config caldp-config-aws --json

Looks and changes nothing; only at an s3:// output an empty object is written and deleted. Takes
some seconds, a minute at most.
Exit status: 0 a run could work; 1 it could not; 2 command line.";
}

/// Examines, prints the report, and says by the exit status whether a run could work.
pub fn run(arguments: Doctor) -> ExitCode {
    let settings = match Settings::resolve(&arguments.config, super::process::environment()) {
        Ok(settings) => settings,
        Err(error) => return super::process::refuse(&error),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return super::process::no_runtime(&error),
    };
    let json = arguments.json;
    let report = runtime.block_on(doctor::examine(
        Examination {
            dataset: arguments.dataset,
            input: arguments.input,
            output: arguments.output,
            config: arguments.config,
            home: arguments.home,
        },
        settings,
    ));
    // Nothing that still hangs, such as a name look-up, may keep the process from ending.
    runtime.shutdown_background();
    let text = if json {
        serde_json::to_string_pretty(&report).unwrap_or_default()
    } else {
        report.to_string()
    };
    let code = if report.usable {
        Code::Ok
    } else {
        Code::Generic
    };
    super::process::answered(answer(text + "\n"), code)
}
