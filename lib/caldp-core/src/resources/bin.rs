//! The four sizes of memory a job can be given: what operators call `memory_bin`.
//!
//! Which queue serves a bin and what it costs is for the trigger and its configuration.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How many bins there are.
pub const BINS: usize = 4;

/// The memory of each bin in GiB, as provisioned.
const MEMORY_GIB: [u32; BINS] = [2, 8, 16, 64];

/// The vCPUs of each bin, as `infra/variables.tf` provisions them by default.
const VCPUS: [u32; BINS] = [1, 2, 2, 8];

/// A size of memory, 0 (least) to 3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct MemoryBin(u8);

impl MemoryBin {
    /// Every bin, least memory first.
    pub const ALL: [Self; BINS] = [Self(0), Self(1), Self(2), Self(3)];

    /// The bin with most memory.
    pub const LAST: Self = Self(3);

    /// The bin with this number, when there is one.
    pub fn new(number: u64) -> Option<Self> {
        u8::try_from(number)
            .ok()
            .filter(|n| usize::from(*n) < BINS)
            .map(Self)
    }

    /// The number, as in `memory_bin`.
    pub const fn number(self) -> u8 {
        self.0
    }

    /// The number, to look something up by.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }

    /// The next larger bin; none after the last.
    pub fn next(self) -> Option<Self> {
        Self::new(u64::from(self.0) + 1)
    }

    /// Memory in GiB, as provisioned.
    pub fn gib(self) -> u32 {
        MEMORY_GIB.get(self.index()).copied().unwrap_or(0)
    }

    /// What a job may use of it, in GiB: seven eighths, the rest is for the host.
    pub fn usable_gib(self) -> f64 {
        f64::from(self.gib()) * 7.0 / 8.0
    }

    /// The same in MiB, the unit of AWS Batch.
    pub fn usable_mib(self) -> u64 {
        u64::from(self.gib()) * 1024 / 8 * 7
    }

    /// vCPUs of a job, and with them the threads its programs start.
    pub fn vcpus(self) -> u32 {
        VCPUS.get(self.index()).copied().unwrap_or(1)
    }

    /// The smallest bin whose usable memory holds this much; the last when none does.
    pub fn holding_gib(gib: f64) -> Self {
        Self::ALL
            .into_iter()
            .find(|bin| bin.usable_gib() >= gib)
            .unwrap_or(Self::LAST)
    }
}

impl TryFrom<u8> for MemoryBin {
    type Error = String;

    fn try_from(number: u8) -> Result<Self, String> {
        Self::new(number.into())
            .ok_or_else(|| format!("{number} is no memory bin: they are 0, 1, 2 and 3"))
    }
}

impl From<MemoryBin> for u8 {
    fn from(bin: MemoryBin) -> Self {
        bin.0
    }
}

impl fmt::Display for MemoryBin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "memory bin {} ({} GiB)", self.0, self.gib())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usable_memory_is_what_the_job_definitions_ask_for() {
        let usable = MemoryBin::ALL.map(MemoryBin::usable_mib);
        assert_eq!(usable, [1792, 7168, 14336, 57344]);
    }

    #[test]
    fn the_smallest_bin_that_holds_a_peak_is_chosen() {
        let of = |gib| MemoryBin::holding_gib(gib).number();
        assert_eq!(
            [0.0, 1.75, 1.76, 7.0, 7.1, 14.0, 56.0, 99.0].map(of),
            [0, 0, 1, 1, 2, 2, 3, 3]
        );
        assert_eq!(of(f64::NAN), 3, "what is not known needs the most");
    }
}
