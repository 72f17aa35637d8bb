//! Real processes, mostly shells, seen through `Program::run`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use super::*;
use crate::run_log::Console;
use rustix::process::Signal;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;

/// A folder to run in, with a log beside it.
struct Bench {
    folder: tempfile::TempDir,
    log: RunLog,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = RunLog::create(&folder.path().join("process.txt"), Console::Quiet).unwrap();
        Self { folder, log }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn sh(&self, script: &str) -> Program {
        let environment = Environment::from([("PATH".into(), "/usr/bin:/bin".into())]);
        let mut program = Program::new("sh", self.path().to_owned(), environment);
        program.arguments = vec!["-c".into(), script.into()];
        program.grace = Duration::from_millis(500);
        program
    }

    async fn run(&self, program: Program) -> Outcome {
        let cancel = CancellationToken::new();
        let run = program.run(&self.log, &cancel);
        tokio::time::timeout(Duration::from_secs(20), run)
            .await
            .unwrap()
            .unwrap()
    }

    fn logged(&self) -> Vec<u8> {
        std::fs::read(self.path().join("process.txt")).unwrap()
    }
}

/// Whether the process whose number a script wrote to `file` is still running.
fn alive(file: &Path) -> bool {
    let pid = std::fs::read_to_string(file).unwrap();
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}

