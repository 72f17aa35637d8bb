//! Carrying out a plan: every step in turn, each judged by its status and by the products it left.
//!
//! What was run and what it cost comes back whichever way it ended, because the metrics of a
//! failed run are what an operator asks for first.

use super::memory::MemoryEvidence;
use super::metrics::Metrics;
use super::plan::{Plan, Step, Verdict};
use super::products::ProductError;
use super::program::{Environment, Outcome, Program, ProgramError, Stop};
use crate::run_log::RunLog;
use caldp_core::exit_code::ExitCode;
use std::path::Path;
use tokio_util::sync::CancellationToken;

/// What became of a plan.
#[derive(Debug)]
pub struct Execution {
    /// The programs that were run, in order, with what each cost.
    pub ran: Vec<Metrics>,
    /// Statuses other than success that are no failure, in words.
    pub notes: Vec<String>,
    /// Why it ended early, if it did.
    pub failure: Option<StepFailure>,
}

/// A step that failed.
#[derive(Debug, thiserror::Error)]
pub enum StepFailure {
    /// The program could not be run.
    #[error(transparent)]
    NotRun(#[from] ProgramError),
    /// The program failed.
    #[error("`{command}` {outcome}{}", last_lines(.tail))]
    Failed {
        /// The command line.
        command: String,
        /// How it ended, as the end of a sentence.
        outcome: String,
        /// The last lines it wrote.
        tail: String,
        /// What the run exits with.
        code: ExitCode,
    },
    /// The program ended well but left no product, or half of one.
    #[error("`{command}` {outcome}, but {source}{}", last_lines(.tail))]
    Product {
        /// The command line.
        command: String,
        /// How it ended, as the end of a sentence.
        outcome: String,
        /// The last lines it wrote.
        tail: String,
        /// The product.
        source: ProductError,
        /// What the run exits with.
        code: ExitCode,
    },
    /// The run was told to stop.
    #[error("`{command}` was stopped because the run was told to stop")]
    Stopped {
        /// The command line.
        command: String,
    },
}

impl StepFailure {
    /// What the run exits with.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::NotRun(_) => ExitCode::Generic,
            Self::Failed { code, .. } | Self::Product { code, .. } => *code,
            Self::Stopped { .. } => ExitCode::Terminated,
        }
    }
}

/// Runs the steps of `plan` in `folder`, the dataset's working directory, until one fails.
pub async fn execute(
    plan: &Plan,
    folder: &Path,
    environment: &Environment,
    log: &RunLog,
    cancel: &CancellationToken,
) -> Execution {
    let mut execution = Execution {
        ran: Vec::new(),
        notes: Vec::new(),
        failure: None,
    };
    for step in &plan.steps {
        let mut program = Program::new(step.program, folder.to_owned(), environment.clone());
        program.arguments.clone_from(&step.arguments);
        let command = program.command_line();
        tracing::info!("running {command}");
        let judged = match program.run(log, cancel).await {
            Ok(outcome) => {
                let judged = judge(step, &command, &outcome, folder);
                execution.ran.push(outcome.metrics);
                judged
            }
            Err(error) => Err(error.into()),
        };
        match judged {
            Ok(None) => {}
            Ok(Some(note)) => {
                tracing::info!("{note}");
                execution.notes.push(note);
            }
            Err(failure) => {
                execution.failure = Some(failure);
                break;
            }
        }
    }
    execution
}

/// Success, with a remark if there is one to make, or the failure.
fn judge(
    step: &Step,
    command: &str,
    outcome: &Outcome,
    folder: &Path,
) -> Result<Option<String>, StepFailure> {
    if outcome.stopped == Some(Stop::Cancelled) {
        return Err(StepFailure::Stopped {
            command: command.to_owned(),
        });
    }
    let failed = |code| StepFailure::Failed {
        command: command.to_owned(),
        outcome: outcome.to_string(),
        tail: String::from_utf8_lossy(&outcome.tail).into_owned(),
        code,
    };
    if let Some(evidence) = &outcome.memory {
        return Err(failed(memory_code(evidence)));
    }
    let note = match step.verdict(outcome.status) {
        Verdict::Failed => return Err(failed(step.exit_code)),
        Verdict::NothingToDo(meaning) => return Ok(Some(format!("{command}: {meaning}"))),
        Verdict::Tolerated(meaning) => Some(format!("{command}: {meaning}")),
        Verdict::Complete => None,
    };
    for expected in &step.expected {
        expected
            .check(folder)
            .map_err(|source| StepFailure::Product {
                command: command.to_owned(),
                outcome: outcome.to_string(),
                tail: String::from_utf8_lossy(&outcome.tail).into_owned(),
                source,
                code: step.exit_code,
            })?;
    }
    Ok(note)
}

fn memory_code(evidence: &MemoryEvidence) -> ExitCode {
    match evidence {
        MemoryEvidence::ContainerLimit { .. } => ExitCode::ContainerMemory,
        MemoryEvidence::MachineFull { .. }
        | MemoryEvidence::KilledWithoutCounters
        | MemoryEvidence::Refused { .. } => ExitCode::OsMemory,
        MemoryEvidence::Reported { .. } => ExitCode::ProgramMemory,
    }
}

/// How many lines of a program's output an error quotes.
const QUOTED_LINES: usize = 3;

/// `; it last wrote: ...` with the last lines that are not blank, or nothing.
fn last_lines(tail: &str) -> String {
    let lines: Vec<&str> = tail
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let last = lines
        .get(lines.len().saturating_sub(QUOTED_LINES)..)
        .unwrap_or_default();
    if last.is_empty() {
        return String::new();
    }
    format!("; it last wrote: {}", last.join(" / "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_quotes_the_last_lines_a_program_wrote() {
        assert_eq!(last_lines("\n \n"), "");
        assert_eq!(
            last_lines("one\ntwo\n\nthree\n  four\n"),
            "; it last wrote: two / three / four"
        );
    }
}
