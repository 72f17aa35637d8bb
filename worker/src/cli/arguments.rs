//! What can be said on the command line, and what it means where something is left out.
#![allow(
    rustdoc::invalid_html_tags,
    reason = "the texts are shown by --help as they are"
)]

use crate::config::{ConfigName, variables};
use crate::input::archive::Limits;
use crate::input::source::Source;
use crate::run::Request;
use crate::simulate_error::{SimulatedError, UnknownExitCode};
use caldp_core::dataset::{Dataset, Kind};
use caldp_core::job_command::JobInput;
use caldp_core::layout::{Layout, root_of};
use clap::Args;
use std::borrow::Cow;
use std::path::PathBuf;
use std::time::Duration;
use storage::hint::{Hint, explain, parsed};
use storage::home;
use storage::uri::{Location, S3Uri};

/// What `caldp process` takes.
#[derive(Debug, Args)]
pub struct Process {
    /// Dataset: an exposure or association such as `j8cb010b0`, a visit (`acs_8ph_01`) or sky cell
    #[arg(value_parser = parsed::<Dataset>)]
    dataset: Dataset,
    /// Where inputs come from: file:<dir>, s3://..., astroquery:, stpubdata:
    #[arg(default_value = "file:.", value_parser = parsed::<Source>)]
    input: Source,
    /// Where results go: file:<dir> or s3://...
    #[arg(default_value = "file:.", value_parser = parsed::<Location>)]
    output: Location,
    /// caldp-config-onsite, caldp-config-offsite, caldp-config-aws, or a file of KEY=VALUE lines
    #[arg(default_value = "caldp-config-onsite", value_parser = |text: &str| Ok::<_, String>(ConfigName::parse(text)))]
    config: ConfigName,
    #[command(flatten)]
    options: Options,
}

/// What `caldp process-aws` takes.
#[derive(Debug, Args)]
pub struct ProcessAws {
    /// Where results go: s3://<bucket>/<batch>
    #[arg(value_parser = parsed::<S3Uri>)]
    s3_output_path: S3Uri,
    /// Dataset: an exposure or association such as `j8cb010b0`, a visit (`acs_8ph_01`) or sky cell;
    /// or `@s3://bucket/list` for the child of an array job
    #[arg(value_parser = parsed::<JobInput>)]
    dataset: JobInput,
    /// Where inputs come from
    #[arg(
        long,
        env = variables::INPUT_URI,
        default_value = "astroquery:",
        value_parser = parsed::<Source>,
        hide_env_values = true
    )]
    input: Source,
    #[command(flatten)]
    options: Options,
}

impl Process {
    /// What follows its options in its help.
    pub fn help() -> String {
        format!("{}\n\n{}", Self::EXAMPLES, variables::help())
    }

    const EXAMPLES: &str = "\
Examples:
  caldp-process j8cb010b0
  caldp-process j8cb010b0 file:inputs file:outputs
  caldp-process j8cb010b0 s3://my-bucket/inputs s3://my-bucket/batch-22 caldp-config-aws

The working directory is made below CALDP_HOME (default: the current directory).
Exit status: 0 all products stored; 2 command line; 21 input archive; 22 MAST; 23, 24 calibration;
25 S3 upload; 26 S3 download; 27 references; 28 previews; 31-34 memory; 35 terminated.";
}

impl ProcessAws {
    /// What follows its options in its help.
    pub fn help() -> String {
        format!("{}\n\n{}", Self::EXAMPLES, variables::help())
    }

    const EXAMPLES: &str = "\
Reads CRDSBUCKET (s3://<bucket> with config/hst, references/hst and pickles/hst), and
CALDP_INPUT_URI where inputs are to come from elsewhere than MAST.

Where CRDS_CONTEXT is not set, the context is the one operators chose for the output's bucket: the
name of s3://<bucket>/crds_env_vars/<context>.pmap.

Examples, the commands of a Batch job definition and of an array job, whose children take the line of
the list that AWS_BATCH_JOB_ARRAY_INDEX says, counted from 0:
  caldp-process-aws Ref::s3_output_path Ref::dataset
  caldp-process-aws s3://my-bucket/batch-22 @s3://my-bucket/control/batch/batch-22/list.ids";
}

