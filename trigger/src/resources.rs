//! What a first run gets: a memory bin and a time limit.
//!
//! Pure rules over what is known of a dataset: its kind and instrument, the size of its inputs, and
//! what an earlier run of it measured. What a run that failed gets next is for `verdict`.

use std::time::Duration;

use caldp_core::dataset::{Dataset, Instrument, Kind};
use serde::{Deserialize, Serialize};

use crate::memory_bins::{GIB, MemoryBin};

/// The shortest time limit AWS Batch accepts for a job.
const SHORTEST: Duration = Duration::from_mins(1);

/// The longest time limit chosen without an explicit scale.
const LONGEST: Duration = Duration::from_hours(48);

/// A measured peak is multiplied by this before a memory bin is chosen: runs of one dataset differ a
/// little with the reference files.
const MEMORY_MARGIN_PERCENT: u64 = 115;

/// A measured duration is multiplied by this to give a time limit.
const TIME_MARGIN: u32 = 6;

/// The part of a time limit a run without measurements is expected to take.
const EXPECTED_PART: u32 = 6;

/// What is known of a dataset before it runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Facts {
    /// Size of the inputs in bytes, unpacked or not.
    pub input_bytes: Option<u64>,
    /// How many input files there are.
    pub inputs: Option<u32>,
    /// What the latest successful run used.
    pub measured: Option<Measured>,
}

/// What a run of a dataset used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measured {
    /// Peak memory in bytes.
    pub peak_memory: u64,
    /// Duration in seconds.
    pub seconds: u64,
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

/// The resources of a first run.
///
/// A measured peak decides the memory bin when there is one; else the size of the inputs, when it is
/// known, can only raise the memory bin the kind of dataset starts on. `memory_bin` overrides both.
pub fn choose(
    dataset: &Dataset,
    facts: Facts,
    memory_bin: Option<MemoryBin>,
    scale: Scale,
) -> Resources {
    let (usual_bin, usual_limit) = usual(dataset);
    let estimated = match facts.measured {
        Some(m) => MemoryBin::holding(m.peak_memory.saturating_mul(MEMORY_MARGIN_PERCENT) / 100),
        None => facts.input_bytes.map_or(usual_bin, |bytes| {
            usual_bin.max(MemoryBin::holding(estimate(dataset, bytes)))
        }),
    };
    let limit = match (facts.measured, facts.inputs) {
        (Some(m), _) => Duration::from_secs(m.seconds).saturating_mul(TIME_MARGIN),
        (None, Some(inputs)) => usual_limit.max(per_input(dataset).saturating_mul(inputs)),
        (None, None) => usual_limit,
    }
    .clamp(SHORTEST, LONGEST);
    let timeout = scaled(limit, scale);
    Resources {
        memory_bin: memory_bin.unwrap_or(estimated),
        timeout,
        expected: facts
            .measured
            .map_or(limit / EXPECTED_PART, |m| Duration::from_secs(m.seconds)),
    }
}

/// A time limit times a factor, never below what AWS Batch accepts.
fn scaled(limit: Duration, scale: Scale) -> Duration {
    Duration::try_from_secs_f64((limit.as_secs_f64() * scale.0).round())
        .unwrap_or(LONGEST)
        .max(SHORTEST)
}

/// Where a dataset starts of which nothing is known but its name. The last character tells an
/// association (a digit) from a single exposure (a letter); drizzling an association of a large
/// detector is what needs memory.
fn usual(dataset: &Dataset) -> (MemoryBin, Duration) {
    let hours = |n| Duration::from_hours(n);
    let association = dataset.name().ends_with(|c: char| c.is_ascii_digit());
    let [small, medium, large, _] = MemoryBin::ALL;
    match (dataset.kind(), dataset.instrument()) {
        (Kind::Mvm, _) => (large, hours(48)),
        (Kind::Svm, _) => (medium, hours(12)),
        (Kind::Ipppssoot, Some(Instrument::Acs | Instrument::Wfc3)) if association => {
            (medium, hours(6))
        }
        (Kind::Ipppssoot, Some(Instrument::Cos)) if association => (medium, hours(4)),
        (Kind::Ipppssoot, _) => (small, hours(2)),
    }
}

/// A first guess at the peak memory of a run from the size of its inputs: the programs hold
/// several copies of the pixels in double precision. Measurements replace it after one run.
fn estimate(dataset: &Dataset, input_bytes: u64) -> u64 {
    let factor = match dataset.instrument() {
        Some(Instrument::Acs | Instrument::Wfc3) => 12,
        _ => 6,
    };
    (GIB / 2).saturating_add(input_bytes.saturating_mul(factor))
}

