//! Calibration: which programs an instrument needs, running them, and proving that they did
//! their work. The inputs are ready and carry their references when this room is entered; what
//! leaves it are products in the dataset's working directory and the measurements of each
//! program. Packing and delivering them is left to `deliver`.

pub mod association;
pub mod environment;
pub mod locate;
pub mod memory;
pub mod metrics;
pub mod plan;
pub mod products;
pub mod program;
pub mod recipe;
pub mod stage;
pub mod versions;

mod child;
mod guard;
mod inventory;
mod lines;
