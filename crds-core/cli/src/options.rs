//! The options that all commands share, and what they make of the environment's settings.

use std::path::Path;

use clap::Args;

use crate::failure::Failure;
use crds_core::Observatory;
use crds_core::config::{Config, ConfigError};
use crds_core::names::ContextName;
use crds_core::{Client, Reuse};
use storage::bounded;

/// The longest list of names that is read, in bytes: half a million paths.
const MAX_LIST: usize = 64 << 20;

/// Options of every command. They beat the environment.
#[derive(Debug, Clone, Default, Args)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub(crate) struct Shared {
    /// Say more: the same as --verbosity 50
    #[arg(short, long, global = true, help_heading = "Common options")]
    verbose: bool,
    /// How much is logged, -3 to 100 [env: `CRDS_VERBOSITY`]
    #[arg(
        long,
        value_name = "N",
        allow_negative_numbers = true,
        global = true,
        help_heading = "Common options"
    )]
    verbosity: Option<i32>,
    /// Log the command line
    #[arg(long, global = true, help_heading = "Common options")]
    pub(crate) dump_cmdline: bool,
    /// Put the time before log lines [env: `CRDS_LOG_TIME`]
    #[arg(long, global = true, help_heading = "Common options")]
    log_time: bool,
    /// Never write to the cache [env: `CRDS_READONLY_CACHE`]
    #[arg(short = 'R', long, global = true, help_heading = "Common options")]
    readonly_cache: bool,
    /// Fetch files even if they are there
    #[arg(short = 'I', long, global = true, help_heading = "Common options")]
    ignore_cache: bool,
    /// Hubble's references [env: `CRDS_OBSERVATORY=hst`]
    #[arg(short = 'H', long, global = true, conflicts_with_all = ["jwst", "roman"], help_heading = "Common options")]
    hst: bool,
    /// Webb's references
    #[arg(
        short = 'J',
        long,
        global = true,
        conflicts_with = "roman",
        help_heading = "Common options"
    )]
    jwst: bool,
    /// Roman's references
    #[arg(long, global = true, help_heading = "Common options")]
    roman: bool,
    /// Say at the end how long it took
    #[arg(long, global = true, help_heading = "Common options")]
    pub(crate) stats: bool,
    /// Print results as JSON
    #[arg(long, global = true, help_heading = "Common options")]
    pub(crate) json: bool,
}

impl Shared {
    /// Whether files that are in the cache will do.
    pub(crate) fn reuse(&self) -> Reuse {
        if self.ignore_cache {
            Reuse::Nothing
        } else {
            Reuse::Cached
        }
    }

    /// The settings of the environment, and of these options.
    pub(crate) fn config(&self) -> Result<Config, ConfigError> {
        let mut config = Config::from_env()?;
        if self.verbose {
            config.set("CRDS_VERBOSITY", "50", "--verbose")?;
        }
        if let Some(verbosity) = self.verbosity {
            config.set("CRDS_VERBOSITY", &verbosity.to_string(), "--verbosity")?;
        }
        if self.log_time {
            config.set("CRDS_LOG_TIME", "1", "--log-time")?;
        }
        if self.readonly_cache {
            config.set("CRDS_READONLY_CACHE", "1", "--readonly-cache")?;
        }
        for (given, observatory, option) in [
            (self.hst, Observatory::Hst, "--hst"),
            (self.jwst, Observatory::Jwst, "--jwst"),
            (self.roman, Observatory::Roman, "--roman"),
        ] {
            if given {
                config.set("CRDS_OBSERVATORY", observatory.name(), option)?;
            }
        }
        Ok(config)
    }
}

/// A client for the observatory that the settings, a context or the names of files tell.
pub(crate) fn client<'n>(
    config: Config,
    context: Option<&ContextName>,
    names: impl IntoIterator<Item = &'n str>,
) -> Client {
    let plain = names
        .into_iter()
        .map(|name| name.rsplit('/').next().unwrap_or(name));
    let known = config.observatory_for(plain);
    let observatory = context.and_then(ContextName::observatory).or(known);
    // Raw HST files do not say; pipelines always set one of the variables.
    let observatory = observatory.unwrap_or_else(|| {
        tracing::debug!("nothing says which observatory this is for; taken to be hst");
        Observatory::Hst
    });
    Client::new(config, observatory)
}

/// How deep lists may name lists, and how many may be read.
const MAX_DEPTH: usize = 16;
const MAX_LISTS: usize = 10_000;

/// Replaces each `@list` by the words of the file `list`: several a line, `#` begins a
/// comment, and `@other` names another list, found from where the program runs.
///
/// Fails if there are lists and not a single name, because then something was asked for.
pub(crate) fn expanded(names: &[String]) -> Result<Vec<String>, Failure> {
    let mut all = Vec::with_capacity(names.len());
    let mut lists = 0;
    for name in names {
        expand(name, &mut all, &mut lists, 0)?;
    }
    if all.is_empty() && !names.is_empty() {
        let lists = names.join(" ");
        return Err(Failure::usage(format!("{lists} names no file")));
    }
    Ok(all)
}

fn expand(
    name: &str,
    all: &mut Vec<String>,
    lists: &mut usize,
    depth: usize,
) -> Result<(), Failure> {
    let Some(list) = name.strip_prefix('@') else {
        all.push(name.to_owned());
        return Ok(());
    };
    *lists += 1;
    if depth == MAX_DEPTH || *lists > MAX_LISTS {
        return Err(Failure::fatal(format!(
            "the list {list} cannot be read: lists name each other more than {MAX_DEPTH} deep, \
             or there are more than {MAX_LISTS}"
        )));
    }
    let text = bounded::read_text(Path::new(list), MAX_LIST)
        .map_err(|error| Failure::fatal(format!("the list {list} cannot be read: {error}")))?;
    for line in text.lines() {
        let words = line.split_whitespace();
        for word in words.take_while(|word| !word.starts_with('#')) {
            expand(word, all, lists, depth + 1)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn lists_have_words_comments_and_lists() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let inner = path("inner");
        std::fs::write(&inner, "c d # x y\r\n# e\r\n\r\nf").unwrap();
        std::fs::write(path("outer"), format!("a b\n@{}\n", inner.display())).unwrap();
        let outer = format!("@{}", path("outer").display());
        let all = expanded(&[outer, "g".to_owned()]).unwrap();
        assert_eq!(all.join(""), "abcdfg");
        // Nothing at all, and a circle.
        std::fs::write(path("empty"), "# nothing\n").unwrap();
        let circle = format!("@{}", path("circle").display());
        std::fs::write(path("circle"), &circle).unwrap();
        for wrong in [format!("@{}", path("empty").display()), circle] {
            assert!(expanded(&[wrong]).is_err());
        }
    }
}
