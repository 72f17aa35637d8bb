//! The calibration of one dataset from start to end: plans the steps, runs each program, reads
//! its status, and looks whether it left what it must. References are in the headers and the
//! environment is complete when this starts.

use super::plan::{Plan, PlanError, ProgramCall, Verdict};
use super::products::ProductError;
use super::recipe::Recipe;
use super::threads;
use crate::error::disk_hint;
use crate::process::locate::find_program;
use crate::process::memory::MemoryEvidence;
use crate::process::metrics::Metrics;
use crate::process::program::{Environment, Outcome, Program, ProgramError, Stop};
use crate::run_log::RunLog;
use caldp_core::dataset::Dataset;
use caldp_core::exit_code::ExitCode;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use storage::hint::Hint;
use tokio_util::sync::CancellationToken;

/// Where and how the programs run.
#[derive(Debug, Clone, Copy)]
pub struct CalibrationContext<'a> {
    /// The dataset's working directory: inputs are in it, products appear in it.
    pub folder: &'a Path,
    /// The whole environment of the programs.
    pub environment: &'a Environment,
    /// Receives the programs' output and a line before and after each.
    pub log: &'a RunLog,
    /// Stops the programs.
    pub cancel: &'a CancellationToken,
    /// The longest that one program may run.
    pub timeout: Option<Duration>,
    /// How long a program may take to end after SIGTERM before it is killed.
    pub grace: Duration,
}

/// What calibration did; the measurements are there however it ended.
#[derive(Debug)]
pub struct Calibration {
    /// What each program cost, in the order they ran.
    pub metrics: Vec<Metrics>,
    /// What an operator should know of a success, such as tolerated statuses.
    pub notes: Vec<String>,
    /// Whether every product is there and complete.
    pub result: Result<(), CalibrationError>,
}

/// Why calibration failed.
#[derive(Debug, thiserror::Error)]
pub enum CalibrationError {
    /// The inputs are not what the programs need.
    #[error("{source}")]
    Plan {
        /// What is wrong with them.
        source: PlanError,
        /// The exit code of the dataset's first program.
        code: ExitCode,
    },
    /// A program could not be run.
    #[error("{source}")]
    Program {
        /// Why.
        source: ProgramError,
        /// The exit code of the program's failure.
        code: ExitCode,
    },
    /// A program failed.
    #[error("`{command}` {ending}")]
    Failed {
        /// The command line.
        command: String,
        /// How it ended.
        ending: String,
        /// The exit code of the program's failure.
        code: ExitCode,
    },
    /// A program failed for lack of memory.
    #[error("`{command}` failed: {evidence}")]
    Memory {
        /// The command line.
        command: String,
        /// How we know.
        evidence: MemoryEvidence,
    },
    /// A program ended well, but what it must leave is not there.
    #[error("`{command}` ended without an error, but {problem}")]
    Product {
        /// The command line.
        command: String,
        /// What is wrong with it.
        problem: ProductError,
        /// The exit code of the program's failure.
        code: ExitCode,
    },
    /// A leftover could not be removed.
    #[error("{path} could not be removed")]
    Remove {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The run was told to stop.
    #[error("`{command}` was stopped because the run was told to end")]
    Stopped {
        /// The command line.
        command: String,
    },
}

impl Hint for CalibrationError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(match self {
            Self::Plan { source, .. } => return source.hint(),
            Self::Program { source, .. } => return source.hint(),
            Self::Failed { .. } => "its output says why; it is in process.txt".into(),
            Self::Memory { .. } => "run the dataset again where there is more memory".into(),
            Self::Product { .. } => "its output may say why; it is in process.txt".into(),
            Self::Remove { source, .. } => disk_hint(source).into(),
            Self::Stopped { .. } => return None,
        })
    }
}

impl CalibrationError {
    /// What the run exits with.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Program {
                source: ProgramError::Start { source, .. },
                ..
            } if source.kind() == io::ErrorKind::OutOfMemory => ExitCode::OsMemory,
            Self::Plan { code, .. }
            | Self::Program { code, .. }
            | Self::Failed { code, .. }
            | Self::Product { code, .. } => *code,
            Self::Memory { evidence, .. } => evidence.exit_code(),
            Self::Remove { .. } => ExitCode::Generic,
            Self::Stopped { .. } => ExitCode::Terminated,
        }
    }
}

/// Calibrates a dataset.
pub async fn calibrate(dataset: &Dataset, context: CalibrationContext<'_>) -> Calibration {
    let mut calibration = Calibration {
        metrics: Vec::new(),
        notes: Vec::new(),
        result: Ok(()),
    };
    calibration.result = calibration.run(dataset, context).await;
    calibration
}

impl Calibration {
    /// What the run exits with if calibration was its last step.
    pub fn exit_code(&self) -> ExitCode {
        match &self.result {
            Ok(()) => ExitCode::Ok,
            Err(error) => error.exit_code(),
        }
    }

