//! Work on many datasets at once: bounded, in order, and not given up at the first failure.

use std::sync::atomic::{AtomicUsize, Ordering};

use caldp_core::dataset::Dataset;
use futures_util::{StreamExt, stream};
use tracing::{Instrument, info_span};

use crate::error::TriggerError;

/// After so many failures the rest of a batch is not tried in this invocation.
const MAX_FAILURES: usize = 20;

/// Does something with every dataset, at most `concurrency` at a time, in the order given. Failures
/// of some do not keep the others from their turn, unless there are many.
pub(crate) async fn for_each_bounded<'d, T, F>(
    concurrency: usize,
    datasets: &'d [Dataset],
    work: impl Fn(usize, &'d Dataset) -> F,
) -> Result<Vec<T>, TriggerError>
where
    F: Future<Output = Result<T, TriggerError>>,
{
    let failures = AtomicUsize::new(0);
    let (failures, work) = (&failures, &work);
    let results: Vec<Option<Result<T, TriggerError>>> = stream::iter(datasets.iter().enumerate())
        .map(|(index, dataset)| {
            async move {
                if failures.load(Ordering::Relaxed) >= MAX_FAILURES {
                    return None;
                }
                let result = work(index, dataset).await;
                if result.is_err() {
                    failures.fetch_add(1, Ordering::Relaxed);
                }
                Some(result)
            }
            .instrument(info_span!("dataset", %dataset))
        })
        .buffered(concurrency)
        .collect()
        .await;
    let (mut values, mut errors) = (Vec::with_capacity(results.len()), vec![]);
    for result in results.into_iter().flatten() {
        match result {
            Ok(value) => values.push(value),
            Err(error) => errors.push(error),
        }
    }
    match TriggerError::of_parts(errors, datasets.len()) {
        Some(error) => Err(error),
        None => Ok(values),
    }
}