#[derive(Debug, Args)]
struct Options {
    /// How results are laid out: tree or calcloud; by default tree, or calcloud where the output is a
    /// dataset's own folder, `outputs/<dataset>`
    #[arg(long, env = variables::LAYOUT, value_parser = parsed::<Layout>, hide_env_values = true)]
    layout: Option<Layout>,
    /// Below this directory the working directory is made
    #[arg(long, env = variables::HOME_DIRECTORY, default_value = ".", value_parser = directory, hide_env_values = true)]
    home: PathBuf,
    /// The longest that one calibration program may run, in seconds [default: no limit]
    #[arg(
        long,
        env = variables::PROGRAM_TIMEOUT,
        value_name = "SECONDS",
        value_parser = clap::value_parser!(u64).range(1..),
        hide_env_values = true
    )]
    program_timeout: Option<u64>,
    /// The most that an archive of inputs may hold unpacked, in GiB
    #[arg(
        long,
        env = variables::ARCHIVE_LIMIT,
        value_name = "GIB",
        default_value_t = Limits::DEFAULT_GIB,
        value_parser = clap::value_parser!(u64).range(1..=1 << 20),
        hide_env_values = true
    )]
    archive_limit: u64,
    /// Print the provenance record on standard output when done
    #[arg(long)]
    json: bool,
    /// Print the variables the configuration results in, and where each comes from; run nothing
    #[arg(long)]
    print_config: bool,
}

/// What `process` and `process-aws` both come to.
#[derive(Debug)]
pub struct RunArguments {
    pub(super) share: JobInput,
    pub(super) config: ConfigName,
    pub(super) json: bool,
    pub(super) print_config: bool,
    input: Source,
    output: Location,
    layout: Option<Layout>,
    home: PathBuf,
    program_timeout: Option<Duration>,
    archive_limits: Limits,
}

/// A command that cannot work, whatever happens.
#[derive(Debug, thiserror::Error)]
pub(super) enum ArgumentsError {
    #[error("{dataset} is a mosaic, and {input} does not say where the list of its exposures is")]
    NoPoller { dataset: Dataset, input: Source },
    #[error(
        "in the calcloud layout {output} is a place below the root, which is where messages/ and \
         outputs/ are"
    )]
    BelowRoot { output: S3Uri, bucket: String },
    #[error(transparent)]
    SimulateError(#[from] UnknownExitCode),
}

impl Hint for ArgumentsError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(match self {
            Self::NoPoller { dataset, .. } => format!(
                "name the place of {dataset}_input.out: astroquery:<directory>, \
                 astroquery:s3://bucket/prefix, file:<directory> or s3://bucket/prefix"
            )
            .into(),
            Self::BelowRoot { bucket, .. } => format!("use the bucket, s3://{bucket}").into(),
            Self::SimulateError(error) => return error.hint(),
        })
    }
}

/// A directory that no shell has looked at, such as one from a file of variables.
pub(super) fn directory(text: &str) -> Result<PathBuf, String> {
    home::path(text).map_err(|error| explain(&error).to_string())
}

impl RunArguments {
    fn new(
        (share, input, output): (JobInput, Source, Location),
        config: ConfigName,
        layout: Option<Layout>,
        options: Options,
    ) -> Self {
        Self {
            share,
            config,
            json: options.json,
            print_config: options.print_config,
            input,
            output,
            layout,
            home: options.home,
            program_timeout: options.program_timeout.map(Duration::from_secs),
            archive_limits: Limits::of_gib(options.archive_limit),
        }
    }

    /// The request for a dataset.
    ///
    /// # Errors
    /// [`ArgumentsError`] of what cannot work.
    pub(super) fn request(
        &self,
        dataset: Dataset,
        simulated: Option<&str>,
    ) -> Result<Request, ArgumentsError> {
        let input = self.input.clone();
        if dataset.kind() != Kind::Ipppssoot
            && matches!(input, Source::Mast(None) | Source::PublicBucket)
        {
            return Err(ArgumentsError::NoPoller { dataset, input });
        }
        let (output, layout) = match &self.output {
            Location::Dir(_) => (self.output.clone(), self.layout.unwrap_or_default()),
            Location::S3(uri) => {
                let (root, layout) = root_of(uri, &dataset, self.layout);
                let last = root.key().rsplit('/').next();
                if layout == Layout::Calcloud && matches!(last, Some("outputs" | "messages")) {
                    let (output, bucket) = (uri.clone(), uri.bucket().to_owned());
                    return Err(ArgumentsError::BelowRoot { output, bucket });
                }
                (Location::S3(root), layout)
            }
        };
        Ok(Request {
            dataset,
            input,
            output,
            config: self.config.clone(),
            layout,
            home: self.home.clone(),
            program_timeout: self.program_timeout,
            archive_limits: self.archive_limits,
            simulated: SimulatedError::parse(simulated)?,
        })
    }
}

