//! The built `caldp` as people and AWS Batch run it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod cli;
mod contract;
mod doctor;
mod documents;
mod operators;
mod page;
mod plan;
mod process;
mod process_aws;
mod resources;
mod small_disk;
mod status;
mod story;
mod sync;
mod transcripts;
mod unreachable;
mod whole;

/// The built binary.
const CALDP: &str = env!("CARGO_BIN_EXE_caldp");
