//! The library, against the bundled cache, the real rules and servers.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod answers;
mod fixtures;
mod headers;
mod oracle;
mod sources;
