//! Calibrates one HST dataset, start to end.

pub mod calibrate;
pub mod fits;
pub mod run_log;
