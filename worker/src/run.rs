//! One dataset, start to end: the table of contents of the worker.
//!
//! Inputs, references, calibration, previews, delivery, report: every step is a function of its
//! own room and takes what the step before returned. Whatever happens, the run ends in a state on
//! the output and a record of how it came to be.

use crate::calibrate::environment::{DatasetEnvironment, check_reference_paths};
use crate::calibrate::metrics::Metrics;
use crate::calibrate::program::Environment;
use crate::calibrate::recipe::Recipe;
use crate::calibrate::stage::{Workplace, calibrate};
use crate::config::{ConfigName, Settings};
use crate::deliver::{self, Delivery};
use crate::error::{RunError, Step};
use crate::input::Source;
use crate::input::archive::Limits;
use crate::input::gather::{S3Client, Tools, gather};
use crate::input::mast;
use crate::preview;
use crate::references::{self, References};
use crate::report::{
    FileRecord, ProgramRecord, Provenance, StepTime, Worker, masked, peak_memory_kib,
};
use crate::run_log::RunLog;
use crate::workspace::Workspace;
use caldp_core::dataset::Dataset;
use caldp_core::exit_code::ExitCode;
use caldp_core::layout::{Area, Layout};
use caldp_core::message::Messages;
use caldp_core::state::State;
use caldp_core::store::Store;
use caldp_core::uri::Location;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// How long a program may take to end when the run is told to stop; Batch kills after 30 s, and
/// logs and state are still to be written.
const PROGRAM_GRACE: Duration = Duration::from_secs(8);

/// What a command line asks for.
#[derive(Debug, Clone)]
pub struct Request {
    /// The dataset.
    pub dataset: Dataset,
    /// Where its raw files come from.
    pub input: Source,
    /// Where results go.
    pub output: Location,
    /// Which CRDS is used and where.
    pub config: ConfigName,
    /// How results are laid out.
    pub layout: Layout,
    /// Below this directory the working directory is made.
    pub home: PathBuf,
}

/// Runs a dataset to its end and says how it went.
pub async fn run(
    request: &Request,
    settings: &Settings,
    log: &RunLog,
    cancel: &CancellationToken,
) -> (Provenance, Result<(), RunError>) {
    let mut run = Run::begin(request, settings, log, cancel);
    let outcome = Box::pin(run.until_delivered()).await;
    if let Err(error) = &outcome {
        run.record_failure(error);
    }
    (run.record, outcome)
}

/// A run under way: what was asked, and the record that grows with every step.
struct Run<'a> {
    request: &'a Request,
    settings: &'a Settings,
    log: &'a RunLog,
    cancel: &'a CancellationToken,
    s3: S3Client,
    record: Provenance,
}

impl<'a> Run<'a> {
    fn begin(
        request: &'a Request,
        settings: &'a Settings,
        log: &'a RunLog,
        cancel: &'a CancellationToken,
    ) -> Self {
        let record = Provenance {
            dataset: request.dataset.to_string(),
            state: State::Processing.to_string(),
            worker: Worker {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                image: settings.get("CALDP_IMAGE").map(str::to_owned),
                job_id: settings.get("AWS_BATCH_JOB_ID").map(str::to_owned),
                peak_memory_kib: None,
            },
            input: request.input.to_string(),
            output: request.output.to_string(),
            layout: request.layout.name().to_owned(),
            started: jiff::Timestamp::now().to_string(),
            ..Provenance::default()
        };
        Self {
            request,
            settings,
            log,
            cancel,
            s3: S3Client::default(),
            record,
        }
    }

    /// The run within its state: entered first, left for `processed` or `error` last.
    async fn until_delivered(&mut self) -> Result<(), RunError> {
        let dataset = &self.request.dataset;
        let workspace = Workspace::create(&self.request.home, dataset)
            .map_err(RunError::at(Step::Setup, ExitCode::Generic))?;
        self.log_to(&workspace, "process.txt")?;
        self.announce();
        let store = match &self.request.output {
            Location::Dir(directory) => Store::dir(directory),
            Location::S3(uri) => Store::s3(self.s3.get().await.clone(), uri.clone()),
        };
        let messages = Messages::new(store.clone(), self.request.layout);
        messages
            .enter(dataset, State::Processing, b"")
            .await
            .map_err(RunError::at(Step::Messages, ExitCode::S3Upload))?;

        let delivery = Delivery::new(&store, self.request.layout, dataset);
        let outcome = Box::pin(self.process(&workspace, &delivery)).await;
        if let Err(error) = &outcome {
            self.record_failure(error);
            // The failure that is reported is the first one; what is added to it is only said.
            if let Err(more) = self.deliver_failure(&workspace, &delivery).await {
                tracing::error!("{more}");
            }
            if let Err(more) = messages
                .enter(dataset, State::Error, error.to_string().as_bytes())
                .await
            {
                tracing::error!("the state could not be recorded: {more}");
            }
            return outcome;
        }
        messages
            .enter(
                dataset,
                State::Processed,
                delivery.listing(&self.record.outputs).as_bytes(),
            )
            .await
            .map_err(RunError::at(Step::Messages, ExitCode::S3Upload))
    }

