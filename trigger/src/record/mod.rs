//! What is kept of datasets on S3: the record of each one's attempts, the only document that decides
//! what happens to it, with what is written around it.
//!
//! [`attempts`] is the record, [`transition`] what all changes of it have in common; [`documents`]
//! reads and conditionally writes it, [`lease`] gives one invocation the right to work on something. [`batches`]
//! says which outputs there are and which of them are closed.
//! [`measured`] is what a record keeps of a run's own.

pub mod attempts;
pub mod batches;
pub mod documents;
pub mod lease;
pub mod measured;
pub mod message;
mod provenance;
pub mod task;
pub mod transition;
