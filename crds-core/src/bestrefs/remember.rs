//! What bulk lookups remember.

use crate::rules::Instrument;

#[derive(Debug, Default)]
pub(super) struct Memories {
    memory: Memory,
}

#[derive(Debug, Default)]
pub(super) struct Memory {}

impl Memories {
    pub(super) fn of_instrument(&mut self, _index: usize, _instrument: &Instrument) -> &mut Memory {
        &mut self.memory
    }
}
