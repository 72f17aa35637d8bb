//! Turns batches of datasets into AWS Batch jobs, failures into verdicts, requests into actions.

pub mod config;
pub mod event;
pub mod evidence;
pub mod job;
pub mod ladder;
pub mod names;
pub mod order;
pub mod record;
pub mod step;
pub mod verdict;
