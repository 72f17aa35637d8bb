//! The batch list that a plan writes: a name a line, and beside it why it is in the list.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use storage::atomic::{Existing, Pending};

use super::finding::Finding;

/// A list that appears under its name when it is complete.
pub(super) struct BatchList {
    out: BufWriter<File>,
    pending: Pending,
}

impl BatchList {
    pub(super) fn create(path: &Path, title: &str) -> io::Result<Self> {
        let pending = Pending::create(path)?;
        let mut out = BufWriter::new(pending.file().try_clone()?);
        writeln!(out, "# {}", one_line(title))?;
        Ok(Self { out, pending })
    }

    pub(super) fn add(&mut self, finding: &Finding) -> io::Result<()> {
        match &finding.dataset {
            Some(dataset) => writeln!(self.out, "{dataset} # {}", one_line(&finding.why())),
            None => Ok(()),
        }
    }

    pub(super) fn finish(self) -> io::Result<()> {
        self.out
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        self.pending.commit(Existing::Replace)
    }
}

/// A text that cannot begin a line of its own.
fn one_line(text: &str) -> String {
    text.split(char::is_control).collect::<Vec<_>>().join(" ")
}
