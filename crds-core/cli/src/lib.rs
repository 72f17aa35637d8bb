//! The `crds` program. Options become settings, settings a client; what users see is made here:
//! results on stdout, everything else on stderr.
//!
//! A library, because the Python package carries the program as well; the binary only calls
//! [`run`].

mod bestrefs;
mod catalogue;
mod cli;
mod contexts;
mod diff;
mod env;
mod failure;
mod interrupt;
mod json;
mod list;
mod log;
mod matches;
mod options;
mod pretty;
mod progress;
mod s3_get;
mod s3_set;
mod s3_unset;
mod sync;
mod uses;

pub use cli::run;
pub use log::EventText;
