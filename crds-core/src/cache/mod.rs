//! The cache: rules, references and what the server said, on local disk, in the layout that all
//! CRDS clients share. Where missing files come from is left to others; this module says what
//! should be where, and puts files there complete and checked.

pub mod catalogue;
pub mod inventory;
pub mod layout;
pub mod lock;
pub mod organize;
pub(crate) mod payload;
pub mod server_config;
pub mod shared;
pub mod verified_file;
