//! The version of a Python package, asked of the interpreter that a program of it runs under.
//! Importing the packages themselves takes many seconds; their metadata says the same at once.

use crate::process::locate::find_program;
use crate::process::probe;
use crate::process::program::Environment;
use std::ffi::OsStr;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use storage::hint::with_causes;

/// Prints the version of a package, then that of Python.
const QUESTION: &str = "import importlib.metadata as m, sys; \
    print(m.version(sys.argv[1])); print('.'.join(map(str, sys.version_info[:3])))";

/// A package and the Python it is for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PythonPackage {
    pub(super) version: String,
    pub(super) python: String,
}

/// Asks the interpreter of the program at `path` for the version of `package`.
///
/// # Errors
/// A phrase that says why there is no answer.
pub(super) async fn package(
    path: &Path,
    package: &str,
    environment: &Environment,
) -> Result<PythonPackage, String> {
    let interpreter = interpreter(path, environment)?;
    let interpreter = interpreter.to_string_lossy();
    let answer = probe::ask(&interpreter, &["-c", QUESTION, package], environment)
        .await
        .map_err(|error| {
            format!(
                "its interpreter {interpreter} does not run: {}",
                with_causes(&error)
            )
        })?;
    if !answer.success {
        let last = answer.text.lines().last().unwrap_or_default();
        return Err(format!(
            "its interpreter {interpreter} does not know the package {package} ({last})"
        ));
    }
    let mut lines = answer.text.lines();
    match (lines.next(), lines.next()) {
        (Some(version), Some(python)) => Ok(PythonPackage {
            version: version.trim().to_owned(),
            python: python.trim().to_owned(),
        }),
        _ => Err(format!("its interpreter {interpreter} gave no answer")),
    }
}

/// The interpreter that the first lines of a script name.
fn interpreter(script: &Path, environment: &Environment) -> Result<PathBuf, String> {
    let mut start = Vec::new();
    std::fs::File::open(script)
        .and_then(|file| file.take(4096).read_to_end(&mut start))
        .map_err(|error| format!("it cannot be read: {error}"))?;
    let start = String::from_utf8_lossy(&start);
    let name = interpreter_in(&start).ok_or("it is not a Python script")?;
    let path = environment.get(OsStr::new("PATH")).map(AsRef::as_ref);
    find_program(name, path).map_err(|_| format!("its interpreter {name} is not there"))
}

/// `#!/path/python`, `#!/usr/bin/env python`, or what installers write where the path is too long
/// for a first line: `#!/bin/sh` and `'''exec' "/long path/python" "$0" "$@"`.
fn interpreter_in(script: &str) -> Option<&str> {
    let mut lines = script.lines();
    let first = lines.next()?.strip_prefix("#!")?.trim();
    let name = match first.split_once(' ') {
        Some((env, program)) if env.ends_with("/env") => program
            .trim()
            .trim_start_matches("-S")
            .trim()
            .split(' ')
            .next()?,
        Some((program, _)) => program,
        None => first,
    };
    if Path::new(name).file_name()?.to_str()?.starts_with("python") {
        return Some(name);
    }
    let exec = lines.next()?.strip_prefix("'''exec' ")?;
    match exec.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next(),
        None => exec.split(' ').next(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interpreter_of_a_script_is_read_from_it() {
        for (script, expected) in [
            (
                "#!/opt/venv/bin/python3\nimport x\n",
                Some("/opt/venv/bin/python3"),
            ),
            ("#!/usr/bin/env python3\n", Some("python3")),
            ("#!/usr/bin/env -S python3 -u\n", Some("python3")),
            (
                "#!/bin/sh\n'''exec' \"/a long/python\" \"$0\" \"$@\"\n' '''\n",
                Some("/a long/python"),
            ),
            (
                "#!/bin/sh\n'''exec' /a/python3.11 \"$0\" \"$@\"\n",
                Some("/a/python3.11"),
            ),
            ("#!/bin/sh\necho x\n", None),
            ("\u{7f}ELF", None),
            ("#!", None),
            ("", None),
        ] {
            assert_eq!(interpreter_in(script), expected, "{script}");
        }
    }
}
