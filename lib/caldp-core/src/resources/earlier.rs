//! What an earlier run of the same dataset measured: the best that can be known of the next.

use serde::{Deserialize, Serialize};

use crate::provenance::Provenance;

use super::bin::MemoryBin;
use super::estimate::{Basis, Estimate, LEAST_LIMIT, LONGEST, fewer_threads};
use super::features::Features;
use super::run::{Refusal, Run};

/// A measured peak is multiplied by this before a memory bin is chosen: runs of one dataset differ
/// a little with the reference files.
const PEAK_MARGIN: f64 = 1.15;

/// A measured duration is multiplied by this to give a time limit.
const TIME_MARGIN: f64 = 6.0;

/// What the latest successful run of a dataset used; kept as `measured.json` for the next.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EarlierRun {
    /// Peak memory in bytes.
    #[serde(rename = "peak_memory")]
    pub peak_bytes: u64,
    /// Duration in seconds.
    pub seconds: u64,
    /// vCPUs it had, when somebody wrote them down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vcpus: Option<f64>,
}

impl EarlierRun {
    /// What the run of a record used.
    ///
    /// # Errors
    /// When it did not succeed, or says nothing that can be true.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative, and casts of floats saturate"
    )]
    pub fn of_record(record: &Provenance) -> Result<Self, Refusal> {
        let run = Run::of_record(record)?;
        run.check_measured()?;
        Ok(Self {
            peak_bytes: (run.peak_gib * GIB) as u64,
            seconds: (run.seconds as u64).max(1),
            vcpus: run.vcpus,
        })
    }

    /// What the next run of the dataset will need.
    #[expect(clippy::cast_precision_loss, reason = "sizes and times far below 2^52")]
    pub fn estimate(&self, features: &Features) -> Estimate {
        let peak_gib = self.peak_bytes as f64 / GIB;
        let memory_bin = MemoryBin::holding_gib(peak_gib * PEAK_MARGIN);
        let seconds = self.seconds as f64;
        let key = features.key();
        let limit = seconds * TIME_MARGIN * fewer_threads(key, self.vcpus, memory_bin);
        Estimate {
            memory_bin,
            timeout_seconds: limit.clamp(LEAST_LIMIT, LONGEST),
            expected_seconds: seconds.min(LONGEST),
            expected_peak_gib: peak_gib,
            basis: Basis::Earlier,
        }
    }
}

/// Bytes in a GiB.
const GIB: f64 = 1024.0 * 1024.0 * 1024.0;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn estimate(peak_gib: f64, seconds: u64, vcpus: Option<f64>) -> Estimate {
        let features = Features::of_name("j8cb010b0".parse().unwrap());
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "small"
        )]
        let earlier = EarlierRun {
            peak_bytes: (peak_gib * GIB) as u64,
            seconds,
            vcpus,
        };
        earlier.estimate(&features)
    }

    #[test]
    fn the_bin_holds_the_measured_peak_with_a_margin() {
        for (peak, bin) in [(0.1, 0), (1.5, 0), (1.6, 1), (6.0, 1), (6.2, 2), (999.0, 3)] {
            assert_eq!(estimate(peak, 1, None).memory_bin.number(), bin, "{peak}");
        }
    }

    #[test]
    fn the_limit_follows_the_measured_time_and_the_processors() {
        let limit =
            |seconds, vcpus| format!("{:.0}", estimate(1.0, seconds, vcpus).timeout_seconds);
        assert_eq!(limit(1000, None), "6000");
        assert_eq!(limit(1, None), "3600");
        assert_eq!(limit(u64::MAX, None), "172800");
        assert_eq!(limit(1000, Some(8.0)), "48000", "bin 0 has one");
        assert_eq!(limit(1000, Some(0.5)), "6000");
    }

    #[test]
    fn what_a_run_used_is_the_worker_and_its_largest_program() {
        let of = |json: &str| {
            let record: Provenance = serde_json::from_str(json).unwrap();
            EarlierRun::of_record(&record)
        };
        let found = of(
            r#"{"dataset": "j8cb010b0", "state": "processed", "worker": {"peak_memory_kib": 1000},
            "steps": [{"step": "a", "seconds": 1.5}, {"step": "b", "seconds": 10.0}],
            "programs": [{"peak_memory_kib": 5000}, {"peak_memory_kib": 7000}]}"#,
        );
        let expected = EarlierRun {
            peak_bytes: 8000 * 1024,
            seconds: 11,
            vcpus: None,
        };
        assert_eq!(found, Ok(expected));
        let failed = of(r#"{"dataset": "j8cb010b0", "state": "error"}"#);
        assert_eq!(failed, Err(Refusal::NotMeasured));
        let text = serde_json::to_string(&expected).unwrap();
        assert_eq!(text, r#"{"peak_memory":8192000,"seconds":11}"#);
    }
}