    async fn run(
        &mut self,
        dataset: &Dataset,
        context: CalibrationContext<'_>,
    ) -> Result<(), CalibrationError> {
        let recipe = Recipe::of(dataset);
        let plan = Plan::new(dataset, context.folder).map_err(|source| CalibrationError::Plan {
            source,
            code: recipe.stage1.exit_code,
        })?;
        // A program missing at the end of a long calibration is better known at its start.
        let mut threads = BTreeMap::new();
        for step in &plan.steps {
            let path = context.environment.get(OsStr::new("PATH"));
            find_program(step.program, path.map(OsString::as_os_str)).map_err(|missing| {
                CalibrationError::Program {
                    source: missing.into(),
                    code: step.exit_code,
                }
            })?;
            if !threads.contains_key(step.program) {
                let arguments = threads::arguments(step.program, context.environment).await;
                threads.insert(step.program, arguments);
            }
        }
        for step in &plan.steps {
            let first = threads.get(step.program).map_or(&[][..], Vec::as_slice);
            self.step(step, first, context).await?;
        }
        remove_leftovers(recipe, context.folder)
    }

    /// Runs a program, with these arguments before its own.
    async fn step(
        &mut self,
        step: &ProgramCall,
        first: &[OsString],
        context: CalibrationContext<'_>,
    ) -> Result<(), CalibrationError> {
        let mut program = Program::new(
            step.program,
            context.folder.to_owned(),
            context.environment.clone(),
        );
        program.arguments = [first, &step.arguments].concat();
        program.timeout = context.timeout;
        program.grace = context.grace;
        let command = program.command_line();
        if context.cancel.is_cancelled() {
            return Err(CalibrationError::Stopped { command });
        }
        say(context.log, &format!("running `{command}`"));
        let outcome = program
            .run(context.log, context.cancel)
            .await
            .map_err(|source| CalibrationError::Program {
                source,
                code: step.exit_code,
            })?;
        say(context.log, &format!("`{command}` {}", summary(&outcome)));
        let judged = self.judge(step, &command, &outcome, context.folder);
        self.metrics.push(outcome.metrics);
        judged
    }

    fn judge(
        &mut self,
        step: &ProgramCall,
        command: &str,
        outcome: &Outcome,
        folder: &Path,
    ) -> Result<(), CalibrationError> {
        let command = command.to_owned();
        let code = step.exit_code;
        let failed = |ending| CalibrationError::Failed {
            command: command.clone(),
            ending,
            code,
        };
        match outcome.stopped {
            Some(Stop::Cancelled) => return Err(CalibrationError::Stopped { command }),
            Some(Stop::TimedOut) => return Err(failed(outcome.to_string())),
            None => {}
        }
        let verdict = step.verdict(outcome.status);
        match verdict {
            Verdict::Failed => {
                return Err(match outcome.memory.clone() {
                    Some(evidence) => CalibrationError::Memory { command, evidence },
                    None => failed(outcome.to_string()),
                });
            }
            Verdict::Tolerated(meaning) | Verdict::NothingToDo(meaning) => {
                let status = outcome.status.code().unwrap_or_default();
                let note = format!("`{command}` ended with status {status}: {meaning}");
                self.notes.push(note);
            }
            Verdict::Complete => {}
        }
        if matches!(verdict, Verdict::NothingToDo(_)) {
            return Ok(());
        }
        if step.expected.is_empty() {
            let note = format!("`{command}`: no product is expected: all its switches are off");
            self.notes.push(note);
        }
        for expected in &step.expected {
            let check = expected.check(folder);
            check.map_err(|problem| CalibrationError::Product {
                command: command.clone(),
                problem,
                code,
            })?;
        }
        Ok(())
    }
}

fn say(log: &RunLog, line: &str) {
    // The programs' own lines go the same way, and an error there is reported.
    let _ = log.write(format!("{line}\n").as_bytes());
}

fn summary(outcome: &Outcome) -> String {
    format!(
        "{outcome} in {:.1} s, {} MiB at most",
        outcome.metrics.elapsed.as_secs_f64(),
        outcome.metrics.usage.peak_kib / 1024
    )
}

fn remove_leftovers(recipe: &Recipe, folder: &Path) -> Result<(), CalibrationError> {
    if recipe.removed.is_empty() {
        return Ok(());
    }
    let remove = |path: &Path, source| CalibrationError::Remove {
        path: path.to_owned(),
        source,
    };
    for entry in std::fs::read_dir(folder).map_err(|source| remove(folder, source))? {
        let path = entry.map_err(|source| remove(folder, source))?.path();
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or("");
        if recipe.removed.iter().any(|ending| name.ends_with(ending)) {
            std::fs::remove_file(&path).map_err(|source| remove(&path, source))?;
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "stage_tests.rs"]
mod tests;
