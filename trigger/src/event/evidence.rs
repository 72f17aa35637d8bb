//! What AWS says about a job that ended, and the cause that follows from it.
//!
//! What single reasons mean is the table in `reasons`; here is which of them decides when there are
//! several. What follows from a cause is for `verdict`.

use std::fmt;
use std::time::Duration;

use caldp_core::exit_code::ExitCode;
use serde::{Deserialize, Serialize};

use super::reasons::{LOST, ReasonKind, is_of_waiting, meaning};

/// What an event says about the end of a job; every part of it may be missing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    /// The container's exit code.
    pub exit_code: Option<i64>,
    /// Why the container stopped, of the job and of its last attempt.
    pub container_reasons: Vec<String>,
    /// Why the job has its status, of the job and of its last attempt.
    pub status_reasons: Vec<String>,
    /// Whether `TerminateJob` or `CancelJob` ended it.
    pub stopped: Stopped,
    /// How long its last attempt ran; none for one that never did.
    pub ran: Option<Duration>,
    /// How long it was allowed to.
    pub time_limit: Option<Duration>,
}

/// What AWS Batch says of whether a job was stopped (`isTerminated`, `isCancelled`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Stopped {
    /// Nothing, as in events of earlier years.
    #[default]
    Untold,
    /// It was not.
    No,
    /// It was.
    Yes,
}

/// Why a job failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cause {
    /// It needs more memory.
    Memory,
    /// The machine, the container runtime or the image registry failed it.
    Infrastructure,
    /// No machine could be had for it in time.
    Capacity,
    /// The deployment asks for something that cannot be had.
    Misconfiguration,
    /// AWS Batch does not take it.
    Refused,
    /// Somebody stopped it.
    Terminated,
    /// It ran longer than its limit.
    Timeout,
    /// Anything else.
    Other,
}

/// What became of the machine of a job that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Host {
    /// Nothing that is known.
    Kept,
    /// It was taken away.
    Lost,
}

/// Why a job failed, and the words that tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The cause.
    pub cause: Cause,
    /// Whether the machine was taken away.
    pub host: Host,
    /// What was seen, in words.
    pub seen: String,
}

impl Cause {
    /// A word for tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Infrastructure => "infrastructure",
            Self::Capacity => "capacity",
            Self::Misconfiguration => "misconfiguration",
            Self::Refused => "refused",
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

impl Evidence {
    /// The evidence on a job that AWS Batch knows no more and that left nothing.
    pub fn lost() -> Self {
        Self {
            status_reasons: vec![LOST.to_owned()],
            ..Self::default()
        }
    }

    /// Why the job failed, with the words that tell.
    ///
    /// Somebody's decision is final, whatever text it was given. Then memory, also when the time limit
    /// was exceeded while memory ran out. A time limit comes before exit code 35: AWS Batch stops a job
    /// that takes too long with SIGTERM, and the worker says 35 of that.
    pub fn finding(&self) -> Finding {
        let code = self.exit_code.and_then(ExitCode::from_number);
        if let Some(reason) = self.stopped_by_somebody() {
            return self.found(Cause::Terminated, reason);
        }
        if let Some(reason) = self.reason(ReasonKind::Memory) {
            return self.found(Cause::Memory, reason);
        }
        if let Some(code) = code.filter(|c| c.is_memory()) {
            return Finding {
                cause: Cause::Memory,
                host: Host::Kept,
                seen: format!("exit code {code}"),
            };
        }
        if let Some(reason) = self.reason(ReasonKind::TimeLimit) {
            return self.found(Cause::Timeout, reason);
        }
        if let Some(reason) = self.reason(ReasonKind::HostLost) {
            return Finding {
                host: Host::Lost,
                ..self.found(Cause::Infrastructure, reason)
            };
        }
        let rest = [
            (ReasonKind::Capacity, Cause::Capacity),
            (ReasonKind::Misconfiguration, Cause::Misconfiguration),
            (ReasonKind::Infrastructure, Cause::Infrastructure),
        ];
        for (meaning, cause) in rest {
            if let Some(reason) = self.reason(meaning) {
                return self.found(cause, reason);
            }
        }
        let unless_it_ended = self.reason(ReasonKind::UnlessItEnded);
        if let (Some(reason), None) = (unless_it_ended, self.exit_code) {
            return self.found(Cause::Infrastructure, reason);
        }
        Finding {
            cause: Cause::Other,
            host: Host::Kept,
            seen: self.in_words(),
        }
    }

    /// Somebody's words for stopping the job. AWS Batch itself also cancels jobs, those that waited too
    /// long, and stops those that ran too long.
    fn stopped_by_somebody(&self) -> Option<&str> {
        let reason = self.status_reasons.first().map_or("", String::as_str);
        let of_aws = (is_of_waiting(reason) && self.ran.is_none())
            || (meaning(reason) == Some(ReasonKind::TimeLimit) && !self.ended_early());
        match self.stopped {
            Stopped::Yes if !of_aws && reason.is_empty() => Some("somebody stopped the job"),
            Stopped::Yes if !of_aws => Some(reason),
            Stopped::Yes | Stopped::No => None,
            Stopped::Untold => self.reason(ReasonKind::Stopped).or_else(|| {
                // the worker was told to stop, in words that are not AWS's
                let told = self.exit_code == Some(i64::from(ExitCode::Terminated.number()));
                let mut reasons = self.status_reasons.iter();
                let words = reasons.find(|r| !r.is_empty() && meaning(r).is_none());
                words.filter(|_| told).map(String::as_str)
            }),
        }
    }

