//! Servers and fixtures the tests of every crate use. Nothing here reaches a user.
//!
//! [`S3Server`] is an S3 service, [`BatchServer`] an AWS Batch, [`CrdsServer`] a server of CRDS,
//! [`MastServer`] a MAST, each on a free local port; [`Moto`] is AWS as somebody else wrote it, in a
//! process of its own; [`LambdaFunction`] runs a function as AWS Lambda does; [`Programs`] are the
//! calibration programs, real or stood in for; [`fixtures`] finds the bundled data. A [`World`] has what
//! tests of several crates begin with, a [`Run`] is what a command said, a [`Transcript`] what people
//! see of commands. This crate depends on none of the others, so all of them can use it in their tests.

#![allow(
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::panic,
    reason = "a test that cannot be set up should stop where it is"
)]

mod batch_server;
mod calls;
mod crds_server;
pub mod fits_sample;
mod fixtures;
mod http;
mod lambda_function;
mod mast_server;
mod moto;
mod programs;
mod run;
mod s3_server;
mod transcript;
mod world;

pub use batch_server::{BatchFault, BatchServer, SubmittedJob};
pub use crds_server::{CrdsFault, CrdsServer};
pub use fixtures::{
    external_data, fixtures, long_variants, publish_other_table, real_location, registry_programs,
    switch_off, unpack_fixture,
};
pub use lambda_function::{Invoked, LambdaFunction};
pub use mast_server::{Asked, MastServer, Seen, Trick};
pub use moto::Moto;
pub use programs::Programs;
pub use run::Run;
pub use s3_server::{Fault, Faults, Refusal, S3Server};
pub use transcript::Transcript;
pub use world::{DEFINITIONS, QUEUES, World};
