//! The `crds` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    crds_core::command::run(std::env::args_os())
}