    /// Whether the attempt is known to have ended before its time limit.
    fn ended_early(&self) -> bool {
        let times = self.ran.zip(self.time_limit);
        times.is_some_and(|(ran, limit)| ran < limit)
    }

    /// The first reason that means this, of the container or of the job.
    fn reason(&self, wanted: ReasonKind) -> Option<&str> {
        let mut reasons = self.container_reasons.iter().chain(&self.status_reasons);
        let found = reasons.find(|r| meaning(r) == Some(wanted));
        found.map(String::as_str)
    }

    fn found(&self, cause: Cause, reason: &str) -> Finding {
        Finding {
            cause,
            host: Host::Kept,
            seen: match self.exit_code {
                Some(number) => format!("{reason} (exit code {number})"),
                None => reason.to_owned(),
            },
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence(exit_code: Option<i64>, container: &str, status: &str) -> Evidence {
        let reasons = |text: &str| match text {
            "" => vec![],
            text => vec![text.to_owned()],
        };
        Evidence {
            exit_code,
            container_reasons: reasons(container),
            status_reasons: reasons(status),
            ..Evidence::default()
        }
    }

    fn cause(exit_code: Option<i64>, container: &str, status: &str) -> Cause {
        let finding = evidence(exit_code, container, status).finding();
        assert!(!finding.seen.is_empty());
        finding.cause
    }

    const OOM: &str = "OutOfMemoryError: Container killed due to memory usage";
    const EXITED: &str = "Essential container in task exited";
    const TIMED_OUT: &str = "Job attempt duration exceeded timeout";
    const WAITED: &str = "Canceled by JobStateTimeLimit action due to reason: \
                          CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY";

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
        assert_eq!(cause(Some(137), "", TIMED_OUT), Cause::Timeout);
        assert_eq!(cause(Some(137), "", EXITED), Cause::Other);
        assert_eq!(cause(None, "", ""), Cause::Other);
    }

    #[test]
    fn exit_code_35_is_the_infrastructure_only_where_a_host_went_away() {
        let host = "Host EC2 (instance i-0123456789abcdef0) terminated.";
        assert_eq!(cause(Some(35), "", host), Cause::Infrastructure);
        assert_eq!(cause(Some(35), "", EXITED), Cause::Other);
        assert_eq!(cause(Some(35), "", ""), Cause::Other);
        assert_eq!(
            cause(Some(35), "", "wrong context, sorry"),
            Cause::Terminated
        );
        let told = Evidence {
            stopped: Stopped::No,
            ..evidence(Some(35), "", "some new reason of AWS")
        };
        assert_eq!(told.finding().cause, Cause::Other);
    }

    #[test]
    fn whoever_stops_a_job_is_obeyed_whatever_the_words() {
        for words in [
            "",
            "enough",
            EXITED,
            OOM,
            "Host EC2 (instance i-1) terminated.",
        ] {
            for code in [None, Some(35), Some(33), Some(137)] {
                let stopped = Evidence {
                    stopped: Stopped::Yes,
                    ran: Some(Duration::from_secs(5)),
                    ..evidence(code, OOM, words)
                };
                assert_eq!(
                    stopped.finding().cause,
                    Cause::Terminated,
                    "{words:?} {code:?}"
                );
            }
        }
    }

    #[test]
    fn what_aws_cancels_or_stops_itself_is_nobodys_decision() {
        let stopped = |status, ran: Option<u64>| Evidence {
            stopped: Stopped::Yes,
            ran: ran.map(Duration::from_secs),
            time_limit: Some(Duration::from_mins(1)),
            ..evidence(None, "", status)
        };
        assert_eq!(stopped(WAITED, None).finding().cause, Cause::Capacity);
        assert_eq!(stopped(TIMED_OUT, Some(61)).finding().cause, Cause::Timeout);
        assert_eq!(stopped(TIMED_OUT, None).finding().cause, Cause::Timeout);
        // the same words from somebody who stopped it while it ran, before its limit
        assert_eq!(
            stopped(TIMED_OUT, Some(20)).finding().cause,
            Cause::Terminated
        );
        assert_eq!(stopped(WAITED, Some(20)).finding().cause, Cause::Terminated);
    }

    #[test]
    fn the_cleaning_up_after_a_container_says_nothing_of_its_end() {
        let late = "CannotStopContainerError: no answer";
        assert_eq!(cause(Some(23), late, EXITED), Cause::Other);
        assert_eq!(cause(None, late, EXITED), Cause::Infrastructure);
    }

    #[test]
    fn exit_codes_are_explained() {
        assert!(explain(23).contains("calibration program"));
        assert!(explain(137).contains("SIGKILL"));
        assert!(explain(99).contains("never uses"));
    }
}
