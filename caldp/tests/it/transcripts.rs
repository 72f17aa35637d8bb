//! What somebody at a terminal sees of every `caldp` command, word for word: help, the account of a
//! run, errors, what operators are told.

use std::process::Command;

use caldp_tests::{Transcript, fixtures};
use insta::assert_snapshot;

use crate::CALDP;
use crate::doctor::Machine;
use crate::operators;
use crate::whole::{Host, Origin};

fn transcript() -> Transcript {
    Transcript::new().hiding(env!("CARGO_PKG_VERSION"), "[VERSION]")
}

/// The transcript of runs in a host.
fn transcript_of(host: &Host) -> Transcript {
    transcript()
        .hiding_path(host.world.path(), "[HOME]")
        .hiding_path(host.temporary.path(), "[TMP]")
        .hiding_path(host.programs.directory(), "[PROGRAMS]")
}

fn caldp(line: &str) -> Command {
    let mut command = Command::new(CALDP);
    command.args(line.split_whitespace()).env_clear();
    command
}

#[test]
fn help() {
    let mut seen = transcript();
    seen.run(&mut caldp("--help"));
    let names = caldp("names").output().unwrap().stdout;
    let names = String::from_utf8(names).unwrap();
    for name in names.lines().filter_map(|name| name.strip_prefix("caldp-")) {
        seen.run(&mut caldp(&format!("{name} --help")));
    }
    assert_snapshot!(seen.text());
}

#[test]
fn a_dataset_is_processed() {
    let host = Host::with("octka7040");
    let mut seen = transcript_of(&host);
    seen.run(&mut host.command("octka7040", Origin::S3));
    assert_snapshot!(seen.text());
}

#[test]
fn errors_of_a_run() {
    let host = Host::new();
    let mut seen = transcript_of(&host).leaving_out(" INFO environment ");
    seen.run(&mut caldp("process"));
    seen.run(&mut caldp("process j8cb010b0x file:. file:."));
    seen.run(&mut caldp("process j8cb010b0 ftp://there file:."));
    seen.run(&mut caldp("process j8cb010b0 --no-such-option"));
    for origin in [Origin::Directory, Origin::S3, Origin::Mast] {
        seen.run(&mut host.command("j8cb010b0", origin));
    }
    host.put_archive("j8cb010b0", b"no archive".to_vec());
    seen.run(&mut host.command("j8cb010b0", Origin::S3));
    host.add("octka7040");
    host.programs.replace("cs0.e", "echo broken >&2; exit 2");
    seen.run(&mut host.command("octka7040", Origin::S3));
    assert_snapshot!(seen.text());
}

#[test]
fn the_doctor() {
    let machine = Machine::new();
    let mut seen = transcript()
        .hiding_path(machine.path(), "[HOME]")
        .hiding_path(&fixtures(), "[FIXTURES]");
    machine.hstcal();
    machine.stand_in(
        "fitscut",
        "--version) echo 'fitscut 1.4.4';; --help) echo --zoom;;",
    );
    seen.run(&mut machine.doctor(&["j8cb010b0"]));
    assert_snapshot!(seen.text());
}

#[test]
fn operators_are_told_what_was_done() {
    let world = caldp_tests::World::new();
    let mut seen = transcript();
    for line in [
        "submit j8cb010b0 lcyid1030 --dry-run --memory-bin 2",
        "submit j8cb010b0 lcyid1030 --batch-name spring",
        "submit j8cb010b0 --batch-name summer",
        "submit lcyid1030 --batch-name spring --json",
        "cancel j8cb010b0 --dry-run",
        "cancel j8cb010b0",
        "rescue all --memory-bin 3",
        "clean j8cb010b0 --dry-run",
        "clean j8cb010b0",
        "submit",
        "submit j8cb",
        "submit @missing.ids",
        "cancel j8cb --json",
        "rescue j8ne53znq",
        "submit j8cb010b0 --memory-bin 99",
    ] {
        // one after the other, for the order of the log
        seen.run(operators::command(&world, line).env("CALDP_CONCURRENCY", "1"));
    }
    seen.run(operators::command(&world, "submit j8cb010b0").env("JOBQUEUES", ""));
    assert_snapshot!(seen.text());
}
