//! What a job gets: a memory bin and a time limit.
//!
//! What a run needs is estimated by [`caldp_core::resources`]; here an order's wishes are applied to
//! it. What a run that failed gets next is for `verdict`.

use std::time::Duration;

use caldp_core::resources::{Estimate, LONGEST, MemoryBin, SHORTEST};
use serde::{Deserialize, Serialize};

/// What a request's body changes about the next run of a dataset; all of it optional.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Overrides {
    /// The memory bin to start on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bin: Option<MemoryBin>,
    /// The factor for the time limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_scale: Option<Scale>,
    /// Infrastructure retries to count as used already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries: Option<u32>,
    /// Memory retries to count as used already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_retries: Option<u32>,
    /// Retries with more time to count as used already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_retries: Option<u32>,
}

/// What a job is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resources {
    /// The memory bin to start on.
    pub memory_bin: MemoryBin,
    /// After how long AWS Batch stops the job.
    pub timeout: Duration,
    /// How long it is expected to take.
    pub expected: Duration,
}

/// A factor for time limits: positive and finite.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Scale(f64);

/// Which of the jobs that share a queue's share go first: those of a higher number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Priority(u16);

impl Priority {
    /// The highest that AWS Batch takes.
    pub const MAX: u64 = 9999;
}

impl TryFrom<u64> for Priority {
    type Error = String;

    fn try_from(number: u64) -> Result<Self, String> {
        let small = u16::try_from(number).ok();
        let priority = small.filter(|n| u64::from(*n) <= Self::MAX).map(Self);
        priority.ok_or_else(|| format!("{number} is no priority: it is 0 to {}", Self::MAX))
    }
}

impl From<Priority> for u64 {
    fn from(priority: Priority) -> Self {
        priority.0.into()
    }
}

impl From<Priority> for i32 {
    fn from(priority: Priority) -> Self {
        priority.0.into()
    }
}

impl Scale {
    /// No change.
    pub const ONE: Self = Self(1.0);
    /// The largest factor accepted.
    pub const MAX: f64 = 100.0;
}

impl TryFrom<f64> for Scale {
    type Error = String;

    fn try_from(factor: f64) -> Result<Self, String> {
        if factor.is_finite() && factor > 0.0 && factor <= Self::MAX {
            Ok(Self(factor))
        } else {
            Err(format!(
                "{factor} is no scale: it is above 0 and at most {}",
                Self::MAX
            ))
        }
    }
}

impl From<Scale> for f64 {
    fn from(scale: Scale) -> Self {
        scale.0
    }
}

impl Resources {
    /// What an estimate gives, with what an order says instead: its memory bin, and its factor for the
    /// time limit, which may go past the longest estimated one.
    pub fn new(estimate: &Estimate, overrides: Overrides) -> Self {
        let scale = overrides.timeout_scale.unwrap_or(Scale::ONE);
        Self {
            memory_bin: overrides.memory_bin.unwrap_or(estimate.memory_bin),
            timeout: seconds((estimate.timeout_seconds.floor() * scale.0).max(SHORTEST)),
            expected: seconds(estimate.expected_seconds),
        }
    }
}

/// Whole seconds; the longest limit for what is no length of time.
fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.round())
        .unwrap_or_else(|_| Duration::from_secs_f64(LONGEST))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use caldp_core::resources::{Features, Model};

    use super::*;

    fn chosen(memory_bin: Option<u64>, scale: f64) -> Resources {
        let features = Features::of_name("skycell-p1234x05y06".parse().unwrap());
        let overrides = Overrides {
            memory_bin: memory_bin.and_then(MemoryBin::new),
            timeout_scale: Some(scale.try_into().unwrap()),
            ..Overrides::default()
        };
        Resources::new(&Model::shipped().unwrap().estimate(&features), overrides)
    }

    #[test]
    fn an_order_has_the_last_word() {
        let usual = chosen(None, 1.0);
        assert_eq!(usual.memory_bin.number(), 2);
        assert_eq!(usual.timeout, Duration::from_hours(48));
        assert_eq!(chosen(Some(0), 1.0).memory_bin.number(), 0);
        assert_eq!(
            chosen(None, 2.0).timeout,
            Duration::from_hours(96),
            "a scale may go past the usual"
        );
        assert_eq!(chosen(None, 0.000_01).timeout, Duration::from_mins(1));
        assert_eq!(chosen(None, 2.0).expected, usual.expected);
    }

    #[test]
    fn scales_are_positive_and_finite() {
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY, 1000.0] {
            assert!(Scale::try_from(bad).is_err());
        }
    }
}
