//! What is said about a run: the provenance record that stays with the products, the environment
//! at its start with secrets masked, and the worker's own use of memory.

mod environment;
mod provenance;
mod usage;

pub use environment::masked;
pub use provenance::file_record;
pub use usage::peak_memory_kib;
