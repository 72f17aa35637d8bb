//! The command line: what is given, and which command that calls.
//!
//! The program also answers to `crds_s3_get`, `crds_s3_set` and `crds_s3_unset`, by the name it is called by.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::{CommandFactory as _, Parser, Subcommand};

use storage::hint::explain;

use crate::failure::Failure;
use crate::{
    bestrefs, diff, env, interrupt, list, log, matches, options, pretty, s3_get, s3_set, s3_unset,
    sync, uses,
};

/// Calibration references: which a dataset should have, and where they are.
///
/// Settings are environment variables; `crds env` shows them. Results go to stdout, everything
/// else to stderr.
#[derive(Debug, Parser)]
#[command(
    name = "crds",
    version,
    propagate_version = true,
    // As argparse does: any beginning of an option's name that is no other's.
    infer_long_args = true,
    disable_help_subcommand = true
)]
struct Cli {
    #[command(flatten)]
    shared: options::Shared,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Bestrefs(Box<bestrefs::Args>),
    Sync(Box<sync::Args>),
    List(Box<list::Args>),
    Matches(matches::Args),
    Diff(diff::Args),
    Uses(uses::Args),
    Env(env::Args),
    S3Get(s3_get::Args),
    S3Set(s3_set::Args),
    S3Unset(s3_unset::Args),
    /// Prints completions for a shell
    Completions {
        /// For which shell
        shell: clap_complete::Shell,
        /// For which of the names that this program answers to
        #[arg(default_value = PROGRAM)]
        name: String,
    },
    /// Prints the manual page of crds, or of one of its commands
    Man {
        /// The command
        command: Option<String>,
        /// Writes the pages of all commands into this folder instead
        #[arg(long, conflicts_with = "command")]
        directory: Option<PathBuf>,
    },
    /// Prints the names that this program answers to, one on each line
    #[command(hide = true)]
    Names,
}

const PROGRAM: &str = "crds";

/// The names that stand for one of its commands.
const NAMES: [(&str, &str); 3] = [
    ("crds_s3_get", "s3-get"),
    ("crds_s3_set", "s3-set"),
    ("crds_s3_unset", "s3-unset"),
];

/// Runs the command that the arguments ask for; the first is the name of the program. Gives the exit
/// status. Ctrl-C and `SIGTERM` end the process, so this is for whole programs.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let arguments = as_subcommand(arguments.into_iter().collect());
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Nobody to tell if that fails.
            let _ = error.print();
            return u8::from(error.use_stderr()) * 2;
        }
    };
    let begun = Instant::now();
    let stats = cli.shared.stats;
    let code = match dispatch(cli, &arguments) {
        Ok(code) => code,
        Err(failure) => {
            if let Some(cause) = &failure.cause {
                tracing::error!("{}", explain(cause.as_ref()));
            }
            failure.code
        }
    };
    if stats {
        tracing::info!(
            "STARTED to FINISHED in {:.3} s",
            begun.elapsed().as_secs_f64()
        );
    }
    code
}

/// `crds_s3_get ...` is `crds s3-get ...`.
fn as_subcommand(mut arguments: Vec<OsString>) -> Vec<OsString> {
    let program = arguments.first().map(Path::new).and_then(Path::file_name);
    let name = program.and_then(std::ffi::OsStr::to_str);
    let Some((_, command)) = NAMES.iter().find(|(known, _)| Some(*known) == name) else {
        return arguments;
    };
    arguments.insert(1, command.into());
    arguments
}

fn dispatch(cli: Cli, arguments: &[OsString]) -> Result<u8, Failure> {
    let Cli { shared, command } = cli;
    // What needs no settings works with bad ones.
    let without_settings = matches!(
        command,
        Command::Completions { .. }
            | Command::Man { .. }
            | Command::Names
            | Command::S3Set(_)
            | Command::S3Unset(_)
    );
    if without_settings {
        log::begin(log::Style::default());
    }
    match &command {
        Command::Completions { shell, name } => return completions(*shell, name),
        Command::Man { command, directory } => {
            return manual(command.as_deref(), directory.as_deref());
        }
        Command::Names => {
            let names = NAMES.map(|(name, _)| name).join("\n");
            writeln!(std::io::stdout(), "{PROGRAM}\n{names}")?;
            return Ok(0);
        }
        Command::S3Set(args) => return s3_set::run(args),
        Command::S3Unset(_) => return s3_unset::run(),
        _ => {}
    }
    let config = shared.config();
    log::begin(config.as_ref().map(log::Style::of).unwrap_or_default());
    if shared.dump_cmdline {
        let words = arguments.iter().skip(1).map(|word| word.to_string_lossy());
        let words = std::iter::once(PROGRAM.into()).chain(words);
        let words: Vec<String> = words.map(|w| pretty::quoted(&w).to_string()).collect();
        tracing::info!("Command: [{}]", words.join(", "));
    }
    let config = config?;
    for unknown in config.unknown() {
        tracing::warn!("{unknown} is set but means nothing; `crds env` lists what does");
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::fatal(format!("no asynchronous I/O: {error}")))?;
    let (json, reuse) = (shared.json, shared.reuse());
    interrupt::run(runtime, async {
        match command {
            Command::Bestrefs(args) => bestrefs::run(&args, config, reuse, json).await,
            Command::Sync(args) => sync::run(&args, config, reuse, json).await,
            Command::List(args) => list::run(&args, config, json).await,
            Command::Matches(args) => matches::run(&args, config, json).await,
            Command::Diff(args) => diff::run(&args, config, json).await,
            Command::Uses(args) => uses::run(&args, config, json).await,
            Command::Env(args) => env::run(&args, &config, json),
            Command::S3Get(args) => s3_get::run(&args, config, reuse).await,
            Command::S3Set(_)
            | Command::S3Unset(_)
            | Command::Completions { .. }
            | Command::Man { .. }
            | Command::Names => Ok(0),
        }
    })
}

fn completions(shell: clap_complete::Shell, name: &str) -> Result<u8, Failure> {
    let all = Cli::command();
    let known = NAMES.iter().find(|(known, _)| *known == name);
    let mut command = match known.and_then(|(_, command)| all.find_subcommand(command)) {
        Some(command) => command.clone(),
        None if name == PROGRAM => all,
        None => return Err(Failure::usage(format!("this program has no name {name}"))),
    };
    clap_complete::generate(shell, &mut command, name, &mut std::io::stdout());
    Ok(0)
}

fn manual(command: Option<&str>, directory: Option<&Path>) -> Result<u8, Failure> {
    let mut all = Cli::command();
    if let Some(directory) = directory {
        clap_mangen::generate_to(all, directory)
            .map_err(|error| Failure::fatal(format!("{}: {error}", directory.display())))?;
        return Ok(0);
    }
    all.build();
    let page = match command {
        None => &all,
        Some(name) => all
            .find_subcommand(name)
            .ok_or_else(|| Failure::usage(format!("there is no command {name}")))?,
    };
    clap_mangen::Man::new(page.clone()).render(&mut std::io::stdout())?;
    Ok(0)
}
