//! The names this program answers to, and what is made for each of them from the one definition
//! of its commands: usage lines, completions, manual pages.
//!
//! Every command has a name of its own, `caldp-<command>`, but those that are about the program
//! itself. A command added to the definition has its name, completions and page with that.

use crate::command::Caldp;
use clap::{Command, CommandFactory as _};
use clap_complete::Shell;
use std::io::{self, Write};
use std::path::Path;

/// The program, which is itself one of its names.
const PROGRAM: &str = "caldp";
/// Between the program's name and the command's.
const PREFIX: &str = "caldp-";
/// Commands about the program itself.
const INTERNAL: [&str; 4] = ["completions", "man", "names", "help"];

/// Every name, the program's own first.
pub(crate) fn all() -> Vec<String> {
    let commands = Caldp::command();
    let named = commands
        .get_subcommands()
        .filter(|command| !INTERNAL.contains(&command.get_name()))
        .map(|command| format!("{PREFIX}{}", command.get_name()));
    std::iter::once(PROGRAM.to_owned()).chain(named).collect()
}

/// The command that a name stands for, if it is one.
pub(crate) fn command_of(name: &str) -> Option<&str> {
    name.strip_prefix(PREFIX)
}

/// The definition, with the usage of `command` as it is when called by its own name.
pub(crate) fn definition(command: Option<&str>) -> Command {
    let definition = Caldp::command();
    let Some(own) = command.and_then(|command| called(&format!("{PREFIX}{command}"))) else {
        return definition;
    };
    let name = own.get_name().to_owned();
    let usage = { own }.render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ").to_owned();
    definition.mut_subcommand(name, |command| command.override_usage(usage))
}

/// Writes the completion script for one of the names; none if it is not one.
pub(crate) fn completions(shell: Shell, name: &str) -> Option<Vec<u8>> {
    let mut command = called(name)?;
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut script);
    Some(script)
}

/// Writes the manual page of the program, or of one of its commands; nothing if there is no such
/// command.
pub(crate) fn page(command: Option<&str>) -> Option<Vec<u8>> {
    let name = command.map_or(PROGRAM.to_owned(), |command| format!("{PREFIX}{command}"));
    let mut page = Vec::new();
    let manual = clap_mangen::Man::new(called(&name)?);
    let manual = manual.source(concat!("caldp ", env!("CARGO_PKG_VERSION")));
    manual.render(&mut page).is_ok().then_some(page)
}

/// Writes the pages of the program and all its commands into `directory`.
///
/// # Errors
/// When the directory cannot be written.
pub(crate) fn pages(directory: &Path) -> io::Result<()> {
    let definition = Caldp::command();
    let commands = definition.get_subcommands().filter(|c| !c.is_hide_set());
    for command in std::iter::once(None).chain(commands.map(|c| Some(c.get_name()))) {
        let name = command.map_or(PROGRAM.to_owned(), |command| format!("{PREFIX}{command}"));
        let text = page(command).unwrap_or_default();
        std::fs::File::create(directory.join(format!("{name}.1")))?.write_all(&text)?;
    }
    Ok(())
}

/// A command of its own: the program, or one of its commands under its name.
fn called(name: &str) -> Option<Command> {
    let definition = Caldp::command();
    if name == PROGRAM {
        return Some(definition);
    }
    let command = definition.find_subcommand(command_of(name)?)?.clone();
    Some(
        command
            .bin_name(name)
            .display_name(name)
            .version(env!("CARGO_PKG_VERSION")),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn every_command_but_those_about_the_program_has_a_name() {
        let names = all();
        for name in [
            "caldp",
            "caldp-process",
            "caldp-process-aws",
            "caldp-doctor",
        ] {
            assert!(
                names.iter().any(|n| n == name),
                "{name} is not in {names:?}"
            );
        }
        assert!(!names.iter().any(|n| n == "caldp-man" || n == "caldp-names"));
    }

    #[test]
    fn every_name_has_completions_and_a_page_of_its_own() {
        for name in all() {
            for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
                let script = String::from_utf8(completions(shell, &name).unwrap()).unwrap();
                assert!(script.contains(&name), "{shell} {name}");
            }
            let page = page(command_of(&name)).unwrap();
            let page = String::from_utf8(page).unwrap();
            assert!(page.contains(&format!(".TH {name} 1")), "{page}");
        }
        assert!(completions(Shell::Bash, "caldp-no-such").is_none());
        assert!(page(Some("no-such")).is_none());
    }

    #[test]
    fn a_command_called_by_its_name_shows_that_name() {
        let mut definition = definition(Some("process"));
        let usage = definition
            .find_subcommand_mut("process")
            .unwrap()
            .render_usage();
        let usage = usage.to_string();
        assert!(
            usage.starts_with("Usage: caldp-process [OPTIONS] <DATASET>"),
            "{usage}"
        );
        // A name that is none is left to the parser to refuse.
        super::definition(Some("no-such")).debug_assert();
    }
}
