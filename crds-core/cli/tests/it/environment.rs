//! The documents that users were given about settings and commands: everything they name is
//! described in `ENVIRONMENT.md` and known to the program.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use caldp_tests::external_data;

use crate::program::{CRDS, cache, offline, run};

/// The settings a text names.
fn variables(text: &str) -> BTreeSet<&str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| word.starts_with("CRDS_") && word.len() > "CRDS_".len())
        .filter(|word| !word.ends_with('_') && !word.chars().any(char::is_lowercase))
        .collect()
}

/// The lines that call `crds`, by command and the options they give it.
fn calls(text: &str) -> Vec<(&str, Vec<&str>)> {
    let lines = text
        .lines()
        .map(|line| line.trim().trim_start_matches("$ "));
    lines
        .filter_map(|line| {
            let mut words = line.strip_prefix("crds ")?.split_whitespace();
            let command = words.next()?;
            let options = words.filter(|word| word.starts_with("--"));
            let options = options.map(|word| word.split('=').next().unwrap_or(word));
            Some((command, options.collect()))
        })
        .collect()
}

/// The rows of a table of commands and the options that matter: `| `sync` | `--all` ... |`.
fn options_that_matter(text: &str) -> Vec<(&str, BTreeSet<&str>)> {
    let heading = "| command | options that matter |";
    let table = text.split_once(heading).map_or("", |(_, table)| table);
    let rows = table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    rows.filter_map(|row| {
        let (command, rest) = row.trim_start_matches('|').split_once('|')?;
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let words = rest.split(|c| !is_part(c));
        let options = words.filter(|word| word.strip_prefix("--").is_some_and(|n| !n.is_empty()));
        Some((command.trim().trim_matches('`'), options.collect()))
    })
    .collect()
}

#[test]
fn every_option_that_matters_is_known() {
    let Some(docs) = external_data("docs", "the options that matter") else {
        return;
    };
    let text = std::fs::read_to_string(docs.join("crds-rules.md")).unwrap();
    let help = |command: &str| {
        let mut program = Command::new(CRDS);
        let output = program.args([command, "--help"]).env_clear().output();
        String::from_utf8_lossy(&output.unwrap().stdout).into_owned()
    };
    let commands = ["bestrefs", "sync", "list", "matches"];
    let mut seen = 0;
    for (row, options) in options_that_matter(&text) {
        let of_row = [row];
        let all = if row == "all" {
            &commands[..]
        } else {
            &of_row[..]
        };
        for command in all {
            let help = help(command);
            for option in &options {
                assert!(help.contains(option), "crds {command} has no {option}");
                seen += 1;
            }
        }
    }
    println!("{seen} options are known");
    assert!(seen > 70, "{seen} options");
}

#[test]
fn every_setting_and_command_that_users_were_told_of_is_known() {
    let Some(docs) = external_data("docs", "the list of promised settings and commands") else {
        return;
    };
    let described = include_str!("../../../ENVIRONMENT.md");
    let crds = |arguments: &[&str]| {
        let mut command = Command::new(CRDS);
        let output = command.args(arguments).env_clear().output().unwrap();
        (
            output.status.success(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
        )
    };
    let (_, shown) = crds(&["env", "--json"]);
    let (mut seen, mut commands) = (0, 0);
    for name in ["crds-environment.txt", "crds-aws.txt"] {
        let text = std::fs::read_to_string(docs.join("seeds").join(name)).unwrap();
        for variable in variables(&text) {
            let row = format!("| `{variable}` |");
            assert!(
                described.contains(&row),
                "{name}: {variable} is not described"
            );
            assert!(
                shown.contains(&format!("\"{variable}\"")),
                "{name}: crds env does not show {variable}"
            );
            seen += 1;
        }
        for (command, options) in calls(&text) {
            let (known, help) = crds(&[command, "--help"]);
            assert!(known, "{name}: there is no crds {command}");
            for option in options {
                assert!(
                    help.contains(option),
                    "{name}: crds {command} has no {option}"
                );
            }
            commands += 1;
        }
    }
    assert!(
        seen > 20 && commands > 4,
        "{seen} settings, {commands} commands"
    );
    for program in ["crds_s3_get", "crds_s3_set"] {
        let link = tempfile::tempdir().unwrap();
        let link = link.path().join(program);
        std::os::unix::fs::symlink(Path::new(CRDS), &link).unwrap();
        assert!(
            Command::new(&link)
                .arg("--help")
                .output()
                .unwrap()
                .status
                .success()
        );
    }
}

#[test]
fn less_can_be_said_and_counts_all_the_same() {
    let cache = cache();
    let asked = [
        "bestrefs",
        "-f",
        "/nowhere/j8cb01u2q_raw.fits",
        "--dump-cmdline",
    ];
    let said = |verbosity: &str| {
        let settings = [offline(&cache), vec![("CRDS_VERBOSITY", verbosity)]].concat();
        let ran = run(&settings, &asked);
        assert_eq!(ran.code, 1, "{}", ran.stderr);
        ran.stderr
    };
    let usual = said("0");
    assert!(
        usual.contains("INFO -  Command: ['crds', 'bestrefs', '-f', "),
        "{usual}"
    );
    for verbosity in ["-1", "-2"] {
        let less = said(verbosity);
        assert!(less.contains("ERROR") && !less.contains("INFO"), "{less}");
    }
    assert_eq!(said("-3"), "");
    let option = [&asked[..], &["--verbosity", "-3"]].concat();
    assert_eq!(run(&offline(&cache), &option).stderr, "");
}
