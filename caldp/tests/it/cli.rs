//! What somebody at a terminal sees of the `caldp` commands before anything is run.

use std::path::Path;
use std::process::{Command, Output};

use crate::CALDP;

/// The binary under one of its names, in an empty environment.
fn caldp(directory: &Path, name: &str, arguments: &[&str]) -> Command {
    let program = directory.join(name);
    if !program.exists() {
        std::os::unix::fs::symlink(CALDP, &program).unwrap();
    }
    let mut command = Command::new(program);
    command.args(arguments).current_dir(directory).env_clear();
    command
}

fn run(name: &str, arguments: &[&str]) -> Output {
    let directory = tempfile::tempdir().unwrap();
    caldp(directory.path(), name, arguments).output().unwrap()
}

/// What a successful command says: all of it on stdout.
fn said(name: &str, arguments: &[&str]) -> String {
    let output = run(name, arguments);
    assert!(output.status.success(), "{name} {arguments:?}: {output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// What a refused command says: all of it on stderr, with exit status 2.
fn refused(name: &str, arguments: &[&str]) -> String {
    let output = run(name, arguments);
    assert_eq!(
        output.status.code(),
        Some(2),
        "{name} {arguments:?}: {output:?}"
    );
    assert!(output.stdout.is_empty(), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn the_help_names_every_command() {
    let help = said("caldp", &["--help"]);
    assert!(
        help.starts_with("Calibrates Hubble Space Telescope datasets")
            && help.contains("\n\nUsage: caldp <COMMAND>\n"),
        "{help}"
    );
    for line in [
        "  process      Calibrate one dataset\n",
        "  process-aws  Calibrate one dataset on AWS Batch: inputs from MAST, references from S3\n",
        "  doctor       Check programs, cache, access and machine: what a run needs and what is missing\n",
        "  completions  Print a completion script for a shell\n",
        "  man          Print the manual page of caldp, or of one of its commands\n",
    ] {
        assert!(help.contains(line), "{line}{help}");
    }
    assert!(help.contains("worker/docs/native.md"), "{help}");
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../worker/docs/native.md");
    assert!(page.is_file(), "the page that the help names is not there");
}

#[test]
fn every_name_has_help_under_that_name() {
    let names = said("caldp", &["names"]);
    for name in names.lines().filter(|name| *name != "caldp") {
        let help = said(name, &["--help"]);
        assert!(help.contains(&format!("\nUsage: {name} ")), "{help}");
        let command = name.strip_prefix("caldp-").unwrap();
        let help = said("caldp", &[command, "--help"]);
        assert!(
            help.contains(&format!("\nUsage: caldp {command} ")),
            "{help}"
        );
    }
}

#[test]
fn every_name_has_a_version_completions_and_a_page() {
    let version = env!("CARGO_PKG_VERSION");
    for name in said("caldp", &["names"]).lines() {
        assert_eq!(said(name, &["--version"]), format!("{name} {version}\n"));
        for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
            let script = said("caldp", &["completions", shell, name]);
            assert!(script.contains(name), "{shell} {name}");
        }
    }
    assert!(said("caldp", &["man"]).contains("\n.TH caldp 1"));
    let page = said("caldp", &["man", "process"]);
    assert!(
        page.contains("\n.TH caldp-process 1") && page.contains("Examples:"),
        "{page}"
    );
    for arguments in [
        &["man", "no-such"][..],
        &["completions", "bash", "caldp-no-such"],
    ] {
        assert!(refused("caldp", arguments).contains("hint: the names are caldp caldp-process"));
    }
}

#[test]
fn a_slip_of_the_finger_is_understood() {
    for (name, arguments, expected) in [
        ("caldp", &["proces", "x"][..], "'process'"),
        ("caldp", &["docter"], "'doctor'"),
        (
            "caldp-process",
            &["j8cb010b0", "--layot", "tree"],
            "'--layout'",
        ),
        ("caldp-doctor", &["--imput", "file:."], "'--input'"),
    ] {
        let text = refused(name, arguments);
        assert!(text.contains("tip: ") && text.contains(expected), "{text}");
    }
    let text = refused("caldp-proces", &["x"]);
    assert!(
        text.contains("unrecognized subcommand 'proces'") && text.contains("'process'"),
        "{text}"
    );
    for (arguments, expected) in [
        (
            &["notadataset"][..],
            "hint: expected an exposure or association like j8cb010b0",
        ),
        (&["u2nk0101t"], "not supported"),
        (&["j8cb010b0", "ftp://x"], "hint: use file:"),
        (&["j8cb010b0", "file:.", "s3://B"], "hint: write s3://"),
        (&["j8cb010b0", "--layout", "tre"], "tre"),
        (&[], "Usage: caldp-process [OPTIONS] <DATASET>"),
    ] {
        let text = refused("caldp-process", arguments);
        assert!(text.contains(expected), "{arguments:?}: {text}");
    }
}

#[test]
fn nothing_is_coloured_where_colour_is_not_wanted() {
    let directory = tempfile::tempdir().unwrap();
    let help = |variables: &[(&str, &str)]| {
        let mut command = caldp(directory.path(), "caldp-process", &["--help"]);
        command.envs(variables.iter().copied());
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    assert!(
        !help(&[("TERM", "xterm")]).contains('\u{1b}'),
        "coloured into a pipe"
    );
    // The one way to see the difference without a terminal.
    let forced = [("TERM", "xterm"), ("CLICOLOR_FORCE", "1")];
    assert!(help(&forced).contains('\u{1b}'), "never coloured");
    let both = [("TERM", "xterm"), ("NO_COLOR", "1")];
    assert!(
        !help(&both).contains('\u{1b}'),
        "coloured in spite of NO_COLOR"
    );
}

#[test]
fn the_configuration_can_be_read_by_programs() {
    let directory = tempfile::tempdir().unwrap();
    let arguments = ["j8cb010b0", "--print-config", "--json"];
    let mut command = caldp(directory.path(), "caldp-process", &arguments);
    command.env("CRDS_CONTEXT", "hst_1234.pmap");
    let output = command.output().unwrap();
    let config: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(config["CRDS_CONTEXT"]["value"], "hst_1234.pmap");
    assert_eq!(config["CRDS_CONTEXT"]["origin"], "environment");
    assert_eq!(config["CRDS_PATH"]["origin"], "caldp-config-onsite");
    let left: Vec<_> = std::fs::read_dir(directory.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "something was written: {left:?}");
}

/// A reader that is gone, as `head` is, changes no exit status.
#[test]
fn nobody_needs_to_read_what_is_said() {
    let directory = tempfile::tempdir().unwrap();
    for (name, arguments) in [
        ("caldp-process", &["j8cb010b0", "file:none", "file:out"][..]),
        ("caldp-status", &["file:none"]),
        ("caldp-estimate", &["j8cb010b0", "not-a-dataset"]),
        ("caldp-learn", &["none.csv"]),
    ] {
        let heard = caldp(directory.path(), name, arguments).output().unwrap();
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let unheard = caldp(directory.path(), name, arguments)
            .stdout(writer.try_clone().unwrap())
            .stderr(writer)
            .status()
            .unwrap();
        assert_eq!(unheard.code(), heard.status.code(), "{name}");
    }
}

/// What is asked for and does not arrive is no success; a reader that is gone has what it wanted.
#[test]
fn an_answer_that_cannot_be_written_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    for line in [
        "man",
        "completions bash",
        "config",
        "process j8cb010b0 --print-config",
        "estimate j8cb010b0",
        "doctor j8cb010b0 --input file:.",
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        let full = std::fs::File::create("/dev/full").unwrap();
        let output = caldp(directory.path(), "caldp", &words)
            .stdout(full)
            .output()
            .unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{line}: {errors}");
        let words = "caldp: standard output cannot be written: No space left on device";
        assert!(errors.contains(words), "{line}: {errors}");
    }
}

#[test]
fn a_variable_that_is_empty_is_not_set_and_one_that_is_wrong_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let asked = |variables: &[(&str, &str)], line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let mut command = caldp(directory.path(), "caldp", &words);
        let output = command.envs(variables.iter().copied()).output().unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        (output.status.code(), errors)
    };
    let empty = [
        ("CALDP_LAYOUT", ""),
        ("CALDP_HOME", ""),
        ("CALDP_PROGRAM_TIMEOUT", ""),
        ("CALDP_ARCHIVE_LIMIT", ""),
        ("CALDP_INPUT_URI", ""),
        ("CRDSBUCKET", "s3://crds"),
    ];
    let configured = "process j8cb010b0 --print-config";
    assert_eq!(asked(&empty, configured), (Some(0), String::new()));
    let configured = "process-aws s3://hst/x j8cb010b0 --print-config";
    assert_eq!(asked(&empty, configured), (Some(0), String::new()));
    let (code, errors) = asked(&empty, "status file:nowhere");
    assert!(
        code == Some(1) && errors.contains("there are no datasets"),
        "{errors}"
    );

    let wrong = [("CALDP_LAYOUT", "tre")];
    let named = "hint: the environment variable CALDP_LAYOUT says so";
    for line in [
        "process j8cb010b0",
        "status file:.",
        "submit j8cb010b0 --output s3://hst/x",
    ] {
        let (code, errors) = asked(&wrong, line);
        assert!(
            code == Some(2) && errors.contains(named),
            "{line}: {errors}"
        );
    }
    let (code, errors) = asked(&wrong, "process j8cb010b0 --layout tre");
    assert!(code == Some(2) && !errors.contains(named), "{errors}");
    let (code, errors) = asked(
        &[("CRDS_CONTEXT", "hst_acs_0001.imap")],
        "rescue j8cb010b0 --output s3://hst/x",
    );
    assert!(
        code == Some(2) && errors.contains("CRDS_CONTEXT says so"),
        "{errors}"
    );
}
