//! Simulated errors: `CALDP_SIMULATE_ERROR=<exit code>` makes the matching step of a run fail as if it had
//! failed by itself, so that operators can see what follows from every exit code.

use crate::config::variables::SIMULATE_ERROR as VARIABLE;
use crate::error::{Reason, RunError, Step};
use caldp_core::exit_code::ExitCode;
use std::borrow::Cow;
use storage::hint::Hint;

/// The failure a run is to simulate, if any.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SimulatedError(Option<ExitCode>);

/// A value that is no exit code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{VARIABLE} is {value:?}, which is no exit code of this program")]
pub struct UnknownExitCode {
    value: String,
}

impl Hint for UnknownExitCode {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(format!("unset it, or use one of {}", codes()).into())
    }
}

fn codes() -> String {
    let codes = ExitCode::ALL.map(|code| code.number().to_string());
    codes.join(", ")
}

impl SimulatedError {
    /// The error that the variable's value asks for; 0, as none at all, is for none.
    ///
    /// # Errors
    /// [`UnknownExitCode`] for what is no exit code.
    pub fn parse(value: Option<&str>) -> Result<Self, UnknownExitCode> {
        let Some(value) = value else {
            return Ok(Self(None));
        };
        let code = value.trim().parse().ok().and_then(ExitCode::from_number);
        match code {
            Some(ExitCode::Ok) => Ok(Self(None)),
            Some(code) => Ok(Self(Some(code))),
            None => Err(UnknownExitCode {
                value: value.to_owned(),
            }),
        }
    }

    /// Fails where `step` is the one that is to fail.
    ///
    /// # Errors
    /// The simulated failure.
    pub fn check(self, step: Step) -> Result<(), RunError> {
        match self.0 {
            Some(code) if step_of(code) == step => Err(RunError::new(
                step,
                code,
                Reason(format!("{VARIABLE}={}: {}", code.number(), code.meaning())),
            )),
            _ => Ok(()),
        }
    }
}

/// The step that ends with a code. Memory runs out, and the end is told, while programs run.
fn step_of(code: ExitCode) -> Step {
    match code {
        ExitCode::Ok | ExitCode::Generic | ExitCode::CommandLine => Step::Setup,
        ExitCode::InputTar | ExitCode::Mast | ExitCode::S3Download => Step::Inputs,
        ExitCode::BestRefs => Step::References,
        ExitCode::Stage1
        | ExitCode::Stage2
        | ExitCode::Svm
        | ExitCode::Mvm
        | ExitCode::ProgramMemory
        | ExitCode::OwnMemory
        | ExitCode::ContainerMemory
        | ExitCode::OsMemory
        | ExitCode::Terminated => Step::Calibration,
        ExitCode::Previews => Step::Previews,
        ExitCode::S3Upload => Step::Delivery,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const STEPS: [Step; 6] = [
        Step::Setup,
        Step::Inputs,
        Step::References,
        Step::Calibration,
        Step::Previews,
        Step::Delivery,
    ];

    #[test]
    fn every_code_fails_in_one_step_with_itself() {
        for code in ExitCode::ALL
            .into_iter()
            .filter(|code| *code != ExitCode::Ok)
        {
            let simulated = SimulatedError::parse(Some(&code.number().to_string())).unwrap();
            let failed: Vec<_> = STEPS
                .iter()
                .filter_map(|s| simulated.check(*s).err())
                .collect();
            assert_eq!(failed.len(), 1, "{code}");
            assert_eq!(failed[0].code, code);
        }
    }

    #[test]
    fn without_a_simulated_error_nothing_fails() {
        for value in [None, Some("0")] {
            let simulated = SimulatedError::parse(value).unwrap();
            assert!(STEPS.iter().all(|step| simulated.check(*step).is_ok()));
        }
    }

    #[test]
    fn what_is_no_exit_code_is_refused() {
        for value in ["3", "-1", "stage1", "256", "23x"] {
            let error = SimulatedError::parse(Some(value)).unwrap_err();
            assert!(error.hint().unwrap().contains("41"), "{error}");
        }
    }
}
