//! From a dataset's files to the programs to run and the products each must leave. A program's
//! exit status proves little (calcos ends with 0 when its inputs are missing), so every step
//! names products that must exist whatever the status. The rules follow the calibration
//! switches in the raw headers and the association table; where a program's behaviour is not
//! certain, less is promised. Running the steps is left to `program`.

use super::expected::expected_of;
use super::inventory::{Inventory, InventoryError};
use super::products::ExpectedProduct;
use super::recipe::{Command, InputRule, Products, Recipe};
use caldp_core::dataset::Dataset;
use caldp_core::exit_code::ExitCode;
use std::borrow::Cow;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use storage::hint::Hint;

/// The programs to run for a dataset, in order.
#[derive(Debug)]
pub struct Plan {
    /// One call of one program each.
    pub steps: Vec<ProgramCall>,
}

/// One call of a program.
#[derive(Debug)]
pub struct ProgramCall {
    /// The program.
    pub program: &'static str,
    /// All arguments.
    pub arguments: Vec<OsString>,
    /// The exit code of the run when the step fails.
    pub exit_code: ExitCode,
    /// What must exist afterwards.
    pub expected: Vec<ExpectedProduct>,
    recipe: &'static Recipe,
}

/// How the status of a step is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Success: the expected products must be there.
    Complete,
    /// Not a failure, for the reason given: the expected products must be there.
    Tolerated(&'static str),
    /// Not a failure, for the reason given: there was nothing to do, nothing is expected.
    NothingToDo(&'static str),
    /// A failure.
    Failed,
}

/// Why a dataset cannot be calibrated with the files at hand.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// None of the files that the programs start from is there.
    #[error("{folder} has no {wanted} to calibrate for {dataset}")]
    NoInput {
        /// The dataset.
        dataset: String,
        /// Where its files should be.
        folder: PathBuf,
        /// What was looked for.
        wanted: &'static str,
    },
    /// The association lists an exposure that is not there.
    #[error("{association} lists exposure {member} ({kind}), but there is no {member}_raw*.fits")]
    MemberMissing {
        /// The association table.
        association: String,
        /// The exposure.
        member: String,
        /// Its `MEMTYPE`.
        kind: String,
    },
    /// A raw file that no program takes.
    #[error("{file} cannot be calibrated: its exposure has no {wanted}")]
    LeftOut {
        /// The file.
        file: String,
        /// What the programs take.
        wanted: &'static str,
    },
    /// The files could not be looked at.
    #[error(transparent)]
    Inventory(#[from] InventoryError),
}

impl Hint for PlanError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(match self {
            Self::NoInput { .. } => {
                "the inputs are not of this dataset; look what is in them".into()
            }
            Self::LeftOut { .. } => "take it out of the inputs, or add what is missing".into(),
            Self::MemberMissing { .. } => "the inputs are incomplete; fetch them again".into(),
            Self::Inventory(error) => return error.hint(),
        })
    }
}

impl Plan {
    /// Looks at the files in `folder`, the dataset's working directory before calibration.
    pub fn new(dataset: &Dataset, folder: &Path) -> Result<Self, PlanError> {
        let recipe = Recipe::of(dataset);
        let inventory = Inventory::read(recipe, folder)?;
        let inputs = inventory.inputs(dataset, recipe.inputs);
        if inputs.is_empty() {
            return Err(PlanError::NoInput {
                dataset: dataset.name().to_owned(),
                folder: folder.to_owned(),
                wanted: recipe.inputs.description(),
            });
        }
        if let Some(file) = inventory.left_out(&inputs) {
            return Err(PlanError::LeftOut {
                file: file.to_owned(),
                wanted: recipe.inputs.description(),
            });
        }
        if recipe.inputs != InputRule::RawOrWavecal {
            check_members(&inventory, &inputs)?;
        }
        let mut steps = Vec::new();
        for command in recipe.commands() {
            for input in &inputs {
                steps.push(ProgramCall::new(
                    dataset, recipe, command, input, &inventory,
                ));
            }
        }
        Ok(Self { steps })
    }
}

impl ProgramCall {
    fn new(
        dataset: &Dataset,
        recipe: &'static Recipe,
        command: Command,
        input: &str,
        inventory: &Inventory,
    ) -> Self {
        Self {
            program: command.program,
            arguments: command
                .arguments
                .iter()
                .copied()
                .chain([input])
                .map(OsString::from)
                .collect(),
            exit_code: command.exit_code,
            expected: expected_of(dataset, command, input, inventory),
            recipe,
        }
    }

    /// How the program's status is to be read. Whether products are there is another question:
    /// see [`ExpectedProduct::check`].
    pub fn verdict(&self, status: ExitStatus) -> Verdict {
        if status.success() {
            return Verdict::Complete;
        }
        let tolerated = self
            .recipe
            .tolerated
            .iter()
            .find(|tolerated| Some(tolerated.status) == status.code());
        match tolerated {
            None => Verdict::Failed,
            Some(tolerated) => match tolerated.products {
                Products::Required => Verdict::Tolerated(tolerated.meaning),
                Products::NoneMade => Verdict::NothingToDo(tolerated.meaning),
            },
        }
    }
}

impl InputRule {
    fn description(self) -> &'static str {
        match self {
            Self::AssociationOrRaw => "_asn.fits or _raw.fits file",
            Self::RawOrWavecal => "_raw.fits or _wav.fits file",
            Self::AssociationOrFirst => "_asn.fits or _raw*.fits file",
            Self::Poller => "poller file (<dataset>_input.out)",
        }
    }
}

/// Every exposure that an association says is there must be.
fn check_members(inventory: &Inventory, inputs: &[String]) -> Result<(), PlanError> {
    for input in inputs {
        let Some(association) = inventory.associations.get(input) else {
            continue;
        };
        for member in association.exposures() {
            if inventory.raw_of(&member.name).next().is_none() {
                return Err(PlanError::MemberMissing {
                    association: input.clone(),
                    member: member.name.clone(),
                    kind: format!("EXP-{}", member.group),
                });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
