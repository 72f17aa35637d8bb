//! What the programs under test ask of AWS, written down for the tests of the infrastructure's policies: with
//! `CALDP_RECORD_CALLS=<directory>` each call that reaches a test server is a line there of who asked (the crate under
//! test and the test), the service, the operation and what it is about. `tests/system/calls.py` makes
//! `tests/system/calls.json` of the lines.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, OnceLock};

use crate::http::lock;

/// Names the directory; without it nothing is recorded.
const DIRECTORY: &str = "CALDP_RECORD_CALLS";

/// Records the calls that reach one server.
#[derive(Debug, Clone)]
pub(crate) struct Calls {
    who: String,
}

impl Calls {
    /// The calls of the test that is running: its name is that of its thread.
    pub(crate) fn of_this_test() -> Self {
        let thread = std::thread::current();
        let krate = std::env::var("CARGO_PKG_NAME").unwrap_or_default();
        let who = format!("{krate}\t{}", thread.name().unwrap_or_default());
        Self { who }
    }

    pub(crate) fn record(&self, service: &str, operation: &str, about: &str) {
        if let Some(file) = file() {
            let line = format!("{}\t{service}\t{operation}\t{about}\n", self.who);
            lock(file)
                .write_all(line.as_bytes())
                .expect("a call can be written down");
        }
    }
}

/// This process's file; none where nothing is recorded.
fn file() -> Option<&'static Mutex<File>> {
    static FILE: OnceLock<Option<Mutex<File>>> = OnceLock::new();
    let open = || {
        let directory = std::env::var_os(DIRECTORY)?;
        let path = Path::new(&directory).join(std::process::id().to_string());
        let file = OpenOptions::new().create(true).append(true).open(path);
        Some(Mutex::new(file.expect("the directory can be written to")))
    };
    FILE.get_or_init(open).as_ref()
}
