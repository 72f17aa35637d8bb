//! What a person sees of commands, as text for snapshots: what each wrote and how it ended, with
//! names in the place of what differs from run to run.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use regex::Regex;

/// What differs whoever runs a command, and what is shown for it.
static VARYING: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| {
    [
        (r"127\.0\.0\.1:\d+", "127.0.0.1:[PORT]"),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z?", "[TIME]"),
        (r"(?m)^(! )?\d\d:\d\d:\d\d ", "$1[TIME] "),
        (r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d", "[TIME]"),
        (r"\b\d+\.\d+ ?(s|min)\b", "[SECONDS]"),
        (r"\b\d+ (ms|s)\b", "[SECONDS]"),
        (r"\b\d+ MiB at most", "[MEMORY] at most"),
        (
            r"(disk at [^:]+|memory): [\d.]+ GiB( \(of [^)]+\))?",
            "$1: [SIZE]",
        ),
        (r"/tmp/\.tmp\w{6}", "[TMP]"),
        (r"(caldp-work/\w+)\.\w{6}", "$1.[RANDOM]"),
        (r"(caldp-\w+-\d+)-[0-9a-f]{10}\b", "$1-[HASH]"),
        (r"(?m) +$", ""),
    ]
    .map(|(pattern, name)| (Regex::new(pattern).expect("a regular expression"), name))
    .into()
});

/// The commands that were run so far, one below the other.
#[derive(Debug, Default)]
pub struct Transcript {
    text: String,
    hidden: Vec<(String, &'static str)>,
    left_out: Option<&'static str>,
}

impl Transcript {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Shows `name` wherever this text stands.
    #[must_use]
    pub fn hiding(mut self, text: impl Into<String>, name: &'static str) -> Self {
        self.hidden.push((text.into(), name));
        self
    }

    /// Shows `name` wherever this path stands.
    #[must_use]
    pub fn hiding_path(self, path: &Path, name: &'static str) -> Self {
        self.hiding(path.to_string_lossy(), name)
    }

    /// Leaves out the lines of standard error that have this text.
    #[must_use]
    pub fn leaving_out(mut self, text: &'static str) -> Self {
        self.left_out = Some(text);
        self
    }

    /// Runs a command and adds its line, standard output, standard error with `! ` before each
    /// line, and its status if it is not 0.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn run(&mut self, command: &mut Command) -> &mut Self {
        let program = PathBuf::from(command.get_program());
        let output = command
            .output()
            .unwrap_or_else(|e| panic!("{} cannot be run: {e}", program.display()));
        let name = program.file_name().unwrap_or(program.as_os_str());
        let words = std::iter::once(name).chain(command.get_args());
        let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
        let mut text = format!("$ {}\n", words.join(" "));
        text.push_str(&String::from_utf8_lossy(&output.stdout));
        if !text.ends_with('\n') {
            text.push('\n');
        }
        let left_out = |line: &&str| self.left_out.is_some_and(|text| line.contains(text));
        let said = String::from_utf8_lossy(&output.stderr);
        for line in said.lines().filter(|line| !left_out(line)) {
            text.extend(["! ", line, "\n"]);
        }
        if !output.status.success() {
            text.extend(["(", &output.status.to_string(), ")\n"]);
        }
        self.add(&text);
        self
    }

    /// Adds what was found some other way.
    pub fn add(&mut self, text: &str) -> &mut Self {
        let mut text = text.to_owned();
        for (hidden, name) in &self.hidden {
            text = text.replace(hidden, name);
        }
        for (pattern, name) in VARYING.iter() {
            text = pattern.replace_all(&text, *name).into_owned();
        }
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text.push_str(&text);
        self
    }

    /// All of it.
    pub fn text(&self) -> &str {
        &self.text
    }
}
