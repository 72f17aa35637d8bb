//! The client of MAST against a server of its kind; whole runs are tests of the `caldp` crate.

#![allow(clippy::unwrap_used, reason = "tests")]

mod mast;
