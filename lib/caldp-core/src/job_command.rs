//! The command of an AWS Batch job: the trigger submits it, AWS Batch repeats it in every event about
//! the job, and the worker is started with it. All three meet here.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use crate::dataset::{Dataset, DatasetError};
use crate::layout::{Layout, root_of};
use storage::hint::Hint;
use storage::uri::{S3Uri, UriError};

/// The variable of a job's container that names the layout of its results.
pub const LAYOUT_VARIABLE: &str = "CALDP_LAYOUT";

/// The variable of a job's container that names the CRDS context it uses.
pub const CONTEXT_VARIABLE: &str = "CRDS_CONTEXT";

/// The program whose inputs come from MAST.
pub const PROCESS_AWS: &str = "caldp-process-aws";

/// The program that is told where its inputs are.
pub const PROCESS: &str = "caldp-process";

/// The configuration of CRDS that jobs with inputs of their own are given.
const CONFIGURATION: &str = "caldp-config-aws";

/// The command of a job.
///
/// ```
/// use caldp_core::job_command::{JobCommand, JobInput};
/// let command = JobCommand::ProcessAws {
///     output: "s3://hst-out/data/b".parse()?,
///     input: JobInput::Dataset("j8cb010b0".parse()?),
/// };
/// assert_eq!(command.words(), ["caldp-process-aws", "s3://hst-out/data/b", "j8cb010b0"]);
/// assert_eq!(JobCommand::parse(&command.words())?, command);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobCommand {
    /// `caldp-process-aws <output> <dataset, or @list>`: inputs come from MAST.
    ProcessAws {
        /// The root of the layout.
        output: S3Uri,
        /// What to work on.
        input: JobInput,
    },
    /// `caldp-process <dataset> <inputs> <output> caldp-config-aws`: inputs are where it says.
    Process {
        /// The dataset.
        dataset: Dataset,
        /// Where its inputs are: any source the worker knows.
        inputs: String,
        /// The root of the layout, or the dataset's own folder below it ([`root_of`]).
        output: S3Uri,
    },
}

/// A command that is of no job of this system.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JobCommandError {
    /// Its output is no S3 URI.
    #[error("its output is not acceptable")]
    Output(#[from] UriError),
    /// What it works on is neither a dataset nor a list.
    #[error("its dataset is not acceptable")]
    Input(#[from] JobInputError),
    /// Another program, or not the words it takes.
    #[error("its command {0:?} is not one of {PROCESS_AWS} and {PROCESS}")]
    Unknown(String),
}

/// How much of an unknown command an error repeats, in characters.
const QUOTED: usize = 1000;

impl JobCommand {
    /// The command as the words of a container's command line.
    pub fn words(&self) -> Vec<String> {
        match self {
            Self::ProcessAws { output, input } => {
                vec![
                    PROCESS_AWS.to_owned(),
                    output.to_string(),
                    input.to_string(),
                ]
            }
            Self::Process {
                dataset,
                inputs,
                output,
            } => vec![
                PROCESS.to_owned(),
                dataset.to_string(),
                inputs.clone(),
                output.to_string(),
                CONFIGURATION.to_owned(),
            ],
        }
    }

    /// The command in the words of a command line.
    ///
    /// # Errors
    /// [`JobCommandError`]
    pub fn parse(words: &[String]) -> Result<Self, JobCommandError> {
        let texts: Vec<&str> = words.iter().map(String::as_str).collect();
        match texts.as_slice() {
            [PROCESS_AWS, output, input] => Ok(Self::ProcessAws {
                output: output.parse()?,
                input: input.parse()?,
            }),
            [PROCESS, dataset, inputs, output, ..] => Ok(Self::Process {
                dataset: dataset.parse().map_err(JobInputError::from)?,
                inputs: (*inputs).to_owned(),
                output: output.parse()?,
            }),
            _ => Err(JobCommandError::Unknown(
                words.join(" ").chars().take(QUOTED).collect(),
            )),
        }
    }

    /// What the job works on.
    pub fn input(&self) -> JobInput {
        match self {
            Self::ProcessAws { input, .. } => input.clone(),
            Self::Process { dataset, .. } => JobInput::Dataset(dataset.clone()),
        }
    }

    /// The root of the job's results and their layout; `asked` is the layout its container is told.
    pub fn root(&self, asked: Option<Layout>) -> (S3Uri, Layout) {
        match self {
            Self::ProcessAws { output, .. } => (output.clone(), asked.unwrap_or_default()),
            Self::Process {
                dataset, output, ..
            } => root_of(output, dataset, asked),
        }
    }
}

/// What a job works on: a dataset, or as `@s3://bucket/list` one of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobInput {
    /// This dataset.
    Dataset(Dataset),
    /// The dataset on the child's line of this list.
    List(S3Uri),
}

/// Why a text is neither.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JobInputError {
    /// It is no dataset.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// What follows the `@` is no URI.
    #[error(transparent)]
    List(#[from] UriError),
}

impl Hint for JobInputError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Dataset(error) => error.hint(),
            Self::List(error) => error.hint(),
        }
    }
}

impl FromStr for JobInput {
    type Err = JobInputError;

    fn from_str(text: &str) -> Result<Self, JobInputError> {
        Ok(match text.strip_prefix('@') {
            Some(list) => Self::List(list.parse()?),
            None => Self::Dataset(text.parse()?),
        })
    }
}

impl fmt::Display for JobInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dataset(dataset) => dataset.fmt(f),
            Self::List(list) => write!(f, "@{list}"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|&word| word.to_owned()).collect()
    }

    #[test]
    fn an_input_is_a_dataset_or_a_list() {
        for text in ["j8cb010b0", "@s3://bucket/control/batch/b/a.ids"] {
            assert_eq!(text.parse::<JobInput>().unwrap().to_string(), text);
        }
        for text in ["", "@", "@j8cb010b0", "@/etc/passwd", "s3://bucket/list"] {
            assert!(text.parse::<JobInput>().is_err(), "{text}");
        }
    }

    #[test]
    fn both_commands_are_read_as_they_are_written() {
        for line in [
            &["caldp-process-aws", "s3://hst-out/b", "@s3://hst-out/l.ids"][..],
            &[
                "caldp-process",
                "iabs02uaq",
                "s3://hst-out/inputs",
                "s3://hst-out/outputs/iabs02uaq",
                "caldp-config-aws",
            ],
        ] {
            let command = JobCommand::parse(&words(line)).unwrap();
            assert_eq!(command.words(), line);
        }
    }

    #[test]
    fn a_folder_of_the_dataset_is_below_the_root() {
        let own = [
            "caldp-process",
            "iabs02uaq",
            "x",
            "s3://hst-out/outputs/iabs02uaq",
        ];
        let (root, layout) = JobCommand::parse(&words(&own)).unwrap().root(None);
        assert_eq!((root.key(), layout), ("", Layout::Calcloud));
        let new = ["caldp-process-aws", "s3://hst-out/data/b", "j8cb010b0"];
        let (root, layout) = JobCommand::parse(&words(&new)).unwrap().root(None);
        assert_eq!((root.key(), layout), ("data/b", Layout::Tree));
    }

    #[test]
    fn other_commands_are_refused() {
        for line in [
            &[][..],
            &["sleep", "60"],
            &["caldp-process-aws", "s3://hst-out"],
            &["caldp-process-aws", "s3://hst-out", "../x"],
            &["caldp-process-aws", "file:.", "j8cb010b0"],
        ] {
            assert!(JobCommand::parse(&words(line)).is_err(), "{line:?}");
        }
    }
}
