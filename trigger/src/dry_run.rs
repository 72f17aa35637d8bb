//! What an order would do, exactly: datasets, rungs, jobs, objects, and the range of its cost.

use std::collections::BTreeMap;

use caldp_core::batch::BatchName;
use caldp_core::dataset::Dataset;
use serde::Serialize;
use storage::uri::S3Uri;

use crate::desk::Desk;
use crate::error::TriggerError;
use crate::jobs::{ARRAY_SIZES, Batch};
use crate::ladder::{Resources, Rung};
use crate::submit::Pinned;

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
    /// What each rung would get.
    pub rungs: Vec<RungForecast>,
    /// How many jobs would be submitted, an array counting as one.
    pub jobs: usize,
    /// How many objects would be written; none would be deleted.
    pub objects_written: usize,
    /// US dollars if every job takes as long as expected.
    pub expected_cost: f64,
    /// US dollars if every job takes all its time limit.
    pub highest_cost: f64,
}

/// What one rung would get.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RungForecast {
    /// The rung.
    pub rung: Rung,
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

impl<B: Batch> Desk<B> {
    /// What a pinned order would do.
    pub(crate) async fn forecast(&self, pinned: &Pinned) -> Result<Forecast, TriggerError> {
        let place = pinned.place();
        let sizes = self.input_sizes(&place).await?;
        let found = self
            .each(&pinned.datasets, |_, dataset| {
                let (bytes, place) = (sizes.get(dataset).copied(), &place);
                async move {
                    if self.held(place, dataset).await?.is_some() {
                        return Ok(None);
                    }
                    self.resources(dataset, bytes, pinned.overrides)
                        .await
                        .map(Some)
                }
            })
            .await?;
        let left_alone = found
            .iter()
            .zip(&pinned.datasets)
            .filter(|(r, _)| r.is_none());
        let left_alone = left_alone.map(|(_, d)| d.clone()).collect();
        let chosen: Vec<Resources> = found.into_iter().flatten().collect();
        let arrays = pinned.datasets.len() > self.config.array_threshold;
        Ok(self.add_up(pinned, left_alone, &chosen, arrays))
    }

    fn add_up(
        &self,
        pinned: &Pinned,
        left_alone: Vec<Dataset>,
        chosen: &[Resources],
        arrays: bool,
    ) -> Forecast {
        let mut by_rung: BTreeMap<Rung, Vec<&Resources>> = BTreeMap::new();
        for resources in chosen {
            by_rung.entry(resources.rung).or_default().push(resources);
        }
        let (mut jobs, mut expected_cost, mut highest_cost) = (0, 0.0, 0.0);
        let mut rungs = vec![];
        for (rung, of_rung) in by_rung {
            let site = self.config.ladder.site(rung);
            let longest = of_rung.iter().map(|r| r.timeout).max().unwrap_or_default();
            let in_arrays = arrays && ARRAY_SIZES.contains(&of_rung.len().min(*ARRAY_SIZES.end()));
            let count = if in_arrays {
                of_rung.len().div_ceil(*ARRAY_SIZES.end())
            } else {
                0
            };
            jobs += if in_arrays { count } else { of_rung.len() };
            for resources in &of_rung {
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
            rungs.push(RungForecast {
                rung,
                job_queue: pinned
                    .settings
                    .job_queue
                    .clone()
                    .unwrap_or_else(|| site.queue.clone()),
                job_definition: pinned
                    .settings
                    .job_definition
                    .clone()
                    .unwrap_or_else(|| site.definition.clone()),
                datasets: of_rung.len(),
                arrays: count,
                timeout_seconds: longest.as_secs(),
            });
        }
        let of_arrays: usize = rungs.iter().map(|r| 2 * r.arrays).sum();
        // the order, that it is done, the batch's record; with arrays the plan; for each array its
        // list and its id; for each dataset its record and its message
        let of_batch = if arrays { 4 } else { 3 };
        Forecast {
            dry_run: true,
            batch: pinned.batch.clone(),
            s3_output_path: pinned.root.clone(),
            datasets: pinned.datasets.len(),
            left_alone,
            jobs,
            objects_written: of_batch + of_arrays + 2 * chosen.len(),
            expected_cost: cents(expected_cost),
            highest_cost: cents(highest_cost),
            rungs,
        }
    }
}

fn cents(dollars: f64) -> f64 {
    (dollars * 100.0).round() / 100.0
}
