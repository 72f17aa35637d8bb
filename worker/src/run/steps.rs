//! The steps of a run that make something: inputs, references, calibration, previews.

use super::{PROGRAM_GRACE, Run, terminated};
use crate::calibrate::environment::{DatasetEnvironment, check_reference_paths};
use crate::calibrate::recipe::Recipe;
use crate::calibrate::stage::{CalibrationContext, calibrate};
use crate::calibrate::versions::versions;
use crate::config::variables;
use crate::deliver;
use crate::error::{LocalError, RunError, Step};
use crate::input::context::InputContext;
use crate::input::events::InputEvents;
use crate::input::gather::gather;
use crate::input::mast;
use crate::membership::is_fits;
use crate::needs::of_raw_files;
use crate::preview;
use crate::process::metrics::Metrics;
use crate::process::program::Environment;
use crate::references::{ReferenceAssigner, ReferenceAssignerBuilder, References, ReferencesError};
use crate::report::{file_record, peak_memory_kib};
use crate::workspace::Workspace;
use caldp_core::exit_code::ExitCode;
use caldp_core::provenance::ProgramRecord;
use fits::FitsProblem;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use std::fs;
use std::path::Path;
use std::time::Instant;
use storage::hint::explain;
use tokio::task::JoinSet;

/// How many inputs are summed at once.
const SUMS_IN_FLIGHT: usize = 4;

/// The assigner, getting ready while inputs come; it stops when this is dropped.
pub(super) type Preparation = JoinSet<Result<ReferenceAssigner, ReferencesError>>;

impl Run<'_> {
    pub(super) async fn inputs(
        &mut self,
        workspace: &Workspace,
    ) -> Result<(Vec<String>, Preparation), RunError> {
        let started = Instant::now();
        self.request.simulated.check(Step::Inputs)?;
        let (dataset, input) = (&self.request.dataset, &self.request.input);
        let (events, arrived) = InputEvents::channel();
        let builder = self.assigner().await;
        let mut preparation = Preparation::new();
        preparation.spawn(async move {
            let assigner = builder.build().await?;
            assigner.prepare(arrived).await?;
            Ok(assigner)
        });
        let variable = |name: &'static str| self.settings.get(name).map(str::to_owned);
        let context = InputContext {
            s3: &self.s3,
            mast: mast::MastSettings::from_variables(variable)
                .map_err(RunError::at(Step::Setup, ExitCode::CommandLine))?,
            limits: self.request.archive_limits,
            events,
        };
        let gathering = Box::pin(gather(input, dataset, workspace.data(), &context));
        let names = self
            .unless_cancelled(Step::Inputs, gathering)
            .await?
            .map_err(|error| RunError::new(Step::Inputs, error.exit_code(input), error))?;
        let records = stream::iter(&names)
            .map(async |name| file_record(&workspace.data().join(name), name).await)
            .buffered(SUMS_IN_FLIGHT);
        self.record.inputs = records
            .try_collect()
            .await
            .map_err(LocalError::read(workspace.data()))
            .map_err(RunError::at(Step::Inputs, ExitCode::Generic))?;
        fill_last_blocks(workspace.data(), &names)?;
        if let Some(needs) = &mut self.record.needs {
            of_raw_files(
                Recipe::of(dataset).raw_files,
                workspace.data(),
                &names,
                needs,
            );
        }
        tracing::info!("inputs: {}", names.join(" "));
        self.took(Step::Inputs, started);
        Ok((names, preparation))
    }

    /// Where references are chosen and come from, with what operators say in the output's bucket.
    async fn assigner(&self) -> ReferenceAssignerBuilder {
        let operators = match self.request.output.bucket() {
            Some(bucket) => Some((self.s3.get().await.clone(), bucket.to_owned())),
            None => None,
        };
        ReferenceAssignerBuilder {
            dataset: self.request.dataset.clone(),
            settings: self.settings.clone(),
            operators,
        }
    }

    pub(super) async fn references(
        &mut self,
        workspace: &Workspace,
        inputs: &[String],
        mut preparation: Preparation,
    ) -> Result<References, RunError> {
        let started = Instant::now();
        self.request.simulated.check(Step::References)?;
        let choosing = async {
            let assigner = match preparation.join_next().await {
                Some(Ok(prepared)) => prepared?,
                Some(Err(stopped)) => return Err(std::io::Error::other(stopped).into()),
                None => return Err(std::io::Error::other("it was never begun").into()),
            };
            assigner.assign(workspace.data(), inputs).await
        };
        let references = self
            .unless_cancelled(Step::References, Box::pin(choosing))
            .await?
            .map_err(RunError::at(Step::References, ExitCode::BestRefs))?;
        self.record.context.clone_from(&references.context);
        self.record.headers.clone_from(&references.headers);
        self.record.references.clone_from(&references.files);
        self.took(Step::References, started);
        Ok(references)
    }

    pub(super) async fn calibration(
        &mut self,
        workspace: &Workspace,
        references: &References,
    ) -> Result<(), RunError> {
        let started = Instant::now();
        self.request.simulated.check(Step::Calibration)?;
        let dataset = &self.request.dataset;
        let environment = self.program_environment(workspace.data(), references)?;
        let calibration = calibrate(
            dataset,
            CalibrationContext {
                folder: workspace.data(),
                environment: &environment,
                log: self.log,
                cancel: self.cancel,
                timeout: self.request.program_timeout,
                grace: PROGRAM_GRACE,
            },
        )
        .await;
        let kept = keep_metrics(
            workspace,
            ("process_metrics.txt", Step::Calibration),
            &calibration.metrics,
            calibration.exit_code(),
            started,
        );
        let programs = calibration.metrics.iter().map(ProgramRecord::from);
        self.record.programs = programs.collect();
        self.record.notes = calibration.notes;
        let products = deliver::products(dataset, workspace.data())
            .map_err(RunError::at(Step::Calibration, ExitCode::Generic))?;
        let found = versions(Recipe::of(dataset), workspace.data(), &products).into_iter();
        let named = found.map(|(program, version)| (program.to_owned(), version));
        self.record.versions.extend(named);
        self.took(Step::Calibration, started);
        match (calibration.result, kept) {
            (Ok(()), kept) => kept,
            (Err(error), kept) => {
                if let Err(more) = kept {
                    tracing::warn!("{}", explain(&more));
                }
                Err(RunError::new(Step::Calibration, error.exit_code(), error))
            }
        }
    }

    /// The environment of the calibration programs: the run's own, where their references are, and
    /// what the dataset's environment file adds.
    fn program_environment(
        &mut self,
        folder: &Path,
        references: &References,
    ) -> Result<Environment, RunError> {
        let dataset = &self.request.dataset;
        let mut environment = self.base_environment();
        if let Some(threads) = self.processors.threads() {
            environment.insert(variables::THREADS.into(), threads.to_string().into());
        }
        environment.extend(references.variables.clone());
        let names = references.files.iter().map(|file| file.name.as_str());
        check_reference_paths(Recipe::of(dataset), &references.variables, names)
            .map_err(RunError::at(Step::Calibration, ExitCode::BestRefs))?;
        let own = DatasetEnvironment::read(dataset, folder)
            .map_err(RunError::at(Step::Calibration, ExitCode::Generic))?;
        for refused in own.refused {
            let warning = format!("{dataset}_cal_env.txt {refused}");
            tracing::warn!("{warning}");
            self.record.warnings.push(warning);
        }
        for name in own.variables.keys() {
            tracing::info!("{dataset}_cal_env.txt sets {}", name.display());
        }
        environment.extend(own.variables);
        Ok(environment)
    }

    /// The variables of the configuration, which include the process's own.
    fn base_environment(&self) -> Environment {
        self.settings
            .variables()
            .map(|(name, value)| (name.into(), value.into()))
            .collect()
    }

    pub(super) async fn previews(&mut self, workspace: &Workspace) -> Result<(), RunError> {
        let started = Instant::now();
        self.log_to(workspace, "preview.txt")?;
        self.request.simulated.check(Step::Previews)?;
        let made = preview::make(&preview::Job {
            dataset: &self.request.dataset,
            folder: workspace.data(),
            output: workspace.previews(),
            environment: self.base_environment(),
            log: self.log,
            cancel: self.cancel,
        })
        .await;
        let name = ("preview_metrics.txt", Step::Previews);
        keep_metrics(workspace, name, &made.metrics, ExitCode::Ok, started)?;
        for warning in made.warnings {
            let words = explain(&warning).to_string();
            tracing::warn!("{words}");
            self.record.warnings.push(words);
        }
        let fitscut = made.fitscut.map(|version| ("fitscut".to_owned(), version));
        self.record.versions.extend(fitscut);
        self.took(Step::Previews, started);
        if self.cancel.is_cancelled() {
            return Err(terminated(Step::Previews));
        }
        Ok(())
    }
}

