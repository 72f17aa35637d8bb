//! ASDF files: the tree of a dataset as one list of dotted keywords, such as
//! `ROMAN.META.INSTRUMENT.NAME`. Only the tree at the beginning is read, never the binary blocks.
//! Source: ASDF standard 1.6; CRDS 14 `crds.io.asdf` and `crds.io.abstract`.

mod flatten;
mod tree;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use storage::bounded;
use storage::hint::Hint;

use crate::header::Header;

/// The tree of a real file takes some 100 kB.
const MAX_TREE_BYTES: usize = 16 << 20;

/// An ASDF file could not be read.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub struct AsdfError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong.
    #[source]
    pub problem: AsdfProblem,
}

/// What is wrong with an ASDF file.
#[derive(Debug, thiserror::Error)]
pub enum AsdfProblem {
    /// The operating system refused to read it.
    #[error("cannot be read: {0}")]
    Read(#[source] io::Error),
    /// It does not begin as the standard says.
    #[error("not an ASDF file: it does not begin with `#ASDF`")]
    NotAsdf,
    /// The tree does not end.
    #[error("the tree has no end (`...`): the file is truncated or damaged")]
    MissingEnd,
    /// The tree is not text.
    #[error("the tree is not UTF-8")]
    NotText,
    /// The tree is not YAML.
    #[error("the tree cannot be read: {0}")]
    Yaml(String),
    /// More than any real file has.
    #[error("the tree has more than {0}: not a file this program should read")]
    TooLarge(&'static str),
}

impl Hint for AsdfError {}

impl Hint for AsdfProblem {}

/// Reads the tree of an ASDF file as a header.
///
/// Keywords are the dotted paths in upper case; only text keys count. Values are the texts Python's
/// `str()` gives; lists look like Python tuples of texts, times like `2026-11-21T05:38:14`.
/// `HISTORY` is the history's entries, one on each line.
pub fn read(path: &Path) -> Result<Header, AsdfError> {
    let at = |problem| AsdfError {
        path: path.to_owned(),
        problem,
    };
    let file = File::open(path).map_err(|error| at(AsdfProblem::Read(error)))?;
    read_from(file).map_err(at)
}

/// Reads a header that is a file of its own, in JSON or YAML, as the tree of an ASDF file is read.
pub(super) fn read_plain(path: &Path) -> Result<Header, AsdfError> {
    let at = |problem| AsdfError {
        path: path.to_owned(),
        problem,
    };
    let text = bounded::read_text(path, MAX_TREE_BYTES);
    let text = text.map_err(|error| at(AsdfProblem::Read(error)))?;
    let tree = tree::parse(&text).map_err(at)?;
    flatten::plain(&tree).map_err(at)
}

/// Like [`read`], from anything that can be read.
pub fn read_from(source: impl Read) -> Result<Header, AsdfProblem> {
    let bytes = tree_bytes(source)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| AsdfProblem::NotText)?;
    let tree = tree::parse(text)?;
    flatten::header(&tree)
}

/// The bytes of the tree: from `%YAML` up to `...`.
fn tree_bytes(mut source: impl Read) -> Result<Vec<u8>, AsdfProblem> {
    let mut bytes = Vec::new();
    let mut searched = 0;
    loop {
        let before = bytes.len();
        // Pieces as long as what is there already, so that a long line is not searched too often.
        let piece = bytes.len().max(1 << 16) as u64;
        source
            .by_ref()
            .take(piece)
            .read_to_end(&mut bytes)
            .map_err(AsdfProblem::Read)?;
        if !bytes.starts_with(b"#ASDF") {
            return Err(AsdfProblem::NotAsdf);
        }
        let at_end = bytes.len() == before;
        // What was searched ends with a whole line; a line cut short is looked at again.
        let rest = bytes.get(searched..).unwrap_or_default();
        let mut at = searched;
        for line in rest.split_inclusive(|&byte| byte == b'\n') {
            let whole = at_end || line.ends_with(b"\n");
            let ended = line.starts_with(b"\xd3BLK") || (whole && line.trim_ascii_end() == b"...");
            if ended {
                let found = line.starts_with(b"...");
                bytes.truncate(at);
                return complete(bytes, found);
            }
            if whole {
                at += line.len();
            }
        }
        searched = at;
        if at_end {
            return complete(bytes, false);
        }
        if bytes.len() > MAX_TREE_BYTES {
            return Err(AsdfProblem::TooLarge("16 MiB"));
        }
    }
}

/// The bytes if they are a whole tree, nothing if there is none: a file may have only blocks.
fn complete(bytes: Vec<u8>, ended: bool) -> Result<Vec<u8>, AsdfProblem> {
    let starts = |line: &[u8]| line.starts_with(b"%YAML") || line.starts_with(b"---");
    match bytes.split(|&byte| byte == b'\n').any(starts) {
        true if !ended => Err(AsdfProblem::MissingEnd),
        true => Ok(bytes),
        false => Ok(Vec::new()),
    }
}

#[cfg(test)]
mod tests;
