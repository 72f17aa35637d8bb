//! What can go wrong, as sentences an operator can act on.

use caldp_core::layout::KeyError;
use storage::s3::S3Error;
use storage::uri::UriError;

use crate::event::EventError;
use crate::jobs::JobsError;
use crate::order::OrderError;

/// An event that was not handled to its end. Delivered again, it is taken up where it stopped.
#[derive(Debug, thiserror::Error)]
pub enum TriggerError {
    /// The event makes no sense.
    #[error(transparent)]
    Event(#[from] EventError),
    /// The order or request makes no sense.
    #[error(transparent)]
    Order(#[from] OrderError),
    /// The key makes no sense.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A location makes no sense.
    #[error(transparent)]
    Uri(#[from] UriError),
    /// The event is of another deployment.
    #[error(
        "refused: {what} is not of this deployment ({ours})\nhint: check which function this event is sent to"
    )]
    Foreign {
        /// What was named.
        what: String,
        /// What would have been accepted.
        ours: String,
    },
    /// S3 failed.
    #[error(transparent)]
    S3(#[from] S3Error),
    /// AWS Batch failed.
    #[error(transparent)]
    Jobs(#[from] JobsError),
    /// A document this system wrote cannot be read.
    #[error(
        "{place} cannot be read: {reason}\nhint: it was changed by hand or by another version; clean the dataset to start afresh"
    )]
    Document {
        /// Where it is.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Another invocation is at it.
    #[error(
        "{what} is being worked on by another invocation ({owner}) until {until}\nhint: deliver the event again later"
    )]
    Busy {
        /// What is being worked on.
        what: String,
        /// Who has the claim.
        owner: String,
        /// Until when, unless it is renewed.
        until: String,
    },
    /// A document kept changing under the invocation's hands.
    #[error(
        "{place} was changed by others {tries} times while it was to be written\nhint: deliver the event again"
    )]
    Contended {
        /// Where it is.
        place: String,
        /// How often it was tried.
        tries: u32,
    },
    /// The dataset was cleaned under the invocation's hands.
    #[error("{dataset} was cleaned while its job was submitted; the job was stopped")]
    Cleaned {
        /// The dataset.
        dataset: caldp_core::dataset::Dataset,
    },
    /// A part of the work failed; the rest was done.
    #[error("{failed} of {all} parts failed, the first: {first}")]
    Partly {
        /// How many failed.
        failed: usize,
        /// Out of how many.
        all: usize,
        /// The first failure.
        first: String,
    },
}

impl TriggerError {
    /// A word for the kind of error: Lambda's `errorType`, for metrics and alarms.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Event(EventError::Unknown(_)) => "UnknownEvent",
            Self::Event(EventError::Malformed { .. }) => "MalformedEvent",
            Self::Order(_) => "Order",
            Self::Key(_) => "Key",
            Self::Uri(_) => "Uri",
            Self::Foreign { .. } => "ForeignEvent",
            Self::S3(_) => "S3",
            Self::Jobs(_) => "Batch",
            Self::Document { .. } => "Document",
            Self::Busy { .. } => "Busy",
            Self::Contended { .. } => "Contended",
            Self::Cleaned { .. } => "Cleaned",
            Self::Partly { .. } => "Partly",
        }
    }
}
