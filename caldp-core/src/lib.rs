//! What every program of the system shares: the names of datasets, where things are stored and
//! under which keys, the messages that record each dataset's state, and the exit codes.
//!
//! Nothing here knows FITS or CRDS.

pub mod array;
pub mod atomic;
pub mod batch;
pub mod checksum;
pub mod dataset;
pub mod exit_code;
pub mod layout;
pub mod message;
pub mod retry;
pub mod s3;
pub mod state;
pub mod store;
pub mod uri;
