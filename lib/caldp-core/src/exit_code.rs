//! What a process says with its exit status, the one byte AWS Batch reports of a job.
//!
//! The numbers are those operators' tools know since the Python original; 35 is new. The worker
//! exits with them, the trigger reads them back. Deciding that a program ran out of memory is for
//! the worker, what follows from a code is for the trigger: here are only the words.

use std::fmt;
use std::process::Termination;

/// The end of one run of the worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum ExitCode {
    /// Every product is stored and verified.
    Ok = 0,
    /// A failure with no code of its own.
    Generic = 1,
    /// The command line was wrong.
    CommandLine = 2,
    /// The inputs' tar archive is missing or not acceptable.
    InputTar = 21,
    /// Inputs could not be had from MAST.
    Mast = 22,
    /// The instrument's calibration program failed.
    Stage1 = 23,
    /// Drizzling failed.
    Stage2 = 24,
    /// Results could not be stored.
    S3Upload = 25,
    /// Inputs could not be read from S3.
    S3Download = 26,
    /// Best references could not be chosen or fetched.
    BestRefs = 27,
    /// Previews could not be made.
    Previews = 28,
    /// A calibration program reported that it ran out of memory.
    ProgramMemory = 31,
    /// The worker itself ran out of memory.
    OwnMemory = 32,
    /// The container's memory limit was hit.
    ContainerMemory = 33,
    /// The operating system refused memory.
    OsMemory = 34,
    /// The run was told to stop, by AWS Batch or because its spot instance went away.
    Terminated = 35,
    /// The single-visit mosaic program failed.
    Svm = 40,
    /// The multi-visit mosaic program failed.
    Mvm = 41,
}

impl ExitCode {
    /// Every code, in the order of its number.
    pub const ALL: [Self; 18] = [
        Self::Ok,
        Self::Generic,
        Self::CommandLine,
        Self::InputTar,
        Self::Mast,
        Self::Stage1,
        Self::Stage2,
        Self::S3Upload,
        Self::S3Download,
        Self::BestRefs,
        Self::Previews,
        Self::ProgramMemory,
        Self::OwnMemory,
        Self::ContainerMemory,
        Self::OsMemory,
        Self::Terminated,
        Self::Svm,
        Self::Mvm,
    ];

    /// The number the operating system sees.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The code of a number as Batch reports it; none for numbers the worker never exits with.
    pub fn from_number(number: i64) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|code| i64::from(code.number()) == number)
    }

    /// A short name for tables and `CALDP_SIMULATE_ERROR` messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Generic => "generic",
            Self::CommandLine => "command-line",
            Self::InputTar => "input-tar",
            Self::Mast => "mast",
            Self::Stage1 => "stage-1",
            Self::Stage2 => "stage-2",
            Self::S3Upload => "s3-upload",
            Self::S3Download => "s3-download",
            Self::BestRefs => "best-references",
            Self::Previews => "previews",
            Self::ProgramMemory => "program-memory",
            Self::OwnMemory => "own-memory",
            Self::ContainerMemory => "container-memory",
            Self::OsMemory => "os-memory",
            Self::Terminated => "terminated",
            Self::Svm => "svm",
            Self::Mvm => "mvm",
        }
    }

    /// What happened, as a clause without a full stop.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Ok => "every product is stored and verified",
            Self::Generic => "something failed that has no exit code of its own",
            Self::CommandLine => "the command line was wrong",
            Self::InputTar => {
                "the tar archive of the inputs is missing, damaged or not safe to unpack"
            }
            Self::Mast => "inputs could not be had from MAST",
            Self::Stage1 => "the instrument's calibration program failed or left products out",
            Self::Stage2 => "drizzling failed or left products out",
            Self::S3Upload => "results could not be stored",
            Self::S3Download => "inputs could not be read from S3",
            Self::BestRefs => "best references could not be chosen or fetched",
            Self::Previews => "previews could not be made",
            Self::ProgramMemory => "a calibration program reported that it ran out of memory",
            Self::OwnMemory => "the worker itself ran out of memory",
            Self::ContainerMemory => "the container hit its memory limit",
            Self::OsMemory => "the operating system had no memory to give",
            Self::Terminated => "the run was told to stop before it was done",
            Self::Svm => "the single-visit mosaic program failed or left products out",
            Self::Mvm => "the multi-visit mosaic program failed or left products out",
        }
    }

    /// What an operator can do about it, as a clause without a full stop; none for success.
    pub const fn remedy(self) -> Option<&'static str> {
        Some(match self {
            Self::Ok => return None,
            Self::Generic => "read the end of process.txt, then rescue the dataset",
            Self::CommandLine => "run the command with --help and correct the job definition",
            Self::InputTar => {
                "check the archive under inputs/ with tar -tzf, replace it, then rescue the dataset"
            }
            Self::Mast => "check that MAST has the dataset's files, then rescue the dataset",
            Self::Stage1 | Self::Stage2 | Self::Svm | Self::Mvm => {
                "read the program's last lines in process.txt; inputs and logs were delivered for debugging"
            }
            Self::S3Upload => {
                "check the job role's write access to the output bucket, then rescue the dataset"
            }
            Self::S3Download => {
                "check that the inputs exist and that the job role may read them, then rescue the dataset"
            }
            Self::BestRefs => {
                "check CRDS_CONTEXT, the CRDS cache and the access to the reference files"
            }
            Self::Previews => "read preview.txt; the products themselves are stored",
            Self::ProgramMemory | Self::OwnMemory | Self::ContainerMemory | Self::OsMemory => {
                "rescue the dataset with a higher memory_bin"
            }
            Self::Terminated => {
                "nothing when a spot instance was reclaimed, it is retried; otherwise rescue the dataset"
            }
        })
    }

    /// Whether more memory is the answer.
    pub const fn is_memory(self) -> bool {
        matches!(
            self,
            Self::ProgramMemory | Self::OwnMemory | Self::ContainerMemory | Self::OsMemory
        )
    }
}

impl fmt::Display for ExitCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.number(), self.name(), self.meaning())
    }
}

impl Termination for ExitCode {
    fn report(self) -> std::process::ExitCode {
        self.number().into()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn the_numbers_are_the_ones_operators_know() {
        let numbers: Vec<u8> = ExitCode::ALL.iter().map(|c| c.number()).collect();
        assert_eq!(
            numbers,
            [
                0, 1, 2, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33, 34, 35, 40, 41
            ]
        );
    }

    #[test]
    fn every_number_leads_back_to_its_code_and_no_other_does() {
        for number in -300..300 {
            if let Some(code) = ExitCode::from_number(number) {
                assert_eq!(i64::from(code.number()), number);
            }
        }
        assert_eq!(ExitCode::from_number(0), Some(ExitCode::Ok));
        assert_eq!(ExitCode::from_number(137), None);
        assert_eq!(ExitCode::from_number(256 + 23), None);
    }

    #[test]
    fn every_failure_has_a_remedy_and_every_memory_failure_is_one() {
        for code in ExitCode::ALL {
            assert_eq!(code.remedy().is_none(), code == ExitCode::Ok);
            assert_eq!(code.is_memory(), (31..=34).contains(&code.number()));
        }
        assert_eq!(
            ExitCode::Svm.to_string(),
            "40 (svm): the single-visit mosaic program failed or left products out"
        );
    }
}
