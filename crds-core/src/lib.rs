//! A complete client for the Calibration Reference Data System (CRDS).
//!
//! CRDS decides which reference files calibrate a dataset: its rules (mappings) match a dataset's
//! header against tables kept by the observatories. This crate loads those rules, answers lookups,
//! keeps the cache of rules and references, and writes the answers into dataset headers.

pub mod bestrefs;
mod bounded;
pub mod cache;
mod client;
pub mod command;
pub mod config;
pub mod dataset;
mod expression;
pub mod header;
pub mod literal;
pub mod observatory;
pub mod rules;
mod selector;
pub mod source;
mod text_map;

pub use client::{
    AssignError, AssignOptions, Assigned, Assignments, BadFiles, Client, ClientError,
    FetchedReference, FileAssignment, Problem, Progress, ReferenceLocation, ReferenceOrigin,
    TypeChoice, VERSION_TEXT, Written,
};
pub use config::Config;
pub use observatory::Observatory;
