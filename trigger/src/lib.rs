//! The trigger: batches of datasets become jobs of AWS Batch, failures become verdicts, requests become
//! actions.
//!
//! One Lambda function answers every event of the system, and an operator's commands ([`cli`]) do the
//! same work on the same state. [`handler::Trigger`] tells events apart and has a part for each:
//!
//! | event | read by | handled by | changes |
//! |---|---|---|---|
//! | an order: a direct invocation, a list in `batches/` | [`order`] | [`submit`] | jobs, records, messages |
//! | a job changed its state | [`event`] | [`verdict`] | the record, the message; perhaps a new job |
//! | a request: rescue, cancel, clean, placed | [`order`] | [`request`] | what was asked for |
//! | the schedule | | [`schedule`], [`sweep`] | submissions nobody works on; datasets whose job nobody heard of; the counts |
//!
//! The state on S3 is the only database. A dataset's *record* ([`record::attempts`]) decides; its messages
//! and its job follow it ([`submit::reconcile`]). What is decided is decided by pure functions over plain
//! data ([`verdict::judge`], [`verdict::ended`], [`request::transition`], [`resources`]); what is read and
//! written goes through [`record::documents`] and [`batch`]. So everything can be killed at any moment,
//! delivered twice, and run at the same time as itself.

pub mod batch;
pub mod cli;
pub mod config;
pub mod error;
pub mod event;
pub mod handler;
pub mod invocation;
pub mod memory_bins;
pub mod metric;
pub mod order;
pub mod output_root;
pub mod overview;
pub mod queue;
pub mod record;
pub mod request;
pub mod resources;
pub mod schedule;
pub mod submit;
pub mod sweep;
pub mod verdict;

mod bounded;
