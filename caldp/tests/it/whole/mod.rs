//! Whole runs of the built binary: every bundled dataset from every kind of input in both layouts,
//! and what becomes of a run when programs, servers, inputs or the machine misbehave. The
//! servers are real HTTP servers on 127.0.0.1, `calcos` is the real one, the programs that no
//! package registry has are stand-ins.

mod enormous;
mod faults;
mod host;
mod hostile;
mod identity;
mod interrupted;
mod manifest;
mod mosaics;
mod observed;
mod sharing;

pub(crate) use host::{Host, Origin, files_below};