impl From<Process> for RunArguments {
    fn from(it: Process) -> Self {
        let layout = it.options.layout;
        let what = (JobInput::Dataset(it.dataset), it.input, it.output);
        Self::new(what, it.config, layout, it.options)
    }
}

impl From<ProcessAws> for RunArguments {
    fn from(it: ProcessAws) -> Self {
        // The path of a batch, never a dataset's own folder.
        let layout = Some(it.options.layout.unwrap_or_default());
        let what = (it.dataset, it.input, Location::S3(it.s3_output_path));
        Self::new(what, ConfigName::Aws, layout, it.options)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    enum Command {
        Process(Process),
        ProcessAws(ProcessAws),
    }

    fn request(line: &str) -> Result<Request, String> {
        let words = line.split(' ').map(str::to_owned);
        let run: RunArguments = match Command::try_parse_from(words).unwrap() {
            Command::Process(arguments) => arguments.into(),
            Command::ProcessAws(arguments) => arguments.into(),
        };
        match run.share.clone() {
            JobInput::Dataset(dataset) => run
                .request(dataset, None)
                .map_err(|error| storage::hint::explain(&error).to_string()),
            JobInput::List(list) => Err(format!("it has a list, {list}")),
        }
    }

    #[test]
    fn a_leading_tilde_is_the_home_directory() {
        let home = std::env::home_dir().unwrap();
        let asked = request("caldp process j8cb010b0 file:~/in file:~/out --home=~/work").unwrap();
        assert_eq!(asked.home, home.join("work"));
        assert_eq!(asked.input, Source::Dir(home.join("in")));
        assert_eq!(asked.output, Location::Dir(home.join("out")));
        let polled = "astroquery:~/lists".parse::<Source>().unwrap();
        assert_eq!(
            polled,
            Source::Mast(Some(Location::Dir(home.join("lists"))))
        );
    }

    #[test]
    fn a_dataset_s_own_folder_means_the_layout_of_today_s_jobs() {
        let line =
            "caldp process j8cb010b0 s3://bkt/inputs s3://bkt/outputs/j8cb010b0 caldp-config-aws";
        let asked = request(line).unwrap();
        assert_eq!(asked.layout, Layout::Calcloud);
        assert_eq!(asked.output.to_string(), "s3://bkt");
        let asked = request("caldp process-aws s3://bkt/outputs/j8cb010b0 j8cb010b0").unwrap();
        assert_eq!(asked.layout, Layout::Tree);
        assert_eq!(asked.output.to_string(), "s3://bkt/outputs/j8cb010b0");
    }

    #[test]
    fn what_cannot_work_is_refused() {
        for (line, words) in [
            (
                "caldp process acs_8ph_01 astroquery:",
                "acs_8ph_01_input.out",
            ),
            (
                "caldp process-aws s3://bkt/x skycell-p1234x05y06",
                "_input.out",
            ),
            ("caldp process acs_8ph_01 stpubdata:", "stpubdata:"),
            (
                "caldp process-aws --layout calcloud s3://bkt/outputs j8cb010b0",
                "use the bucket, s3://bkt",
            ),
        ] {
            let error = request(line).unwrap_err();
            assert!(error.contains(words) && error.contains("hint:"), "{error}");
        }
        for line in [
            "caldp process acs_8ph_01 astroquery:pollers",
            "caldp process acs_8ph_01 file:.",
            "caldp process-aws --layout calcloud s3://bkt j8cb010b0",
            "caldp process --layout calcloud j8cb010b0 file:. file:out",
        ] {
            request(line).unwrap();
        }
    }
}
