//! Killed at any moment, run twice at once, on servers that fail: nothing partial under a final name,
//! nothing lost, the right states, no work done twice.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use caldp_core::layout::{BatchState, Layout};
use caldp_core::state::State;
use caldp_tests::{Fault, Faults, long_variants};
use serde_json::Value;

use super::site::{Site, all_files, dataset};

/// So many datasets, and as many with `CALDP_TEST_LONG`.
fn datasets(usual: usize, long: usize) -> usize {
    let what = format!("{long} datasets");
    if long_variants(&what) { long } else { usual }
}

#[test]
fn thirty_kills_at_random_moments_leave_nothing_partial_and_lose_nothing() {
    for layout in Layout::ALL {
        let count = datasets(12, 2_000);
        let site = Site::with(layout, count);
        // so slow that each moment is one of a run, on any machine
        site.world
            .s3
            .set_faults(Faults::one_in(1, &[Fault::Slow(Duration::from_millis(10))]));
        let mut killed = 0;
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..30 {
            let mut run = site.command(&["--jobs", "4"]);
            let mut run = run
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            std::thread::sleep(Duration::from_millis(random.u64(20..250)));
            killed += usize::from(run.try_wait().unwrap().is_none());
            run.kill().unwrap();
            run.wait().unwrap();
            site.assert_nothing_partial();
            for number in 0..count.min(50) {
                let states = site.states(&dataset(number));
                assert!(!states.is_empty(), "{}", dataset(number));
            }
            if layout == Layout::Tree && random.u8(..4) == 0 {
                // more to do, and of another run: what came before is not what is delivered now
                let again = dataset(random.usize(..count));
                if site.states(&again) == [State::Synced] {
                    let key = site.key(&layout.message(State::Synced, &again));
                    let body = site.get(&layout.message(State::Processed, &again));
                    assert!(body.is_none());
                    site.put(&layout.message(State::Processed, &again), "");
                    site.world.remove(&key);
                }
            }
        }
        assert!(killed > 5, "killed {killed} of 30");
        site.world.s3.set_faults(None);
        site.report(&[], 0);
        for number in 0..count {
            site.assert_on_site(&dataset(number));
            assert_eq!(site.states(&dataset(number)), [State::Synced]);
        }
        assert_eq!(site.batch_states(), [BatchState::Done]);
        let left = all_files(site.path());
        let left: Vec<_> = left.iter().map(|path| path.to_string_lossy()).collect();
        assert!(
            !left
                .iter()
                .any(|path| path.contains(".unfinished-") || path.ends_with(".lock"))
        );
    }
}

#[test]
fn two_at_once_on_one_directory_share_the_work() {
    for layout in Layout::ALL {
        let site = Site::with(layout, 20);
        // so slow that both are at it together
        site.world
            .s3
            .set_faults(Faults::one_in(1, &[Fault::Slow(Duration::from_millis(10))]));
        let start = || {
            let mut command = site.command(&["--json"]);
            command
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        };
        let runs = [start(), start()].map(|run| run.wait_with_output().unwrap());
        let reports = runs.map(|run| {
            assert!(matches!(run.status.code(), Some(0 | 3)), "{run:?}");
            serde_json::from_slice::<Value>(&run.stdout).unwrap()
        });
        let sum = |field: &str| {
            reports
                .iter()
                .map(|r| r[field].as_u64().unwrap())
                .sum::<u64>()
        };
        assert_eq!(sum("synced"), 20, "{reports:?}");
        let fetched: u64 = reports
            .iter()
            .map(|r| r["files"]["fetched"].as_u64().unwrap())
            .sum();
        let each = match layout {
            Layout::Tree => 5,
            Layout::Calcloud => 3,
        };
        assert_eq!(fetched, 20 * each, "{reports:?}");
        site.report(&[], 0);
        for number in 0..20 {
            site.assert_on_site(&dataset(number));
        }
        assert_eq!(site.batch_states(), [BatchState::Done]);
    }
}

#[test]
fn a_third_of_requests_failing_costs_nothing_but_time() {
    let site = Site::with(Layout::Tree, datasets(8, 200));
    let kinds = [
        Fault::InternalError,
        Fault::SlowDown,
        Fault::Reset,
        Fault::LostAnswer,
        Fault::Truncate,
    ];
    site.world.s3.set_faults(Faults::one_in(3, &kinds));
    let report = site.report(&[], 0);
    site.world.s3.set_faults(None);
    assert_eq!(report["failures"], serde_json::json!([]));
    for number in 0..datasets(8, 200) {
        site.assert_on_site(&dataset(number));
        assert_eq!(site.states(&dataset(number)), [State::Synced]);
    }
}

