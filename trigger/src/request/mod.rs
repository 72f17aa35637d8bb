//! What operators ask for: rescue, cancel, clean and placed, for one dataset, one job, or all.
//!
//! [`requests`] takes a request's object and deletes it when it has been carried out; [`dataset`] carries
//! it out for a dataset or job, [`fan_out`] for many; [`transition`] is what it changes in a record.

mod clean_all;
pub mod dataset;
pub mod fan_out;
pub mod requests;
pub mod transition;
