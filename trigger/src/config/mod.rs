//! What a deployment decides: the environment variables of [`variables`] as checked values. How a memory bin is chosen
//! is for `memory_bins`.

mod variables;

use std::borrow::Cow;
use std::num::NonZeroU32;
use std::time::Duration;

use crate::memory_bins::{MemoryBins, Site};
use crate::order::offers::Offers;
use caldp_core::layout::Layout;
use caldp_core::resources::BINS;
use storage::hint::Hint;
use variables::{HOURLY_PRICES, METRICS_NAMESPACE, variable};
pub use variables::{VARIABLES, Variable};

/// A deployment's settings, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The one bucket this deployment works on.
    pub bucket: String,
    /// The layout of batches that do not name one, and of requests at the bucket's root.
    pub layout: Layout,
    /// Queues, definitions and prices by memory bin.
    pub memory_bins: MemoryBins,
    /// Whether batches share queues.
    pub sharing: Sharing,
    /// How often failures are tried again.
    pub limits: Limits,
    /// What orders may ask for besides what is the deployment's own.
    pub offers: Offers,
    /// Largest batch submitted as single jobs.
    pub array_threshold: usize,
    /// AWS Batch requests per second.
    pub batch_rate: NonZeroU32,
    /// Requests in flight.
    pub concurrency: usize,
    /// Time kept back at the end of an invocation.
    pub reserve: Duration,
    /// How long a claim on work lasts without being renewed.
    pub lease: Duration,
    /// Attempts younger than this are left alone by sweeps: their events are under way.
    pub grace: Duration,
    /// An output is closed so long after something was asked of it last.
    pub close_after: Duration,
}

/// Longer than a note of what is asked of an output holds (`record::batches`) and an invocation together.
pub const CLOSE_AFTER: Duration = Duration::from_hours(1);

/// How jobs in a queue take turns; decided when the queue is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// In the order of their submission.
    FirstComeFirstServed,
    /// Each batch has a share, whatever its size.
    FairShare,
}

/// How often a failed dataset is tried again before it is an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Out of memory, each time one memory bin higher.
    pub memory_retries: u32,
    /// Failures of the infrastructure, on the same memory bin.
    pub infrastructure_retries: u32,
    /// Time limits, each time with twice the limit.
    pub timeout_retries: u32,
}

/// A variable that is missing or cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("environment variable {name}: {reason}")]
pub struct ConfigError {
    name: &'static str,
    reason: String,
    meaning: &'static str,
}

impl Hint for ConfigError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(format!("it is {}", self.meaning).into())
    }
}

impl Config {
    /// The settings of the process's environment.
    ///
    /// # Errors
    /// [`ConfigError`] for the first variable that is missing or wrong.
    pub fn from_environment() -> Result<Self, ConfigError> {
        Self::from_lookup(|name| std::env::var(name).ok())
    }

    /// The settings found by `lookup`, a stand-in for the environment. An empty value is as good
    /// as none.
    ///
    /// # Errors
    /// [`ConfigError`] for the first variable that is missing or wrong.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let vars = Lookup(lookup);
        let bucket = vars.text("BUCKET")?;
        let bucket = bucket.strip_prefix("s3://").unwrap_or(&bucket);
        let bucket = bucket.trim_end_matches('/').to_owned();
        storage::uri::S3Uri::new(&bucket, "").map_err(|e| {
            let hint = e.hint().unwrap_or_default();
            error("BUCKET", format!("{e}; {hint}"))
        })?;
        let queues = vars.list("JOBQUEUES")?;
        let definitions = vars.list("JOBDEFINITIONS")?;
        let prices = vars.prices()?;
        let mut sites = Vec::with_capacity(BINS);
        for ((queue, definition), hourly_price) in queues.into_iter().zip(definitions).zip(prices) {
            sites.push(Site {
                queue,
                on_demand_queue: None,
                definition,
                hourly_price,
            });
        }
        if !vars.text("CALDP_ON_DEMAND_QUEUES")?.is_empty() {
            let queues = vars.list("CALDP_ON_DEMAND_QUEUES")?;
            for (site, queue) in sites.iter_mut().zip(queues) {
                site.on_demand_queue = Some(queue);
            }
        }
        let sites = <[Site; BINS]>::try_from(sites)
            .map_err(|_| error("JOBQUEUES", format!("{BINS} names are needed")))?;
        let layout = vars.text("CALDP_LAYOUT")?;
        Ok(Self {
            bucket,
            layout: layout
                .parse()
                .map_err(|_| error("CALDP_LAYOUT", format!("{layout:?} is no layout")))?,
            memory_bins: MemoryBins::new(sites),
            sharing: match vars.number("CALDP_FAIR_SHARE", 0..=1)? {
                0 => Sharing::FirstComeFirstServed,
                _ => Sharing::FairShare,
            },
            limits: Limits {
                memory_retries: vars.number("MAX_MEMORY_RETRIES", 0..=100)?,
                infrastructure_retries: vars.number("MAX_DOCKER_RETRIES", 0..=100)?,
                timeout_retries: vars.number("MAX_TIMEOUT_RETRIES", 0..=10)?,
            },
            offers: Offers::new(
                &vars.text(Offers::QUEUES)?,
                &vars.text(Offers::DEFINITIONS)?,
                &vars.text(Offers::OUTPUTS)?,
            ),
            array_threshold: vars.number("CALDP_ARRAY_THRESHOLD", 1..=u32::MAX)? as usize,
            batch_rate: NonZeroU32::new(vars.number("CALDP_BATCH_RATE", 1..=1000)?)
                .ok_or_else(|| error("CALDP_BATCH_RATE", "it is zero".to_owned()))?,
            concurrency: vars.number("CALDP_CONCURRENCY", 1..=1000)? as usize,
            reserve: Duration::from_secs(vars.number("CALDP_RESERVE_SECONDS", 1..=600)?.into()),
            lease: Duration::from_secs(vars.number("CALDP_LEASE_SECONDS", 5..=900)?.into()),
            grace: Duration::from_secs(
                vars.number("CALDP_SWEEP_AFTER_SECONDS", 0..=86_400)?.into(),
            ),
            close_after: CLOSE_AFTER,
        })
    }
}

