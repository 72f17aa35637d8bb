//! A distribution as the few numbers that a person can read.

use serde::{Deserialize, Serialize};

/// Quantiles of a measured quantity, in its unit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quantiles {
    /// The smallest value seen.
    pub least: f64,
    /// One in twenty is below.
    pub p05: f64,
    /// One in four is below.
    pub p25: f64,
    /// Half are below.
    pub median: f64,
    /// One in four is above.
    pub p75: f64,
    /// One in twenty is above.
    pub p95: f64,
    /// One in a hundred is above.
    pub p99: f64,
    /// The largest value seen.
    pub most: f64,
}

/// The parts below each of the quantiles.
const PARTS: [f64; 8] = [0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0];

impl Quantiles {
    /// The quantiles of some values, linear between neighbours; none without values.
    pub fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let at = |part: f64| quantile(&values, part);
        Some(Self {
            least: at(0.0)?,
            p05: at(0.05)?,
            p25: at(0.25)?,
            median: at(0.5)?,
            p75: at(0.75)?,
            p95: at(0.95)?,
            p99: at(0.99)?,
            most: at(1.0)?,
        })
    }

    /// The values in ascending order.
    pub const fn values(&self) -> [f64; 8] {
        [
            self.least,
            self.p05,
            self.p25,
            self.median,
            self.p75,
            self.p95,
            self.p99,
            self.most,
        ]
    }

    /// Whether the values are finite, not negative and ascending.
    pub fn is_sound(&self) -> bool {
        self.values().iter().all(|v| v.is_finite() && *v >= 0.0)
            && self.values().is_sorted_by(|a, b| a <= b)
    }

    /// Which part of the values is above `limit`, linear between the quantiles.
    pub fn part_above(&self, limit: f64) -> f64 {
        let points: Vec<(f64, f64)> = self.values().into_iter().zip(PARTS).collect();
        if limit < self.least {
            return 1.0;
        }
        for pair in points.windows(2) {
            if let [(low, below_low), (high, below_high)] = pair
                && limit < *high
            {
                let part = (limit - low) / (high - low);
                return 1.0 - (below_low + part * (below_high - below_low));
            }
        }
        0.0
    }

    /// The same with every value rounded to four significant digits, for files that people read.
    pub(crate) fn rounded(&self) -> Self {
        let [least, p05, p25, median, p75, p95, p99, most] = self.values().map(four_digits);
        Self {
            least,
            p05,
            p25,
            median,
            p75,
            p95,
            p99,
            most,
        }
    }
}

/// A number rounded to four significant digits.
pub(crate) fn four_digits(value: f64) -> f64 {
    format!("{value:.3e}").parse().unwrap_or(value)
}

/// The value below which a part of ascending values lies.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "positions in a slice, not negative and far below 2^52"
)]
pub(crate) fn quantile(ascending: &[f64], part: f64) -> Option<f64> {
    let position = (ascending.len().checked_sub(1)? as f64) * part;
    let low = *ascending.get(position.floor() as usize)?;
    let high = *ascending.get(position.ceil() as usize)?;
    Some(low + (high - low) * position.fract())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn quantiles_are_linear_between_neighbours() {
        let quantiles = Quantiles::of((0..=100).map(f64::from).rev().collect()).unwrap();
        let expected = [0.0, 5.0, 25.0, 50.0, 75.0, 95.0, 99.0, 100.0];
        for (found, expected) in quantiles.values().into_iter().zip(expected) {
            assert!((found - expected).abs() < 1e-9);
        }
        assert!(quantiles.is_sound());
        for (limit, above) in [(-1.0, 1.0), (60.0, 0.4), (99.0, 0.01), (100.0, 0.0)] {
            assert!((quantiles.part_above(limit) - above).abs() < 1e-9);
        }
        assert_eq!(Quantiles::of(Vec::new()), None);
        assert!((four_digits(1_214.641) - 1_215.0).abs() < 1e-9);
    }
}
