//! Somebody's machine, and what the doctor says of it.

use caldp_tests::{MastServer, fixtures};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

use crate::CALDP;

/// A directory to start in, with programs and with a MAST that answers.
pub(crate) struct Machine {
    home: TempDir,
    pub(crate) mast: MastServer,
}

impl Machine {
    pub(crate) fn new() -> Self {
        Self {
            home: tempfile::tempdir().unwrap(),
            mast: MastServer::start(),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.home.path()
    }

    pub(crate) fn programs(&self) -> PathBuf {
        self.path().join("stand-ins")
    }

    /// A program that answers as `answers`, the body of a `case` over its first argument.
    pub(crate) fn stand_in(&self, name: &str, answers: &str) {
        fs::create_dir_all(self.programs()).unwrap();
        let file = self.programs().join(name);
        fs::write(&file, format!("#!/bin/sh\ncase $1 in {answers} esac\n")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// HSTCAL, in the versions of its release 3.2.
    pub(crate) fn hstcal(&self) {
        self.stand_in("calacs.e", "--version) echo '10.5.0 (16-Mar-2026)';;");
        self.stand_in("calwf3.e", "--version) echo 3.7.3;;");
        self.stand_in("cs0.e", "--version) echo '3.5.0 (02-Feb-2026)';;");
    }

    /// A script of drizzlepac, with a Python that knows the package's version.
    pub(crate) fn drizzlepac(&self) {
        self.stand_in("python3", "-c) printf '3.11.0\\n3.11.9\\n';;");
        let python = self.programs().join("python3");
        for name in ["runastrodriz", "runsinglehap", "runmultihap"] {
            let file = self.programs().join(name);
            fs::write(&file, format!("#!{}\n", python.display())).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }

    /// The doctor in this directory, with only the stand-ins and the cache of the fixtures.
    pub(crate) fn doctor(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(CALDP);
        command
            .arg("doctor")
            .args(arguments)
            .current_dir(self.path())
            .env_clear()
            .env(
                "PATH",
                format!("{}:/usr/bin:/bin", self.programs().display()),
            )
            .env("HOME", self.path())
            .env("CRDS_PATH", fixtures().join("crds"))
            .env("CALDP_MAST_URL", self.mast.url());
        command
    }
}

pub(crate) struct Examined {
    pub(crate) output: Output,
    pub(crate) report: Value,
}

impl Examined {
    /// Runs the command with `--json`.
    pub(crate) fn of(command: &mut Command) -> Self {
        let output = command.arg("--json").output().unwrap();
        let shown = String::from_utf8_lossy(&output.stdout);
        let report = serde_json::from_str(&shown)
            .unwrap_or_else(|_| panic!("{shown}{}", String::from_utf8_lossy(&output.stderr)));
        Self { output, report }
    }

    pub(crate) fn code(&self) -> Option<i32> {
        self.output.status.code()
    }

    /// The finding about a subject that starts with `subject`.
    pub(crate) fn about(&self, subject: &str) -> &Value {
        let findings = self.report["findings"].as_array().unwrap();
        let about = |f: &&Value| f["subject"].as_str().unwrap().starts_with(subject);
        let found = findings.iter().find(about);
        found.unwrap_or_else(|| panic!("nothing about {subject} in {:#}", self.report))
    }

    pub(crate) fn level(&self, subject: &str) -> &str {
        self.about(subject)["level"].as_str().unwrap()
    }

    pub(crate) fn hint(&self, subject: &str) -> &str {
        self.about(subject)["hint"].as_str().unwrap_or_default()
    }

    pub(crate) fn text(&self, subject: &str) -> &str {
        self.about(subject)["text"].as_str().unwrap()
    }
}
