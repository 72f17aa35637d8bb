//! The compiled half of the Python package `crds_core`: what needs the rules, the cache or the
//! network. Names, defaults and checks that Python callers know are in the Python half
//! (`python/crds_core`), which is the only caller of this one.
//!
//! Python's interpreter lock is held only while values are taken from Python or given to it; see
//! [`session::wait`] for how long work can be interrupted.

#![allow(
    clippy::needless_pass_by_value,
    reason = "PyO3 gives arguments that were taken from Python by value"
)]

mod assign;
mod bulk;
mod context;
mod errors;
mod files;
mod headers;
mod lookup;
mod messages;
mod session;

use pyo3::prelude::*;

/// See `_native.pyi` beside the Python half for what each is given and gives.
#[pymodule]
mod _native {
    #[pymodule_export]
    use crate::assign::assign_bestrefs;
    #[pymodule_export]
    use crate::context::Context;
    #[pymodule_export]
    use crate::files::{cache_paths, locate_file, sync};
    #[pymodule_export]
    use crate::lookup::{
        build_context, context_name, getrecommendations, getreferences, is_context_name,
    };
    #[pymodule_export]
    use crate::messages::{deliver_to, set_verbosity};
    #[pymodule_export]
    use crate::run_command;
    #[pymodule_export]
    use crate::session::{default_observatory, is_serverless};

    #[pymodule_export]
    const VERSION: &str = env!("CARGO_PKG_VERSION");
}

/// Runs the `crds` program with these arguments, the first its name. Gives the exit status.
#[pyfunction]
fn run_command(py: Python<'_>, arguments: Vec<std::ffi::OsString>) -> u8 {
    py.detach(|| crds_cli::run(arguments))
}
