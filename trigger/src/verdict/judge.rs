//! The verdict on a failed job: tried again, with what, or terminated, or an error.
//!
//! One pure function over the cause of the failure and what was tried before; the table of causes
//! is in `event::reasons`.

use std::time::Duration;

use crate::config::Limits;
use crate::event::evidence::{Cause, Evidence, Finding, Host};
use crate::record::attempts::{Market, Reason, Used};
use crate::record::transition::Grant;
use crate::resources::Scale;
use caldp_core::exit_code::ExitCode;

/// A dataset whose machine was taken away this often goes where that does not happen.
const RECLAIMED_ENOUGH: usize = 2;

/// What a time limit that was too short is multiplied by.
const MORE_TIME: u64 = 2;

/// What is known of the dataset when its job failed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Standing {
    /// Whether somebody stopped it before.
    pub terminated: bool,
    /// What the job had.
    pub had: Grant,
    /// Automatic retries used so far.
    pub used: Used,
    /// How often its machine was taken away and it was tried again.
    pub reclaimed: usize,
    /// The time limit of a factor of one, in seconds.
    pub plain_timeout: f64,
}

/// A decision and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Why the job failed.
    pub cause: Cause,
    /// What happens now.
    pub action: Action,
    /// Both in words, for operators.
    pub explanation: String,
    /// What they can do.
    pub remedy: Option<String>,
}

/// What happens to a dataset whose job failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// It is submitted again, for this reason and with this.
    Retry(Reason, Grant),
    /// Its state is `terminated`.
    Terminate,
    /// Its state is `error`.
    Fail,
}

/// A decision, in words and with what operators can do.
struct Decided {
    action: Action,
    words: String,
    remedy: Option<String>,
}

impl Decided {
    const fn new(action: Action, words: String) -> Self {
        Self {
            action,
            words,
            remedy: None,
        }
    }

    fn fail(words: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            action: Action::Fail,
            words: words.into(),
            remedy: Some(remedy.into()),
        }
    }
}

/// The verdict on a failure.
pub fn judge(evidence: &Evidence, standing: Standing, limits: Limits) -> Verdict {
    let Finding { cause, host, seen } = evidence.finding();
    let decided = if standing.terminated {
        let words = "the dataset was terminated before and stays so";
        Decided::new(Action::Terminate, words.to_owned())
    } else {
        match cause {
            Cause::Terminated => {
                let words = "somebody stopped the job, it is not tried again";
                Decided::new(Action::Terminate, words.to_owned())
            }
            Cause::Memory => memory(standing, limits),
            Cause::Infrastructure | Cause::Capacity => {
                infrastructure(cause, host, standing, limits)
            }
            Cause::Timeout => timeout(standing, limits),
            Cause::Misconfiguration => Decided::fail(
                "not the dataset's fault, and would happen again",
                "compare the job definition with the compute environment and the queue, then rescue it",
            ),
            Cause::Refused | Cause::Other => {
                let code = evidence.exit_code.and_then(ExitCode::from_number);
                let remedy = code
                    .and_then(ExitCode::remedy)
                    .unwrap_or("read the end of process.txt and the job's log stream");
                Decided::fail("not tried again", remedy)
            }
        }
    };
    Verdict {
        cause,
        action: decided.action,
        explanation: format!("{seen}: {}", decided.words),
        remedy: decided.remedy,
    }
}

fn memory(standing: Standing, limits: Limits) -> Decided {
    let (used, most) = (standing.used.memory, limits.memory_retries);
    let had = standing.had.memory_bin;
    match had.next() {
        None => Decided::fail(
            format!("out of memory on {had}, the last memory bin"),
            "the dataset needs a larger machine than any here",
        ),
        Some(_) if used >= most => Decided::fail(
            format!("out of memory on {had} after {used} of {most} memory retries"),
            "rescue it with memory_bin",
        ),
        Some(next) => {
            let grant = Grant {
                memory_bin: next,
                ..standing.had
            };
            let number = used.saturating_add(1);
            let words = format!(
                "out of memory on {had}, tried again on {next}, memory retry {number} of {most}"
            );
            Decided::new(Action::Retry(Reason::Memory, grant), words)
        }
    }
}

fn infrastructure(cause: Cause, host: Host, standing: Standing, limits: Limits) -> Decided {
    let (used, most) = (standing.used.infrastructure, limits.infrastructure_retries);
    if used >= most {
        let (what, look_at) = match cause {
            Cause::Capacity => (
                "no machine could be had for it again",
                "other instance types or zones for the compute environment, and the account's quotas",
            ),
            _ => (
                "the infrastructure failed it again",
                "the compute environment and the image",
            ),
        };
        return Decided::fail(
            format!("{what} after {used} of {most} retries"),
            format!("look at {look_at}, then rescue it"),
        );
    }
    let (reason, reclaimed) = match host {
        Host::Lost => (Reason::Reclaimed, standing.reclaimed + 1),
        Host::Kept => (Reason::Infrastructure, standing.reclaimed),
    };
    let (market, machines) = if reclaimed >= RECLAIMED_ENOUGH {
        (Market::OnDemand, " without spot instances")
    } else {
        (standing.had.market, "")
    };
    let grant = Grant {
        market,
        ..standing.had
    };
    let (bin, number) = (grant.memory_bin, used.saturating_add(1));
    let words = format!(
        "not the dataset's fault, tried again on {bin}{machines}, retry {number} of {most}"
    );
    Decided::new(Action::Retry(reason, grant), words)
}

fn timeout(standing: Standing, limits: Limits) -> Decided {
    let (used, most) = (standing.used.timeout, limits.timeout_retries);
    let had = standing.had.timeout_seconds;
    if used >= most {
        let factor = sufficient(standing);
        let more = in_hours(had.saturating_mul(MORE_TIME));
        return Decided::fail(
            format!(
                "{} were not enough after {used} of {most} retries with more time",
                in_hours(had)
            ),
            format!("rescue it with timeout_scale: {factor}, which gives it {more}"),
        );
    }
    let grant = Grant {
        timeout_seconds: had.saturating_mul(MORE_TIME),
        ..standing.had
    };
    let (bin, number) = (grant.memory_bin, used.saturating_add(1));
    let words = format!(
        "{} were not enough, tried again on {bin} with {}, timeout retry {number} of {most}",
        in_hours(had),
        in_hours(grant.timeout_seconds),
    );
    Decided::new(Action::Retry(Reason::Timeout, grant), words)
}

/// The factor that gives a dataset twice the time that was not enough, to one decimal.
#[allow(clippy::cast_precision_loss, reason = "time limits are small numbers")]
fn sufficient(standing: Standing) -> f64 {
    let wanted = standing.had.timeout_seconds.saturating_mul(MORE_TIME) as f64;
    let factor = wanted / standing.plain_timeout.max(1.0);
    ((factor * 10.0).ceil() / 10.0).min(Scale::MAX)
}

fn in_hours(seconds: u64) -> String {
    let span = Duration::from_secs(seconds);
    if seconds < 3 * 3600 {
        format!("{} minutes", span.as_secs().div_ceil(60))
    } else {
        format!("{:.1} hours", span.as_secs_f64() / 3600.0)
    }
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
