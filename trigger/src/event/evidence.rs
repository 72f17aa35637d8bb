//! What AWS says about a job that ended, and what it means: the table of causes.
//!
//! The reasons are texts AWS Batch and ECS write; the sources are the AWS Batch user guide ("Job
//! timeouts", "Automated job retries", "Troubleshooting") and the ECS developer guide ("Stopped
//! tasks error codes"). What follows from a cause is for `verdict`.

use std::fmt;

use caldp_core::exit_code::ExitCode;
use serde::{Deserialize, Serialize};

/// What an event says about the end of a job; every part of it may be missing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    /// The container's exit code.
    pub exit_code: Option<i64>,
    /// Why the container stopped, of the job and of its last attempt.
    pub container_reasons: Vec<String>,
    /// Why the job has its status, of the job and of its last attempt.
    pub status_reasons: Vec<String>,
}

/// Why a job failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cause {
    /// It needs more memory.
    Memory,
    /// The machine, the container runtime or the image registry failed it.
    Infrastructure,
    /// Somebody stopped it.
    Terminated,
    /// It ran longer than its limit.
    Timeout,
    /// Anything else.
    Other,
}

impl Cause {
    /// A word for tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Infrastructure => "infrastructure",
            Self::Terminated => "terminated",
            Self::Timeout => "timeout",
            Self::Other => "error",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

const OUT_OF_MEMORY: &str = "OutOfMemoryError";
const TIMED_OUT: &str = "Job attempt duration exceeded timeout";
const STOPPED_BY_SOMEBODY: [&str; 2] = ["Operator cancelled", "Terminated via console"];
const INFRASTRUCTURE: [&str; 5] = [
    "CannotInspectContainer",
    "DockerTimeoutError",
    "CannotStartContainer",
    "CannotPullContainer",
    "Your Spot Task was interrupted",
];
const HOST_GONE: (&str, &str) = ("Host EC2 (instance", "terminated");

impl Evidence {
    /// Why the job failed, with the words that tell.
    ///
    /// Somebody's decision is final. Then memory, also when the time limit was exceeded while
    /// memory ran out. A time limit comes before exit code 35: AWS Batch stops a job that takes
    /// too long with SIGTERM, and the worker says 35 of that.
    pub fn cause(&self) -> (Cause, String) {
        let status = |start: &str| starting(&self.status_reasons, start);
        let any = |start: &str| starting(&self.container_reasons, start).or_else(|| status(start));
        let code = self.exit_code.and_then(ExitCode::from_number);
        if let Some(reason) = STOPPED_BY_SOMEBODY.iter().find_map(|s| status(s)) {
            return (Cause::Terminated, self.with_code(reason));
        }
        if let Some(reason) = any(OUT_OF_MEMORY) {
            return (Cause::Memory, self.with_code(reason));
        }
        if let Some(code) = code.filter(|c| c.is_memory()) {
            return (Cause::Memory, format!("exit code {code}"));
        }
        if let Some(reason) = any(TIMED_OUT) {
            return (Cause::Timeout, self.with_code(reason));
        }
        if let Some(reason) = INFRASTRUCTURE.iter().find_map(|s| any(s)) {
            return (Cause::Infrastructure, self.with_code(reason));
        }
        let (start, end) = HOST_GONE;
        if let Some(reason) = any(start).filter(|r| r.contains(end)) {
            return (Cause::Infrastructure, self.with_code(reason));
        }
        if code == Some(ExitCode::Terminated) {
            return (
                Cause::Infrastructure,
                format!("exit code {}", ExitCode::Terminated),
            );
        }
        (Cause::Other, self.in_words())
    }

    /// Everything the event says, for a failure that is in no table.
    fn in_words(&self) -> String {
        let mut words = vec![match self.exit_code {
            None => "the container reported no exit code".to_owned(),
            Some(number) => explain(number),
        }];
        for reason in self.container_reasons.iter().chain(&self.status_reasons) {
            if !words.contains(reason) {
                words.push(reason.clone());
            }
        }
        words.join("; ")
    }

    fn with_code(&self, reason: String) -> String {
        match self.exit_code {
            Some(number) => format!("{reason} (exit code {number})"),
            None => reason,
        }
    }
}

/// An exit code in words: the worker's own, a signal's, or nobody's.
pub fn explain(number: i64) -> String {
    if let Some(code) = ExitCode::from_number(number) {
        return format!("exit code {code}");
    }
    let signal = match number {
        129 => "SIGHUP",
        130 => "SIGINT",
        134 => "SIGABRT, a program aborted itself",
        135 => "SIGBUS",
        136 => "SIGFPE",
        137 => "SIGKILL, by the operating system or the container runtime",
        139 => "SIGSEGV, a program crashed",
        143 => "SIGTERM",
        126 => return "exit code 126: the command cannot be executed".to_owned(),
        127 => return "exit code 127: the command does not exist in the image".to_owned(),
        _ => return format!("exit code {number}, which the worker never uses"),
    };
    format!(
        "exit code {number}: stopped by signal {}, {signal}",
        number - 128
    )
}

fn starting(reasons: &[String], start: &str) -> Option<String> {
    reasons.iter().find(|r| r.starts_with(start)).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(exit_code: Option<i64>, container: &str, status: &str) -> Cause {
        let reasons = |text: &str| {
            if text.is_empty() {
                vec![]
            } else {
                vec![text.to_owned()]
            }
        };
        let (cause, words) = Evidence {
            exit_code,
            container_reasons: reasons(container),
            status_reasons: reasons(status),
        }
        .cause();
        assert!(!words.is_empty());
        cause
    }

    const OOM: &str = "OutOfMemoryError: Container killed due to memory usage";
    const EXITED: &str = "Essential container in task exited";

    #[test]
    fn the_order_of_the_table() {
        assert_eq!(cause(Some(137), OOM, TIMED_OUT), Cause::Memory);
        assert_eq!(
            cause(Some(137), OOM, "Operator cancelled"),
            Cause::Terminated
        );
        assert_eq!(cause(Some(35), "", TIMED_OUT), Cause::Timeout);
        assert_eq!(
            cause(Some(35), "", "Operator cancelled: late"),
            Cause::Terminated
        );
        assert_eq!(cause(Some(35), "", EXITED), Cause::Infrastructure);
        assert_eq!(cause(Some(137), "", TIMED_OUT), Cause::Timeout);
        assert_eq!(cause(Some(137), "", EXITED), Cause::Other);
        assert_eq!(cause(None, "", ""), Cause::Other);
    }

    #[test]
    fn exit_codes_are_explained() {
        assert!(explain(23).contains("calibration program"));
        assert!(explain(137).contains("SIGKILL"));
        assert!(explain(99).contains("never uses"));
    }
}
