//! Errors as people read them: what failed, why, and what to do about it.
//!
//! The text of an error (`Display`) is one sentence about its own subject. Its cause is its
//! [`source`](Error::source), never repeated in the text, and its remedy is its [`Hint`], never
//! part of the text either. [`explain`] puts the three together, once, where a program prints.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::error::Error;
use std::fmt;
use std::io::{self, Write as _};
use std::str::FromStr;

/// An error that may know its remedy.
pub trait Hint: Error {
    /// What its reader can do, as a sentence without a full stop. An error that wraps another
    /// passes on the hint of that one, unless it knows better.
    fn hint(&self) -> Option<Cow<'_, str>> {
        None
    }
}

/// What helps where the system refused to read or write a file.
pub fn local_hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            "check the path; a relative one begins in the current directory"
        }
        io::ErrorKind::PermissionDenied => {
            "check the owner and permissions of the file and its directory"
        }
        io::ErrorKind::ReadOnlyFilesystem => "use a directory of a disk that can be written",
        io::ErrorKind::InvalidFilename => {
            "use a shorter path: the system takes none of this length"
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "make room, or use a larger disk"
        }
        _ => "check the disk that it is on",
    }
}

/// What helps where a name is not among the known ones: those it is a slip of, or else all of them.
pub fn known_names<'n>(asked: &str, known: impl IntoIterator<Item = &'n str>) -> String {
    let known: BTreeSet<&str> = known.into_iter().collect();
    let asked = asked.to_lowercase();
    let allowed = (asked.len() / LETTERS_PER_SLIP).max(1);
    let slips = known
        .iter()
        .map(|name| (strsim::levenshtein(&asked, name), *name));
    let mut close: Vec<(usize, &str)> = slips.filter(|(slips, _)| *slips <= allowed).collect();
    close.sort_unstable();
    let close: Vec<&str> = close
        .into_iter()
        .map(|(_, name)| name)
        .take(SUGGESTIONS)
        .collect();
    if close.is_empty() {
        let known: Vec<&str> = known.into_iter().collect();
        return format!("the known ones are {}", known.join(", "));
    }
    format!("did you mean {}?", close.join(" or "))
}

/// For how many letters one slip is allowed.
const LETTERS_PER_SLIP: usize = 4;

/// How many names are offered at most.
const SUGGESTIONS: usize = 3;

/// The error, its causes after colons, and its hint on a line of its own.
pub fn explain<E: Hint + ?Sized>(error: &E) -> Explained<'_, E> {
    Explained(error)
}

/// Displays an error with its causes and its hint; made by [`explain`].
#[derive(Debug)]
pub struct Explained<'a, E: ?Sized>(&'a E);

/// The error and its causes after colons, for a place that shows the hint elsewhere.
pub fn with_causes<E: Error + ?Sized>(error: &E) -> WithCauses<'_, E> {
    WithCauses(error)
}

/// A sentence with its hint on a line of its own, where what is said is no error.
pub fn with_hint(sentence: impl fmt::Display, hint: Option<&str>) -> String {
    match hint {
        Some(hint) => format!("{sentence}\nhint: {hint}"),
        None => sentence.to_string(),
    }
}

/// Writes a line to standard error. A reader that is gone is no failure of what was done, so unlike
/// `eprintln!` it never panics.
pub fn say(line: impl fmt::Display) {
    // Nothing else can be done about a console that is gone.
    let _ = writeln!(io::stderr(), "{line}");
}

/// What was asked for did not arrive on standard output.
#[derive(Debug, thiserror::Error)]
#[error("standard output cannot be written")]
pub struct OutputError(#[source] io::Error);

impl Hint for OutputError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(local_hint(&self.0).into())
    }
}

/// How writing to standard output ended: a reader that is gone has what it wanted.
///
/// # Errors
/// [`OutputError`] when it was anything else, such as a disk that is full.
pub fn answered(written: io::Result<()>) -> Result<(), OutputError> {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(OutputError(error)),
        _ => Ok(()),
    }
}

/// Writes an answer to standard output.
///
/// # Errors
/// As [`answered`].
pub fn answer(text: impl AsRef<[u8]>) -> Result<(), OutputError> {
    let mut out = io::stdout().lock();
    answered(out.write_all(text.as_ref()).and_then(|()| out.flush()))
}

/// Displays an error with its causes; made by [`with_causes`].
#[derive(Debug)]
pub struct WithCauses<'a, E: ?Sized>(&'a E);

impl<E: Hint + ?Sized> fmt::Display for Explained<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&with_hint(with_causes(self.0), self.0.hint().as_deref()))
    }
}

impl<E: Error + ?Sized> fmt::Display for WithCauses<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = self.0.to_string();
        write!(f, "{text}")?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            let next = error.to_string();
            // Errors of other libraries often repeat their causes in their own text.
            if !text.ends_with(&next) {
                write!(f, ": {next}")?;
                text = next;
            }
            cause = error.source();
        }
        Ok(())
    }
}

/// A text as the value it stands for, for parsers of options that show no more of an error than a
/// text: where it cannot be used, that is the whole explanation.
pub fn parsed<T>(text: &str) -> Result<T, String>
where
    T: FromStr,
    T::Err: Hint,
{
    text.parse().map_err(|error| explain(&error).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_of_the_system_has_the_way_out_that_fits() {
        // ENOENT, EACCES, EROFS, ENAMETOOLONG, ENOSPC
        for (number, words) in [
            (2, "check the path"),
            (13, "permissions"),
            (30, "can be written"),
            (36, "shorter path"),
            (28, "make room"),
        ] {
            let hint = local_hint(&io::Error::from_raw_os_error(number));
            assert!(hint.contains(words), "{number}: {hint}");
        }
    }

    #[derive(Debug, thiserror::Error)]
    #[error("cannot read {name}")]
    struct Outer {
        name: &'static str,
        source: Middle,
    }

    /// As errors of many libraries are: its text ends with its cause.
    #[derive(Debug, thiserror::Error)]
    #[error("the transfer broke off: {0}")]
    struct Middle(#[source] Inner);

    #[derive(Debug, thiserror::Error)]
    #[error("connection reset")]
    struct Inner;

    impl Hint for Outer {
        fn hint(&self) -> Option<Cow<'_, str>> {
            Some(Cow::Borrowed("check the network"))
        }
    }

    #[test]
    fn an_error_is_told_once_with_its_causes_and_its_hint() {
        let error = Outer {
            name: "x.fits",
            source: Middle(Inner),
        };
        assert_eq!(
            explain(&error).to_string(),
            "cannot read x.fits: the transfer broke off: connection reset\nhint: check the network"
        );
    }

    #[test]
    fn a_slip_is_answered_by_what_was_meant_and_anything_else_by_all_names() {
        let types = ["darkfile", "drkcfile", "biasfile", "flatfile"];
        assert_eq!(known_names("darkfil", types), "did you mean darkfile?");
        assert_eq!(known_names("DARKFILES", types), "did you mean darkfile?");
        assert_eq!(
            known_names("drkfile", types),
            "did you mean darkfile or drkcfile?"
        );
        assert_eq!(
            known_names("x", types),
            "the known ones are biasfile, darkfile, drkcfile, flatfile"
        );
    }
}