/// Waits until the process is gone: it has its signal, but dying takes a moment on a busy machine.
async fn gone(file: &Path) -> bool {
    for _ in 0..500 {
        if !alive(file) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    false
}

async fn appears(file: &Path) {
    for _ in 0..500 {
        if std::fs::read(file).is_ok_and(|text| text.ends_with(b"\n")) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{} never appeared", file.display());
}

#[tokio::test]
async fn both_streams_are_logged_in_order_to_the_last_byte() {
    let bench = Bench::new();
    let script = r"echo out; echo err >&2; printf 'bad \377 byte\n'; printf 'no newline'";
    let outcome = bench.run(bench.sh(script)).await;
    assert!(outcome.status.success());
    assert_eq!(bench.logged(), b"out\nerr\nbad \xff byte\nno newline\n");
    assert_eq!(outcome.tail, b"out\nerr\nbad \xff byte\nno newline");
    assert_eq!(outcome.to_string(), "succeeded");
}

#[tokio::test]
async fn much_output_arrives_complete() {
    let bench = Bench::new();
    bench.run(bench.sh("seq 1 200000")).await;
    let numbers: Vec<String> = (1..=200_000).map(|n| n.to_string()).collect();
    let expected = numbers.join("\n") + "\n";
    assert!(bench.logged() == expected.as_bytes());
}

#[tokio::test]
async fn the_environment_is_exact_and_the_directory_is_used() {
    let bench = Bench::new();
    let mut program = bench.sh("pwd; env | grep -v -e ^_= -e ^SHLVL= -e ^PWD= -e ^OLDPWD=");
    program.environment.insert("jref".into(), "/refs/".into());
    bench.run(program).await;
    let text = String::from_utf8(bench.logged()).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    lines[1..].sort_unstable();
    let here = bench.path().canonicalize().unwrap();
    assert_eq!(
        lines,
        [here.to_str().unwrap(), "PATH=/usr/bin:/bin", "jref=/refs/"]
    );
}

#[tokio::test]
async fn data_on_standard_output_can_go_to_a_file() {
    let bench = Bench::new();
    let data = bench.path().join("image.jpg");
    let mut program = bench.sh("echo data; echo message >&2");
    program.output = Output::File(File::create(&data).unwrap());
    bench.run(program).await;
    assert_eq!(std::fs::read(data).unwrap(), b"data\n");
    assert_eq!(bench.logged(), b"message\n");
}

#[tokio::test]
async fn costs_are_those_of_the_program() {
    let bench = Bench::new();
    let script = "head -c 100000000 /dev/zero | tail -c 90000000 > /dev/null; sleep 0.2; exit 3";
    let outcome = bench.run(bench.sh(script)).await;
    assert_eq!(outcome.status.code(), Some(3));
    assert_eq!(outcome.to_string(), "failed with status 3");
    let metrics = outcome.metrics;
    assert!(metrics.elapsed >= Duration::from_millis(200));
    assert!(
        metrics.usage.peak_kib > 80_000,
        "{}",
        metrics.usage.peak_kib
    );
    assert!(metrics.usage.user + metrics.usage.system > Duration::from_millis(10));
    assert!(metrics.usage.minor_faults > 0 && metrics.usage.voluntary_switches > 0);
    assert!(metrics.command.starts_with("sh -c head"));
}

#[tokio::test]
async fn a_signal_is_reported_as_such() {
    let bench = Bench::new();
    let outcome = bench.run(bench.sh("kill -SEGV $$")).await;
    assert_eq!(outcome.status.signal(), Some(11));
    assert_eq!(outcome.to_string(), "was ended by signal 11");
}

#[tokio::test]
async fn a_traceback_with_a_memory_error_is_evidence() {
    let bench = Bench::new();
    let outcome = bench
        .run(bench.sh("echo working; echo MemoryError >&2; exit 1"))
        .await;
    assert!(matches!(
        outcome.memory,
        Some(MemoryEvidence::Reported { .. })
    ));
    let outcome = bench.run(bench.sh("echo MemoryError; exit 0")).await;
    assert_eq!(outcome.memory, None);
}

#[tokio::test]
async fn a_timeout_stops_the_program_and_its_descendants() {
    let bench = Bench::new();
    let mut program = bench.sh(
        "trap '' TERM; sh -c 'trap \"\" TERM; echo $$ > deep; while :; do sleep 1; done' & echo $$ > top; wait; sleep 60",
    );
    program.timeout = Some(Duration::from_millis(700));
    let outcome = bench.run(program).await;
    assert_eq!(outcome.stopped, Some(Stop::TimedOut));
    assert_eq!(outcome.status.signal(), Some(9));
    assert_eq!(outcome.memory, None, "we killed it ourselves");
    assert!(gone(&bench.path().join("top")).await);
    assert!(gone(&bench.path().join("deep")).await);
}

#[tokio::test]
async fn cancelling_lets_the_program_clean_up() {
    let bench = Bench::new();
    let cancel = CancellationToken::new();
    let mut program = bench
        .sh("trap 'echo cleaning; exit 7' TERM; sleep 60 & echo $! > child; echo $$ > top; wait");
    program.grace = Duration::from_secs(10);
    let stop = async {
        appears(&bench.path().join("top")).await;
        cancel.cancel();
    };
    let (outcome, ()) = tokio::join!(program.run(&bench.log, &cancel), stop);
    let outcome = outcome.unwrap();
    assert_eq!(outcome.stopped, Some(Stop::Cancelled));
    assert_eq!(outcome.status.code(), Some(7));
    assert!(outcome.metrics.elapsed < Duration::from_secs(5));
    assert_eq!(bench.logged(), b"cleaning\n");
    assert!(gone(&bench.path().join("child")).await);
}

#[tokio::test]
async fn a_forgotten_background_process_does_not_hold_us_up() {
    let bench = Bench::new();
    let outcome = bench
        .run(bench.sh("sleep 60 & echo $! > child; echo done"))
        .await;
    assert!(outcome.status.success());
    assert!(outcome.metrics.elapsed < Duration::from_secs(5));
    assert_eq!(bench.logged(), b"done\n");
    assert!(gone(&bench.path().join("child")).await);
}

#[tokio::test]
async fn a_process_outside_the_group_that_keeps_the_output_open_does_not_hold_us_up() {
    let bench = Bench::new();
    let script = "setsid sh -c 'echo $$ > child; exec sleep 60' & while ! [ -s child ]; do sleep 0.01; done; echo done";
    let outcome = bench.run(bench.sh(script)).await;
    assert!(outcome.status.success());
    assert!(outcome.metrics.elapsed < Duration::from_secs(10));
    let pid = std::fs::read_to_string(bench.path().join("child")).unwrap();
    let pid = rustix::process::Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
    rustix::process::kill_process(pid, Signal::KILL).unwrap();
}

#[tokio::test]
async fn dropping_the_run_kills_the_program() {
    let bench = Bench::new();
    let cancel = CancellationToken::new();
    let top = bench.path().join("top");
    {
        let run = bench.sh("echo $$ > top; sleep 60").run(&bench.log, &cancel);
        tokio::select! {
            _ = run => panic!("it ended"),
            () = appears(&top) => {}
        }
    }
    assert!(gone(&top).await);
}

#[tokio::test]
async fn what_cannot_start_says_why() {
    let bench = Bench::new();
    let cancel = CancellationToken::new();
    let mut program = bench.sh("");
    program.name = "calacs.e".to_owned();
    let error = program.run(&bench.log, &cancel).await.unwrap_err();
    assert!(matches!(error, ProgramError::Missing(_)), "{error}");

    let mut program = bench.sh("");
    program.directory = bench.path().join("gone");
    let error = program.run(&bench.log, &cancel).await.unwrap_err();
    assert!(
        error
            .hint()
            .unwrap()
            .contains("the working directory does not exist"),
        "{error}"
    );
}

#[tokio::test]
async fn a_full_disk_is_an_error_but_only_after_the_program_ended() {
    let bench = Bench::new();
    let log = RunLog::create(Path::new("/dev/full"), Console::Quiet).unwrap();
    let script = "seq 1 100000; echo finished > proof";
    let error = bench
        .sh(script)
        .run(&log, &CancellationToken::new())
        .await
        .unwrap_err();
    assert!(matches!(error, ProgramError::Log { .. }), "{error}");
    assert!(bench.path().join("proof").exists());
}
