//! One measured run, and why some are not believed.

use std::fmt;

use crate::provenance::{Needs, Provenance};
use crate::state::State;

use super::features::Features;
use super::values::large_detector;

/// The most memory a run is believed to have used, in GiB: sixteen times the last bin.
const MOST_GIB: f64 = 1024.0;

/// The longest time a run is believed to have taken, in seconds: thirty days.
const MOST_SECONDS: f64 = 30.0 * 86_400.0;

/// The most vCPUs a machine is believed to have.
const MOST_VCPUS: f64 = 1024.0;

/// A run that succeeded: what was known before it, and what it needed.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// What was known before it.
    pub features: Features,
    /// Peak memory in GiB.
    pub peak_gib: f64,
    /// Wall time in seconds.
    pub seconds: f64,
    /// vCPUs it had, when somebody wrote them down.
    pub vcpus: Option<f64>,
}

impl Run {
    /// The run of a record, when it succeeded and says what it needed.
    #[expect(clippy::cast_precision_loss, reason = "sizes far below 2^52")]
    pub fn of_record(record: &Provenance) -> Result<Self, Refusal> {
        if record.state != State::Processed {
            return Err(Refusal::NotMeasured);
        }
        let needs = record.needs.clone().unwrap_or_default();
        let Needs { wall_seconds, .. } = needs;
        let peak_kib = needs.container_peak_kib.or(record.peak_memory_kib());
        let seconds = if wall_seconds > 0.0 {
            wall_seconds
        } else {
            record.seconds()
        };
        let names: Vec<&str> = record.inputs.iter().map(|f| f.name.as_str()).collect();
        let bytes: u64 = record.inputs.iter().map(|f| f.size).sum();
        Ok(Self {
            features: Features {
                dataset: record.dataset.clone(),
                files: input_files(&names),
                input_mb: (bytes > 0).then_some(bytes as f64 / 1e6),
                drizzle: needs.drizzle,
                cte: needs.cte,
                crsplit: needs.crsplit,
                subarray: needs.subarray,
                large_detector: needs.detector.as_deref().and_then(large_detector),
            },
            peak_gib: peak_kib.ok_or(Refusal::NotMeasured)? as f64 / f64::from(1 << 20),
            seconds,
            vcpus: needs.vcpus,
        })
    }

    /// Why the run is not to be learnt from; none when it is plausible.
    pub fn refusal(&self) -> Option<Refusal> {
        let features = &self.features;
        if features.files.is_none() || features.input_mb.is_none() {
            Some(Refusal::SizeUnknown)
        } else if !features
            .files
            .is_some_and(|files| (1..=Features::MOST_FILES).contains(&files))
        {
            Some(Refusal::Absurd("n_files"))
        } else if !features
            .input_mb
            .is_some_and(|mb| within(mb, Features::MOST_MB))
        {
            Some(Refusal::Absurd("total_mb"))
        } else {
            self.check_measured().err()
        }
    }

    /// Whether peak, time and processors can be true.
    pub(super) fn check_measured(&self) -> Result<(), Refusal> {
        if !within(self.peak_gib, MOST_GIB) {
            Err(Refusal::Absurd("memory_gb"))
        } else if !within(self.seconds, MOST_SECONDS) {
            Err(Refusal::Absurd("wallclock_s"))
        } else if !self.vcpus.is_none_or(|vcpus| within(vcpus, MOST_VCPUS)) {
            Err(Refusal::Absurd("vcpus"))
        } else {
            Ok(())
        }
    }
}

/// How many files tables of runs count, of inputs with these names: with every raw file its support
/// file, which the worker does not fetch, and the association table. Of a mosaic its exposures.
pub fn input_files(names: &[&str]) -> Option<u32> {
    let of = |part: &str| names.iter().filter(|name| name.contains(part)).count();
    let count = match of("_raw") {
        0 => names.len(),
        raw => 2 * raw + of("_asn.fits"),
    };
    u32::try_from(count).ok().filter(|n| *n > 0)
}

fn within(value: f64, most: f64) -> bool {
    value.is_finite() && value > 0.0 && value <= most
}

/// Why a line or a run is left out.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// No dataset has this name.
    Name,
    /// A field is no number or switch.
    Unreadable(&'static str),
    /// A value that cannot be: negative, not a number, or beyond every bound.
    Absurd(&'static str),
    /// The line itself cannot be read.
    Line,
    /// Files or MB are not known, which a fit needs.
    SizeUnknown,
    /// Peak or time are not given.
    NotMeasured,
    /// The dataset was there before.
    Again,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name => f.write_str("not the name of a dataset that can be processed"),
            Self::Unreadable(field) => write!(f, "{field} cannot be read"),
            Self::Absurd(field) => write!(f, "{field} cannot be true"),
            Self::Line => f.write_str("the line is not like the first"),
            Self::SizeUnknown => f.write_str("n_files or total_mb is missing"),
            Self::NotMeasured => f.write_str("memory_gb or wallclock_s is missing"),
            Self::Again => f.write_str("the dataset was there before"),
        }
    }
}
