//! Where the jobs of each memory bin go, and what they cost.
//!
//! Which bin a dataset starts in is for `resources`; which one follows a failure, for `verdict`.

use caldp_core::resources::{BINS, MemoryBin};

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
        match bin.number() {
            0 => first,
            1 => second,
            2 => third,
            _ => last,
        }
    }

    /// US dollars for one job-hour in each.
    pub fn prices(&self) -> [f64; BINS] {
        self.0.each_ref().map(|site| site.hourly_price)
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
