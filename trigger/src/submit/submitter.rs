//! Taking an order: kept under the identity of what brought it, so that a second delivery continues
//! the first; worked on by one invocation at a time, under a lease; handed on when the time is over.
//!
//! Up to a threshold every dataset gets a job of its own; above it there are array jobs.

use std::collections::HashSet;
use std::sync::Arc;

use caldp_core::batch::BatchName;
use caldp_core::dataset::Dataset;
use caldp_core::layout::{BatchListFormat, Layout};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use storage::s3::Precondition;
use storage::uri::S3Uri;
use tracing::{Instrument, info_span};

use super::arrays::ArraySubmitter;
use super::batch_record;
use super::dataset::DatasetSubmitter;
use super::forecast::{Forecast, forecast};
use super::identity::identity;
use super::lookup::{Estimator, input_sizes, packed, with_messages};
use super::planned::{PlannedBatch, Submission, SubmitOutcome, Submitted, submission_id, summary};
use super::reconcile::Reconciler;
use crate::batch::Batch;
use crate::batch::client::BatchClient;
use crate::bounded::for_each_bounded;
use crate::config::Config;
use crate::error::TriggerError;
use crate::invocation::Invocation;
use crate::order::Order;
use crate::record::batches::Batches;
use crate::record::documents::{Documents, contended, unreadable};
use crate::record::lease::Leases;
use crate::record::transition::job_name;

/// Takes orders and continues them.
#[derive(Debug)]
pub struct Submitter<B> {
    config: Arc<Config>,
    documents: Documents,
    batches: Batches,
    leases: Leases,
    estimator: Estimator,
    datasets: Arc<DatasetSubmitter<B>>,
    arrays: ArraySubmitter<B>,
}

/// What came of an order.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum OrderAnswer {
    /// It was submitted, or a part of it.
    Submitted(Submitted),
    /// It was only asked what it would do.
    Forecast(Forecast),
}

/// The rest of a submission, as it is handed on.
#[derive(Serialize)]
struct Continuation<'a> {
    #[serde(rename = "continue")]
    id: &'a BatchName,
}

impl<B: Batch> Submitter<B> {
    /// A submitter of a deployment.
    pub(crate) fn new(
        config: Arc<Config>,
        documents: Documents,
        batches: Batches,
        batch_client: Arc<BatchClient<B>>,
        reconciler: Arc<Reconciler<B>>,
        estimator: Estimator,
    ) -> Self {
        let datasets = Arc::new(DatasetSubmitter::new(
            Arc::clone(&config),
            documents.clone(),
            Arc::clone(&reconciler),
        ));
        Self {
            leases: Leases::new(documents.clone(), config.lease),
            arrays: ArraySubmitter::new(
                Arc::clone(&config),
                documents.clone(),
                batch_client,
                reconciler,
                Arc::clone(&datasets),
                estimator.clone(),
            ),
            estimator,
            datasets,
            config,
            documents,
            batches,
        }
    }

    /// Submits an order, continues it, or says what it would do.
    ///
    /// # Errors
    /// [`TriggerError`]; delivered again under the same `origin` the order is taken up where it
    /// stopped.
    pub async fn order(
        &self,
        order: Order,
        origin: &str,
        invocation: &Invocation,
    ) -> Result<OrderAnswer, TriggerError> {
        if let Some(output) = &order.output {
            self.documents.check_bucket(output.bucket())?;
        }
        self.config.offers.check(&order, &self.config.memory_bins)?;
        if order.dry_run {
            let planned = PlannedBatch::new(order, origin, Timestamp::now(), &self.config)?;
            let forecast =
                forecast(&self.config, &self.documents, &self.estimator, &planned).await?;
            return Ok(OrderAnswer::Forecast(forecast));
        }
        let id = submission_id(origin)?;
        let planned = self.plan(order, origin, &id).await?;
        let submitted = self.work_on(&id, &planned, invocation).await?;
        Ok(OrderAnswer::Submitted(submitted))
    }

    /// The identity of an order that came without an object, by its words.
    ///
    /// # Errors
    /// [`TriggerError`] when S3 fails.
    pub async fn identity(&self, words: &Value) -> Result<String, TriggerError> {
        identity(&self.documents, words, Timestamp::now()).await
    }

    /// Continues an order that was planned before.
    ///
    /// # Errors
    /// As [`Submitter::order`].
    pub async fn resume(
        &self,
        id: &BatchName,
        invocation: &Invocation,
    ) -> Result<Submitted, TriggerError> {
        let uri = self.documents.submission_file(id, "request.json")?;
        let found = self.documents.read::<PlannedBatch>(&uri).await?;
        let (planned, _) = found.ok_or_else(|| unreadable(&uri, "it is not there".to_owned()))?;
        self.work_on(id, &planned, invocation).await
    }

