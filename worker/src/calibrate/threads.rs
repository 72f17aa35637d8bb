//! How many threads HSTCAL's programs start for the correction of charge transfer. They take the number of the
//! machine's processors, whatever `OMP_NUM_THREADS` says, unless an option says otherwise: `calacs.e` takes any number,
//! `calwf3.e` can only be held to one. A version whose help does not name its option is left alone.

use crate::config::variables;
use crate::process::probe;
use crate::process::program::Environment;
use std::ffi::{OsStr, OsString};

/// How a program is told how many threads to start.
#[derive(Debug, Clone, Copy)]
enum Told {
    /// By an option with the number behind it.
    Number(&'static str),
    /// By an option for a single one.
    Single(&'static str),
}

/// The programs that have to be told.
const PROGRAMS: [(&str, Told); 2] = [
    ("calacs.e", Told::Number("--nthreads")),
    ("calwf3.e", Told::Single("-1")),
];

/// The arguments that hold a program to as many threads as its environment says; none where it says
/// nothing, or the program cannot be told.
pub(super) async fn arguments(program: &str, environment: &Environment) -> Vec<OsString> {
    let told = PROGRAMS.iter().find(|(name, _)| *name == program);
    let asked = environment.get(OsStr::new(variables::THREADS));
    let asked = asked.and_then(|text| text.to_str()?.trim().parse::<u32>().ok());
    let (option, arguments) = match (told, asked) {
        (Some((_, Told::Number(option))), Some(threads @ 1..)) => {
            (option, vec![(*option).into(), threads.to_string().into()])
        }
        (Some((_, Told::Single(option))), Some(1)) => (option, vec![(*option).into()]),
        _ => return Vec::new(),
    };
    match probe::ask(program, &["--help"], environment).await {
        Ok(answer) if answer.success && names(&answer.text, option) => arguments,
        _ => Vec::new(),
    }
}

/// Whether a help text names an option: `[-1]`, `[-1|--nthreads <N>]`.
fn names(help: &str, option: &str) -> bool {
    help.split(|c: char| c.is_whitespace() || "[]|,".contains(c))
        .any(|word| word == option)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    const ACS: &str =
        "echo 'syntax:  calacs.e [--help] [-t] [-1|--nthreads <N>] [--ctegen <1|2>] input'";
    const WFC3: &str = "echo 'syntax:  calwf3.e [--help] [-t] [-1] [--version] input'";

    /// What a program with this script is called with.
    async fn told(program: &str, script: &str, threads: &str) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(program);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let path = format!("{}:/usr/bin:/bin", folder.path().display());
        let mut environment = Environment::from([("PATH".into(), path.into())]);
        if !threads.is_empty() {
            environment.insert(variables::THREADS.into(), threads.into());
        }
        let arguments = arguments(program, &environment).await;
        let text = |argument: OsString| argument.into_string().unwrap();
        arguments.into_iter().map(text).collect()
    }

    #[tokio::test]
    async fn a_program_is_told_what_its_help_says_it_understands() {
        assert_eq!(told("calacs.e", ACS, "2").await, ["--nthreads", "2"]);
        assert_eq!(told("calacs.e", ACS, "1").await, ["--nthreads", "1"]);
        assert_eq!(told("calwf3.e", WFC3, "1").await, ["-1"]);
        let none = [""; 0];
        assert_eq!(told("calwf3.e", WFC3, "2").await, none);
        for threads in ["", "0", "many", "2,4"] {
            assert_eq!(told("calacs.e", ACS, threads).await, none, "{threads}");
        }
        for old in [
            "echo 'Unrecognized option --help'; exit 1",
            "echo 'syntax: calacs.e [-1] input'",
        ] {
            assert_eq!(told("calacs.e", old, "2").await, none);
        }
        assert_eq!(told("calcos", ACS, "2").await, none);
    }
}
