//! The built `caldp` as people and AWS Batch run it, and the client of MAST against a server of its kind.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod cli;
mod doctor;
mod mast;
mod operators;
mod process;
mod process_aws;
mod whole;
