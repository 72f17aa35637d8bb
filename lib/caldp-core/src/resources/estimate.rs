//! From features to memory bin, time limit, expected time and expected peak.
//!
//! Every group of measured runs that the dataset may belong to has its say: the limit is the widest
//! that one of them asks for, the bin holds all but one in a hundred of their runs. Margins are
//! wide where few proposals were measured and where inputs are larger than those measured.

use serde::{Deserialize, Serialize};

use super::GIB_PER_TABLE_GB;
use super::bin::MemoryBin;
use super::features::{Features, Key};
use super::model::{Group, Model, Published};

/// The shortest time limit AWS Batch accepts for a job, in seconds.
pub const SHORTEST: f64 = 60.0;

/// The longest time limit that is estimated, in seconds: 48 hours.
pub const LONGEST: f64 = 48.0 * 3600.0;

/// No measured run is so short that it gets less time, in seconds: start-up and downloads vary.
pub(super) const LEAST_LIMIT: f64 = 3600.0;

/// A time limit is the slowest run measured times this, and ...
const TIME_MARGIN: f64 = 1.3;

/// ... times this over the square root of the number of proposals, on top.
const TIME_MARGIN_THIN: f64 = 3.0;

/// The same for the peak memory, which varies little between proposals.
const PEAK_MARGIN: f64 = 1.0;

/// The part of the peak's margin that shrinks with the number of proposals.
const PEAK_MARGIN_THIN: f64 = 0.05;

/// Lines for memory hold up to this many times the largest inputs measured; margins grow from there.
const SURE_BEYOND: f64 = 2.0;

/// A limit is multiplied by this when the size of the inputs is not known.
const UNKNOWN_SIZE: f64 = 3.0;

/// A limit is multiplied by this for each property that no group shares.
const UNKNOWN_KIND: f64 = 3.0;

/// The part of runs that may have to climb to the next bin.
const MAY_CLIMB: f64 = 0.01;

/// What a run is expected to need, and what it gets.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// The bin to start in.
    pub memory_bin: MemoryBin,
    /// After how many seconds the job is stopped.
    pub timeout_seconds: f64,
    /// How many seconds it is expected to take.
    pub expected_seconds: f64,
    /// How much memory it is expected to need at its peak, in GiB.
    pub expected_peak_gib: f64,
    /// What this rests on.
    pub basis: Basis,
}

impl Estimate {
    /// The expected peak in the unit that tables of runs have.
    pub fn expected_peak_gb(&self) -> f64 {
        self.expected_peak_gib / GIB_PER_TABLE_GB
    }
}

/// What an estimate rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "snake_case")]
pub enum Basis {
    /// An earlier run of the dataset itself.
    Earlier,
    /// Measured runs like this one.
    Measured {
        /// What they have in common, in words.
        like: String,
        /// How many there are.
        runs: u32,
        /// Of how many proposals, at most.
        proposals: u32,
        /// Whether the size of the inputs was known.
        size_known: bool,
    },
    /// Single published runs.
    Published {
        /// What is known.
        because: String,
    },
}

/// The size of a dataset's inputs, as (files, MB): what is likely, and the most it may be.
#[derive(Debug, Clone, Copy)]
struct Size {
    usual: (f64, f64),
    most: (f64, f64),
}

/// What one group says.
struct Opinion<'a> {
    group: &'a Group,
    limit: f64,
    expected: f64,
    peak: f64,
    size: Option<Size>,
}

impl Model {
    /// What a run with these features will need.
    pub fn estimate(&self, features: &Features) -> Estimate {
        for (dropped, key) in features.key().with_less().iter().enumerate() {
            let groups: Vec<&Group> = self.groups.iter().filter(|g| key.may_be(&g.key)).collect();
            if !groups.is_empty() {
                let unlike = i32::try_from(dropped).unwrap_or(i32::MAX);
                return measured(*key, &groups, features, UNKNOWN_KIND.powi(unlike));
            }
        }
        self.by_published_runs(features)
    }

    fn by_published_runs(&self, features: &Features) -> Estimate {
        let key = features.key();
        let entries = || self.published.iter().filter(|p| p.family == key.family);
        let entry = entries()
            .find(|p| p.association.is_some() && p.association == key.association)
            .or_else(|| entries().find(|p| p.association.is_none()));
        // A checked model has an entry for every family; one that was not checked gets the most.
        let Some(entry) = entry else {
            return Estimate {
                memory_bin: MemoryBin::LAST,
                timeout_seconds: LONGEST,
                expected_seconds: LONGEST,
                expected_peak_gib: MemoryBin::LAST.usable_gib(),
                basis: Basis::Published {
                    because: "nothing is known".into(),
                },
            };
        };
        published(entry, features)
    }
}

