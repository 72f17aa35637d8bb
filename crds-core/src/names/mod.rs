//! What things are called: rules and their kinds, contexts, references and their types, files of a
//! cache. Each is read once, where text comes in; what a name stands for is for others to know.

mod context;
mod file;
mod mapping;
mod reference;

pub use context::{ContextName, ContextNameError, ContextTag, RulesPart};
pub use file::{FileName, FileNameError};
pub use mapping::{MappingKind, MappingName, MappingNameError};
pub use reference::{ReferenceName, ReferenceType};
