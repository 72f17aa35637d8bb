//! A server that does not answer: whoever waits at a terminal is told once what for, and in the end why not.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

const COMMANDS: [&[&str]; 5] = [
    &["status", "s3://hst-out/o"],
    &["explain", "j8cb010b0", "--output", "s3://hst-out/o"],
    &["page", "s3://hst-out/o"],
    &["sync", "s3://hst-out/o", "here"],
    &["submit", "--output", "s3://hst-out/o", "j8cb010b0"],
];

/// A command whose server is a port that nobody listens on.
fn begin(arguments: &[&str], directory: &std::path::Path) -> Child {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    Command::new(crate::CALDP)
        .args(arguments)
        .current_dir(directory)
        .env_clear()
        .env("AWS_ENDPOINT_URL", nobody)
        .env("AWS_ACCESS_KEY_ID", "a")
        .env("AWS_SECRET_ACCESS_KEY", "b")
        .env("AWS_REGION", "us-east-1")
        .env("JOBQUEUES", "q2,q8,q16,q64")
        .env("JOBDEFINITIONS", "d2,d8,d16,d64")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn is_told(line: &str) -> bool {
    line.contains("WARN cannot ")
        && line.contains(" s3://hst-out/")
        && line.contains(" at http://127.0.0.1:")
        && line.ends_with(" yet: Connection refused (os error 111); trying again")
}

#[test]
fn what_is_waited_for_is_told_before_it_is_given_up() {
    let directory = tempfile::tempdir().unwrap();
    let begun = COMMANDS.map(|arguments| (arguments, begin(arguments, directory.path())));
    for (arguments, mut child) in begun {
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let first = lines.next().unwrap().unwrap();
        let _ = child.kill();
        child.wait().unwrap();
        assert!(is_told(&first), "{arguments:?}: {first}");
    }
}

/// Takes as long as the policy of trying again: up to a minute.
#[test]
fn the_end_is_one_error_with_its_hint() {
    if std::env::var_os("CALDP_TEST_LONG").is_none() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let begun = COMMANDS.map(|arguments| (arguments, begin(arguments, directory.path())));
    for (arguments, mut child) in begun {
        let mut said = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut said)
            .unwrap();
        assert_eq!(
            child.wait().unwrap().code(),
            Some(1),
            "{arguments:?}: {said}"
        );
        let lines: Vec<&str> = said.lines().collect();
        let [told, error, hint] = lines[..] else {
            panic!("{arguments:?}: {said}");
        };
        assert!(is_told(told), "{arguments:?}: {said}");
        let ends = error.starts_with("caldp: cannot ")
            && error.contains(" after 10 tries over ")
            && error.ends_with(": Connection refused (os error 111)");
        assert!(ends, "{arguments:?}: {said}");
        assert_eq!(
            hint,
            "hint: check the network, AWS_ENDPOINT_URL and AWS_REGION"
        );
    }
}
