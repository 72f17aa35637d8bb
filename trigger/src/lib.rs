//! Turns batches of datasets into AWS Batch jobs, failures into verdicts, requests into actions.
//!
//! [`handler`] is the table of contents. What is decided is decided by pure functions over plain
//! data ([`event`], [`names`], [`order`], [`job`], [`evidence`], [`verdict`], [`ladder`],
//! [`step`]); what is done is done at the [`desk`] and in the modules that add to it.

pub mod aws;
pub mod cli;
pub mod config;
pub mod desk;
pub mod dry_run;
pub mod error;
pub mod event;
pub mod evidence;
pub mod handler;
pub mod job;
pub mod jobs;
pub mod ladder;
pub mod names;
pub mod order;
pub mod pace;
pub mod place;
pub mod record;
pub mod request;
pub mod step;
pub mod submit;
pub mod verdict;

mod array;
mod batch_record;
mod carry_out;
mod each;
mod failure;
mod fanout;
mod fields;
mod lease;
mod messages;
mod overview;
mod survey;