    /// The order as it was understood first, by this invocation or another.
    async fn plan(
        &self,
        order: Order,
        origin: &str,
        id: &BatchName,
    ) -> Result<PlannedBatch, TriggerError> {
        let uri = self.documents.submission_file(id, "request.json")?;
        if let Some((planned, _)) = self.documents.read(&uri).await? {
            return Ok(planned);
        }
        let planned = PlannedBatch::new(order, origin, Timestamp::now(), &self.config)?;
        self.batches.open(&planned.output_root(), Some(id)).await?;
        let condition = Precondition::IfAbsent;
        match self.documents.write(&uri, &planned, &condition).await? {
            Some(_) => Ok(planned),
            None => match self.documents.read(&uri).await? {
                Some((planned, _)) => Ok(planned),
                None => Err(contended(&uri)),
            },
        }
    }

    async fn work_on(
        &self,
        id: &BatchName,
        planned: &PlannedBatch,
        invocation: &Invocation,
    ) -> Result<Submitted, TriggerError> {
        let done = self.documents.submission_file(id, "done.json")?;
        let lease = self.documents.submission_file(id, "lease.json")?;
        let over = async || Ok(self.documents.read::<Submitted>(&done).await?.is_some());
        let what = format!("batch {}", planned.batch);
        let Some(lease) = self.leases.take(&lease, &what, invocation, over).await? else {
            let found = self.documents.read::<Submitted>(&done).await?;
            return found.map(|(done, _)| done).ok_or_else(|| contended(&done));
        };
        let submission = Submission {
            id: id.clone(),
            root: planned.output_root(),
            planned,
            invocation: Invocation {
                id: id.to_string(),
                budget: invocation.budget,
            },
            stale: HashSet::new(),
        };
        let span = info_span!("batch", batch = %planned.batch);
        let work = self.submit_all(submission, &done).instrument(span);
        self.leases.hold(lease, work).await
    }

    async fn submit_all(
        &self,
        mut submission: Submission<'_>,
        done: &S3Uri,
    ) -> Result<Submitted, TriggerError> {
        submission.stale = with_messages(&self.documents, &submission.root).await?;
        let planned = submission.planned;
        let outcomes = if planned.datasets.len() > self.config.array_threshold {
            self.arrays.submit(&submission).await?
        } else {
            self.submit_singles(&submission).await?
        };
        let summary = summary(planned, &outcomes);
        if summary.continues {
            self.hand_on(&submission.id).await?;
            return Ok(summary);
        }
        let bins = &self.config.memory_bins;
        batch_record::write(&self.documents, bins, &submission, &outcomes).await?;
        self.documents.put(done, &summary).await?;
        Ok(summary)
    }

    async fn submit_singles(
        &self,
        submission: &Submission<'_>,
    ) -> Result<Vec<SubmitOutcome>, TriggerError> {
        let planned = submission.planned;
        let sizes = input_sizes(&self.documents, &submission.root).await?;
        for_each_bounded(self.config.concurrency, &planned.datasets, |_, dataset| {
            self.submit_single(submission, dataset, sizes.get(dataset).copied())
        })
        .await
    }

    async fn submit_single(
        &self,
        submission: &Submission<'_>,
        dataset: &Dataset,
        packed_bytes: Option<u64>,
    ) -> Result<SubmitOutcome, TriggerError> {
        if submission.invocation.budget.is_spent() {
            return Ok(SubmitOutcome::Postponed);
        }
        let before = self.datasets.claimed_before(submission, dataset).await?;
        let claim = if let Some(claim) = before {
            claim
        } else {
            let planned = submission.planned;
            let name = job_name(&submission.root.uri, dataset, 1, &planned.origin);
            let features = planned
                .details
                .features(dataset)
                .or(&packed(dataset, packed_bytes));
            let chosen = self.estimator.resources(features, planned.overrides);
            let chosen = chosen.await?;
            let claim = self.datasets.claim(submission, dataset, chosen, name);
            claim.await?
        };
        match claim {
            Some(known) => self.datasets.submit(submission, known).await,
            None => Ok(SubmitOutcome::LeftAlone),
        }
    }

    /// Leaves the rest of a submission to the next invocation.
    ///
    /// # Errors
    /// [`TriggerError`] when S3 fails.
    pub async fn hand_on(&self, id: &BatchName) -> Result<(), TriggerError> {
        let name = format!("continue-{id}-{}", Timestamp::now().as_millisecond());
        let key = Layout::Tree.batch_list(&name, BatchListFormat::Json);
        let uri = S3Uri::new(self.documents.bucket(), &key)?;
        self.documents.put(&uri, &Continuation { id }).await
    }
}
