//! Runs one program to its end: in its own process group, with an exact environment, its
//! output streamed to the log as it comes, its costs measured, and nothing of it left behind
//! whichever way it ends. Which programs run, and what their statuses mean, is left to
//! whoever asks for it.

use super::child::Group;
use super::locate::{MissingProgram, find_program};
use super::memory::{KillCounters, MemoryEvidence};
use super::metrics::Metrics;
use super::output::{LINGER, OutputCopier};
use crate::error::disk_hint;
use crate::run_log::RunLog;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use storage::hint::Hint;
use tokio::net::unix::pipe;
use tokio_util::sync::CancellationToken;

/// The environment of a program: exactly these names and values, nothing inherited.
pub type Environment = BTreeMap<OsString, OsString>;

/// A program to run.
#[derive(Debug)]
pub struct Program {
    /// The name to look up on the environment's `PATH`, or a path.
    pub name: String,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// The working directory.
    pub directory: PathBuf,
    /// The whole environment.
    pub environment: Environment,
    /// Where standard output goes; standard error always goes to the log.
    pub output: Output,
    /// When to give up; `None` waits for ever.
    pub timeout: Option<Duration>,
    /// How long the program may take to end after SIGTERM before it is killed.
    pub grace: Duration,
}

/// Where a program's standard output goes.
#[derive(Debug)]
pub enum Output {
    /// To the log, in one stream with standard error, as `2>&1` would order them.
    Log,
    /// To a file: it is data.
    File(File),
}

/// How a program ended.
#[derive(Debug)]
pub struct Outcome {
    /// Exit code or signal.
    pub status: ExitStatus,
    /// Set when the program was stopped from here.
    pub stopped: Option<Stop>,
    /// What it cost.
    pub metrics: Metrics,
    /// Set when it failed for lack of memory.
    pub memory: Option<MemoryEvidence>,
    /// The end of what it wrote to the log, at most some kilobytes.
    pub tail: Vec<u8>,
}

/// Why a program was stopped from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// The run was cancelled.
    Cancelled,
    /// It ran longer than its timeout.
    TimedOut,
}

impl fmt::Display for Outcome {
    /// The end of the sentence "`program` ...".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use std::os::unix::process::ExitStatusExt as _;
        match (self.stopped, self.status.code(), self.status.signal()) {
            (Some(Stop::Cancelled), ..) => write!(f, "was stopped because the run was")?,
            (Some(Stop::TimedOut), ..) => write!(
                f,
                "was stopped after {} s, its time limit",
                self.metrics.elapsed.as_secs()
            )?,
            (None, Some(0), _) => write!(f, "succeeded")?,
            (None, Some(code), _) => write!(f, "failed with status {code}")?,
            (None, None, Some(signal)) => write!(f, "was ended by signal {signal}")?,
            (None, None, None) => write!(f, "ended in an unknown way")?,
        }
        if let Some(evidence) = &self.memory {
            write!(f, " ({evidence})")?;
        }
        Ok(())
    }
}

