//! What a run needs of the machine, measured for the record that later estimates are learnt from: what
//! the raw files ask of the programs, how many processors there are, how much memory the container
//! holds. What follows from that for other runs is left to `caldp_core::resources`.

mod container;
mod features;
mod processors;

pub(crate) use container::ContainerMemory;
pub(crate) use features::of_raw_files;
pub(crate) use processors::Processors;
