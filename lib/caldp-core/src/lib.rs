//! What every program of the system shares: the names of datasets, the keys under which things
//! are stored, the messages that record each dataset's state, and the exit codes.
//!
//! Nothing here knows FITS or CRDS.

pub mod array;
pub mod batch;
pub mod dataset;
pub mod exit_code;
pub mod job_command;
pub mod layout;
pub mod messages;
pub mod provenance;
pub mod resources;
pub mod state;