    /// Every step but the first and last message.
    async fn process(
        &mut self,
        workspace: &Workspace,
        delivery: &Delivery<'_>,
    ) -> Result<(), RunError> {
        let inputs = self.inputs(workspace).await?;
        let references = self.references(workspace, &inputs).await?;
        self.calibration(workspace, &references).await?;
        self.previews(workspace).await?;
        self.delivery(workspace, delivery).await
    }

    async fn inputs(&mut self, workspace: &Workspace) -> Result<Vec<String>, RunError> {
        let started = Instant::now();
        let Request { dataset, input, .. } = self.request;
        let variable = |name: &'static str| self.settings.get(name).map(str::to_owned);
        let tools = Tools {
            s3: &self.s3,
            mast: mast::Settings::from_variables(variable)
                .map_err(RunError::at(Step::Setup, ExitCode::CommandLine))?,
            limits: Limits::default(),
        };
        let names = self
            .unless_cancelled(
                Step::Inputs,
                Box::pin(gather(input, dataset, workspace.data(), &tools)),
            )
            .await?
            .map_err(|error| RunError::new(Step::Inputs, error.exit_code(input), error))?;
        for name in &names {
            let record = FileRecord::of(&workspace.data().join(name), name)
                .await
                .map_err(RunError::at(Step::Inputs, ExitCode::Generic))?;
            self.record.inputs.push(record);
        }
        tracing::info!("inputs: {}", names.join(" "));
        self.took(Step::Inputs, started);
        Ok(names)
    }

    async fn references(
        &mut self,
        workspace: &Workspace,
        inputs: &[String],
    ) -> Result<References, RunError> {
        let started = Instant::now();
        let references = self
            .unless_cancelled(
                Step::References,
                references::assign(
                    &self.request.dataset,
                    self.settings,
                    workspace.data(),
                    inputs,
                ),
            )
            .await?
            .map_err(RunError::at(Step::References, ExitCode::BestRefs))?;
        self.record.context.clone_from(&references.context);
        self.record.headers.clone_from(&references.headers);
        self.record.references.clone_from(&references.files);
        self.took(Step::References, started);
        Ok(references)
    }

    async fn calibration(
        &mut self,
        workspace: &Workspace,
        references: &References,
    ) -> Result<(), RunError> {
        let started = Instant::now();
        let environment = self.program_environment(workspace.data(), references)?;
        let calibration = calibrate(
            &self.request.dataset,
            Workplace {
                folder: workspace.data(),
                environment: &environment,
                log: self.log,
                cancel: self.cancel,
                timeout: None,
                grace: PROGRAM_GRACE,
            },
        )
        .await;
        keep_metrics(
            workspace,
            "process_metrics.txt",
            &calibration.metrics,
            calibration.exit_code(),
            started,
        )?;
        let programs = calibration.metrics.iter().map(ProgramRecord::from);
        self.record.programs = programs.collect();
        self.record.notes = calibration.notes;
        self.took(Step::Calibration, started);
        calibration
            .result
            .map_err(|error| RunError::new(Step::Calibration, error.exit_code(), error))
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
        environment.extend(references.variables.clone());
        let names = references.files.iter().map(|file| file.name.as_str());
        check_reference_paths(Recipe::of(dataset), &references.variables, names)
            .map_err(RunError::at(Step::Calibration, ExitCode::BestRefs))?;
        let path = folder.join(format!("{dataset}_cal_env.txt"));
        if let Ok(bytes) = fs::read(path) {
            let own = DatasetEnvironment::parse(&bytes);
            for refused in own.refused {
                let warning = format!("{dataset}_cal_env.txt {refused}");
                tracing::warn!("{warning}");
                self.record.warnings.push(warning);
            }
            environment.extend(own.variables);
        }
        Ok(environment)
    }

    /// The variables of the configuration, which include the process's own.
    fn base_environment(&self) -> Environment {
        self.settings
            .variables()
            .map(|(name, value)| (name.into(), value.into()))
            .collect()
    }

    async fn previews(&mut self, workspace: &Workspace) -> Result<(), RunError> {
        let started = Instant::now();
        self.log_to(workspace, "preview.txt")?;
        let made = preview::make(&preview::Job {
            dataset: &self.request.dataset,
            folder: workspace.data(),
            output: workspace.previews(),
            environment: self.base_environment(),
            log: self.log,
            cancel: self.cancel,
        })
        .await;
        let (name, code) = ("preview_metrics.txt", ExitCode::Ok);
        keep_metrics(workspace, name, &made.metrics, code, started)?;
        for warning in made.warnings {
            tracing::warn!("{warning}");
            self.record.warnings.push(warning.to_string());
        }
        self.took(Step::Previews, started);
        if self.cancel.is_cancelled() {
            return Err(terminated(Step::Previews));
        }
        Ok(())
    }

