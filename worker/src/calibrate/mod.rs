//! Calibration: which programs an instrument needs, running them, and proving that they did
//! their work. It takes inputs that carry their references, and leaves products in the dataset's
//! working directory and the measurements of each program. Running a program is left to `process`,
//! packing and delivering to `deliver`.

pub mod environment;
pub mod plan;
pub mod products;
pub mod recipe;
pub mod stage;
pub mod versions;

mod expected;
mod inventory;
mod threads;
