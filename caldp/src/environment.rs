//! Environment variables that stand in for options: an empty one counts as not set, and a wrong one is
//! named. Which options have one is said where they are defined.

use std::env;
use std::ffi::{OsStr, OsString};

use clap::builder::Resettable;
use clap::error::{ContextKind, ContextValue};
use clap::{Arg, Command, Error};

/// The definition, in which no option has its value from a variable that is empty.
pub(crate) fn without_empty(definition: Command) -> Command {
    definition
        .mut_args(|arg| match value(&arg) {
            Some(value) if value.is_empty() => arg.env(Resettable::Reset),
            _ => arg,
        })
        .mut_subcommands(without_empty)
}

/// The variable whose value an error is about, where no argument is.
pub(crate) fn at_fault<'d>(
    error: &Error,
    definition: &'d Command,
    arguments: &[OsString],
) -> Option<&'d str> {
    let text = |kind| match error.get(kind)? {
        ContextValue::String(text) => Some(text.as_str()),
        _ => None,
    };
    let refused = OsStr::new(text(ContextKind::InvalidValue)?);
    let flag = text(ContextKind::InvalidArg)?.split(' ').next()?;
    let given = |argument: &OsString| {
        let argument = argument.to_string_lossy();
        let rest = argument.strip_prefix(flag);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
    };
    if arguments.iter().any(given) {
        return None;
    }
    let mut options = definition
        .get_subcommands()
        .flat_map(Command::get_arguments);
    let option = options.find(|arg| {
        arg.get_long() == flag.strip_prefix("--") && value(arg).is_some_and(|v| v == refused)
    });
    option?.get_env()?.to_str()
}

fn value(arg: &Arg) -> Option<OsString> {
    env::var_os(arg.get_env()?)
}
