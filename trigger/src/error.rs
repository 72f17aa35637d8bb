//! What can go wrong, as sentences an operator can act on.

use std::borrow::Cow;

use caldp_core::dataset::Dataset;
use caldp_core::layout::KeyError;
use storage::hint::Hint;
use storage::s3::ErrorKind;
use storage::store::StoreError;
use storage::uri::{S3Uri, UriError};

use crate::batch::client::BatchRequestError;
use crate::event::EventError;
use crate::order::document::OrderError;
use crate::order::offers::NotOffered;

/// How often a conditional write is tried against others.
pub(crate) const CONDITIONAL_TRIES: u32 = 12;

/// What helps where AWS Batch refuses a job.
pub(crate) const CORRECT: &str =
    "correct the job queue, the job definition or the policy of whoever submits, then rescue it";

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
    #[error("refused: {what} is not of this deployment ({ours})")]
    Foreign {
        /// What was named.
        what: String,
        /// What would have been accepted.
        ours: String,
    },
    /// The order asks for something that this deployment does not have.
    #[error(transparent)]
    NotOffered(#[from] NotOffered),
    /// A dataset is to be processed whose inputs are not there.
    #[error("{dataset} cannot be submitted: there are no inputs at {uri}")]
    NoInputs {
        /// The dataset.
        dataset: Dataset,
        /// Where they should be.
        uri: S3Uri,
    },
    /// S3 failed.
    #[error(transparent)]
    S3(#[from] StoreError),
    /// AWS Batch failed.
    #[error(transparent)]
    Batch(#[from] BatchRequestError),
    /// A document this system wrote cannot be read.
    #[error("{uri} cannot be read: {reason}")]
    Document {
        /// Where it is.
        uri: S3Uri,
        /// What is wrong with it.
        reason: String,
    },
    /// A name this system makes is not acceptable.
    #[error("{name:?} cannot be a name")]
    Name {
        /// The name.
        name: String,
        /// Why not.
        source: caldp_core::batch::BatchError,
    },
    /// AWS Batch takes no such job.
    #[error("{dataset} is not run: {refusal}")]
    Refused {
        /// The dataset.
        dataset: Dataset,
        /// What was said.
        refusal: String,
    },
    /// Another invocation is at it.
    #[error("{what} is being worked on by another invocation ({owner}) until {until}")]
    Busy {
        /// What is being worked on.
        what: String,
        /// Who has the claim.
        owner: String,
        /// Until when, unless it is renewed.
        until: jiff::Timestamp,
    },
    /// A document kept changing while the invocation worked on it.
    #[error("{uri} was changed by others {CONDITIONAL_TRIES} times while it was to be written")]
    Contended {
        /// Where it is.
        uri: S3Uri,
    },
    /// The dataset was cleaned while the invocation worked on it.
    #[error("{dataset} was cleaned while its job was submitted; the job was stopped")]
    Cleaned {
        /// The dataset.
        dataset: Dataset,
    },
    /// A part of the work failed; the rest was done.
    #[error("{failed} of {all} parts failed, the first of them")]
    Partly {
        /// How many failed.
        failed: usize,
        /// Out of how many.
        all: usize,
        /// The first failure.
        #[source]
        first: Box<TriggerError>,
    },
}

impl TriggerError {
    /// Whether the same event would fail in the same way for ever: it is answered, not tried again.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Event(_)
            | Self::Order(_)
            | Self::Key(_)
            | Self::Uri(_)
            | Self::Foreign { .. }
            | Self::NotOffered(_)
            | Self::NoInputs { .. }
            | Self::Refused { .. } => true,
            Self::S3(error) => error.kind() == ErrorKind::TooLarge,
            Self::Partly { first, .. } => first.is_final(),
            Self::Batch(_)
            | Self::Document { .. }
            | Self::Name { .. }
            | Self::Busy { .. }
            | Self::Contended { .. }
            | Self::Cleaned { .. } => false,
        }
    }

    /// The failures of parts of `all` as one; none when there are none. One that may succeed later stands
    /// for all.
    pub(crate) fn of_parts(mut errors: Vec<Self>, all: usize) -> Option<Self> {
        let failed = errors.len();
        let place = errors.iter().position(|e| !e.is_final()).unwrap_or(0);
        let first = (failed > 0).then(|| errors.swap_remove(place))?;
        Some(if failed == 1 {
            first
        } else {
            let first = Box::new(first);
            Self::Partly { failed, all, first }
        })
    }

    /// A word for the kind of error: Lambda's `errorType`, for metrics and alarms.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Event(EventError::Unknown(_)) => "UnknownEvent",
            Self::Event(EventError::Malformed { .. }) => "MalformedEvent",
            Self::Order(_) => "Order",
            Self::Key(_) => "Key",
            Self::Uri(_) => "Uri",
            Self::Foreign { .. } => "ForeignEvent",
            Self::NotOffered(_) => "NotOffered",
            Self::NoInputs { .. } => "NoInputs",
            Self::Refused { .. } => "Refused",
            Self::S3(_) => "S3",
            Self::Batch(_) => "Batch",
            Self::Document { .. } | Self::Name { .. } => "Document",
            Self::Busy { .. } => "Busy",
            Self::Contended { .. } => "Contended",
            Self::Cleaned { .. } => "Cleaned",
            Self::Partly { .. } => "Partly",
        }
    }
}

impl Hint for TriggerError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Event(error) => error.hint(),
            Self::Order(error) => error.hint(),
            Self::Uri(error) => error.hint(),
            Self::S3(error) => error.hint(),
            Self::NotOffered(error) => error.hint(),
            Self::NoInputs { .. } => {
                Some("put the inputs there, then the request once more".into())
            }
            Self::Refused { .. } => Some(CORRECT.into()),
            Self::Foreign { .. } => Some("check which function this event is sent to".into()),
            Self::Document { .. } => Some(
                "it was changed by hand or by another version; clean the dataset to start afresh"
                    .into(),
            ),
            Self::Busy { .. } => Some("deliver the event again later".into()),
            Self::Contended { .. } => Some("deliver the event again".into()),
            Self::Partly { first, .. } => first.hint(),
            Self::Name { source, .. } => source.hint(),
            Self::Key(_) | Self::Batch(_) | Self::Cleaned { .. } => None,
        }
    }
}
