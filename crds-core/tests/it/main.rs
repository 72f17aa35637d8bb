//! The library and the built `crds`, against the bundled cache, the real rules, servers and hostile files.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod answers;
mod bestrefs;
mod commands;
mod concurrency;
mod environment;
mod fixtures;
mod headers;
mod hostile;
mod jwst;
mod oracle;
mod program;
mod sources;
mod storage;
