//! What an order would do, exactly: datasets, memory bins, jobs, objects, and the range of its cost.

use std::collections::BTreeMap;
use std::time::Duration;

use caldp_core::batch::BatchName;
use caldp_core::dataset::Dataset;
use caldp_core::resources::MemoryBin;
use serde::Serialize;
use storage::uri::S3Uri;

use super::division::{Division, JobShape, divide, shares};
use super::lookup::{Estimator, input_sizes, packed};
use super::planned::PlannedBatch;
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
            let features = planned
                .details
                .features(dataset)
                .or(&packed(dataset, bytes));
            let known = documents.record(root, dataset);
            let chosen = estimator.resources(features, planned.overrides);
            let (known, resources) = tokio::try_join!(known, chosen)?;
            Ok(Chosen {
                resources,
                is_new: known.is_none(),
            })
        }
    })
    .await?;
    Ok(add_up(config, planned, &found))
}

/// What a dataset would get, and whether it would get it.
struct Chosen {
    resources: Resources,
    /// Whether nothing is known of it: else it would be left alone.
    is_new: bool,
}

/// The arrays and the single jobs of those that would be submitted.
fn division<'a>(
    config: &Config,
    planned: &PlannedBatch,
    found: &'a [Chosen],
) -> Division<JobShape, &'a Resources> {
    let bins: Vec<MemoryBin> = found.iter().map(|c| c.resources.memory_bin).collect();
    let shares = if planned.datasets.len() > config.array_threshold {
        shares(&bins)
    } else {
        vec![JobShape::Single; bins.len()]
    };
    let new = found.iter().zip(shares).filter(|(chosen, _)| chosen.is_new);
    divide(new.map(|(chosen, share)| {
        let array = Some(share).filter(|share| *share != JobShape::Single);
        (array, &chosen.resources)
    }))
}

fn add_up(config: &Config, planned: &PlannedBatch, found: &[Chosen]) -> Forecast {
    let Division { arrays, singles } = division(config, planned, found);
    // each job with its time limit, which the children of an array share
    let arrays = arrays.into_iter().map(|(_, members)| members);
    let singles = singles.into_iter().map(|single| vec![single]);
    let mut by_bin: BTreeMap<MemoryBin, Vec<Vec<&Resources>>> = BTreeMap::new();
    for job in arrays.chain(singles) {
        if let Some(first) = job.first() {
            by_bin.entry(first.memory_bin).or_default().push(job);
        }
    }
    let (mut jobs, mut expected_cost, mut highest_cost) = (0, 0.0, 0.0);
    let mut memory_bins = vec![];
    for (bin, of_bin) in by_bin {
        let site = config.memory_bins.site(bin);
        let price = site.hourly_price / SECONDS_PER_HOUR;
        let mut longest = Duration::ZERO;
        jobs += of_bin.len();
        for job in &of_bin {
            let limit = job.iter().map(|r| r.timeout).max().unwrap_or_default();
            longest = longest.max(limit);
            for resources in job {
                expected_cost += resources.expected.as_secs_f64() * price;
                highest_cost += limit.as_secs_f64() * price;
            }
        }
        let settings = planned.settings.clone();
        memory_bins.push(BinForecast {
            memory_bin: bin,
            job_queue: settings.job_queue.unwrap_or_else(|| site.queue.clone()),
            job_definition: settings
                .job_definition
                .unwrap_or_else(|| site.definition.clone()),
            datasets: of_bin.iter().map(Vec::len).sum(),
            arrays: of_bin.iter().filter(|job| job.len() > 1).count(),
            timeout_seconds: longest.as_secs(),
        });
    }
    let of_arrays: usize = memory_bins.iter().map(|bin| 2 * bin.arrays).sum();
    // the note of the output, the order, that it is done, the batch's record; with arrays the plan; for each array its
    // list and its id; for each dataset its record and its message
    let with_plan = planned.datasets.len() > config.array_threshold;
    let of_batch = if with_plan { 5 } else { 4 };
    let submitted = found.iter().filter(|chosen| chosen.is_new).count();
    let left_alone = found.iter().zip(&planned.datasets);
    let left_alone = left_alone.filter(|(chosen, _)| !chosen.is_new);
    Forecast {
        dry_run: true,
        batch: planned.batch.clone(),
        s3_output_path: planned.root.clone(),
        datasets: planned.datasets.len(),
        left_alone: left_alone.map(|(_, dataset)| dataset.clone()).collect(),
        jobs,
        objects_written: of_batch + of_arrays + 2 * submitted,
        expected_cost: cents(expected_cost),
        highest_cost: cents(highest_cost),
        memory_bins,
    }
}

fn cents(dollars: f64) -> f64 {
    (dollars * 100.0).round() / 100.0
}
