//! What a command did. How people are told is for whoever mounts the commands.

use serde::Serialize;

use crate::request::dataset::DatasetAnswer;
use crate::request::requests::TargetAnswer;
use crate::submit::submitter::OrderAnswer;
use crate::sweep::SweepAnswer;

/// What a command did, and how it is to be told.
#[derive(Debug)]
pub struct CommandOutput {
    /// What was done.
    pub answer: CommandAnswer,
    /// Whether the answer itself is to be printed, as JSON.
    pub json: bool,
    /// The exit status.
    pub status: u8,
}

/// What a command did.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum CommandAnswer {
    /// An order was submitted, or asked what it would do.
    Order(OrderAnswer),
    /// A request was carried out for each target.
    Request(Vec<RequestedTarget>),
    /// What was stuck was settled.
    Sweep(SweepAnswer),
}

/// What came of a request for one target.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RequestedTarget {
    /// The target, as it is called in keys.
    pub target: String,
    /// What came of it.
    pub result: TargetAnswer,
}

impl RequestedTarget {
    /// Whether what was asked was not done, or only of some datasets.
    pub(super) fn failed(&self) -> bool {
        match &self.result {
            TargetAnswer::One(answer) => matches!(answer, DatasetAnswer::Refused(_)),
            TargetAnswer::Many(answer) => answer.is_partial(),
        }
    }
}
