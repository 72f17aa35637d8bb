//! Jobs of one machine that share references: each with a home of its own, as containers have, and
//! one folder.

use super::host::{Host, assert_code};
use caldp_tests::{Fault, Faults};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const DATASET: &str = "j8cb010b0";

struct Jobs {
    host: Host,
    shared: TempDir,
    /// The homes of the jobs that were started.
    homes: Vec<TempDir>,
}

impl Jobs {
    fn new() -> Self {
        Self {
            host: Host::with(DATASET),
            shared: tempfile::tempdir().unwrap(),
            homes: Vec::new(),
        }
    }

    /// A job in a new container.
    fn job(&mut self) -> Command {
        let home = tempfile::tempdir().unwrap();
        let output = format!("s3://hst/job-{}", self.homes.len());
        let mut command = self.host.worker();
        command
            .args(["process", DATASET, "s3://hst/inputs", &output])
            .arg("caldp-config-aws")
            .current_dir(home.path())
            .env("HOME", home.path())
            .env("CALDP_HOME", home.path())
            .env("CALDP_SHARED_REFERENCES", self.shared.path());
        self.homes.push(home);
        command
    }

    fn start(&mut self) -> Child {
        let mut command = self.job();
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    fn run(&mut self) -> Output {
        self.job().output().unwrap()
    }

    /// How often each reference was read from S3 until now.
    fn reads(&self) -> Vec<u64> {
        let reads = self.host.world.s3.reads().into_iter();
        reads
            .filter_map(|(object, count)| object.starts_with("crds/references/").then_some(count))
            .collect()
    }

    /// The references that are shared.
    fn shared(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.shared.path()).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths
            .filter(|path| {
                path.extension()
                    .is_some_and(|extension| extension == "fits")
            })
            .collect()
    }

    /// Every shared reference is what the bucket has, and nothing is half written.
    fn assert_whole(&self) {
        for path in self.shared() {
            let name = path.file_name().unwrap().to_str().unwrap();
            let original = self
                .host
                .world
                .s3
                .get("crds", &format!("references/hst/{name}"));
            assert_eq!(fs::read(&path).unwrap(), original.unwrap(), "{name}");
        }
        let mut unfinished = files(self.shared.path()).filter(|name| name.starts_with('.'));
        assert_eq!(unfinished.next(), None);
    }
}

fn files(folder: &Path) -> impl Iterator<Item = String> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap())
}

fn said(output: &Output, words: &str) -> usize {
    let text = String::from_utf8_lossy(&output.stderr);
    text.lines().filter(|line| line.contains(words)).count()
}

#[test]
fn at_once_and_one_after_the_other_each_reference_is_fetched_once() {
    let mut jobs = Jobs::new();
    let (first, second) = (jobs.start(), jobs.start());
    for job in [first, second] {
        assert_code(&job.wait_with_output().unwrap(), 0);
    }
    assert_code(&jobs.run(), 0);
    let reads = jobs.reads();
    assert!(!reads.is_empty());
    assert!(reads.iter().all(|count| *count == 1), "{reads:?}");
    assert_eq!(jobs.shared().len(), reads.len());
    jobs.assert_whole();
    // Off: each its own.
    let mut alone = jobs.job();
    assert_code(
        &alone
            .env_remove("CALDP_SHARED_REFERENCES")
            .output()
            .unwrap(),
        0,
    );
    let mut alone = jobs.job();
    assert_code(
        &alone
            .env("CALDP_SHARED_REFERENCES_GIB", "0")
            .output()
            .unwrap(),
        0,
    );
    assert!(jobs.reads().iter().all(|count| *count == 3));
}

#[test]
fn killed_at_any_moment_a_job_leaves_the_others_what_is_whole() {
    let mut jobs = Jobs::new();
    // So that most of a run is fetching.
    let slow = Fault::Slow(Duration::from_millis(50));
    jobs.host.world.s3.set_faults(Faults::always(slow));
    let started = Instant::now();
    assert_code(&jobs.run(), 0);
    let whole = started.elapsed();
    let references = jobs.shared().len();
    let mut random = fastrand::Rng::with_seed(17);
    for _ in 0..8 {
        for path in jobs.shared() {
            fs::remove_file(path).unwrap();
        }
        // Two that wait for each other, one of which is gone.
        let (mut killed, other) = (jobs.start(), jobs.start());
        std::thread::sleep(whole.mul_f64(random.f64() * 0.6));
        killed.kill().unwrap();
        killed.wait().unwrap();
        assert_code(&other.wait_with_output().unwrap(), 0);
        let output = jobs.run();
        assert_code(&output, 0);
        assert_eq!(said(&output, "are not shared"), 0);
        assert_eq!(jobs.shared().len(), references);
        jobs.assert_whole();
    }
}

#[test]
fn what_another_job_has_spoiled_is_noticed_and_replaced() {
    let mut jobs = Jobs::new();
    assert_code(&jobs.run(), 0);
    let shared = jobs.shared();
    for path in &shared {
        let mut bytes = fs::read(path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(path, bytes).unwrap();
    }
    let output = jobs.run();
    assert_code(&output, 0);
    assert_eq!(said(&output, "is replaced"), shared.len());
    assert!(jobs.reads().iter().all(|count| *count == 2));
    jobs.assert_whole();
}

#[test]
fn a_folder_that_cannot_be_used_costs_one_line() {
    let mut jobs = Jobs::new();
    let file = jobs.shared.path().join("file");
    fs::write(&file, "").unwrap();
    let output = jobs
        .job()
        .env("CALDP_SHARED_REFERENCES", file.join("none"))
        .output()
        .unwrap();
    assert_code(&output, 0);
    assert_eq!(said(&output, "are not shared"), 1);
    let output = jobs
        .job()
        .env("CALDP_SHARED_REFERENCES_GIB", "many")
        .output()
        .unwrap();
    assert_code(&output, 27);
    assert_eq!(said(&output, "no number of GiB"), 1);
}
