//! What messages and requests are about: the states of batches, what operators ask for, and of what.
//! Where each is kept is for the layout.

use std::fmt;

use crate::batch::{BatchName, JobId};
use crate::dataset::Dataset;

/// The states of a whole batch, as the downloader moves them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BatchState {
    /// Submitted, not yet looked at by the downloader.
    New,
    /// Its datasets are being downloaded.
    Syncing,
    /// Every dataset is on site.
    Done,
    /// Some dataset could not be brought on site.
    Error,
}

/// What an operator can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verb {
    /// Submit again, with changed resources perhaps.
    Rescue,
    /// Terminate the job.
    Cancel,
    /// Delete everything of the dataset.
    Clean,
    /// Submit for the first time, the inputs having been placed.
    Placed,
}

/// Whom a request is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Target {
    /// One dataset.
    Dataset(Dataset),
    /// Every dataset concerned.
    All,
    /// Every archived dataset; only for [`Verb::Clean`].
    Ingested,
    /// One job; only for [`Verb::Cancel`].
    Job(JobId),
}

/// A message that spreads a request, or stops the spreading.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Broadcast {
    /// A part of a fan-out, with the id it was given.
    Part(BatchName),
    /// No fan-out may go on while this exists.
    Kill,
}

impl BatchState {
    /// Every state, in order.
    pub const ALL: [Self; 4] = [Self::New, Self::Syncing, Self::Done, Self::Error];
}

impl Verb {
    /// Every verb.
    pub const ALL: [Self; 4] = [Self::Rescue, Self::Cancel, Self::Clean, Self::Placed];
}

impl fmt::Display for BatchState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::New => "new",
            Self::Syncing => "syncing",
            Self::Done => "done",
            Self::Error => "error",
        })
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Rescue => "rescue",
            Self::Cancel => "cancel",
            Self::Clean => "clean",
            Self::Placed => "placed",
        })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dataset(dataset) => dataset.fmt(f),
            Self::All => f.pad("all"),
            Self::Ingested => f.pad("ingested"),
            Self::Job(id) => id.fmt(f),
        }
    }
}
