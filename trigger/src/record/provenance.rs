//! What the worker of a dataset left as its provenance record.

use caldp_core::dataset::Dataset;
use caldp_core::layout::Area;
use caldp_core::provenance::{self, Provenance};
use storage::s3::ErrorKind;

use super::documents::Documents;
use crate::error::TriggerError;
use crate::output_root::OutputRoot;

/// The largest provenance record that is read, in bytes.
const MAX_PROVENANCE: usize = 32 << 20;

impl Documents {
    /// The provenance record of a dataset's latest run; none where there is no readable one.
    ///
    /// # Errors
    /// [`TriggerError`] when S3 fails.
    pub(crate) async fn provenance(
        &self,
        root: &OutputRoot,
        dataset: &Dataset,
    ) -> Result<Option<Provenance>, TriggerError> {
        let key = root.layout.file(dataset, Area::Logs, provenance::FILE);
        match self.bytes(&root.join(&key)?, MAX_PROVENANCE).await {
            Ok(bytes) => Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok())),
            Err(TriggerError::S3(e)) if e.kind() == ErrorKind::TooLarge => Ok(None),
            Err(e) => Err(e),
        }
    }
}
