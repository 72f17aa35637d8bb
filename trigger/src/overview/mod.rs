//! How datasets and outputs are doing, for the schedule, `caldp status` and `caldp explain`: [`dataset`] is one
//! dataset, [`progress`] reads all of an output, [`summary`] adds them up.

pub mod board;
pub mod dataset;
pub mod page;
pub mod progress;
pub mod snapshot;
pub mod summary;
