//! Asking a program about itself: one short call in an empty directory, with the environment a
//! run would give it, in bounded time.

use crate::process::program::{Environment, Program, ProgramError};
use crate::run_log::{Console, RunLog};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long a program may take to say its version; a Python program on a cold disk takes seconds.
const TIMEOUT: Duration = Duration::from_secs(10);
/// More than this of an answer is of no interest.
const LONGEST: usize = 64 << 10;

/// What a program answered.
#[derive(Debug)]
pub(crate) struct ProbeAnswer {
    /// Whether it ended with status 0.
    pub(crate) success: bool,
    /// The end of the sentence "`program` ...".
    pub(crate) ending: String,
    /// Whether it was never run: its loader or interpreter failed.
    pub(crate) not_run: bool,
    /// What it wrote, on either stream.
    pub(crate) text: String,
}

impl ProbeAnswer {
    /// The first line that says anything, cut to a readable length.
    pub(crate) fn first_line(&self) -> &str {
        let line = self.text.lines().map(str::trim).find(|l| !l.is_empty());
        let line = line.unwrap_or_default();
        let end = line
            .char_indices()
            .nth(200)
            .map_or(line.len(), |(at, _)| at);
        &line[..end]
    }
}

/// Calls `program`, a name or a path, with `arguments`.
pub(crate) async fn ask(
    program: &str,
    arguments: &[&str],
    environment: &Environment,
) -> Result<ProbeAnswer, ProgramError> {
    let follow = |source| ProgramError::Follow {
        program: program.to_owned(),
        source,
    };
    let scratch = tempfile::tempdir().map_err(follow)?;
    let log = scratch.path().join("answer");
    let quiet = RunLog::create(&log, Console::Quiet).map_err(follow)?;
    let mut call = Program::new(program, scratch.path().to_owned(), environment.clone());
    call.arguments = arguments.iter().map(Into::into).collect();
    call.timeout = Some(TIMEOUT);
    call.grace = Duration::from_secs(1);
    let outcome = call.run(&quiet, &CancellationToken::new()).await?;
    let mut text = std::fs::read(&log).unwrap_or_default();
    text.truncate(LONGEST);
    Ok(ProbeAnswer {
        success: outcome.status.success() && outcome.stopped.is_none(),
        ending: outcome.to_string(),
        not_run: matches!(outcome.status.code(), None | Some(126 | 127)),
        text: String::from_utf8_lossy(&text).into_owned(),
    })
}
