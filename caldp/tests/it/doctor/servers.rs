//! What the doctor says of servers: that of CRDS, the archive, and S3 with what operators chose there.

use super::machine::{Examined, Machine};
use caldp_tests::{CrdsServer, S3Server, fixtures, registry_programs};
use std::process::Command;
use std::time::{Duration, Instant};

#[test]
fn servers_that_answer_and_servers_that_do_not() {
    let machine = Machine::new();
    machine.hstcal();
    let crds = CrdsServer::start(&fixtures().join("crds"), "hst_9002.pmap", "hst_9002.pmap");
    let offsite = [
        "octka7040",
        "--config",
        "caldp-config-offsite",
        "--input",
        "astroquery:",
    ];
    let look = |crds: &str, mast: &str| {
        let mut command = machine.doctor(&offsite);
        command
            .env_remove("CRDS_PATH")
            .env("CRDS_SERVER_URL", crds)
            .env("CALDP_MAST_URL", mast);
        Examined::of(&mut command)
    };
    let examined = look(&crds.url(), &machine.mast.url());
    assert_eq!(examined.code(), Some(0), "{:#}", examined.report);
    // The server's word counts, and nothing was written.
    assert_eq!(
        examined.about("context")["details"]["context"],
        "hst_9002.pmap"
    );
    assert!(!machine.path().join("crds_cache").exists());

    // Nothing listens there any more.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nowhere = format!("http://{}", gone.local_addr().unwrap());
    drop(gone);
    let examined = look(&nowhere, &machine.mast.url());
    assert_eq!(
        (examined.level("server"), examined.code()),
        ("problem", Some(1))
    );
    let examined = look(&crds.url(), &nowhere);
    assert_eq!(
        (examined.level(&nowhere), examined.code()),
        ("problem", Some(1))
    );

    // One that takes connections and never answers costs bounded time.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let started = Instant::now();
    let examined = look(&url, &url);
    assert!(
        started.elapsed() < Duration::from_mins(1),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(
        (examined.level("server"), examined.level(&url)),
        ("problem", "problem")
    );

    // Inputs that are here need no archive.
    let mut command = machine.doctor(&["octka7040"]);
    let examined = Examined::of(command.env("CALDP_MAST_URL", &nowhere));
    assert_eq!(
        (examined.level(&nowhere), examined.code()),
        ("note", Some(0))
    );
}

/// The cache of the fixtures as the bucket has it, and one for results.
fn crds_on_s3() -> S3Server {
    let server = S3Server::start(&["crds", "hst"]);
    for part in ["config", "pickles", "references"] {
        server.put_directory("crds", part, &fixtures().join("crds").join(part));
    }
    server
}

fn with_s3(machine: &Machine, server: &S3Server, arguments: &[&str]) -> Command {
    let mut command = machine.doctor(arguments);
    command
        .envs(server.environment())
        .env_remove("CRDS_PATH")
        .env("CRDSBUCKET", "s3://crds")
        .env("MAST_API_TOKEN", "t0ken")
        .env("PATH", registry_programs());
    command
}

#[test]
fn buckets_are_tried_and_credentials_never_shown() {
    let machine = Machine::new();
    let server = crds_on_s3();
    server.put("hst", "inputs/lbgu17qnq.tar.gz", "x");
    let arguments = [
        "lbgu17qnq",
        "--input",
        "s3://hst/inputs",
        "--output",
        "s3://hst/batch-1",
        "--config",
        "caldp-config-aws",
    ];
    let command = |arguments: &[&str]| with_s3(&machine, &server, arguments);
    let examined = Examined::of(&mut command(&arguments));
    assert_eq!(examined.code(), Some(0), "{:#}", examined.report);
    assert!(examined.text("s3://hst/batch-1").contains("written"));
    assert_eq!(examined.level("s3://crds/references/hst"), "ok");
    assert!(examined.text("credentials").contains("AWS_ACCESS_KEY_ID"));
    assert_eq!(
        server.keys("hst"),
        ["inputs/lbgu17qnq.tar.gz"],
        "something was left"
    );
    let (_, secret) = server.credentials();
    let all = format!("{:?}", examined.output);
    assert!(!all.contains(secret) && !all.contains("t0ken"), "{all}");

    let wrong = |name: &str, value: &str, subject: &str| {
        let examined = Examined::of(command(&arguments).env(name, value));
        assert_eq!(examined.code(), Some(1));
        assert_eq!(examined.level(subject), "problem", "{:#}", examined.report);
        assert!(!examined.hint(subject).is_empty(), "{:#}", examined.report);
    };
    wrong("AWS_SECRET_ACCESS_KEY", "no", "s3://hst/batch-1");
    let mut elsewhere = arguments;
    elsewhere[4] = "s3://no-such-bucket/batch-1";
    let examined = Examined::of(&mut command(&elsewhere));
    assert_eq!(
        (examined.level("s3://no-such-bucket"), examined.code()),
        ("problem", Some(1))
    );
}

#[test]
fn the_context_is_the_one_that_operators_chose() {
    let machine = Machine::new();
    let server = crds_on_s3();
    let arguments = [
        "lbgu17qnq",
        "--output",
        "s3://hst/batch-1",
        "--config",
        "caldp-config-aws",
    ];
    let look = || Examined::of(&mut with_s3(&machine, &server, &arguments));
    let examined = look();
    assert_eq!(examined.level("operators' context"), "note");
    assert_eq!(
        examined.about("context")["details"]["context"],
        "hst_9001.pmap"
    );

    server.put("hst", "crds_env_vars/hst_9000.pmap", "");
    let examined = look();
    assert_eq!(examined.code(), Some(0), "{:#}", examined.report);
    let place = "s3://hst/crds_env_vars/hst_9000.pmap";
    assert!(examined.text("operators' context").contains(place));
    assert!(examined.text("context").contains(place));
    assert_eq!(
        examined.about("context")["details"]["context"],
        "hst_9000.pmap"
    );

    // What the environment says goes first, and nothing else is asked then.
    let mut command = with_s3(&machine, &server, &arguments);
    let examined = Examined::of(command.env("CRDS_CONTEXT", "hst_9002.pmap"));
    assert_eq!(
        examined.about("context")["details"]["context"],
        "hst_9002.pmap"
    );
    assert!(!examined.report.to_string().contains("crds_env_vars"));

    // One that there is not, and a bucket that does not answer: a run would fail as well.
    server.remove("hst", "crds_env_vars/hst_9000.pmap");
    server.put("hst", "crds_env_vars/hst_0001.pmap", "");
    let examined = look();
    assert_eq!(
        (examined.level("rules"), examined.code()),
        ("problem", Some(1))
    );
    let mut command = with_s3(&machine, &server, &arguments);
    let examined = Examined::of(command.env("AWS_SECRET_ACCESS_KEY", "no"));
    assert_eq!(examined.level("operators' context"), "problem");
}
