//! The client of S3 and every store, against a server that misbehaves where it is told to.
#![allow(clippy::unwrap_used, reason = "tests")]

mod regions;
mod s3;
mod store;
