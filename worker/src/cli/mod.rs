//! The commands of the worker: what their arguments mean, and how a run or a report ends as an exit
//! status. Which program answers to them, and under which names, is left to the `caldp` crate.
//!
//! Arguments become types here and go no further as text.

mod arguments;
mod child;
pub mod config;
pub mod doctor;
pub mod logging;
pub mod process;

pub use arguments::{Process, ProcessAws, RunArguments};
pub use config::ConfigArguments;
pub use doctor::Doctor;
