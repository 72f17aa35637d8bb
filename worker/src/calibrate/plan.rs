//! From a dataset's files to the programs to run and the products each must leave. A program's
//! exit status proves little (calcos ends with 0 when its inputs are missing), so every step
//! names products that must exist whatever the status. The rules follow the calibration
//! switches in the raw headers and the association table; where a program's behaviour is not
//! certain, less is promised. Running the steps is left to `program`.

use super::association::Association;
use super::products::{Expected, expected_of};
use super::recipe::{Command, Inputs, Products, Recipe};
use crate::fits::{self, FitsError, Header};
use caldp_core::dataset::Dataset;
use caldp_core::exit_code::ExitCode;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

/// The programs to run for a dataset, in order.
#[derive(Debug)]
pub struct Plan {
    /// One call of one program each.
    pub steps: Vec<Step>,
}

/// One call of a program.
#[derive(Debug)]
pub struct Step {
    /// The program.
    pub program: &'static str,
    /// All arguments.
    pub arguments: Vec<OsString>,
    /// The exit code of the run when the step fails.
    pub exit_code: ExitCode,
    /// What must exist afterwards.
    pub expected: Vec<Expected>,
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
    #[error(
        "{association} lists exposure {member} ({kind}), but there is no {member}_raw*.fits\n\
         hint: the inputs are incomplete; fetch them again"
    )]
    MemberMissing {
        /// The association table.
        association: String,
        /// The exposure.
        member: String,
        /// Its `MEMTYPE`.
        kind: String,
    },
    /// A file could not be read.
    #[error(transparent)]
    Fits(#[from] FitsError),
    /// The folder could not be listed.
    #[error("{folder} could not be listed: {source}")]
    List {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// What is known of a dataset's files before calibration.
#[derive(Debug, Default)]
pub(super) struct Inventory {
    /// All file names, sorted.
    pub(super) names: Vec<String>,
    /// Primary headers of the raw files.
    pub(super) headers: BTreeMap<String, Header>,
    /// The association tables by file name.
    pub(super) associations: BTreeMap<String, Association>,
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
        if recipe.inputs != Inputs::RawOrWavecal {
            inventory.check_members(&inputs)?;
        }
        let mut steps = Vec::new();
        for command in recipe.commands() {
            for input in &inputs {
                steps.push(Step::new(dataset, recipe, command, input, &inventory));
            }
        }
        Ok(Self { steps })
    }
}

impl Step {
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
    /// see [`Expected::check`].
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

impl Inputs {
    fn description(self) -> &'static str {
        match self {
            Self::AssociationOrRaw => "_asn.fits or _raw.fits file",
            Self::RawOrWavecal => "_raw.fits or _wav.fits file",
            Self::AssociationOrFirst => "_asn.fits or _raw*.fits file",
            Self::Poller => "poller file (<dataset>_input.out)",
        }
    }
}

impl Inventory {
    fn read(recipe: &Recipe, folder: &Path) -> Result<Self, PlanError> {
        let list = |source| PlanError::List {
            folder: folder.to_owned(),
            source,
        };
        let mut inventory = Self::default();
        for entry in std::fs::read_dir(folder).map_err(list)? {
            let name = entry.map_err(list)?.file_name();
            // Names of HST files are ASCII; others are none of ours.
            let Some(name) = name.to_str() else { continue };
            let path = folder.join(name);
            if recipe.raw_files.includes(name) {
                let header = fits::read_header(&path, 0)?;
                inventory.headers.insert(name.to_owned(), header);
            }
            if name.ends_with("_asn.fits") && recipe.raw_files != super::recipe::RawFiles::None {
                let association = Association::read(&path)?;
                inventory.associations.insert(name.to_owned(), association);
            }
            inventory.names.push(name.to_owned());
        }
        inventory.names.sort_unstable();
        Ok(inventory)
    }

    /// The files that the programs are called with. Files of the dataset's own name win: a
    /// folder may hold its neighbours too.
    fn inputs(&self, dataset: &Dataset, rule: Inputs) -> Vec<String> {
        let ending =
            |ending: &str| -> Vec<String> { self.own(dataset, |name| name.ends_with(ending)) };
        let first_of = |choices: [Vec<String>; 2]| -> Vec<String> {
            let own =
                |files: &Vec<String>| files.iter().any(|name| name.starts_with(dataset.name()));
            let [first, second] = choices;
            if first.is_empty() || (own(&second) && !own(&first)) {
                second
            } else {
                first
            }
        };
        match rule {
            Inputs::AssociationOrRaw => first_of([ending("_asn.fits"), ending("_raw.fits")]),
            Inputs::RawOrWavecal => first_of([ending("_raw.fits"), ending("_wav.fits")]),
            Inputs::AssociationOrFirst => {
                let mut raw = self.own(dataset, |name| {
                    super::recipe::RawFiles::NamedRaw.includes(name)
                });
                raw.truncate(1);
                first_of([ending("_asn.fits"), raw])
            }
            Inputs::Poller => {
                let name = format!("{}_input.out", dataset.name());
                self.names
                    .contains(&name)
                    .then_some(name)
                    .into_iter()
                    .collect()
            }
        }
    }

    /// The files that satisfy `wanted`: those of the dataset's own name if there are any, else all.
    fn own(&self, dataset: &Dataset, wanted: impl Fn(&str) -> bool) -> Vec<String> {
        let all: Vec<String> = self
            .names
            .iter()
            .filter(|name| wanted(name))
            .cloned()
            .collect();
        let own: Vec<String> = all
            .iter()
            .filter(|name| name.starts_with(dataset.name()))
            .cloned()
            .collect();
        if own.is_empty() { all } else { own }
    }

    fn check_members(&self, inputs: &[String]) -> Result<(), PlanError> {
        for input in inputs {
            let Some(association) = self.associations.get(input) else {
                continue;
            };
            for member in association.exposures() {
                if self.raw_of(&member.name).next().is_none() {
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

    /// The raw files of one exposure, with their headers.
    pub(super) fn raw_of<'a>(
        &'a self,
        exposure: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a Header)> {
        self.headers
            .iter()
            .filter(move |(name, _)| {
                name.strip_prefix(exposure)
                    .is_some_and(|rest| rest.starts_with("_raw"))
            })
            .map(|(name, header)| (&**name, header))
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
