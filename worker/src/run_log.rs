//! The log of one run: every byte goes to the console (stderr) and, at once and unbuffered, to
//! a file such as `process.txt`, so that nothing is missing from it when the run ends early.
//! What is said, and masking of secrets, is left to those who write.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The target of the message that says why a run failed: it is for the file, because the command
/// prints the failure itself.
pub const FAILURE: &str = "caldp_worker::failure";

/// A handle on the log; clones write to the same file, whole blocks at a time.
#[derive(Debug, Clone)]
pub struct RunLog(Arc<Mutex<LogTargets>>);

#[derive(Debug)]
struct LogTargets {
    file: Option<File>,
    console: Console,
    /// What is to be added to the file once it may change again.
    held: Option<Vec<u8>>,
}

/// While this lives, the log's file does not change.
#[derive(Debug)]
#[must_use = "the file changes again when this is dropped"]
pub struct HeldLog(RunLog);

impl Drop for HeldLog {
    fn drop(&mut self) {
        let mut targets = self.0.targets();
        if let (Some(held), Some(file)) = (targets.held.take(), &mut targets.file) {
            // It was shown on the console; whether the file takes it decides nothing any more.
            let _ = file.write_all(&held);
        }
    }
}

/// Whether the log is also shown on the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Console {
    /// Everything is copied to stderr.
    Shown,
    /// Only the file is written.
    Quiet,
}

impl RunLog {
    /// Creates (or empties) the file at `path` and logs to it.
    pub fn create(path: &Path, console: Console) -> io::Result<Self> {
        Ok(Self::new(Some(File::create(path)?), console))
    }

    /// Logs to the console only.
    pub fn console() -> Self {
        Self::new(None, Console::Shown)
    }

    /// From now on writes to the file at `path`, created or emptied, instead of the one before.
    pub fn record_to(&self, path: &Path) -> io::Result<()> {
        let file = File::create(path)?;
        self.targets().file = Some(file);
        Ok(())
    }

    /// Leaves the file as it is until the answer is dropped, so that it can be stored; what is
    /// written meanwhile is added then.
    pub fn hold(&self) -> HeldLog {
        self.targets().held.get_or_insert_default();
        HeldLog(self.clone())
    }

    fn new(file: Option<File>, console: Console) -> Self {
        let held = None;
        Self(Arc::new(Mutex::new(LogTargets {
            file,
            console,
            held,
        })))
    }

    fn targets(&self) -> MutexGuard<'_, LogTargets> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a block of bytes, normally whole lines, to all targets. An error is one of the
    /// file; a console that has gone away does not stop a calibration.
    pub fn write(&self, block: &[u8]) -> io::Result<()> {
        let mut targets = self.targets();
        if targets.console == Console::Shown {
            // The file is the record; a closed terminal is not worth a dataset.
            let _ = io::stderr().lock().write_all(block);
        }
        targets.record(block)
    }

    /// Writes a block of bytes to the file alone.
    pub fn record(&self, block: &[u8]) -> io::Result<()> {
        self.targets().record(block)
    }
}

impl LogTargets {
    fn record(&mut self, block: &[u8]) -> io::Result<()> {
        let Self { file, held, .. } = self;
        match (file, held) {
            (Some(_), Some(held)) => {
                held.extend_from_slice(block);
                Ok(())
            }
            (Some(file), None) => file.write_all(block),
            (None, _) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn clones_write_to_one_file_and_nothing_is_buffered() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("process.txt");
        let log = RunLog::create(&path, Console::Quiet).unwrap();
        log.write(b"one\n").unwrap();
        log.clone().write(b"\xff\xfe\n").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"one\n\xff\xfe\n");
    }

    #[test]
    fn a_held_file_changes_only_afterwards() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("process.txt");
        let log = RunLog::create(&path, Console::Quiet).unwrap();
        log.write(b"before\n").unwrap();
        let held = log.hold();
        log.write(b"meanwhile\n").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"before\n");
        drop(held);
        log.write(b"after\n").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"before\nmeanwhile\nafter\n");
    }
}
