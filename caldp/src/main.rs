//! The `caldp` command: one program that answers to the names of all its commands.
//!
//! Called as `caldp-process` it is `caldp process`; so the names that job definitions and people
//! know keep working from one file. What the commands do is left to the worker and the trigger.

mod answers;
mod batches;
mod command;
mod duration;
mod environment;
mod names;
mod page;
mod plan;
mod ranged;
mod records;
mod resources;
mod status;
mod sync;
mod tables;
mod terminal;

use caldp_core::exit_code::ExitCode as Code;
use caldp_worker::cli::{config, doctor, process};
use clap::FromArgMatches as _;
use command::{Caldp, Command};
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::ExitCode;
use storage::hint::{answer, explain, say, with_hint};

fn main() -> ExitCode {
    let (arguments, command) = spelled_out(std::env::args_os().collect());
    let definition = environment::without_empty(names::definition(command.as_deref()));
    let parsed = definition
        .clone()
        .try_get_matches_from(&arguments)
        .and_then(|matches| Caldp::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => {
            // Nothing else can be done about a console that is gone.
            let _ = error.print();
            if let Some(name) = environment::at_fault(&error, &definition, &arguments) {
                say(format_args!(
                    "hint: the environment variable {name} says so"
                ));
            }
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match cli.command {
        Command::Process(arguments) => process::run(&arguments.into()),
        Command::ProcessAws(arguments) => process::run(&arguments.into()),
        Command::Doctor(arguments) => doctor::run(arguments),
        Command::Config(arguments) => config::run(&arguments),
        Command::Estimate(arguments) => resources::estimate::run(&arguments),
        Command::Learn(arguments) => resources::learn::run(&arguments),
        Command::Plan(arguments) => plan::run(&arguments),
        Command::Trigger(command) => batches::run(&command),
        Command::Status(arguments) => status::run(&arguments),
        Command::Explain(arguments) => status::explain::run(&arguments),
        Command::Sync(arguments) => sync::run(&arguments),
        Command::Page(arguments) => page::run(&arguments),
        Command::Completions { shell, name } => print(
            names::completions(shell, &name),
            &name,
            "a name of this program",
        ),
        Command::Man {
            directory: Some(directory),
            ..
        } => match names::pages(&directory) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                say(format_args!("caldp: {}: {error}", directory.display()));
                ExitCode::FAILURE
            }
        },
        Command::Man { command, .. } => {
            let page = names::page(command.as_deref());
            print(page, &command.unwrap_or_default(), "a command")
        }
        Command::Names => {
            let names = names::all().join("\n") + "\n";
            print(Some(names.into_bytes()), "", "")
        }
    }
}

/// Writes what was asked for to standard output, or says that `name` is not `what`.
fn print(text: Option<Vec<u8>>, name: &str, what: &str) -> ExitCode {
    let Some(text) = text else {
        let names = format!("the names are {}", names::all().join(" "));
        let sentence = format!("caldp: {name:?} is not {what}");
        say(with_hint(sentence, Some(&names)));
        return ExitCode::from(Code::CommandLine.number());
    };
    match answer(&text) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(format_args!("caldp: {}", explain(&error)));
            ExitCode::FAILURE
        }
    }
}

/// `caldp-process x` becomes `caldp process x`; which command that was, if it was one.
fn spelled_out(mut arguments: Vec<OsString>) -> (Vec<OsString>, Option<String>) {
    let program = arguments.first().map(Path::new).and_then(Path::file_name);
    let command = program
        .and_then(OsStr::to_str)
        .and_then(names::command_of)
        .map(str::to_owned);
    if let Some(command) = &command {
        arguments.splice(..1, ["caldp".into(), command.into()]);
    }
    (arguments, command)
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
            (
                words("caldp process-aws s3://b j8cb010b0"),
                Some("process-aws".to_owned())
            )
        );
        assert_eq!(
            spelled_out(words("./caldp process x")),
            (words("./caldp process x"), None)
        );
        assert_eq!(spelled_out(Vec::new()), (Vec::new(), None));
    }

    #[test]
    fn the_definitions_are_consistent() {
        names::definition(None).debug_assert();
    }
}
