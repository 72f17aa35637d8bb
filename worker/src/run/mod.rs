//! One dataset, start to end: the table of contents of the worker.
//!
//! Inputs, references, calibration, previews ([`steps`]), delivery, report ([`ending`]): every step is a
//! function that takes what the step before returned and leaves the work to its own module. Whatever
//! happens, the run ends in a state on the output and a record of how it came to be.

mod ending;
mod steps;

use crate::config::{ConfigName, Settings, variables};
use crate::deliver::Delivery;
use crate::error::{LocalError, Reason, RunError, Step};
use crate::input::archive::Limits;
use crate::input::context::S3Client;
use crate::input::source::Source;
use crate::needs::{ContainerMemory, Processors};
use crate::report::masked;
use crate::run_log::RunLog;
use crate::simulate_error::SimulatedError;
use crate::workspace::Workspace;
use caldp_core::dataset::Dataset;
use caldp_core::exit_code::ExitCode;
use caldp_core::layout::Layout;
use caldp_core::messages::{MessageError, Messages};
use caldp_core::provenance::{Needs, Provenance, StepTime, Worker};
use caldp_core::state::State;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use storage::hint::explain;
use storage::store::{Dir, S3Prefix, Store};
use storage::uri::Location;
use tokio_util::sync::CancellationToken;

/// How long a run that is told to stop waits for its programs to end. With what follows it stays
/// below the 20 s that are promised; Batch kills after 30 s.
const PROGRAM_GRACE: Duration = Duration::from_secs(8);
/// How long it then tries to deliver its logs.
const LOGS_GRACE: Duration = Duration::from_secs(5);
/// And how long to record its state.
const STATE_GRACE: Duration = Duration::from_secs(5);

/// What a command line asks for.
#[derive(Debug, Clone)]
pub struct Request {
    /// The dataset.
    pub dataset: Dataset,
    /// Where its raw files come from.
    pub input: Source,
    /// Where results go: the root of the layout.
    pub output: Location,
    /// Which CRDS is used and where.
    pub config: ConfigName,
    /// How results are laid out.
    pub layout: Layout,
    /// Below this directory the working directory is made.
    pub home: PathBuf,
    /// The longest that one calibration program may run.
    pub program_timeout: Option<Duration>,
    /// The most that an archive of inputs may hold.
    pub archive_limits: Limits,
    /// The failure to simulate.
    pub simulated: SimulatedError,
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
    if let Err(error) = &outcome
        && run.record.error.is_none()
    {
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
    began: Instant,
    processors: Processors,
    /// None where the process is in no container.
    memory: Option<ContainerMemory>,
}

impl<'a> Run<'a> {
    fn begin(
        request: &'a Request,
        settings: &'a Settings,
        log: &'a RunLog,
        cancel: &'a CancellationToken,
    ) -> Self {
        let record = Provenance {
            worker: Worker {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                image: settings.get(variables::IMAGE).map(str::to_owned),
                job_id: settings.get(variables::JOB_ID).map(str::to_owned),
                peak_memory_kib: None,
            },
            needs: Some(Needs {
                instance_type: settings.get(variables::INSTANCE_TYPE).map(str::to_owned),
                ..Needs::default()
            }),
            input: request.input.to_string(),
            output: request.output.to_string(),
            ..Provenance::begin(request.dataset.clone(), request.layout)
        };
        Self {
            request,
            settings,
            log,
            cancel,
            s3: S3Client::default(),
            record,
            began: Instant::now(),
            processors: Processors::default(),
            memory: ContainerMemory::watch(),
        }
    }

    /// The run within its state: entered first, left for `processed` or `error` last.
    async fn until_delivered(&mut self) -> Result<(), RunError> {
        let dataset = &self.request.dataset;
        let workspace = Workspace::create(&self.request.home, dataset)
            .map_err(RunError::at(Step::Setup, ExitCode::Generic))?;
        self.log_to(&workspace, "process.txt")?;
        self.announce();
        let store: Arc<dyn Store> = match &self.request.output {
            Location::Dir(directory) => Arc::new(Dir::new(directory)),
            Location::S3(uri) => Arc::new(S3Prefix::new(self.s3.get().await.clone(), uri.clone())),
        };
        let messages = Messages::new(Arc::clone(&store), self.request.layout);
        let entering = messages.enter(dataset, State::Processing, b"");
        self.within_grace(entering).await?;

        let delivery = Delivery::new(&*store, self.request.layout, dataset);
        let outcome = Box::pin(self.process(&workspace, &delivery)).await;
        if let Err(error) = &outcome {
            self.record_failure(error);
            // The failure that is reported is the first one; what is added to it is only said.
            if let Err(more) = Box::pin(self.deliver_failure(&workspace, &delivery)).await {
                tracing::error!("{}", explain(&more));
            }
            let words = explain(error).to_string();
            if let Err(more) = self.leave(&messages, State::Error, words.as_bytes()).await {
                tracing::error!("the state could not be recorded: {}", explain(&more));
            }
            return outcome;
        }
        let listing = delivery.listing(&self.record.outputs);
        self.leave(&messages, State::Processed, listing.as_bytes())
            .await
    }

    /// Every step but the first and last message.
    async fn process(
        &mut self,
        workspace: &Workspace,
        delivery: &Delivery<'_>,
    ) -> Result<(), RunError> {
        self.request.simulated.check(Step::Setup)?;
        self.processors = Processors::find(self.settings).await;
        let (inputs, preparation) = Box::pin(self.inputs(workspace)).await?;
        let references = self.references(workspace, &inputs, preparation).await?;
        self.calibration(workspace, &references).await?;
        self.previews(workspace).await?;
        Box::pin(self.delivery(workspace, delivery)).await
    }

    /// Records the state in which the run, which entered `processing`, leaves the dataset.
    async fn leave(&self, messages: &Messages, state: State, body: &[u8]) -> Result<(), RunError> {
        let dataset = &self.request.dataset;
        self.within_grace(messages.advance(dataset, State::Processing, state, body))
            .await
    }

    /// The change of state, also when the run is told to stop, if it does not take long.
    async fn within_grace(
        &self,
        change: impl Future<Output = Result<(), MessageError>>,
    ) -> Result<(), RunError> {
        unless_told_to_stop(self.cancel, STATE_GRACE, Box::pin(change))
            .await
            .ok_or_else(|| terminated(Step::Messages))?
            .map_err(RunError::at(Step::Messages, ExitCode::S3Upload))
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
        let path = workspace.logs().join(name);
        self.log
            .record_to(&path)
            .map_err(LocalError::write(&path))
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
        unless_told_to_stop(self.cancel, Duration::ZERO, work)
            .await
            .ok_or_else(|| terminated(step))
    }
}

/// The future's result; none if the run is told to stop and it takes longer than `grace` from then.
async fn unless_told_to_stop<T>(
    cancel: &CancellationToken,
    grace: Duration,
    work: impl Future<Output = T>,
) -> Option<T> {
    let mut work = pin!(work);
    tokio::select! {
        done = &mut work => return Some(done),
        () = cancel.cancelled() => {}
    }
    tokio::time::timeout(grace, work).await.ok()
}

fn terminated(step: Step) -> RunError {
    RunError::new(
        step,
        ExitCode::Terminated,
        Reason("the run was told to stop".to_owned()),
    )
}
