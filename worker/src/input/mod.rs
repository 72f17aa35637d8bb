//! Inputs: the raw files of a dataset, brought into its working directory.
//!
//! Where they come from is a choice of the command line ([`source`]); [`gather`] brings them from
//! there. What is in them, and which of them a program needs, is left to calibration; which files
//! belong to a dataset, to `membership`.

pub mod archive;
pub mod context;
mod directory;
pub mod error;
pub mod events;
pub mod gather;
pub mod identity;
pub mod mast;
mod objects;
pub mod poller;
pub mod public_bucket;
pub mod source;

pub(crate) use directory::{Offer, offer};