/// The `CloudWatch` namespace of the function's metrics, which its log is told before anything else is read.
pub fn metrics_namespace() -> String {
    let vars = Lookup(|name: &str| std::env::var(name).ok());
    vars.text(METRICS_NAMESPACE).unwrap_or_default()
}

/// US dollars for one job-hour on each memory bin, by the process's environment.
///
/// # Errors
/// [`ConfigError`] when the variable is no list of amounts.
pub fn hourly_prices() -> Result<[f64; BINS], ConfigError> {
    Lookup(|name: &str| std::env::var(name).ok()).prices()
}

struct Lookup<F>(F);

impl<F: Fn(&str) -> Option<String>> Lookup<F> {
    fn text(&self, name: &'static str) -> Result<String, ConfigError> {
        let set = (self.0)(name)
            .map(|v| v.trim().to_owned())
            .filter(|v| !v.is_empty());
        set.or_else(|| variable(name).default.map(str::to_owned))
            .ok_or_else(|| error(name, "it is not set".to_owned()))
    }

    fn list(&self, name: &'static str) -> Result<Vec<String>, ConfigError> {
        let text = self.text(name)?;
        let items: Vec<String> = text.split(',').map(|i| i.trim().to_owned()).collect();
        if items.len() != BINS || items.iter().any(String::is_empty) {
            return Err(error(
                name,
                format!("{text:?} is not a list of {BINS} items"),
            ));
        }
        Ok(items)
    }

    fn prices(&self) -> Result<[f64; BINS], ConfigError> {
        let mut prices = [0.0; BINS];
        for (price, text) in prices.iter_mut().zip(self.list(HOURLY_PRICES)?) {
            let amount = text
                .parse()
                .ok()
                .filter(|p: &f64| p.is_finite() && *p >= 0.0);
            let wrong = || {
                error(
                    HOURLY_PRICES,
                    format!("{text:?} is not an amount of dollars"),
                )
            };
            *price = amount.ok_or_else(wrong)?;
        }
        Ok(prices)
    }

    fn number(
        &self,
        name: &'static str,
        range: std::ops::RangeInclusive<u32>,
    ) -> Result<u32, ConfigError> {
        let text = self.text(name)?;
        text.parse()
            .ok()
            .filter(|n| range.contains(n))
            .ok_or_else(|| {
                error(
                    name,
                    format!(
                        "{text:?} is not a whole number from {} to {}",
                        range.start(),
                        range.end()
                    ),
                )
            })
    }
}

fn error(name: &'static str, reason: String) -> ConfigError {
    ConfigError {
        name,
        reason,
        meaning: variable(name).meaning,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use storage::hint::explain;

    use super::*;

    fn minimal(name: &str) -> Option<String> {
        match name {
            "BUCKET" => Some("s3://hst-out".to_owned()),
            "JOBQUEUES" => Some("q2, q8,q16,q64".to_owned()),
            "JOBDEFINITIONS" => Some("d2,d8,d16,d64".to_owned()),
            _ => None,
        }
    }

    #[test]
    fn three_variables_suffice() {
        let config = Config::from_lookup(minimal).unwrap();
        assert_eq!(config.bucket, "hst-out");
        assert_eq!(config.limits.memory_retries, 4);
        assert_eq!(config.batch_rate.get(), 50);
    }

    #[test]
    fn a_wrong_value_is_named_with_its_meaning() {
        for (name, value) in [
            ("BUCKET", "Not A Bucket"),
            ("JOBQUEUES", "one,two"),
            ("JOBDEFINITIONS", "a,b,,d"),
            ("MAX_MEMORY_RETRIES", "many"),
            ("CALDP_BATCH_RATE", "0"),
            ("CALDP_LAYOUT", "forest"),
            ("CALDP_HOURLY_PRICES", "1,2,3,NaN"),
        ] {
            let text = Config::from_lookup(|n| {
                if n == name {
                    Some(value.to_owned())
                } else {
                    minimal(n)
                }
            })
            .unwrap_err();
            let text = explain(&text).to_string();
            assert!(text.contains(name) && text.contains("hint:"), "{text}");
        }
        let text = Config::from_lookup(|_| None).unwrap_err().to_string();
        assert!(
            text.contains("BUCKET") && text.contains("not set"),
            "{text}"
        );
    }

    #[test]
    fn every_default_is_acceptable_and_every_name_is_in_the_table_once() {
        let mut names: Vec<_> = VARIABLES.iter().map(|v| v.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), VARIABLES.len());
    }
}
