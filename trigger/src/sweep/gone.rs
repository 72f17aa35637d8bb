//! A job of which AWS Batch knows nothing any more: what its worker left on S3 stands for its event.

use caldp_core::batch::JobId;
use caldp_core::dataset::Dataset;
use caldp_core::layout::Area;
use caldp_core::messages::MessageError;
use caldp_core::provenance::Provenance;
use caldp_core::state::State;

use crate::error::TriggerError;
use crate::event::evidence::Evidence;
use crate::event::job_event::{JobEvent, Role, Status};
use crate::order::details::one_line;
use crate::output_root::OutputRoot;
use crate::record::documents::Documents;

/// So much of a worker's message is kept, in characters, and so much of it is read, in bytes.
const TOLD: usize = 500;
const MAX_MESSAGE: usize = 256 << 10;

/// The event of a dataset's job, from what is on S3.
pub(super) async fn event(
    documents: &Documents,
    root: &OutputRoot,
    dataset: &Dataset,
    job: &JobId,
) -> Result<JobEvent, TriggerError> {
    let state = documents.messages(root).look(dataset).await?.current();
    let (status, evidence) = match state {
        Some(State::Processed | State::Syncing | State::Synced | State::Archived) => {
            (Status::Succeeded, Evidence::default())
        }
        _ => match left_by(documents, root, dataset, job).await? {
            Some(run) if run.state == State::Processed => {
                deliver(documents, root, dataset).await?;
                (Status::Succeeded, Evidence::default())
            }
            Some(run) => (Status::Failed, exited(run.exit_code)),
            None if state == Some(State::Error) => {
                (Status::Failed, told(documents, root, dataset).await?)
            }
            None => (Status::Failed, Evidence::lost()),
        },
    };
    Ok(JobEvent {
        job_id: job.clone(),
        job_name: String::new(),
        queue: String::new(),
        status,
        role: Role::Single,
        command: vec![],
        layout: Some(root.layout),
        evidence,
        log_stream: None,
        timeout_seconds: None,
    })
}

/// The provenance record of this job's run, if it came to write one.
async fn left_by(
    documents: &Documents,
    root: &OutputRoot,
    dataset: &Dataset,
    job: &JobId,
) -> Result<Option<Provenance>, TriggerError> {
    let found = documents.provenance(root, dataset).await?;
    Ok(found.filter(|run| run.worker.job_id.as_deref() == Some(job.as_str())))
}

/// Says that the dataset is processed, for a worker that stored everything and did not come to say so.
async fn deliver(
    documents: &Documents,
    root: &OutputRoot,
    dataset: &Dataset,
) -> Result<(), TriggerError> {
    let archive = root.layout.archive(dataset, Area::Products);
    let archive = archive.map(|key| root.join(&key)).transpose()?;
    let body = archive.map_or_else(String::new, |uri| uri.to_string());
    let messages = documents.messages(root);
    let entered = messages.enter(dataset, State::Processed, body.as_bytes());
    match entered.await {
        Ok(()) | Err(MessageError::NotAllowed { .. }) => Ok(()),
        Err(MessageError::Store(error)) => Err(error.into()),
    }
}

fn exited(code: u8) -> Evidence {
    Evidence {
        exit_code: Some(code.into()),
        ..Evidence::default()
    }
}

/// What the worker said in its message, where it left no record.
async fn told(
    documents: &Documents,
    root: &OutputRoot,
    dataset: &Dataset,
) -> Result<Evidence, TriggerError> {
    let uri = root.join(&root.layout.message(State::Error, dataset))?;
    let words = documents
        .bytes(&uri, MAX_MESSAGE)
        .await?
        .unwrap_or_default();
    let words = one_line(&String::from_utf8_lossy(&words), TOLD);
    Ok(Evidence {
        status_reasons: vec![format!("the worker said: {words}")],
        ..Evidence::default()
    })
}
