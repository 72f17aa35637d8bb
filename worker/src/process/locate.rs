//! Finds a program on the search path, and when it is not there says which, where it was
//! looked for and how to get it. Starting it is left to `program`.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use storage::hint::Hint;

/// A program that cannot be run because it is not on the search path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct MissingProgram {
    /// The name asked for.
    pub program: String,
    /// The search path it was looked for on; `None` when `PATH` is not set.
    pub searched: Option<OsString>,
    /// A file of that name that is there but may not be executed.
    pub not_executable: Option<PathBuf>,
}

impl fmt::Display for MissingProgram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.not_executable {
            write!(
                f,
                "the program `{}` cannot be run: {} is not an executable file",
                self.program,
                path.display()
            )
        } else {
            write!(f, "the program `{}` was not found in ", self.program)?;
            match &self.searched {
                Some(path) => write!(f, "PATH ({})", path.to_string_lossy()),
                None => write!(f, "PATH (which is not set)"),
            }
        }
    }
}

impl Hint for MissingProgram {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(match &self.not_executable {
            Some(path) => format!("chmod +x {}", path.display()).into(),
            None => source(&self.program).into(),
        })
    }
}

/// Where `program` comes from, as a phrase for hints and for `caldp doctor`.
pub fn source(program: &str) -> &'static str {
    match program {
        "calacs.e" | "calwf3.e" | "cs0.e" => {
            "HSTCAL provides it: `conda install -c conda-forge hstcal`, or run in the stsci/hst-pipeline image"
        }
        "calcos" => "`pip install calcos`, or run in the stsci/hst-pipeline image",
        "runastrodriz" | "runsinglehap" | "runmultihap" => {
            "`pip install drizzlepac`, or run in the stsci/hst-pipeline image"
        }
        "fitscut" => {
            "the institute's is in the stsci/hst-pipeline image; without it caldp draws itself"
        }
        _ => "install it, or add its folder to PATH",
    }
}

/// The file that runs when `program` is called with the search path `path`. A name with a
/// slash is taken as it is.
pub fn find_program(program: &str, path: Option<&OsStr>) -> Result<PathBuf, MissingProgram> {
    let mut not_executable = None;
    let candidates: Vec<PathBuf> = if program.contains('/') {
        vec![PathBuf::from(program)]
    } else {
        path.map(|path| {
            std::env::split_paths(path)
                // An empty entry means the current directory; data lie there, never programs.
                .filter(|folder| folder.is_absolute())
                .map(|folder| folder.join(program))
                .collect()
        })
        .unwrap_or_default()
    };
    for candidate in candidates {
        match executable(&candidate) {
            Some(true) => return Ok(candidate),
            Some(false) => not_executable = not_executable.or(Some(candidate)),
            None => {}
        }
    }
    Err(MissingProgram {
        program: program.to_owned(),
        searched: path.map(OsStr::to_owned),
        not_executable,
    })
}

/// `None` when there is no such file.
fn executable(path: &Path) -> Option<bool> {
    let metadata = path.metadata().ok().filter(std::fs::Metadata::is_file)?;
    Some(metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_first_executable_on_the_path_is_found() {
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(a.path().join("cs0.e"), "not a program").unwrap();
        std::fs::write(b.path().join("cs0.e"), "#!/bin/sh\n").unwrap();
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(b.path().join("cs0.e"), mode).unwrap();
        let path = std::env::join_paths([a.path(), b.path()]).unwrap();
        assert_eq!(
            find_program("cs0.e", Some(&path)).unwrap(),
            b.path().join("cs0.e")
        );
        let error = find_program("cs0.e", Some(a.path().as_os_str())).unwrap_err();
        assert!(error.hint().unwrap().contains("chmod +x"), "{error}");
    }

    #[test]
    fn a_missing_program_says_where_and_how() {
        let error = find_program("calacs.e", Some(OsStr::new("/nowhere:/else"))).unwrap_err();
        assert_eq!(
            storage::hint::explain(&error).to_string(),
            "the program `calacs.e` was not found in PATH (/nowhere:/else)\n\
             hint: HSTCAL provides it: `conda install -c conda-forge hstcal`, or run in the stsci/hst-pipeline image"
        );
        let error = find_program("calcos", None).unwrap_err();
        assert!(error.to_string().contains("which is not set"), "{error}");
    }
}
