//! The working directory of one attempt at one dataset.
//!
//! Every attempt has a directory of its own, so a program never finds outputs of an earlier one
//! and two runs of a dataset do not meet. It lies below `CALDP_HOME`, and goes when the run ends;
//! what a killed run left is removed by the next run of that dataset, which knows by a lock that
//! nobody uses it any more.

use caldp_core::dataset::Dataset;
use std::borrow::Cow;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use storage::hint::Hint;
use storage::lock::FileLock;

/// The folder below `CALDP_HOME` that holds the attempts.
const FOLDER: &str = "caldp-work";
/// Held for as long as an attempt runs.
const LOCK: &str = ".lock";

/// The directory of one attempt; removed when dropped.
#[derive(Debug)]
pub struct Workspace {
    directory: tempfile::TempDir,
    data: PathBuf,
    logs: PathBuf,
    previews: PathBuf,
    _lock: FileLock,
}

impl Workspace {
    /// Makes the directory of a new attempt below `home` and removes those of dead ones.
    ///
    /// # Errors
    /// When `home` cannot be written.
    pub fn create(home: &Path, dataset: &Dataset) -> Result<Self, WorkspaceError> {
        let attempts = home.join(FOLDER);
        fs::create_dir_all(&attempts).map_err(at(&attempts))?;
        // While this is held no directory exists whose own lock is still to be taken.
        let _making = FileLock::acquire(&attempts.join(LOCK)).map_err(at(&attempts))?;
        let prefix = format!("{dataset}.");
        remove_dead(&attempts, &prefix);
        let directory = tempfile::Builder::new()
            .prefix(&prefix)
            .tempdir_in(&attempts)
            .map_err(at(&attempts))?;
        let lock = FileLock::acquire(&directory.path().join(LOCK)).map_err(at(directory.path()))?;
        // Programs are given absolute paths, wherever the run was started.
        let root = fs::canonicalize(directory.path()).map_err(at(directory.path()))?;
        let [data, logs, previews] =
            [dataset.name(), "logs", "previews"].map(|name| root.join(name));
        for folder in [&data, &logs, &previews] {
            fs::create_dir(folder).map_err(at(folder))?;
        }
        Ok(Self {
            directory,
            data,
            logs,
            previews,
            _lock: lock,
        })
    }

    /// Where the programs run: inputs and products, nothing else. An absolute path.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Where logs and metrics are written. An absolute path.
    pub fn logs(&self) -> &Path {
        &self.logs
    }

    /// Where previews are made. An absolute path.
    pub fn previews(&self) -> &Path {
        &self.previews
    }

    /// Removes what the programs were given and made.
    ///
    /// # Errors
    /// When something of it cannot be removed.
    pub fn drop_data(&self) -> io::Result<()> {
        fs::remove_dir_all(&self.data)
    }

    /// Keeps the directory, for whoever wants to look at it, and says where it is.
    pub fn keep(self) -> PathBuf {
        self.directory.keep()
    }
}

/// Removes the directories of attempts whose processes are gone. One that cannot be removed now
/// is left to a later run.
fn remove_dead(attempts: &Path, prefix: &str) {
    let Ok(entries) = fs::read_dir(attempts) else {
        return;
    };
    for entry in entries.flatten() {
        if !entry.file_name().to_string_lossy().starts_with(prefix) {
            continue;
        }
        // The lock is missing, and made here, where a run was killed while it removed it.
        if let Ok(Some(_lock)) = FileLock::try_acquire(&entry.path().join(LOCK)) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// A working directory that cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("the working directory {path} cannot be used")]
pub struct WorkspaceError {
    path: PathBuf,
    source: io::Error,
}

impl Hint for WorkspaceError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some("set CALDP_HOME to a directory that can be written".into())
    }
}

fn at(path: &Path) -> impl Fn(io::Error) -> WorkspaceError {
    let path = path.to_owned();
    move |source| WorkspaceError {
        path: path.clone(),
        source,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn attempts_do_not_meet_and_leave_nothing() {
        let home = tempfile::tempdir().unwrap();
        let dataset: Dataset = "j8cb010b0".parse().unwrap();
        let one = Workspace::create(home.path(), &dataset).unwrap();
        let two = Workspace::create(home.path(), &dataset).unwrap();
        assert_ne!(one.data(), two.data());
        assert!(
            one.data().is_dir(),
            "the second run removed the first one's directory"
        );
        drop((one, two));
        let left: Vec<_> = fs::read_dir(home.path().join(FOLDER))
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(left, [LOCK]);
    }

    #[test]
    fn what_a_killed_run_left_is_removed_by_the_next() {
        let home = tempfile::tempdir().unwrap();
        let dataset: Dataset = "j8cb010b0".parse().unwrap();
        let dead = Workspace::create(home.path(), &dataset).unwrap().keep();
        assert!(dead.is_dir());
        let _next = Workspace::create(home.path(), &dataset).unwrap();
        assert!(!dead.exists());
    }

    #[test]
    fn what_a_run_killed_while_it_tidied_left_is_removed_by_the_next() {
        let home = tempfile::tempdir().unwrap();
        let dataset: Dataset = "j8cb010b0".parse().unwrap();
        let dead = Workspace::create(home.path(), &dataset).unwrap().keep();
        fs::remove_file(dead.join(LOCK)).unwrap();
        let _next = Workspace::create(home.path(), &dataset).unwrap();
        assert!(!dead.exists());
    }

    #[test]
    fn a_home_that_cannot_be_used_is_named() {
        let home = tempfile::NamedTempFile::new().unwrap();
        let dataset: Dataset = "j8cb010b0".parse().unwrap();
        let error = Workspace::create(home.path(), &dataset).unwrap_err();
        assert!(error.hint().unwrap().contains("CALDP_HOME"), "{error}");
    }
}
