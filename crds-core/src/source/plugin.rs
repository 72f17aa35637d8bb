//! `CRDS_DOWNLOAD_PLUGIN`: a command of the user's that fetches one file.
//!
//! The command is run by `sh`. What it is told about the file reaches it as variables of the
//! shell, never as text of the command, so that no name, URI or path can become a command.

use std::path::Path;
use std::process::Stdio;

use storage::blocking;
use storage::retry::RetryStats;
use storage::unfinished::UnfinishedDirectory;
use tokio::io::AsyncReadExt as _;

use super::{OnBytes, SourceError};
use crate::cache::verified_file::{self, Expected};
use crate::names::FileName;

/// How much of a failing program's stderr is repeated.
const SAID: u64 = 4096;

/// The exit status by which a plugin says that the user interrupted it.
const INTERRUPTED: i32 = 2;

/// The command and its parts that are filled in.
#[derive(Debug)]
pub(crate) struct Plugin {
    command: String,
}

const VARIABLES: [&str; 5] = [
    "FILENAME",
    "SOURCE_URL",
    "OUTPUT_PATH",
    "FILE_SIZE",
    "FILE_SHA1SUM",
];

impl Plugin {
    /// The command as in the environment variable.
    pub(crate) fn new(template: &str) -> Self {
        Self {
            command: quoted(template),
        }
    }

    /// Whether a command is the one that this program does itself.
    pub(crate) fn is_built_in(template: &str) -> bool {
        let program = template.split_whitespace().next().unwrap_or_default();
        program.rsplit('/').next() == Some("crds_s3_get")
    }

    /// Puts the file of this URI at `target`, complete and as expected or not at all.
    pub(crate) async fn fetch(
        &self,
        name: &FileName,
        location: &str,
        target: &Path,
        expected: Expected,
        on_bytes: OnBytes<'_>,
    ) -> Result<u64, SourceError> {
        let write = |source| SourceError::Write {
            path: target.to_owned(),
            source,
        };
        // A folder of its own, because some programs take a path that does not end in the file's
        // name for a folder, and some leave files beside their output.
        let folder = UnfinishedDirectory::beside(target).map_err(write)?;
        let output = folder.path().join(name.as_str());
        self.run(location, &output, expected).await?;
        let size = match std::fs::metadata(&output) {
            Ok(metadata) if metadata.is_file() => metadata.len(),
            _ => {
                return Err(SourceError::Plugin {
                    location: location.to_owned(),
                    status: "success".to_owned(),
                    command: self.command.clone(),
                    said: "it did not write the file".to_owned(),
                });
            }
        };
        let complete = target.to_owned();
        let checked = blocking::run(move || {
            let checked = verified_file::check(&output, &expected);
            checked.map(|()| {
                std::fs::File::open(&output)
                    .and_then(|file| file.sync_all())
                    .and_then(|()| std::fs::rename(&output, &complete))
            })
        });
        let renamed = checked.await.map_err(|problem| SourceError::Verify {
            location: location.to_owned(),
            problem,
        })?;
        renamed.map_err(write)?;
        on_bytes(size);
        Ok(size)
    }

    async fn run(
        &self,
        location: &str,
        output: &Path,
        expected: Expected,
    ) -> Result<(), SourceError> {
        let size = expected.size.map_or(String::new(), |size| size.to_string());
        let sum = expected
            .sha1
            .map_or("none".to_owned(), |sum| sum.to_string());
        let values = [
            location.as_ref(),
            location.as_ref(),
            output.as_os_str(),
            size.as_ref(),
            sum.as_ref(),
        ];
        let failed = |status: String, said: String| SourceError::Plugin {
            location: location.to_owned(),
            status,
            command: self.command.clone(),
            said,
        };
        let mut child = tokio::process::Command::new("sh")
            .arg("-c")
            .arg(&self.command)
            .envs(VARIABLES.into_iter().zip(values))
            .stdin(Stdio::null())
            // Our stdout is for results.
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| failed(format!("{error}"), String::new()))?;
        let mut said = Vec::new();
        if let Some(mut stderr) = child.stderr.take() {
            let _ = (&mut stderr).take(SAID).read_to_end(&mut said).await;
            let _ = tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await;
        }
        let status = child.wait().await.map_err(|source| SourceError::Transfer {
            location: location.to_owned(),
            reason: source.to_string(),
            stats: RetryStats::ONCE,
        })?;
        if status.success() {
            return Ok(());
        }
        if status.code() == Some(INTERRUPTED) {
            return Err(SourceError::Interrupted {
                location: location.to_owned(),
            });
        }
        let said = String::from_utf8_lossy(&said).trim().to_owned();
        Err(failed(status.to_string(), said))
    }
}

/// Where in the shell's text a place is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quotes {
    None,
    Single,
    Double,
}

/// Makes every `${NAME}` one word, whatever is in it: `"${NAME}"`, unless it is quoted already.
fn quoted(template: &str) -> String {
    let mut command = String::with_capacity(template.len() + 32);
    let mut quotes = Quotes::None;
    let mut rest = template;
    while let Some(c) = rest.chars().next() {
        if let Some(variable) = variable_at(rest) {
            match quotes {
                Quotes::None => command.extend(["\"", variable, "\""]),
                Quotes::Double => command.push_str(variable),
                Quotes::Single => command.extend(["'\"", variable, "\"'"]),
            }
            rest = rest.get(variable.len()..).unwrap_or_default();
            continue;
        }
        let mut length = c.len_utf8();
        quotes = match (quotes, c) {
            (Quotes::None, '\'') => Quotes::Single,
            (Quotes::None, '"') => Quotes::Double,
            (Quotes::Single, '\'') | (Quotes::Double, '"') => Quotes::None,
            (Quotes::None | Quotes::Double, '\\') => {
                length += rest.chars().nth(1).map_or(0, char::len_utf8);
                quotes
            }
            _ => quotes,
        };
        command.push_str(rest.get(..length).unwrap_or_default());
        rest = rest.get(length..).unwrap_or_default();
    }
    command
}

fn variable_at(text: &str) -> Option<&str> {
    let name = text.strip_prefix("${")?.split_once('}')?.0;
    let end = name.len() + "${}".len();
    VARIABLES.contains(&name).then(|| text.get(..end)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_one_word_wherever_they_stand() {
        for (template, command) in [
            (
                "get ${FILENAME} -d ${OUTPUT_PATH}",
                "get \"${FILENAME}\" -d \"${OUTPUT_PATH}\"",
            ),
            ("get \"${FILENAME}\"", "get \"${FILENAME}\""),
            ("get 'x${FILENAME}'", "get 'x'\"${FILENAME}\"''"),
            ("get --to=${OUTPUT_PATH}.x", "get --to=\"${OUTPUT_PATH}\".x"),
            (
                "get \\\"${FILE_SIZE} ${HOME}",
                "get \\\"\"${FILE_SIZE}\" ${HOME}",
            ),
            ("get ${FILENAME", "get ${FILENAME"),
            ("é\\", "é\\"),
        ] {
            assert_eq!(quoted(template), command);
        }
    }

    #[test]
    fn our_own_plugin_is_recognised() {
        assert!(Plugin::is_built_in(
            "/home/developer/crds_s3_get ${SOURCE_URL}"
        ));
        assert!(Plugin::is_built_in("crds_s3_get"));
        assert!(!Plugin::is_built_in("wget ${SOURCE_URL}"));
        assert!(!Plugin::is_built_in(""));
    }
}