#[test]
fn a_run_that_is_told_to_end_puts_back_what_it_began() {
    let site = Site::with(Layout::Tree, 4);
    site.world.s3.set_faults(Faults::one_in(
        1,
        &[Fault::Slow(Duration::from_millis(200))],
    ));
    let mut command = site.command(&["--json"]);
    let run = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while !(0..4).any(|number| site.states(&dataset(number)).contains(&State::Syncing)) {
        std::thread::sleep(Duration::from_millis(10));
    }
    let id = run.id().to_string();
    let told = std::process::Command::new("kill")
        .args(["-TERM", &id])
        .status();
    assert!(told.unwrap().success());
    let ended = run.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(3), "{ended:?}");
    let report: Value = serde_json::from_slice(&ended.stdout).unwrap();
    assert_eq!(report["stopped"], true);
    for number in 0..4 {
        let states = site.states(&dataset(number));
        assert!(
            matches!(states[..], [State::Processed | State::Synced]),
            "{states:?}"
        );
    }
    site.world.s3.set_faults(None);
    site.report(&[], 0);
}

/// Stands in for SQS: tells of something once, when `told`; then of nothing. What is taken off it is counted.
fn stand_in_queue(told: &'static AtomicBool, taken: &'static AtomicBool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let mut sent = false;
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let (mut head, mut line) = (String::new(), String::new());
            while stream.read_line(&mut line).unwrap() > 2 {
                head += &line.to_lowercase();
                line.clear();
            }
            let length = head
                .split("content-length: ")
                .nth(1)
                .unwrap()
                .lines()
                .next()
                .unwrap();
            let mut body = vec![0; length.trim().parse().unwrap()];
            stream.read_exact(&mut body).unwrap();
            let mut answer = "{}";
            if head.contains("deletemessage") {
                taken.store(true, Ordering::SeqCst);
            } else if !sent {
                while !told.load(Ordering::SeqCst) {
                    std::thread::sleep(Duration::from_millis(10));
                }
                sent = true;
                answer = r#"{"Messages":[{"MessageId":"1","ReceiptHandle":"r","Body":"x"}]}"#;
            } else {
                std::thread::sleep(Duration::from_millis(500));
            }
            let head =
                "HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.0\r\nconnection: close";
            let answer = format!("{head}\r\ncontent-length: {}\r\n\r\n{answer}", answer.len());
            stream.get_mut().write_all(answer.as_bytes()).unwrap();
        }
    });
    url
}

#[test]
fn a_queue_tells_when_to_look() {
    static TOLD: AtomicBool = AtomicBool::new(false);
    static TAKEN: AtomicBool = AtomicBool::new(false);
    let mut site = Site::with(Layout::Tree, 1);
    let url = stand_in_queue(&TOLD, &TAKEN);
    let queue = format!("{url}/123456789012/site");
    let mut command = site.command(&["--watch", "86400", "--queue", &queue]);
    let mut run = command
        .env("AWS_ENDPOINT_URL_SQS", &url)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let wait = |site: &Site, number: usize| {
        while site.states(&dataset(number)) != [State::Synced] {
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    wait(&site, 0);
    site.deliver(&dataset(1), 1);
    TOLD.store(true, Ordering::SeqCst);
    wait(&site, 1);
    assert!(TAKEN.load(Ordering::SeqCst));
    run.kill().unwrap();
    run.wait().unwrap();
}

#[test]
fn watching_brings_what_comes_until_told_to_end() {
    let mut site = Site::with(Layout::Tree, 1);
    let mut command = site.command(&["--watch", "1", "--json"]);
    let mut run = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // one object for each round in which something happened, when it is over
    let mut rounds = BufReader::new(run.stdout.take().unwrap()).lines();
    let mut round = || serde_json::from_str::<Value>(&rounds.next().unwrap().unwrap()).unwrap();
    assert_eq!(round()["synced"], 1);
    site.deliver(&dataset(1), 1);
    assert_eq!(round()["synced"], 1);
    let id = run.id().to_string();
    assert!(
        std::process::Command::new("kill")
            .args(["-TERM", &id])
            .status()
            .unwrap()
            .success()
    );
    let ended = run.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert!(rounds.next().is_none());
    site.assert_on_site(&dataset(1));
}
