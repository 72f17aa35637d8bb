//! The `crds` program: see the library of this crate.

use std::process::ExitCode;

fn main() -> ExitCode {
    storage::memory::give_large_blocks_back();
    crds_cli::run(std::env::args_os()).into()
}