/// A program that could not be run, or whose record could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// It is not installed.
    #[error(transparent)]
    Missing(#[from] MissingProgram),
    /// The kernel would not start it.
    #[error("`{program}` ({path}) could not be started in {directory}")]
    Start {
        /// The name asked for.
        program: String,
        /// The file found for it.
        path: PathBuf,
        /// Where it was to run.
        directory: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// Its output or its end could not be observed.
    #[error("`{program}` could not be followed")]
    Follow {
        /// The program.
        program: String,
        /// What went wrong.
        source: io::Error,
    },
    /// The log could not be written. The program has ended.
    #[error("the log of `{program}` could not be written")]
    Log {
        /// The program.
        program: String,
        /// What went wrong.
        source: io::Error,
    },
}

impl Program {
    /// A program without timeout whose output goes to the log.
    pub fn new(name: &str, directory: PathBuf, environment: Environment) -> Self {
        Self {
            name: name.to_owned(),
            arguments: Vec::new(),
            directory,
            environment,
            output: Output::Log,
            timeout: None,
            grace: Duration::from_secs(10),
        }
    }

    /// The command line, words joined by spaces, for logs and metrics.
    pub fn command_line(&self) -> String {
        let mut line = self.name.clone();
        for argument in &self.arguments {
            line.push(' ');
            line.push_str(&argument.to_string_lossy());
        }
        line
    }

    /// Runs the program until it ends, is cancelled or times out, and leaves no process of its
    /// group behind; also when the returned future is dropped. `log` receives everything it
    /// writes. A failing program is an `Ok` with its status.
    pub async fn run(
        self,
        log: &RunLog,
        cancel: &CancellationToken,
    ) -> Result<Outcome, ProgramError> {
        let path = find_program(
            &self.name,
            self.environment
                .get(std::ffi::OsStr::new("PATH"))
                .map(OsString::as_os_str),
        )?;
        let command_line = self.command_line();
        let (name, directory) = (self.name.clone(), self.directory.clone());
        let (timeout, grace) = (self.timeout, self.grace);
        let follow = |source| ProgramError::Follow {
            program: name.clone(),
            source,
        };
        let (reader, writer) = io::pipe().map_err(follow)?;
        let command = self.command(&path, writer).map_err(follow)?;
        let reader = pipe::Receiver::from_owned_fd(reader.into()).map_err(follow)?;

        let counters = KillCounters::read();
        let started = Instant::now();
        let mut group = Group::start(command).map_err(|source| ProgramError::Start {
            program: name.clone(),
            path,
            directory,
            source,
        })?;
        let mut copier = OutputCopier::start(reader, log.clone());

        let stopped = tokio::select! {
            biased;
            () = group.ended() => None,
            () = cancel.cancelled() => Some(Stop::Cancelled),
            () = sleep_for(timeout) => Some(Stop::TimedOut),
        };
        if stopped.is_some() {
            group.stop(grace).await;
        } else {
            copier.finish_within(LINGER).await;
        }
        let reaped = group.reap().await.map_err(follow)?;
        let elapsed = started.elapsed();
        let (tail, written) = copier.end().await;
        written.map_err(|source| ProgramError::Log {
            program: name.clone(),
            source,
        })?;
        let status = reaped.status;
        Ok(Outcome {
            status,
            stopped,
            memory: match stopped {
                Some(_) => None,
                None => counters.evidence(status, &tail),
            },
            metrics: Metrics {
                command: command_line,
                elapsed,
                usage: reaped.usage,
                status,
            },
            tail,
        })
    }

    /// The command of the program at `path`, whose output goes to `writer`.
    fn command(self, path: &Path, writer: io::PipeWriter) -> io::Result<Command> {
        let mut command = Command::new(path);
        command
            .args(self.arguments)
            .current_dir(self.directory)
            .env_clear()
            .envs(self.environment)
            .stdin(Stdio::null())
            .stdout(match self.output {
                Output::Log => writer.try_clone()?.into(),
                Output::File(file) => Stdio::from(file),
            })
            .stderr(writer);
        Ok(command)
    }
}

async fn sleep_for(timeout: Option<Duration>) {
    match timeout {
        Some(timeout) => tokio::time::sleep(timeout).await,
        None => std::future::pending().await,
    }
}

impl Hint for ProgramError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Missing(error) => error.hint(),
            Self::Start {
                directory, source, ..
            } => Some(Cow::from(match source.kind() {
                io::ErrorKind::NotFound if directory.is_dir() => {
                    "it is a script whose interpreter (its first line, `#!`) is not installed"
                }
                io::ErrorKind::NotFound => "the working directory does not exist",
                io::ErrorKind::OutOfMemory => "the machine has no memory left for a new process",
                _ => "check that this machine can execute the file",
            })),
            Self::Follow { .. } => Some("it is a fault of this machine; run it again".into()),
            Self::Log { source, .. } => Some(disk_hint(source).into()),
        }
    }
}

#[cfg(test)]
#[path = "program_tests.rs"]
mod tests;
