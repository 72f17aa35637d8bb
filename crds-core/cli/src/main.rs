//! The `crds` program. Options become settings, settings a client; what users see is made here:
//! results on stdout, everything else on stderr.

mod bestrefs;
mod cli;
mod env;
mod failure;
mod interrupt;
mod json;
mod list;
mod log;
mod matches;
mod options;
mod progress;
mod s3_get;
mod s3_set;
mod sync;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run(std::env::args_os())
}
