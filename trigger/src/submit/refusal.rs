//! A job that AWS Batch refuses for good: an error of its dataset.

use jiff::Timestamp;

use super::reconcile::Reconciler;
use crate::batch::Batch;
use crate::error::CORRECT;
use crate::error::TriggerError;
use crate::event::evidence::Cause;
use crate::metric;
use crate::order::details::one_line;
use crate::output_root::OutputRoot;
use crate::record::attempts::{Ended, Outcome};
use crate::record::documents::VersionedRecord;

/// So much of a refusal is kept, in characters.
const MAX_REFUSAL: usize = 500;

impl<B: Batch> Reconciler<B> {
    /// Notes that AWS Batch refused a dataset's job for good: that is an error of the dataset, until somebody
    /// rescues it. The record as it is then, whoever changed it.
    pub(crate) async fn note_refusal(
        &self,
        root: &OutputRoot,
        known: VersionedRecord,
        refusal: &str,
    ) -> Result<VersionedRecord, TriggerError> {
        let mut record = known.record.clone();
        let Some(attempt) = record.pending_mut() else {
            return Ok(known);
        };
        tracing::error!(
            job_name = attempt.job_name,
            refusal,
            "AWS Batch refused the job"
        );
        attempt.claim = None;
        attempt.outcome = Some(Outcome {
            result: Ended::Failed(Cause::Refused),
            explanation: format!(
                "AWS Batch refused the job: {}",
                one_line(refusal, MAX_REFUSAL)
            ),
            remedy: Some(CORRECT.to_owned()),
            exit_code: None,
            log_stream: None,
            ran_seconds: None,
            measured: None,
            at: Timestamp::now(),
        });
        let memory_bin = attempt.memory_bin;
        let (known, ours) = self.replace(root, known, record).await?;
        if ours {
            metric::verdict(Cause::Refused.name(), memory_bin);
            self.show(root, &known.record, None).await?;
        }
        Ok(known)
    }
}
