//! Runs that are killed, told to stop, or not alone: whatever happened before, the next run ends
//! where an undisturbed one would have ended.

use super::host::{Host, Origin, assert_code};
use caldp_core::layout::Layout;
use caldp_tests::{Fault, Faults, long_variants};
use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const DATASET: &str = "j8cb010b0";

/// How often a run is killed: a handful, or fifty when there is time.
fn kills() -> u32 {
    if long_variants("fifty kills") { 50 } else { 5 }
}

fn start(mut command: Command) -> Child {
    command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill")
        .args(["-s", name, &child.id().to_string()])
        .status();
    assert!(sent.unwrap().success());
}

/// What the dataset's users see of a run: its products and previews, and that they are processed.
fn result(host: &Host) -> (String, BTreeMap<String, Vec<u8>>, Vec<String>) {
    let logs = host
        .keys(DATASET)
        .into_iter()
        .filter(|key| key.starts_with("logs/"));
    (host.state(DATASET), host.delivered(DATASET), logs.collect())
}

/// Processes that run in or below a directory, other than the one that asks.
fn running_in(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let place = std::fs::read_link(entry.path().join("cwd"));
        if place.is_ok_and(|place| place.starts_with(directory.join("caldp-work"))) {
            let command = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            found.push(String::from_utf8_lossy(&command).replace('\0', " "));
        }
    }
    found
}

/// The same for a while: what was killed may take a moment to be gone.
fn still_running_in(directory: &Path) -> Vec<String> {
    for _ in 0..100 {
        if running_in(directory).is_empty() {
            return Vec::new();
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    running_in(directory)
}

#[test]
fn killed_at_any_moment_and_run_again_nothing_is_different() {
    let undisturbed = Host::with(DATASET);
    assert_code(&undisturbed.run(DATASET), 0);
    let expected = result(&undisturbed);
    assert_eq!(expected.0, "processed");
    // As long as those take that come after the first, which fetches references.
    let started = Instant::now();
    assert_code(&undisturbed.run(DATASET), 0);
    let whole = started.elapsed();

    let host = Host::with(DATASET);
    let mut random = fastrand::Rng::with_seed(50);
    let (mut begun, mut interrupted) = (0, 0);
    while interrupted < kills() {
        begun += 1;
        assert!(begun <= 3 * kills(), "only {interrupted} were in time");
        let mut child = start(host.command(DATASET, Origin::S3));
        std::thread::sleep(whole.mul_f64(random.f64()));
        child.kill().unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(still_running_in(host.world.path()), [""; 0]);
        interrupted += u32::from(output.status.signal() == Some(9));
        // Killed, it must not have left a state that is not true.
        let keys = host.world.keys();
        if keys.contains(&format!("messages/dataset-processed/{DATASET}")) {
            let stored = host.delivered(DATASET);
            assert!(
                expected
                    .1
                    .iter()
                    .all(|(name, bytes)| &stored[name] == bytes)
            );
        }
        assert_code(&host.run(DATASET), 0);
        let again = result(&host);
        assert_eq!(again.0, expected.0);
        assert_eq!(again.2, expected.2);
        let names = |result: &BTreeMap<String, Vec<u8>>| result.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&again.1), names(&expected.1));
        assert!(again.1 == expected.1, "a product has other bytes");
        host.assert_clean();
        let left: Vec<_> = std::fs::read_dir(host.temporary.path()).unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
    }
    eprintln!("killed {interrupted} of {begun} runs of {whole:?}, each run again");
}

/// Lines of shell for a program that does not listen, with a child that does not listen either.
fn deaf(ready: &Path) -> String {
    format!(
        "trap '' TERM HUP INT; sh -c \"trap '' TERM HUP INT; while :; do sleep 1; done\" & \
         touch '{}'; while :; do sleep 1; done",
        ready.display()
    )
}

#[test]
fn a_killed_run_takes_its_programs_with_it_and_runs_again() {
    let host = Host::with(DATASET);
    for program in ["calacs.e", "runastrodriz"] {
        let ready = host.world.path().join(program);
        host.programs.before(program, &deaf(&ready));
        let mut child = start(host.command(DATASET, Origin::S3));
        until(|| ready.exists());
        assert!(running_in(host.world.path()).len() >= 2);
        let started = Instant::now();
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(still_running_in(host.world.path()), [""; 0]);
        eprintln!("{program} was gone after {:?}", started.elapsed());
        assert_eq!(host.state(DATASET), "processing");
        host.programs.before(program, "");
    }
    assert_code(&host.run(DATASET), 0);
    assert_eq!(host.state(DATASET), "processed");
    host.assert_clean();
}

