//! What a command did, in words or JSON.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use crate::request::requests::TargetAnswer;
use crate::submit::submitter::OrderAnswer;
use crate::sweep::SweepAnswer;

/// What a command did, displayed as lines of `name: value`, or as JSON where that was asked for.
#[derive(Debug)]
pub struct CommandOutput {
    /// What was done.
    pub answer: CommandAnswer,
    pub(super) json: bool,
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

impl fmt::Display for CommandOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = serde_json::to_value(&self.answer).map_err(|_| fmt::Error)?;
        if self.json {
            write!(f, "{value:#}")
        } else {
            f.write_str(in_words(&value, 0).trim_end())
        }
    }
}

/// An answer as lines of `name: value`.
fn in_words(value: &Value, depth: usize) -> String {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| match value {
                Value::Object(_) | Value::Array(_) => {
                    format!("{indent}{name}:\n{}", in_words(value, depth + 1))
                }
                other => format!("{indent}{name}: {}\n", plain(other)),
            })
            .collect(),
        Value::Array(items) if items.iter().all(|i| !i.is_object() && !i.is_array()) => {
            let words: Vec<String> = items.iter().map(plain).collect();
            format!("{indent}{}\n", words.join(" "))
        }
        Value::Array(items) => items.iter().map(|i| in_words(i, depth) + "\n").collect(),
        other => format!("{indent}{}\n", plain(other)),
    }
}

fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}
