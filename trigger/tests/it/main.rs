//! Batches, job events and requests: decided by the library, and by the built function as AWS Lambda runs it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::large_futures,
    reason = "tests"
)]

mod estimates;
mod fan_out;
mod fan_out_requests;
mod function;
mod job_events;
mod model;
mod refusals;
mod requests;
mod schedule;
mod sweep;
mod verdicts;
mod world;
