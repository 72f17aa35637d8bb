//! What a command wrote and how it ended, as text.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// A command that ended.
#[derive(Debug)]
pub struct Run {
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// The exit code; -1 after a signal.
    pub code: i32,
}

impl Run {
    /// Runs a command to its end.
    ///
    /// # Panics
    /// When it cannot be run, or writes no text.
    pub fn of(command: &mut Command) -> Self {
        command.output().expect("the program can be run").into()
    }

    /// The same with something on standard input.
    ///
    /// # Panics
    /// As [`Self::of`].
    pub fn reading(command: &mut Command, input: &[u8]) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program can be run");
        let mut stdin = child.stdin.take().expect("it is piped");
        let input = input.to_owned();
        let writer = std::thread::spawn(move || {
            // It may stop reading when it has seen enough.
            let _ = stdin.write_all(&input);
        });
        let output = child.wait_with_output().expect("it is our child");
        writer.join().expect("the input is written");
        output.into()
    }

    /// The same run, which ended with this code.
    ///
    /// # Panics
    /// When it did not.
    #[track_caller]
    #[expect(
        clippy::return_self_not_must_use,
        reason = "often nothing more is asked"
    )]
    pub fn ended(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}{}", self.stdout, self.stderr);
        self
    }

    /// Standard output as JSON.
    ///
    /// # Panics
    /// When it is none.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|e| panic!("{e}: {}{}", self.stdout, self.stderr))
    }

    /// Standard output as lines of JSON.
    ///
    /// # Panics
    /// When one is none.
    #[track_caller]
    pub fn json_lines(&self) -> Vec<Value> {
        let lines = self.stdout.lines();
        let value = |line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        lines.map(value).collect()
    }
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("commands write text");
        Self {
            stdout: text(output.stdout),
            stderr: text(output.stderr),
            code: output.status.code().unwrap_or(-1),
        }
    }
}