/// Completes files that lack only what fills their last block: they are whole, but not every
/// program reads them.
fn fill_last_blocks(folder: &Path, names: &[String]) -> Result<(), RunError> {
    for name in names.iter().filter(|name| is_fits(name)) {
        match fits::fill(&folder.join(name)) {
            Ok(true) => tracing::warn!("{name} lacked what fills its last block"),
            Err(error) if matches!(error.problem, FitsProblem::Write(_)) => {
                let path = folder.join(name);
                let written = LocalError::write(&path)(std::io::Error::other(error));
                return Err(RunError::new(Step::Inputs, ExitCode::Generic, written));
            }
            // A file that nobody needs may be damaged.
            Ok(false) | Err(_) => {}
        }
    }
    Ok(())
}

/// Writes what programs cost in the form of GNU `time`; where the worker did the work itself,
/// what is known of that.
fn keep_metrics(
    workspace: &Workspace,
    (name, step): (&str, Step),
    ran: &[Metrics],
    code: ExitCode,
    started: Instant,
) -> Result<(), RunError> {
    let metrics = match ran {
        [_, ..] => {
            let commands: Vec<&str> = ran.iter().map(|m| m.command.as_str()).collect();
            Metrics::total(&commands.join("; "), code, ran)
        }
        [] => Metrics::of_own_work("caldp", started.elapsed(), peak_memory_kib()),
    };
    let path = workspace.logs().join(name);
    fs::write(&path, metrics.render())
        .map_err(LocalError::write(&path))
        .map_err(RunError::at(step, ExitCode::Generic))
}
