//! What becomes of a dataset whose job ended.
//!
//! [`judge`] is the verdict on a failure, [`ended`] what the end of a job changes in the dataset's
//! record, [`job_ends`] carries both out.

pub mod ended;
pub mod job_ends;
pub mod judge;
