//! Orders become jobs: every dataset gets exactly one, however often the order is delivered.
//!
//! [`submitter`] takes orders and continues them, under a lease; `identity` tells which are the same. [`planned`] is an order as it was first
//! understood. [`dataset`] claims single datasets, [`arrays`] whole batches; [`reconcile`] makes a
//! dataset's job and messages match its record, `refusal` notes that there will be no job; [`batch_record`] tells the downloader of the batch;
//! `division` is how batches become arrays; [`forecast`] says what an order would do; [`lookup`] what is known of datasets before they run.

pub mod forecast;
pub mod lookup;
pub mod planned;
pub mod reconcile;
pub mod submitter;

mod arrays;
mod batch_record;
mod dataset;
mod division;
mod identity;
mod job;
mod refusal;
