//! Calibrates one HST dataset, start to end.
//!
//! [`run`] is the table of contents: inputs, references, calibration, previews, delivery, report,
//! each a module of its own that takes what the one before returned.

pub mod calibrate;
pub mod cli;
pub mod config;
pub mod deliver;
pub mod doctor;
pub mod error;
pub mod input;
pub mod membership;
pub mod operators;
pub mod preview;
pub mod process;
pub mod references;
pub mod report;
pub mod run;
pub mod run_log;
pub mod simulate_error;
pub mod workspace;
