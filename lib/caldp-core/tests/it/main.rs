//! The crate's parts together, as other crates use them.
#![allow(clippy::unwrap_used, reason = "tests")]

mod measured_runs;
mod resources;
