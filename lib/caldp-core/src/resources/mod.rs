//! What a run will need: memory bin, time limit, expected time and expected peak memory, from what
//! is known of a dataset before it runs.
//!
//! [`Features`] say what is known, [`Model`] is the measured past as data (JSON), and
//! [`Model::estimate`] is a pure function of the two. [`fit`] makes a model from runs, [`judge`]
//! says what a model would have cost on runs. Files and stores are read by whoever calls; this
//! module only parses what they hold ([`table`], [`mem_model_features`]).
//!
//! Units: sizes of inputs in MB (10^6 bytes), memory in GiB inside the model. Tables of runs have
//! CALCLOUD's `memory_gb`, a number of KiB over 10^6 ([`GIB_PER_TABLE_GB`]); estimates are printed
//! in the same unit, so that both can be compared.

mod bin;
mod earlier;
mod estimate;
mod features;
pub mod fit;
pub mod judge;
pub mod mem_model_features;
mod model;
mod quantiles;
mod regression;
mod run;
pub mod table;
mod values;

pub use bin::{BINS, MemoryBin};
pub use earlier::EarlierRun;
pub use estimate::{Basis, Estimate, LONGEST, SHORTEST};
pub use features::{Family, Features, Key};
pub use model::{Curve, Extent, Group, Model, ModelError, Origin, Published};
pub use quantiles::Quantiles;
pub use run::{Refusal, Run, input_files};
pub use values::{large_detector, switch, unpacked_mb};

/// Where an installed model stands below the root of a bucket or directory.
pub const MODEL_KEY: &str = "control/resources.json";

/// GiB in one GB of a table of runs. CALCLOUD wrote the peak that the kernel counts in KiB divided
/// by 10^6; every value of its tables times 10^6 is a multiple of four, the size of a page.
pub const GIB_PER_TABLE_GB: f64 = 1.0e6 * 1024.0 / (1024.0 * 1024.0 * 1024.0);
