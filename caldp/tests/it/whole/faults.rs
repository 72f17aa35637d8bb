//! An S3 that fails a third of its requests: a run ends well, or fails with the right code after
//! trying for a bounded time, and never says that it went well when it did not.

use super::host::{Host, assert_code};
use caldp_tests::{Fault, Faults};
use std::time::{Duration, Instant};

const DATASET: &str = "j8cb02u4q";

/// A run through faults is given up at last; this is far beyond.
const BOUND: Duration = Duration::from_mins(4);

fn through(kinds: &[Fault], seed: u64) {
    let host = Host::with(DATASET);
    host.world
        .s3
        .set_faults(Faults::one_in(3, kinds).seeded(seed));
    let started = Instant::now();
    let output = host.run(DATASET);
    let took = started.elapsed();
    host.world.s3.set_faults(None);
    assert!(took < BOUND, "{kinds:?}: {took:?}");
    match output.status.code() {
        Some(0) => {
            assert_eq!(host.state(DATASET), "processed", "{kinds:?}");
            super::manifest::assert_delivered(&host, DATASET);
            host.assert_clean();
        }
        // Failing to fetch references, inputs or to store are the three ways S3 shows.
        Some(25..=27) => assert_ne!(host.state(DATASET), "processed", "{kinds:?}"),
        other => panic!(
            "{kinds:?}: {other:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        ),
    }
    eprintln!("{kinds:?}: {:?} in {took:?}", output.status.code());
}

#[test]
fn errors_of_the_service() {
    through(&[Fault::InternalError], 1);
    through(&[Fault::SlowDown], 2);
}

#[test]
fn connections_that_break() {
    through(&[Fault::Reset], 3);
    through(&[Fault::LostAnswer], 4);
    through(&[Fault::Truncate], 5);
}

#[test]
fn everything_at_once_and_late() {
    let slow = Fault::Slow(Duration::from_millis(300));
    through(&[slow], 6);
    through(
        &[
            Fault::InternalError,
            Fault::SlowDown,
            Fault::Reset,
            Fault::LostAnswer,
            slow,
        ],
        7,
    );
}

#[test]
fn a_service_that_only_fails_is_given_up_with_the_code_of_what_it_was_for() {
    let host = Host::with(DATASET);
    let ready = host.world.path().join("ready");
    let script = format!("touch '{}'; sleep 2", ready.display());
    host.programs.before("runastrodriz", &script);
    let started = Instant::now();
    let child = host
        .command(DATASET, super::host::Origin::S3)
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    while !ready.exists() {
        assert!(started.elapsed() < Duration::from_mins(2));
        std::thread::sleep(Duration::from_millis(20));
    }
    host.world
        .s3
        .set_faults(Faults::always(Fault::InternalError));
    let output = child.wait_with_output().unwrap();
    assert_code(&output, 25);
    assert!(started.elapsed() < BOUND);
    host.world.s3.set_faults(None);
    // What was said last still stands; a later run puts it right.
    assert_eq!(host.state(DATASET), "processing");
    host.programs.before("runastrodriz", "");
    assert_code(&host.run(DATASET), 0);
    assert_eq!(host.state(DATASET), "processed");
}

/// The original said that all was well when only its message could not be delivered.
#[test]
fn a_last_message_that_cannot_be_written_is_a_failure() {
    let host = Host::with(DATASET);
    let results = host.world.path().join("results");
    let messages = results.join("messages");
    let place = messages.display();
    let script = format!("rm -r '{place}' && touch '{place}'");
    host.programs.before("runastrodriz", &script);
    let mut command = host.worker();
    let (input, output) = (
        format!("file:{}", host.inputs().display()),
        format!("file:{}", results.display()),
    );
    command.args(["process", DATASET, &input, &output, "caldp-config-aws"]);
    assert_code(&command.output().unwrap(), 25);
    assert!(messages.is_file(), "something was written there");
}
