//! `caldp config`: what a configuration sets, as lines for a shell. The scripts that people source
//! have no more in them than a call of it.

use super::process::{answered, environment, refuse};
use crate::config::{ConfigName, Origin, Setting, Settings};
use crate::report::masked;
use caldp_core::exit_code::ExitCode as Code;
use clap::Args;
use std::process::ExitCode;
use storage::hint::answer;

/// What `caldp config` is called with.
#[derive(Debug, Args)]
pub struct ConfigArguments {
    /// caldp-config-onsite, caldp-config-offsite, caldp-config-aws, or a file of KEY=VALUE lines
    #[arg(default_value = "caldp-config-onsite", value_parser = |text: &str| Ok::<_, String>(ConfigName::parse(text)))]
    config: ConfigName,
}

/// Prints the variables that the configuration sets, and as comments those that are set already.
pub fn run(asked: &ConfigArguments) -> ExitCode {
    let settings = match Settings::resolve(&asked.config, environment()) {
        Ok(settings) => settings,
        Err(error) => return refuse(&error),
    };
    let lines: String = settings
        .configured()
        .map(|(name, setting)| line(name, setting))
        .collect();
    answered(answer(lines), Code::Ok)
}

fn line(name: &str, Setting { value, origin }: &Setting) -> String {
    match origin {
        // Escaped, so that it ends where the line does.
        Origin::Environment => format!("# {name} is set: {:?}\n", masked(name, value)),
        _ => format!("export {name}='{}'\n", value.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quoted_for_a_shell_and_those_of_the_environment_only_told() {
        let setting = |value: &str, origin| Setting {
            value: value.to_owned(),
            origin,
        };
        let own = Origin::Config(ConfigName::Offsite);
        assert_eq!(
            line("CRDS_PATH", &setting("/it's $(here)", own)),
            "export CRDS_PATH='/it'\\''s $(here)'\n"
        );
        assert_eq!(
            line("CRDS_X", &setting("a\nreboot", Origin::Environment)),
            "# CRDS_X is set: \"a\\nreboot\"\n"
        );
    }
}
