//! The end of a run: delivery of what was made, or of what a failure left, and the record of it.

use super::{LOGS_GRACE, Run, terminated, unless_told_to_stop};
use crate::deliver::{self, Delivery, Files};
use crate::error::{LocalError, Reason, RunError, Step};
use crate::needs::ContainerMemory;
use crate::report::peak_memory_kib;
use crate::run_log::FAILURE;
use crate::workspace::Workspace;
use caldp_core::exit_code::ExitCode;
use caldp_core::layout::Area;
use caldp_core::provenance::{self, FileRecord};
use caldp_core::state::State;
use std::time::Instant;
use storage::hint::{Hint, explain, with_causes};

impl Run<'_> {
    /// Stores everything and then the record of it; only the message is still to come.
    pub(super) async fn delivery(
        &mut self,
        workspace: &Workspace,
        delivery: &Delivery<'_>,
    ) -> Result<(), RunError> {
        let started = Instant::now();
        self.request.simulated.check(Step::Delivery)?;
        let products =
            deliver::products(&self.request.dataset, workspace.data()).map_err(not_stored)?;
        let previews = deliver::list(workspace.previews()).map_err(not_stored)?;
        let files = [
            Files {
                area: Area::Products,
                folder: workspace.data(),
                names: products,
            },
            Files {
                area: Area::Previews,
                folder: workspace.previews(),
                names: previews,
            },
        ];
        self.record.outputs = self
            .unless_cancelled(Step::Delivery, Box::pin(delivery.store(&files)))
            .await?
            .map_err(not_stored)?;
        self.record.state = State::Processed;
        self.took(Step::Delivery, started);
        let logs = self.deliver_logs(workspace, delivery).await?;
        let kept: Vec<FileRecord> = self.record.outputs.iter().chain(&logs).cloned().collect();
        self.unless_cancelled(Step::Delivery, Box::pin(delivery.remove_all_but(&kept)))
            .await?
            .map_err(not_stored)
    }

    /// What a failed run leaves for debugging: its inputs and its logs. One that is told to stop has
    /// no time for inputs, which are where they came from.
    pub(super) async fn deliver_failure(
        &mut self,
        workspace: &Workspace,
        delivery: &Delivery<'_>,
    ) -> Result<(), RunError> {
        self.record.outputs.clear();
        let inputs = self.record.inputs.iter().map(|file| file.name.clone());
        let files = [Files {
            area: Area::Failed,
            folder: workspace.data(),
            // A program may have removed what it was given.
            names: inputs
                .filter(|name| workspace.data().join(name).is_file())
                .collect(),
        }];
        // Whatever becomes of the inputs, the logs say why the run failed.
        let mut kept = Ok(());
        if !self.cancel.is_cancelled() {
            let stored = self.unless_cancelled(Step::Delivery, Box::pin(delivery.store(&files)));
            match stored.await {
                Ok(Ok(stored)) => self.record.outputs = stored,
                Ok(Err(error)) => kept = Err(not_stored(error)),
                Err(told_to_stop) => {
                    tracing::warn!("inputs are not kept: {}", with_causes(&told_to_stop));
                }
            }
        }
        // What the programs made is delivered no more, and often is what has filled the disk.
        if let Err(error) = workspace.drop_data() {
            tracing::warn!("{} stays: {error}", workspace.data().display());
        }
        self.deliver_logs(workspace, delivery).await?;
        kept
    }

    async fn deliver_logs(
        &mut self,
        workspace: &Workspace,
        delivery: &Delivery<'_>,
    ) -> Result<Vec<FileRecord>, RunError> {
        self.record.worker.peak_memory_kib = peak_memory_kib();
        if let Some(needs) = &mut self.record.needs {
            needs.wall_seconds = self.began.elapsed().as_secs_f64();
            needs.vcpus = self.processors.usable();
            needs.container_peak_kib = self.memory.as_ref().and_then(ContainerMemory::peak_kib);
        }
        let path = workspace.logs().join(provenance::FILE);
        let text = serde_json::to_vec_pretty(&self.record)
            .map_err(|e| not_stored(Reason(e.to_string())))?;
        let written = std::fs::write(&path, text)
            .map_err(LocalError::write(&path))
            .map_err(not_stored);
        if written.is_err() {
            // A part of a record is none; the other logs are worth having without it.
            let _ = std::fs::remove_file(&path);
        }
        // What is said while a log is stored would make it another file than the one begun.
        let _held = self.log.hold();
        let files = Files {
            area: Area::Logs,
            folder: workspace.logs(),
            names: deliver::list(workspace.logs()).map_err(not_stored)?,
        };
        let storing = [files];
        let storing = Box::pin(delivery.store(&storing));
        let stored = unless_told_to_stop(self.cancel, LOGS_GRACE, storing)
            .await
            .ok_or_else(|| terminated(Step::Delivery))?
            .map_err(not_stored)?;
        written.map(|()| stored)
    }

    pub(super) fn record_failure(&mut self, error: &RunError) {
        self.record.state = State::Error;
        self.record.exit_code = error.code.number();
        let words = explain(error).to_string();
        tracing::error!(target: FAILURE, "{words}");
        self.record.error = Some(words);
    }
}

fn not_stored(cause: impl Hint + Send + Sync + 'static) -> RunError {
    RunError::new(Step::Delivery, ExitCode::S3Upload, cause)
}
