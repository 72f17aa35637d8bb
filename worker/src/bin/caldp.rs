//! The worker's entry point.

use std::process::ExitCode;

fn main() -> ExitCode {
    caldp_worker::cli::main(std::env::args_os())
}
