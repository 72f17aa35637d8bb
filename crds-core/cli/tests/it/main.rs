//! The built `crds` program as its users see it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod bestrefs;
mod bulk;
mod changes;
mod commands;
mod comparisons;
mod concurrency;
mod drafts;
mod environment;
mod hostile;
mod jwst;
mod lists;
mod missing;
mod program;
mod records;
mod repair;
mod roman;
mod sync;
mod transcripts;
