//! The four bins of memory a job can get, and where the jobs of each go.
//!
//! Which bin a dataset starts in is for `resources`; which one follows a failure, for `verdict`.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How many memory bins there are.
pub const BINS: usize = 4;

pub(crate) const GIB: u64 = 1 << 30;

/// The memory of each bin in GiB, as provisioned.
const MEMORY_GIB: [u64; BINS] = [2, 8, 16, 64];

/// One of the bins, 0 (least memory) to 3: what operators call `memory_bin`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct MemoryBin(u8);

impl MemoryBin {
    /// Every memory bin, lowest first.
    pub const ALL: [Self; BINS] = [Self(0), Self(1), Self(2), Self(3)];

    /// The memory bin with this number, when there is one.
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

    /// The next higher memory bin; none on the last.
    pub fn next(self) -> Option<Self> {
        Self::new(u64::from(self.0) + 1)
    }

    /// Its memory in bytes, as provisioned.
    pub fn memory(self) -> u64 {
        MEMORY_GIB.get(usize::from(self.0)).copied().unwrap_or(0) * GIB
    }

    /// What a job may use of it: seven eighths, in MiB, the unit of AWS Batch. The rest is for the
    /// host.
    pub fn usable_mib(self) -> u64 {
        self.memory() / 8 * 7 / (1 << 20)
    }

    /// The lowest memory bin whose usable memory holds `bytes`; the last when none does.
    pub fn holding(bytes: u64) -> Self {
        Self::ALL
            .into_iter()
            .find(|r| r.memory() / 8 * 7 >= bytes)
            .unwrap_or(Self(3))
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
        write!(f, "memory bin {} ({} GiB)", self.0, self.memory() / GIB)
    }
}

/// Where jobs of one memory bin go.
#[derive(Debug, Clone, PartialEq)]
pub struct Site {
    /// The job queue's name.
    pub queue: String,
    /// The name of a queue without spot instances, where there is one.
    pub on_demand_queue: Option<String>,
    /// The job definition's name.
    pub definition: String,
    /// US dollars for one job-hour.
    pub hourly_price: f64,
}

/// All bins, with the site of each.
#[derive(Debug, Clone, PartialEq)]
pub struct MemoryBins([Site; BINS]);

impl MemoryBins {
    /// The bins with these sites, least memory first.
    pub const fn new(sites: [Site; BINS]) -> Self {
        Self(sites)
    }

    /// The site of a memory bin.
    pub fn site(&self, bin: MemoryBin) -> &Site {
        let [first, second, third, last] = &self.0;
        match bin.0 {
            0 => first,
            1 => second,
            2 => third,
            _ => last,
        }
    }

    /// The names of all queues.
    pub fn queues(&self) -> Vec<&str> {
        let usual = self.0.iter().map(|site| site.queue.as_str());
        let on_demand = self.0.iter().filter_map(|s| s.on_demand_queue.as_deref());
        usual.chain(on_demand).collect()
    }

    /// The names of all job definitions.
    pub fn definitions(&self) -> Vec<&str> {
        self.0.iter().map(|site| site.definition.as_str()).collect()
    }

    /// The memory bin whose queue has this name.
    pub fn bin_of_queue(&self, queue: &str) -> Option<MemoryBin> {
        MemoryBin::ALL.into_iter().find(|bin| {
            let site = self.site(*bin);
            site.queue == queue || site.on_demand_queue.as_deref() == Some(queue)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usable_memory_is_what_the_job_definitions_ask_for() {
        let usable: Vec<u64> = MemoryBin::ALL.iter().map(|r| r.usable_mib()).collect();
        assert_eq!(usable, [1792, 7168, 14336, 57344]);
    }
}
