//! Calibrates one HST dataset, start to end.

pub mod calibrate;
pub mod run_log;
