//! What calibration programs say when memory was refused to them, in the last lines of their output.
//!
//! Sources: every message of HSTCAL (calacs, calwf3, calstis and what they share: `hstio`, `tables`,
//! `ctegen2`, `lib/trlbuf.c`), which ends with 2 and what `WhichError` says, or with 111; calcos and
//! drizzlepac, whose C code raises `MemoryError` and `Exception: Out of memory`; cfitsio, OpenMP and
//! the C++ library below them.

/// How many of the last lines that are not empty may hold the report of the failure.
const LAST_LINES: usize = 20;
/// How much of a line is repeated, in characters.
const SHOWN: usize = 200;

/// What a line says that begins as an error of HSTCAL, wherever in it.
const IN_ERRORS: [&str; 9] = [
    "out of memory",
    "can't allocate",
    "cannot allocate",
    "could not allocate",
    "couldn't allocate",
    "not enough memory",
    "insufficient memory",
    "memory allocation failure",
    "problems allocating memory",
];
/// How a line begins that is not marked as an error.
const BEGINNINGS: [&str; 14] = [
    "can't even begin; out of memory",
    "can't even begin:  out of memory",
    "out of memory",
    "not enough memory to allocate",
    "cannot allocate memory for input",
    "memory allocation failure",
    "no memory left to allocate data",
    "could not allocate memory",
    "trlmessage: calloc failed",
    "trlwarn: calloc failed",
    "trlerror: calloc failed",
    "libgomp: out of memory",
    "terminate called after throwing an instance of 'std::bad_alloc'",
    "exception: out of memory",
];
/// What HSTCAL calls every failure to make room for an image.
const ALLOCATION_PROBLEM: &str = "allocation problem.";

/// A line that says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    /// The system refused memory.
    Refused(String),
    /// The program reports an error of its own.
    Reported(String),
}

/// An explicit memory error in the last lines of a failed program's output.
pub(super) fn said_at_the_end(tail: &[u8]) -> Option<Said> {
    let text = String::from_utf8_lossy(tail);
    text.lines()
        .rev()
        .filter(|line| !line.trim().is_empty())
        .take(LAST_LINES)
        .find_map(said)
}

fn said(line: &str) -> Option<Said> {
    let shown = || line.trim().chars().take(SHOWN).collect::<String>();
    if refused_by_the_system(line) {
        return Some(Said::Refused(shown()));
    }
    (raised_by_python(line) || said_by_hstcal(line)).then(|| Said::Reported(shown()))
}

/// A traceback ends, unindented, with `<module>.<Class>: <text>`.
fn class_of(line: &str) -> Option<&str> {
    let class = line.split(':').next().unwrap_or(line).trim_end();
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.');
    class.chars().all(is_name).then_some(class)
}

fn raised_by_python(line: &str) -> bool {
    class_of(line).is_some_and(|class| class.ends_with("MemoryError"))
}

fn refused_by_the_system(line: &str) -> bool {
    class_of(line) == Some("OSError") && line.contains("Cannot allocate memory")
}

fn said_by_hstcal(line: &str) -> bool {
    let line = line.trim().to_ascii_lowercase();
    let marked = line
        .trim_start_matches("==>")
        .strip_prefix("error")
        .map(|rest| rest.trim_start_matches([':', ' ']));
    match marked {
        Some(said) => {
            said == ALLOCATION_PROBLEM || IN_ERRORS.iter().any(|words| said.contains(words))
        }
        None => BEGINNINGS.iter().any(|words| line.starts_with(words)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reported(tail: &str) -> Option<String> {
        let (Said::Reported(line) | Said::Refused(line)) = said_at_the_end(tail.as_bytes())?;
        Some(line)
    }

    #[test]
    fn a_python_traceback_that_ends_in_a_memory_error_is_evidence() {
        let traceback = "Traceback (most recent call last):\n  File \"x.py\", line 1\n";
        assert_eq!(
            reported(&format!("{traceback}MemoryError\n\n")).as_deref(),
            Some("MemoryError")
        );
        let numpy =
            "numpy._core._exceptions._ArrayMemoryError: Unable to allocate 8.00 GiB for an array";
        assert_eq!(
            reported(&format!("{traceback}{numpy}\n")).as_deref(),
            Some(numpy)
        );
        let refused = "OSError: [Errno 12] Cannot allocate memory";
        assert_eq!(reported(refused).as_deref(), Some(refused));
        assert_eq!(
            reported("recovered from a MemoryError: going on\nfailed: no such file\n"),
            None
        );
        assert_eq!(reported("  raise MemoryError\nValueError: bad\n"), None);
        assert_eq!(
            reported(&format!("MemoryError\n{}", "more\n".repeat(30))),
            None
        );
    }

    #[test]
    fn hstcals_own_words_for_memory_are_evidence() {
        for said in [
            "ERROR:    Out of memory.",
            "ERROR:             Out of memory.",
            "ERROR:  Out of memory.",
            "ERROR    out of memory in cs2.c",
            "ERROR:    Out of memory in inverseCTEBlur()",
            "ERROR:    (doFlat) Out of memory. ",
            "ERROR:    (darkcorr) out of memory in MedSciVal.",
            "ERROR:    Can't allocate memory for RPROF ref data",
            "ERROR:    (GetSDC) can't allocate memory.",
            "ERROR:    Couldn't allocate memory for scratch array in ACSREJ_LOOP.",
            "ERROR:    doDQI couldn't allocate data quality array.",
            "ERROR:    Cannot allocate output arrays.",
            "ERROR:    in copyGroup; can't allocate new group",
            "ERROR:    Not enough memory to allocate array.",
            "ERROR:    Insufficient memory to allocate ASN structure",
            "ERROR:    Memory allocation failure in resistmean",
            "ERROR:    Allocation problem.",
            "==>ERROR: Problems allocating memory for ObsmodeVars.",
            "Not enough memory to allocate data arrays.",
            "Can't even begin; out of memory.",
            "Can't even begin:  out of memory.",
            "ERROR:  Can't even begin; out of memory.",
            "Out of memory: Couldn't store trailer file comment.",
            "Cannot allocate memory for input string",
            "No memory left to allocate data.",
            "trlerror: calloc failed: Cannot allocate memory",
            "libgomp: Out of memory allocating 4096 bytes",
            "terminate called after throwing an instance of 'std::bad_alloc'",
            "Exception: Out of memory",
        ] {
            let tail = format!(
                "CALACS processing\n{said}\nERROR:    CALACS processing NOT completed for x_asn.fits\n"
            );
            assert_eq!(reported(&tail).as_deref(), Some(said.trim()));
        }
    }

    #[test]
    fn words_that_only_look_like_those_are_none() {
        for said in [
            "Warning    (MedianFloat) Out of memory.",
            "the trailer of an earlier run: ERROR:    Out of memory.",
            "ERROR:    Calibration file(s) missing.",
            "ERROR:    Open failed.",
            "ERROR:    the allocation problem. is another",
            "Allocating memory for the image",
            "Exception: out of range",
        ] {
            assert_eq!(reported(&format!("{said}\n")), None, "{said}");
        }
    }
}
