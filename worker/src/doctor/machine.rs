//! The machine: room on disk and memory, against what a run takes.
//!
//! The figures are rules of thumb: a calibrated image has five bytes for each two of the raw one
//! three times over (data, error, quality; corrected for charge transfer and not; drizzled), and
//! the programs hold several copies of the pixels in double precision. Measured needs of single
//! datasets are for whoever runs many of them.

use super::finding::{Area, Finding, Level};
use super::place::{Place, existing};
use super::{Situation, size};
use crate::process::memory::memory_limit;
use caldp_core::dataset::{Instrument, Kind};
use std::path::Path;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// Disk for each byte of input.
const DISK_FACTOR: u64 = 12;
/// Disk for a dataset of unknown size; most have less.
const DISK_USUAL: u64 = 4 * GIB;
/// With less than this nothing works.
const DISK_LEAST: u64 = 64 * MIB;
/// Memory for interpreter and libraries, and for a dataset of unknown size.
const MEMORY_BASE: u64 = GIB / 2;
const MEMORY_USUAL: u64 = 2 * GIB;

pub(super) fn check(situation: &Situation) -> Vec<Finding> {
    vec![
        home(&situation.request.home),
        disk(situation),
        memory(situation),
    ]
}

/// Where the working directory is made.
fn home(home: &Path) -> Finding {
    let hint = "set CALDP_HOME to a directory that can be written";
    let (level, text) = match Place::of(home) {
        Place::Writable => (Level::Ok, "can be written".to_owned()),
        Place::Creatable(_) => (Level::Ok, "will be made".to_owned()),
        Place::ReadOnly => (Level::Problem, "cannot be written".to_owned()),
        Place::Unreadable(why) => (Level::Problem, why),
        Place::NoDirectory => (Level::Problem, "is no directory".to_owned()),
        Place::Absent(above) => (
            Level::Problem,
            format!("is not there, and {} cannot be written", above.display()),
        ),
    };
    let subject = format!("working directory below {}", home.display());
    let finding = Finding::new(Area::Machine, subject, level, text);
    if level == Level::Ok {
        finding
    } else {
        finding.hint(hint)
    }
}

fn disk(situation: &Situation) -> Finding {
    let place = existing(&situation.request.home);
    let subject = format!("disk at {}", place.display());
    let finding = |level, text| Finding::new(Area::Machine, subject.clone(), level, text);
    let free = match rustix::fs::statvfs(&place) {
        Ok(disk) => disk.f_bavail.saturating_mul(disk.f_frsize),
        Err(error) => return finding(Level::Warning, format!("room unknown: {error}")),
    };
    let (need, about) = match situation.inputs.bytes {
        0 => (DISK_USUAL, "a usual dataset takes up to"),
        bytes => (
            bytes.saturating_mul(DISK_FACTOR),
            "this dataset takes about",
        ),
    };
    let text = format!("{} free, {about} {}", size(free), size(need));
    let level = match free {
        free if free < DISK_LEAST || free < situation.inputs.bytes => Level::Problem,
        free if free < need => Level::Warning,
        _ => Level::Ok,
    };
    let finding = finding(level, text)
        .detail("free_bytes", free.to_string())
        .detail("need_bytes", need.to_string());
    if level == Level::Ok {
        finding
    } else {
        finding.hint("make room, or set CALDP_HOME to a directory on a larger disk")
    }
}

fn memory(situation: &Situation) -> Finding {
    let finding = |level, text| Finding::new(Area::Machine, "memory", level, text);
    let Some(limit) = memory_limit() else {
        return finding(Level::Note, "how much there is cannot be told".to_owned());
    };
    let factor = match situation.request.dataset.as_ref() {
        Some(dataset) => match (dataset.kind(), dataset.instrument()) {
            (Kind::Svm | Kind::Mvm, _) | (_, Some(Instrument::Acs | Instrument::Wfc3) | None) => 12,
            (_, Some(Instrument::Stis | Instrument::Cos)) => 6,
        },
        None => 0,
    };
    let (need, about) = match situation.inputs.bytes.saturating_mul(factor) {
        0 => (MEMORY_USUAL, "a usual dataset takes up to"),
        bytes => (
            bytes.saturating_add(MEMORY_BASE),
            "this dataset takes about",
        ),
    };
    let level = match limit.bytes {
        bytes if bytes < MEMORY_BASE => Level::Problem,
        bytes if bytes < need => Level::Warning,
        _ => Level::Ok,
    };
    let text = format!(
        "{} ({}), {about} {}",
        size(limit.bytes),
        limit.said_by,
        size(need)
    );
    let finding = finding(level, text)
        .detail("limit_bytes", limit.bytes.to_string())
        .detail("need_bytes", need.to_string());
    if level == Level::Ok {
        finding
    } else {
        finding.hint("give the container or machine more memory, or run fewer programs beside")
    }
}
