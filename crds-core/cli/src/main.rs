//! The `crds` program: see the library of this crate.

use std::process::ExitCode;

fn main() -> ExitCode {
    crds_cli::run(std::env::args_os()).into()
}
