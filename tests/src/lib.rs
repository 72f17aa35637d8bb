//! Servers and fixtures the tests of every crate use. Nothing here reaches a user.
//!
//! [`S3Server`] is an S3 service, [`CrdsServer`] a server of CRDS, [`MastServer`] a MAST, each on
//! a free local port; [`fixtures`] finds the bundled data. This crate depends on none of the
//! others, so all of them can use it in their tests.

#![allow(
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::panic,
    reason = "a test that cannot be set up should stop where it is"
)]

mod crds_server;
mod fixtures;
mod mast_server;
mod s3_server;

pub use crds_server::{CrdsFault, CrdsServer};
pub use fixtures::{calcos_directory, external_data, fixtures, unpack_fixture};
pub use mast_server::{Asked, MastServer, Seen, Trick};
pub use s3_server::{Fault, Faults, S3Server};
