//! The command line: one binary, `caldp`, that answers to the names of all its commands.
//!
//! Called as `caldp-process` it is `caldp process`; so the names that job definitions and people
//! know keep working from one file. Arguments become types here and go no further as text.

mod arguments;
mod batches;
mod child;
mod doctor;
mod process;

use arguments::{Caldp, Command};
use clap::{CommandFactory as _, Parser as _};
use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

/// Runs the command that `arguments`, the program's name first, ask for.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = spelled_out(arguments.into_iter().collect());
    let cli = match Caldp::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Nothing else can be done about a console that is gone.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match cli.command {
        Command::Process(arguments) => process::run(&arguments.into()),
        Command::ProcessAws(arguments) => process::run(&arguments.into()),
        Command::Doctor(arguments) => doctor::run(arguments),
        Command::Trigger(command) => batches::run(&command),
        Command::Completions { shell } => {
            clap_complete::generate(
                shell,
                &mut Caldp::command(),
                "caldp",
                &mut std::io::stdout(),
            );
            ExitCode::SUCCESS
        }
    }
}

/// `caldp-process x` becomes `caldp process x`.
fn spelled_out(mut arguments: Vec<OsString>) -> Vec<OsString> {
    let Some(program) = arguments.first() else {
        return vec!["caldp".into()];
    };
    let name = Path::new(program).file_name().unwrap_or(program);
    if let Some(command) = name.to_str().and_then(|name| name.strip_prefix("caldp-")) {
        let command = command.to_owned();
        arguments.splice(..1, ["caldp".into(), command.into()]);
    }
    arguments
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn words(text: &str) -> Vec<OsString> {
        text.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn every_name_of_the_binary_is_a_command() {
        assert_eq!(
            spelled_out(words("/usr/bin/caldp-process-aws s3://b j8cb010b0")),
            words("caldp process-aws s3://b j8cb010b0")
        );
        assert_eq!(
            spelled_out(words("./caldp process x")),
            words("./caldp process x")
        );
    }

    #[test]
    fn the_definitions_are_consistent() {
        Caldp::command().debug_assert();
    }
}
