//! The verdict on a failed job: tried again on which memory bin, terminated, or an error.
//!
//! One pure function over the cause of the failure and what was tried before; the table of causes
//! is in `event::evidence`.

use crate::config::Limits;
use crate::event::evidence::{Cause, Evidence};
use crate::memory_bins::MemoryBin;
use crate::record::attempts::Used;
use caldp_core::exit_code::ExitCode;

/// What is known of the dataset when its job failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Whether somebody stopped it before.
    pub terminated: bool,
    /// The memory bin the job ran on.
    pub memory_bin: MemoryBin,
    /// Automatic retries used so far.
    pub used: Used,
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
}

/// What happens to a dataset whose job failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It is submitted again.
    Retry(MemoryBin),
    /// Its state is `terminated`.
    Terminate,
    /// Its state is `error`.
    Fail,
}

/// The verdict on a failure.
pub fn judge(evidence: &Evidence, standing: Standing, limits: Limits) -> Verdict {
    let (cause, seen) = evidence.cause();
    let verdict = |action, decision: String| Verdict {
        cause,
        action,
        explanation: format!("{seen}: {decision}"),
    };
    if standing.terminated {
        return verdict(
            Action::Terminate,
            "the dataset was terminated before and stays so".to_owned(),
        );
    }
    match cause {
        Cause::Terminated => verdict(
            Action::Terminate,
            "somebody stopped the job, it is not tried again".to_owned(),
        ),
        Cause::Memory => memory(standing, limits, verdict),
        Cause::Infrastructure => infrastructure(standing, limits, verdict),
        Cause::Timeout => verdict(
            Action::Fail,
            "the job needs more time; hint: rescue it with timeout_scale above 1, like \
             timeout_scale: 2"
                .to_owned(),
        ),
        Cause::Other => {
            let code = evidence.exit_code.and_then(ExitCode::from_number);
            let remedy = code
                .and_then(ExitCode::remedy)
                .unwrap_or("read the end of process.txt and the job's log stream");
            verdict(Action::Fail, format!("not tried again; hint: {remedy}"))
        }
    }
}

fn memory(
    standing: Standing,
    limits: Limits,
    verdict: impl Fn(Action, String) -> Verdict,
) -> Verdict {
    let (used, most) = (standing.used.memory, limits.memory_retries);
    match standing.memory_bin.next() {
        None => verdict(
            Action::Fail,
            format!(
                "out of memory on {}, the last memory bin; hint: the dataset needs a larger machine than any here",
                standing.memory_bin
            ),
        ),
        Some(_) if used >= most => verdict(
            Action::Fail,
            format!(
                "out of memory on {} after {used} of {most} memory retries; hint: rescue it with memory_bin",
                standing.memory_bin
            ),
        ),
        Some(next) => verdict(
            Action::Retry(next),
            format!(
                "out of memory on {}, tried again on {next}, memory retry {} of {most}",
                standing.memory_bin,
                used.saturating_add(1)
            ),
        ),
    }
}

fn infrastructure(
    standing: Standing,
    limits: Limits,
    verdict: impl Fn(Action, String) -> Verdict,
) -> Verdict {
    let (used, most) = (standing.used.infrastructure, limits.infrastructure_retries);
    if used >= most {
        verdict(
            Action::Fail,
            format!(
                "the infrastructure failed it again after {used} of {most} retries; hint: look at the \
                 compute environment and the image, then rescue it"
            ),
        )
    } else {
        verdict(
            Action::Retry(standing.memory_bin),
            format!(
                "not the dataset's fault, tried again on {}, retry {} of {most}",
                standing.memory_bin,
                used.saturating_add(1)
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const LIMITS: Limits = Limits {
        memory_retries: 4,
        infrastructure_retries: 4,
    };

    fn standing(memory_bin: u64, memory: u32, infrastructure: u32) -> Standing {
        Standing {
            terminated: false,
            memory_bin: MemoryBin::new(memory_bin).unwrap(),
            used: Used {
                memory,
                infrastructure,
            },
        }
    }

    fn exit(code: i64) -> Evidence {
        Evidence {
            exit_code: Some(code),
            ..Evidence::default()
        }
    }

    #[test]
    fn memory_is_raised_to_the_last_bin_and_no_further() {
        let (mut memory_bin, mut climbed) = (0, 0);
        while let Action::Retry(next) =
            judge(&exit(33), standing(memory_bin, climbed, 0), LIMITS).action
        {
            assert_eq!(u64::from(next.number()), memory_bin + 1);
            memory_bin += 1;
            climbed += 1;
        }
        assert_eq!((memory_bin, climbed), (3, 3));
        let last = judge(&exit(33), standing(3, 3, 0), LIMITS);
        assert!(
            last.explanation.contains("last memory bin"),
            "{}",
            last.explanation
        );
    }

    #[test]
    fn retries_are_counted() {
        let strict = Limits {
            memory_retries: 1,
            infrastructure_retries: 2,
        };
        assert_eq!(
            judge(&exit(31), standing(1, 1, 0), strict).action,
            Action::Fail
        );
        let lost = judge(&exit(35), standing(1, 0, 1), strict);
        assert_eq!(lost.action, Action::Retry(MemoryBin::new(1).unwrap()));
        assert!(lost.explanation.contains("retry 2 of 2"));
        assert_eq!(
            judge(&exit(35), standing(1, 0, 2), strict).action,
            Action::Fail
        );
    }

    #[test]
    fn terminated_stays_terminated_whatever_the_evidence() {
        for code in 0..=255 {
            let before = Standing {
                terminated: true,
                ..standing(0, 0, 0)
            };
            assert_eq!(judge(&exit(code), before, LIMITS).action, Action::Terminate);
        }
    }

    #[test]
    fn an_error_says_what_to_do() {
        let verdict = judge(&exit(27), standing(0, 0, 0), LIMITS);
        assert_eq!(verdict.action, Action::Fail);
        assert!(
            verdict.explanation.contains("best references"),
            "{}",
            verdict.explanation
        );
        assert!(verdict.explanation.contains("hint: check CRDS_CONTEXT"));
        let timeout = Evidence {
            exit_code: Some(137),
            status_reasons: vec!["Job attempt duration exceeded timeout".to_owned()],
            ..Evidence::default()
        };
        let verdict = judge(&timeout, standing(0, 0, 0), LIMITS);
        assert!(verdict.explanation.contains("timeout_scale"));
    }
}