fn published(entry: &Published, features: &Features) -> Estimate {
    let mb = features.input_mb.unwrap_or(0.0);
    let files = f64::from(features.files.unwrap_or(0));
    let limit = entry
        .limit_seconds
        .max(entry.limit_seconds_per_file * files);
    Estimate {
        memory_bin: MemoryBin::holding_gib(entry.needs_gib.max(mb * entry.gib_per_mb)),
        timeout_seconds: limit.clamp(SHORTEST, LONGEST),
        expected_seconds: entry.expected_seconds,
        expected_peak_gib: entry.peak_gib,
        basis: Basis::Published {
            because: entry.because.clone(),
        },
    }
}

fn measured(key: Key, groups: &[&Group], features: &Features, unlike: f64) -> Estimate {
    let opinions: Vec<Opinion<'_>> = groups
        .iter()
        .map(|group| Opinion::of(group, features, unlike))
        .collect();
    let runs: u32 = groups.iter().map(|g| g.runs).sum();
    let mean = |of: fn(&Opinion<'_>) -> f64| {
        let sum: f64 = opinions
            .iter()
            .map(|o| f64::from(o.group.runs) * of(o))
            .sum();
        sum / f64::from(runs)
    };
    let memory_bin = MemoryBin::ALL
        .into_iter()
        .find(|bin| {
            let climbing: f64 = opinions
                .iter()
                .map(|o| f64::from(o.group.runs) * o.part_above(bin.usable_gib()))
                .sum();
            climbing <= MAY_CLIMB * f64::from(runs)
        })
        .unwrap_or(MemoryBin::LAST);
    let limit = opinions
        .iter()
        .map(|o| o.limit * fewer_threads(o.group.key, o.group.vcpus, memory_bin))
        .fold(LEAST_LIMIT, f64::max);
    Estimate {
        memory_bin,
        timeout_seconds: limit.clamp(SHORTEST, LONGEST),
        expected_seconds: mean(|o| o.expected),
        expected_peak_gib: mean(|o| o.peak),
        basis: Basis::Measured {
            like: key.describe(),
            runs,
            proposals: groups.iter().map(|g| g.proposals).max().unwrap_or(0),
            size_known: opinions.iter().all(|o| o.size.is_some()),
        },
    }
}

impl<'a> Opinion<'a> {
    fn of(group: &'a Group, features: &Features, unlike: f64) -> Self {
        let seconds = &group.seconds;
        let size = Size::of(group, features);
        let thin = (TIME_MARGIN + TIME_MARGIN_THIN / f64::from(group.proposals).sqrt()) * unlike;
        let slowest = |(files, mb)| seconds.at(files, mb) * seconds.over_line.most.max(1.0) * thin;
        match size {
            Some(size) => Self {
                group,
                limit: slowest(size.most) * size.beyond(group).sqrt(),
                expected: seconds.at(size.usual.0, size.usual.1),
                peak: group.peak_gib.at(size.usual.0, size.usual.1),
                size: Some(size),
            },
            None => Self {
                group,
                limit: slowest((group.files.most, group.input_mb.most))
                    .max(seconds.measured.most * thin)
                    * UNKNOWN_SIZE,
                expected: seconds.measured.median,
                peak: group.peak_gib.measured.median,
                size: None,
            },
        }
    }

    /// The part of runs that need more than this many GiB.
    fn part_above(&self, usable: f64) -> f64 {
        let peak = &self.group.peak_gib;
        let margin = PEAK_MARGIN + PEAK_MARGIN_THIN / f64::from(self.group.proposals).sqrt();
        match self.size {
            Some(size) => {
                let largest = peak.at(size.most.0, size.most.1);
                let margin = margin
                    * (size.beyond(self.group) / SURE_BEYOND)
                        .max(1.0)
                        .sqrt()
                        .sqrt();
                peak.over_line.part_above(usable / (largest * margin))
            }
            None => peak.measured.part_above(usable / margin),
        }
    }
}

/// How much longer a run may take that has fewer vCPUs than those measured: programs that correct
/// CTE or drizzle start a thread for each, the others do not. Never shorter: what is known says
/// nothing of more threads.
pub(super) fn fewer_threads(key: Key, measured: Option<f64>, bin: MemoryBin) -> f64 {
    match measured {
        Some(vcpus) if key.cte != Some(false) || key.drizzle != Some(false) => {
            (vcpus / f64::from(bin.vcpus())).max(1.0)
        }
        _ => 1.0,
    }
}

impl Size {
    /// The size as far as it is known; where one of the two numbers is missing, the other and what
    /// files of the group weigh say how large it may be.
    fn of(group: &Group, features: &Features) -> Option<Self> {
        let per_file = group.mb_per_file;
        let (usual, most) = match (features.files.map(f64::from), features.input_mb) {
            (Some(files), Some(mb)) => ((files, mb), (files, mb)),
            (Some(files), None) => (
                (files, files * per_file.median),
                (files, files * per_file.most),
            ),
            (None, Some(mb)) => ((mb / per_file.median, mb), (mb / per_file.least, mb)),
            (None, None) => return None,
        };
        Some(Self { usual, most })
    }

    /// How many times larger than the largest measured inputs, at least one.
    fn beyond(&self, group: &Group) -> f64 {
        (self.most.0 / group.files.most)
            .max(self.most.1 / group.input_mb.most)
            .max(1.0)
    }
}
