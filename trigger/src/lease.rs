//! The right of one invocation to work on something at a time: a small document with an owner and
//! an end, renewed while the work goes on.
//!
//! An invocation that died leaves a lease that runs out; a retry of the same invocation takes it
//! over at once, because it only runs when the one before is over.

use std::time::Duration;

use jiff::Timestamp;
use storage::s3::{Precondition, Version};
use storage::uri::S3Uri;
use tokio::time::sleep;

use crate::desk::{Call, Desk, busy, contended};
use crate::error::TriggerError;
use crate::jobs::Batch;
use crate::record::Claim;

/// How often a lease is renewed during its length.
const RENEWALS: u32 = 4;

/// How often a lease of somebody else is looked at during its length.
const LOOKS: u32 = 20;

/// A lease that is held.
#[derive(Debug)]
pub(crate) struct Lease {
    uri: S3Uri,
    owner: String,
    version: Version,
}

impl<B: Batch> Desk<B> {
    /// Takes the lease at `uri`, waiting while another invocation has it. None as soon as `over`
    /// says that the work is done.
    ///
    /// # Errors
    /// [`TriggerError::Busy`] when the invocation's time is over before.
    pub(crate) async fn lease<F>(
        &self,
        uri: &S3Uri,
        what: &str,
        call: &Call,
        over: impl Fn() -> F,
    ) -> Result<Option<Lease>, TriggerError>
    where
        F: Future<Output = Result<bool, TriggerError>>,
    {
        loop {
            if over().await? {
                return Ok(None);
            }
            let found = self.read::<Claim>(uri).await?;
            let condition = match found {
                None => Precondition::IfAbsent,
                Some((claim, version)) => {
                    if claim.owner != call.id && claim.until > Timestamp::now() {
                        if call.budget.is_spent() {
                            return Err(busy(what, &claim));
                        }
                        sleep(self.config.lease / LOOKS).await;
                        continue;
                    }
                    Precondition::IfVersion(version)
                }
            };
            if let Some(version) = self.write(uri, &self.claim_now(call), &condition).await? {
                return Ok(Some(Lease {
                    uri: uri.clone(),
                    owner: call.id.clone(),
                    version,
                }));
            }
        }
    }

    /// Does `work` while renewing the lease, and gives the lease back afterwards.
    ///
    /// # Errors
    /// Those of the work; [`TriggerError::Contended`] when the lease was lost, after which nothing
    /// more is done.
    pub(crate) async fn under<T>(
        &self,
        lease: Lease,
        work: impl Future<Output = Result<T, TriggerError>>,
    ) -> Result<T, TriggerError> {
        let uri = lease.uri.clone();
        let result = tokio::select! {
            result = work => result,
            lost = self.keep(lease) => return Err(lost),
        };
        self.s3.delete(&uri).await?;
        result
    }

    /// Renews a lease until that fails.
    async fn keep(&self, mut lease: Lease) -> TriggerError {
        let every: Duration = self.config.lease / RENEWALS;
        loop {
            sleep(every).await;
            let call = Call {
                id: lease.owner.clone(),
                budget: crate::pace::Budget::UNLIMITED,
            };
            let condition = Precondition::IfVersion(lease.version.clone());
            match self
                .write(&lease.uri, &self.claim_now(&call), &condition)
                .await
            {
                Ok(Some(version)) => lease.version = version,
                Ok(None) => return contended(&lease.uri),
                Err(error) => return error,
            }
        }
    }
}
