//! How the server misbehaves, and what it remembers of each request.

use std::time::Duration;

/// What a request was for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// Observations by name.
    Observations,
    /// Products of observations.
    Products,
    /// A file.
    Download(String),
    /// Anything else.
    Other,
}

/// One request as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// What it was for.
    pub asked: Asked,
    /// The how manyth of its kind, or for its file, from 1.
    pub nth: usize,
    /// The how manyth of all, from 1.
    pub overall: usize,
    /// The `Authorization` header.
    pub authorization: Option<String>,
    /// The `Range` header.
    pub range: Option<String>,
}

/// What the server does instead of answering well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trick {
    /// Answers with an HTTP status and nothing else.
    Status(u16),
    /// Asks to come back after so many seconds.
    Busy(u16),
    /// Says that the service is still executing.
    Executing,
    /// Says that the service failed, with status 200 as the real one does.
    ServiceError(&'static str),
    /// Answers with this text.
    Text(&'static str),
    /// Sends so many bytes of the body and closes the connection.
    Cut(usize),
    /// Closes the connection without an answer.
    Reset,
    /// Sends the file with so many bytes fewer, as if that were all.
    Shorter(usize),
    /// Sends the whole file although a part was asked for.
    IgnoreRange,
    /// Waits before the answer.
    Late(Duration),
    /// Sends the body in pieces of so many bytes with pauses between them.
    Slow(usize, Duration),
    /// Sends the client to the same path of another server.
    Redirect(String),
}
