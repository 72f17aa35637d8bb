//! Any bytes are an answer of MAST or a clear error; of its rows only files that may be written
//! are chosen, each once.
#![no_main]
#![allow(dead_code, reason = "requests are not written here")]

#[path = "../../src/membership/file_name.rs"]
mod file_name;
mod input;
mod membership {
    pub(crate) use super::file_name;
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| input::read(bytes));