    /// Stores everything and then the record of it; only the message is still to come.
    async fn delivery(
        &mut self,
        workspace: &Workspace,
        delivery: &Delivery<'_>,
    ) -> Result<(), RunError> {
        let started = Instant::now();
        let products =
            deliver::products(&self.request.dataset, workspace.data()).map_err(not_stored)?;
        let previews = deliver::list(workspace.previews()).map_err(not_stored)?;
        for (area, folder, names) in [
            (Area::Products, workspace.data(), products),
            (Area::Previews, workspace.previews(), previews),
        ] {
            let stored = self
                .unless_cancelled(Step::Delivery, delivery.store(area, folder, &names))
                .await?
                .map_err(not_stored)?;
            self.record.outputs.extend(stored);
        }
        self.record.state = State::Processed.to_string();
        self.took(Step::Delivery, started);
        let logs = self.deliver_logs(workspace, delivery).await?;
        let kept: Vec<FileRecord> = self.record.outputs.iter().chain(&logs).cloned().collect();
        delivery.remove_all_but(&kept).await.map_err(not_stored)
    }

    /// What a failed run leaves for debugging: its inputs and its logs.
    async fn deliver_failure(
        &mut self,
        workspace: &Workspace,
        delivery: &Delivery<'_>,
    ) -> Result<(), RunError> {
        let inputs: Vec<String> = self
            .record
            .inputs
            .iter()
            .map(|file| file.name.clone())
            .collect();
        self.record.outputs = delivery
            .store(Area::Failed, workspace.data(), &inputs)
            .await
            .map_err(not_stored)?;
        self.deliver_logs(workspace, delivery).await.map(drop)
    }

    async fn deliver_logs(
        &mut self,
        workspace: &Workspace,
        delivery: &Delivery<'_>,
    ) -> Result<Vec<FileRecord>, RunError> {
        self.record.worker.peak_memory_kib = peak_memory_kib();
        let path = workspace.logs().join("provenance.json");
        let text = serde_json::to_vec_pretty(&self.record).map_err(not_stored)?;
        std::fs::write(path, text).map_err(not_stored)?;
        let names = deliver::list(workspace.logs()).map_err(not_stored)?;
        delivery
            .store(Area::Logs, workspace.logs(), &names)
            .await
            .map_err(not_stored)
    }

    fn record_failure(&mut self, error: &RunError) {
        self.record.state = State::Error.to_string();
        self.record.exit_code = error.code.number();
        self.record.error = Some(error.to_string());
        tracing::error!("{error}");
    }

    /// Says who runs what, and the environment with secrets masked.
    fn announce(&self) {
        let Request {
            dataset,
            input,
            output,
            config,
            ..
        } = self.request;
        tracing::info!(
            "caldp {}: {dataset} from {input} to {output}, {config}",
            self.record.worker.version
        );
        for (name, setting) in self.settings.iter() {
            let value = masked(name, &setting.value);
            tracing::info!("environment {name}={value} ({})", setting.origin);
        }
    }

    fn log_to(&self, workspace: &Workspace, name: &str) -> Result<(), RunError> {
        self.log
            .record_to(&workspace.logs().join(name))
            .map_err(RunError::at(Step::Setup, ExitCode::Generic))
    }

    fn took(&mut self, step: Step, started: Instant) {
        let seconds = started.elapsed().as_secs_f64();
        tracing::info!("{step} took {seconds:.2} s");
        self.record.steps.push(StepTime {
            step: step.name().to_owned(),
            seconds,
        });
    }

    /// The future's result, unless the run is told to stop first.
    async fn unless_cancelled<T>(
        &self,
        step: Step,
        work: impl Future<Output = T>,
    ) -> Result<T, RunError> {
        tokio::select! {
            done = work => Ok(done),
            () = self.cancel.cancelled() => Err(terminated(step)),
        }
    }
}

/// Writes what programs cost in the form of GNU `time`; where the worker did the work itself,
/// what is known of that.
fn keep_metrics(
    workspace: &Workspace,
    name: &str,
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
    fs::write(workspace.logs().join(name), metrics.render())
        .map_err(RunError::at(Step::Setup, ExitCode::Generic))
}

fn not_stored(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> RunError {
    RunError::new(Step::Delivery, ExitCode::S3Upload, cause)
}

fn terminated(step: Step) -> RunError {
    RunError::new(step, ExitCode::Terminated, "the run was told to stop")
}
