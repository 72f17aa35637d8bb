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

use super::attempts::Claim;
use super::documents::{Documents, contended};
use crate::error::TriggerError;
use crate::invocation::Invocation;

/// How often a lease is renewed during its length.
const RENEWALS: u32 = 4;

/// How often a lease of somebody else is looked at during its length.
const LOOKS: u32 = 20;

/// Leases of one length.
#[derive(Debug, Clone)]
pub struct Leases {
    documents: Documents,
    length: Duration,
}

/// A lease that is held.
#[derive(Debug)]
pub struct Lease {
    uri: S3Uri,
    owner: String,
    version: Version,
}

impl Leases {
    /// Leases that last `length` without being renewed.
    pub const fn new(documents: Documents, length: Duration) -> Self {
        Self { documents, length }
    }

    /// Takes the lease at `uri`, waiting while another invocation has it. None as soon as `over`
    /// says that the work is done.
    ///
    /// # Errors
    /// [`TriggerError::Busy`] when the invocation's time is over before.
    pub async fn take<F>(
        &self,
        uri: &S3Uri,
        what: &str,
        invocation: &Invocation,
        over: impl Fn() -> F,
    ) -> Result<Option<Lease>, TriggerError>
    where
        F: Future<Output = Result<bool, TriggerError>>,
    {
        let owner = &invocation.id;
        loop {
            if over().await? {
                return Ok(None);
            }
            let condition = match self.documents.read::<Claim>(uri).await? {
                None => Precondition::IfAbsent,
                Some((claim, version)) => {
                    if claim.owner != *owner && claim.until > Timestamp::now() {
                        if invocation.budget.is_spent() {
                            return Err(claim.busy(what));
                        }
                        sleep(self.length / LOOKS).await;
                        continue;
                    }
                    Precondition::IfVersion(version)
                }
            };
            if let Some(version) = self.claim(uri, owner, &condition).await? {
                return Ok(Some(Lease {
                    uri: uri.clone(),
                    owner: owner.clone(),
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
    pub async fn hold<T>(
        &self,
        lease: Lease,
        work: impl Future<Output = Result<T, TriggerError>>,
    ) -> Result<T, TriggerError> {
        let uri = lease.uri.clone();
        let result = tokio::select! {
            result = work => result,
            lost = self.renew(lease) => return Err(lost),
        };
        self.documents.delete(&uri).await?;
        result
    }

    /// Renews a lease until that fails.
    async fn renew(&self, mut lease: Lease) -> TriggerError {
        let every: Duration = self.length / RENEWALS;
        loop {
            sleep(every).await;
            let condition = Precondition::IfVersion(lease.version.clone());
            match self.claim(&lease.uri, &lease.owner, &condition).await {
                Ok(Some(version)) => lease.version = version,
                Ok(None) => return contended(&lease.uri),
                Err(error) => return error,
            }
        }
    }

    async fn claim(
        &self,
        uri: &S3Uri,
        owner: &str,
        condition: &Precondition,
    ) -> Result<Option<Version>, TriggerError> {
        let claim = Claim::from_now(owner, self.length, Timestamp::now());
        self.documents.write(uri, &claim, condition).await
    }
}