/// Waits for a moment that must come.
fn until(moment: impl Fn() -> bool) {
    for _ in 0..1200 {
        if moment() {
            return;
        }
        std::thread::sleep(Duration::from_millis(25));
    }
    panic!("the moment never came");
}

/// Tells a run to stop once `moment` has come, and sees how and when it ends.
fn stopped(host: &Host, dataset: &str, moment: impl Fn() -> bool) -> (Output, Duration) {
    let child = start(host.command(dataset, Origin::S3));
    until(moment);
    let started = Instant::now();
    signal(&child, "TERM");
    let output = child.wait_with_output().unwrap();
    (output, started.elapsed())
}

/// Batch kills 30 s after it has said so; everything must be over well before.
const IN_TIME: Duration = Duration::from_secs(20);

#[test]
fn told_to_stop_it_stops_deaf_programs_and_says_so() {
    let host = Host::with(DATASET);
    let ready = host.world.path().join("ready");
    host.programs.before("calacs.e", &deaf(&ready));
    let (output, took) = stopped(&host, DATASET, || ready.exists());
    assert_code(&output, 35);
    assert!(took < IN_TIME, "{took:?}");
    assert_eq!(host.state(DATASET), "error");
    assert_eq!(host.provenance(DATASET)["exit_code"], 35);
    let log = String::from_utf8_lossy(&host.log(DATASET, "process.txt")).into_owned();
    assert!(log.contains("SIGTERM"), "{log}");
    assert_eq!(still_running_in(host.world.path()), [""; 0]);
    host.assert_clean();
    eprintln!("stopped in {took:?}");
}

#[test]
fn told_to_stop_while_it_transfers_it_stops() {
    let host = Host::with(DATASET);
    host.world
        .s3
        .set_faults(Faults::always(Fault::Slow(Duration::from_millis(1500))));
    let (output, took) = stopped(&host, DATASET, || host.world.s3.count("GetObject") > 0);
    assert_code(&output, 35);
    assert!(took < IN_TIME, "{took:?}");
    host.world.s3.set_faults(None);
    assert_eq!(host.state(DATASET), "error");
}

#[test]
fn two_runs_of_one_dataset_at_once_both_end_well_with_one_result() {
    let undisturbed = Host::with(DATASET);
    assert_code(&undisturbed.run(DATASET), 0);
    let expected = result(&undisturbed);

    // On one machine with one cache, several times at different distances.
    for milliseconds in [0, 150, 400] {
        let host = Host::with(DATASET);
        let first = start(host.command(DATASET, Origin::S3));
        std::thread::sleep(Duration::from_millis(milliseconds));
        let second = start(host.command(DATASET, Origin::S3));
        for child in [first, second] {
            assert_code(&child.wait_with_output().unwrap(), 0);
        }
        assert!(result(&host) == expected, "after {milliseconds} ms");
        host.assert_clean();
    }
}

/// Watches the bucket during a run: whoever looks, at whatever moment, finds a state, and `processed`
/// only beside everything that it promises.
#[test]
fn at_no_moment_is_the_state_missing_or_untrue() {
    for layout in Layout::ALL {
        let host = Host::with(DATASET).in_layout(layout);
        // A first run, and one that replaces what is there.
        for before in [None, Some("processed")] {
            let mut child = start(host.command(DATASET, Origin::S3));
            let mut moments = vec![host.world.keys()];
            while child.try_wait().unwrap().is_none() {
                let keys = host.world.keys();
                if moments.last() != Some(&keys) {
                    moments.push(keys);
                }
                std::thread::sleep(Duration::from_micros(500));
            }
            assert_code(&child.wait_with_output().unwrap(), 0);
            let end = host.world.keys();
            let states: Vec<Vec<&str>> = moments
                .iter()
                .map(|keys| host.states_in(keys, DATASET))
                .collect();
            assert!(states.contains(&vec!["processing"]), "nothing was seen");
            let mut begun = before.is_some();
            for (keys, states) in moments.iter().zip(states) {
                begun |= !states.is_empty();
                assert!(!begun || !states.is_empty(), "{keys:?}");
                if states == ["processed"] {
                    let missing = end.iter().find(|key| !keys.contains(key));
                    assert_eq!(missing, None);
                }
            }
            assert_eq!(host.state(DATASET), "processed");
        }
    }
}
