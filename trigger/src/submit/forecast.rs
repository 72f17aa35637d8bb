//! What an order would do, exactly: datasets, memory bins, jobs, objects, and the range of its cost.

use std::collections::BTreeMap;

use caldp_core::batch::BatchName;
use caldp_core::dataset::Dataset;
use caldp_core::resources::MemoryBin;
use serde::Serialize;
use storage::uri::S3Uri;

use super::lookup::{Estimator, input_sizes, packed};
use super::planned::PlannedBatch;
use crate::batch::ARRAY_SIZES;
use crate::bounded::for_each_bounded;
use crate::config::Config;
use crate::error::TriggerError;
use crate::record::documents::Documents;
use crate::resources::Resources;

const SECONDS_PER_HOUR: f64 = 3600.0;

/// What an order would do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Forecast {
    /// Always true: nothing was done.
    pub dry_run: bool,
    /// The batch's name, with the time of this forecast in it unless one was given.
    pub batch: BatchName,
    /// Where results would go.
    pub s3_output_path: S3Uri,
    /// How many datasets were ordered, each counted once.
    pub datasets: usize,
    /// Datasets that have a job or a result already and would be left alone.
    pub left_alone: Vec<Dataset>,
    /// What each memory bin would get.
    #[serde(rename = "rungs")]
    pub memory_bins: Vec<BinForecast>,
    /// How many jobs would be submitted, an array counting as one.
    pub jobs: usize,
    /// How many objects would be written; none would be deleted.
    pub objects_written: usize,
    /// US dollars if every job takes as long as expected.
    pub expected_cost: f64,
    /// US dollars if every job takes all its time limit.
    pub highest_cost: f64,
}

/// What one memory bin would get.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BinForecast {
    /// The memory bin.
    #[serde(rename = "rung")]
    pub memory_bin: MemoryBin,
    /// Its queue.
    pub job_queue: String,
    /// Its job definition.
    pub job_definition: String,
    /// How many datasets.
    pub datasets: usize,
    /// How many array jobs they would be in; the others get jobs of their own.
    pub arrays: usize,
    /// The longest time limit in seconds.
    pub timeout_seconds: u64,
}

/// What a planned batch would do.
///
/// # Errors
/// [`TriggerError`] when S3 fails.
pub(crate) async fn forecast(
    config: &Config,
    documents: &Documents,
    estimator: &Estimator,
    planned: &PlannedBatch,
) -> Result<Forecast, TriggerError> {
    let root = planned.output_root();
    let sizes = input_sizes(documents, &root).await?;
    let datasets = &planned.datasets;
    let found = for_each_bounded(config.concurrency, datasets, |_, dataset| {
        let (bytes, root) = (sizes.get(dataset).copied(), &root);
        async move {
            if documents.record(root, dataset).await?.is_some() {
                return Ok(None);
            }
            let features = planned
                .details
                .features(dataset)
                .or(&packed(dataset, bytes));
            let chosen = estimator.resources(features, planned.overrides).await;
            chosen.map(Some)
        }
    })
    .await?;
    let left_alone = found.iter().zip(datasets).filter(|(r, _)| r.is_none());
    let left_alone = left_alone.map(|(_, d)| d.clone()).collect();
    let chosen: Vec<Resources> = found.into_iter().flatten().collect();
    Ok(add_up(config, planned, left_alone, &chosen))
}

fn add_up(
    config: &Config,
    planned: &PlannedBatch,
    left_alone: Vec<Dataset>,
    chosen: &[Resources],
) -> Forecast {
    let arrays = planned.datasets.len() > config.array_threshold;
    let mut by_bin: BTreeMap<MemoryBin, Vec<&Resources>> = BTreeMap::new();
    for resources in chosen {
        let of_bin = by_bin.entry(resources.memory_bin).or_default();
        of_bin.push(resources);
    }
    let (mut jobs, mut expected_cost, mut highest_cost) = (0, 0.0, 0.0);
    let mut memory_bins = vec![];
    for (bin, of_bin) in by_bin {
        let site = config.memory_bins.site(bin);
        let longest = of_bin.iter().map(|r| r.timeout).max().unwrap_or_default();
        let in_arrays = arrays && ARRAY_SIZES.contains(&of_bin.len().min(*ARRAY_SIZES.end()));
        let count = if in_arrays {
            of_bin.len().div_ceil(*ARRAY_SIZES.end())
        } else {
            0
        };
        jobs += if in_arrays { count } else { of_bin.len() };
        for resources in &of_bin {
            // the children of an array share its limit
            let limit = if in_arrays {
                longest
            } else {
                resources.timeout
            };
            let price = site.hourly_price / SECONDS_PER_HOUR;
            expected_cost += resources.expected.as_secs_f64() * price;
            highest_cost += limit.as_secs_f64() * price;
        }
        let settings = planned.settings.clone();
        memory_bins.push(BinForecast {
            memory_bin: bin,
            job_queue: settings.job_queue.unwrap_or_else(|| site.queue.clone()),
            job_definition: settings
                .job_definition
                .unwrap_or_else(|| site.definition.clone()),
            datasets: of_bin.len(),
            arrays: count,
            timeout_seconds: longest.as_secs(),
        });
    }
    let of_arrays: usize = memory_bins.iter().map(|bin| 2 * bin.arrays).sum();
    // the order, that it is done, the batch's record; with arrays the plan; for each array its
    // list and its id; for each dataset its record and its message
    let of_batch = if arrays { 4 } else { 3 };
    Forecast {
        dry_run: true,
        batch: planned.batch.clone(),
        s3_output_path: planned.root.clone(),
        datasets: planned.datasets.len(),
        left_alone,
        jobs,
        objects_written: of_batch + of_arrays + 2 * chosen.len(),
        expected_cost: cents(expected_cost),
        highest_cost: cents(highest_cost),
        memory_bins,
    }
}

fn cents(dollars: f64) -> f64 {
    (dollars * 100.0).round() / 100.0
}
