//! Running a program: found on the path, started in a process group of its own with an exact
//! environment, its output copied to the log, its costs measured, nothing of it left behind. Used by
//! calibration, previews and the doctor, which decide what runs and what its end means.

pub mod locate;
pub mod memory;
mod memory_words;
pub mod metrics;
pub mod program;

mod child;
mod leader;
mod lines;
mod output;
pub(crate) mod probe;
