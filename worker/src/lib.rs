//! Calibrates one HST dataset, start to end.
//!
//! [`run::run`] is the main call and the table of contents: inputs ([`input`]), references
//! ([`references`]), calibration ([`calibrate`]), previews ([`preview`]), delivery ([`deliver`]),
//! report ([`report`]). Each is a module that takes what the one before returned. Programs are run by
//! [`process`]; which files belong to a dataset is said by [`membership`]; every environment variable
//! stands in [`config::variables`]; [`cli`] makes commands of it, which the `caldp` crate mounts.
//!
//! ```no_run
//! use caldp_worker::config::{ConfigName, Settings};
//! use caldp_worker::run::{Request, run};
//! use caldp_worker::run_log::RunLog;
//! use tokio_util::sync::CancellationToken;
//!
//! # async fn calibrate(request: Request) -> Result<(), Box<dyn std::error::Error>> {
//! let settings = Settings::resolve(&ConfigName::Offsite, std::env::vars())?;
//! let (record, outcome) =
//!     run(&request, &settings, &RunLog::console(), &CancellationToken::new()).await;
//! println!("{} products", record.outputs.len());
//! outcome?;
//! # Ok(())
//! # }
//! ```

mod allocator;
pub mod calibrate;
pub mod cli;
pub mod config;
pub mod deliver;
pub mod doctor;
pub mod error;
pub mod input;
pub mod membership;
mod needs;
pub mod operators;
pub mod preview;
pub mod process;
pub mod references;
pub mod report;
pub mod run;
pub mod run_log;
pub mod sharing;
pub mod simulate_error;
pub mod workspace;