fn per_input(dataset: &Dataset) -> Duration {
    match dataset.instrument() {
        Some(Instrument::Acs | Instrument::Wfc3) | None => Duration::from_mins(40),
        Some(Instrument::Stis | Instrument::Cos) => Duration::from_mins(30),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;

    fn dataset(name: &str) -> Dataset {
        Dataset::parse(name).unwrap()
    }

    fn rung_of(name: &str, facts: Facts) -> u8 {
        choose(&dataset(name), facts, None, Scale::ONE)
            .memory_bin
            .number()
    }

    #[test]
    fn the_kind_of_dataset_decides_when_nothing_else_is_known() {
        assert_eq!(rung_of("j8ne53znq", Facts::default()), 0);
        assert_eq!(rung_of("j8cb010b0", Facts::default()), 1);
        assert_eq!(rung_of("octka6010", Facts::default()), 0);
        assert_eq!(rung_of("acs_8ph_01", Facts::default()), 1);
        assert_eq!(rung_of("skycell-p1234x05y06", Facts::default()), 2);
    }

    #[test]
    fn large_inputs_raise_the_rung_and_a_measured_peak_settles_it() {
        let facts = |input_bytes, peak_memory: Option<u64>| Facts {
            input_bytes,
            inputs: None,
            measured: peak_memory.map(|peak_memory| Measured {
                peak_memory,
                seconds: 100,
            }),
        };
        assert_eq!(rung_of("j8ne53znq", facts(Some(160 << 20), None)), 1);
        assert_eq!(rung_of("j8cb010b0", facts(Some(1 << 20), None)), 1);
        assert_eq!(rung_of("j8cb010b0", facts(Some(1 << 40), None)), 3);
        assert_eq!(
            rung_of("j8cb010b0", facts(Some(1 << 40), Some(GIB))),
            0,
            "what was measured is better than what is guessed"
        );
        assert_eq!(rung_of("j8cb010b0", facts(None, Some(1_700 << 20))), 1);
        let forced = choose(
            &dataset("j8cb010b0"),
            facts(None, Some(60 * GIB)),
            MemoryBin::new(0),
            Scale::ONE,
        );
        assert_eq!(forced.memory_bin.number(), 0);
    }

    #[test]
    fn the_time_limit_follows_the_measured_duration() {
        let measured = |seconds| Facts {
            measured: Some(Measured {
                peak_memory: 1,
                seconds,
            }),
            ..Facts::default()
        };
        let limit = |seconds, scale: f64| {
            choose(
                &dataset("j8cb010b0"),
                measured(seconds),
                None,
                scale.try_into().unwrap(),
            )
            .timeout
            .as_secs()
        };
        assert_eq!(limit(1000, 1.0), 6000);
        assert_eq!(limit(1, 1.0), 60);
        assert_eq!(limit(u64::MAX, 1.0), 48 * 3600);
        assert_eq!(
            limit(u64::MAX, 2.0),
            96 * 3600,
            "a scale may go past the usual"
        );
        assert_eq!(limit(100, 0.01), 60);
    }

    #[test]
    fn more_inputs_take_longer() {
        let with = |inputs| Facts {
            inputs: Some(inputs),
            ..Facts::default()
        };
        let limit = |n| choose(&dataset("j8cb010b0"), with(n), None, Scale::ONE).timeout;
        assert!(limit(20) > limit(2));
    }

    #[test]
    fn scales_are_positive_and_finite() {
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY, 1000.0] {
            assert!(Scale::try_from(bad).is_err());
        }
    }

    proptest! {
        #[test]
        fn any_facts_give_a_rung_and_a_limit_in_bounds(
            bytes in any::<Option<u64>>(), inputs in any::<Option<u32>>(),
            measured in any::<Option<(u64, u64)>>(),
        ) {
            let facts = Facts {
                input_bytes: bytes,
                inputs,
                measured: measured.map(|(peak_memory, seconds)| Measured { peak_memory, seconds }),
            };
            let chosen = choose(&dataset("ib8t01010"), facts, None, Scale::ONE);
            prop_assert!(chosen.timeout >= SHORTEST && chosen.timeout <= LONGEST);
            if let (Some((peak, _)), true) = (measured, chosen.memory_bin.number() < 3) {
                prop_assert!(chosen.memory_bin.memory() >= peak);
            }
        }
    }
}
