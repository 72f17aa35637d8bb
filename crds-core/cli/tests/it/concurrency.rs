//! Many processes, one cache: every file is fetched once, none is seen before it is complete, and
//! a process that dies harms nobody.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use base64::Engine as _;
use caldp_tests::{Fault, Faults, S3Server, fixtures};
use flate2::Compression;
use flate2::write::GzEncoder;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Map, Value, json};
use storage::checksum::Sha1Sum;

const PROCESSES: usize = 16;
const CONTEXT: &str = "hst_9001.pmap";
/// References that take several requests, and long enough to be seen half-written.
const LARGE: [&str; 2] = ["zz900081j_drk.fits", "zz900082l_flt.fits"];
const LARGE_BYTES: usize = 20 << 20;

/// A bucket with rules, references and the configuration that knows them.
struct Storage {
    server: S3Server,
    /// What the files of a cache are to be, by name.
    originals: BTreeMap<String, Vec<u8>>,
}

impl Storage {
    fn start() -> Self {
        let mut originals = BTreeMap::new();
        for part in ["mappings", "references"] {
            for entry in fs::read_dir(fixtures().join("crds").join(part).join("hst")).unwrap() {
                let entry = entry.unwrap();
                let name = entry.file_name().into_string().unwrap();
                originals.insert(name, fs::read(entry.path()).unwrap());
            }
        }
        let mut random = fastrand::Rng::with_seed(1);
        for name in LARGE {
            let content = (0..LARGE_BYTES).map(|_| random.u8(..)).collect();
            originals.insert(name.to_owned(), content);
        }
        let server = S3Server::start(&["hst-crds"]);
        for (name, content) in &originals {
            let part = if name.ends_with("map") {
                "mappings"
            } else {
                "references"
            };
            server.put("hst-crds", &format!("{part}/hst/{name}"), content.clone());
        }
        server.put(
            "hst-crds",
            "config/hst/server_config",
            server_config(&originals),
        );
        Self { server, originals }
    }

    fn crds(&self, cache: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(crate::program::CRDS);
        command
            .args(arguments)
            .env_clear()
            .envs(self.server.environment())
            .env("CRDS_PATH", cache)
            .env("CRDS_CONFIG_URI", "s3://hst-crds/config/hst")
            .env("CRDS_MAPPING_URI", "s3://hst-crds/mappings/hst")
            .env("CRDS_REFERENCE_URI", "s3://hst-crds/references/hst")
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        command
    }

    /// A process that fetches a context's rules, its references, and two large ones.
    fn filling(&self, cache: &Path) -> Child {
        let asked = [
            "sync",
            "--contexts",
            CONTEXT,
            "--fetch-references",
            "--files",
        ];
        self.crds(cache, &[asked.as_slice(), &LARGE].concat())
            .spawn()
            .unwrap()
    }

    fn requests(&self) -> u64 {
        self.server.count("GetObject")
    }

    /// Every file that can be seen under its name is the original, all of it; how many there are.
    fn count_whole(&self, cache: &Path) -> usize {
        let mut count = 0;
        for path in files(cache) {
            let name = path.file_name().unwrap().to_str().unwrap();
            if let Some(original) = self.originals.get(name) {
                assert!(fs::read(&path).unwrap() == *original, "{name} is not whole");
                count += 1;
            }
        }
        count
    }

    /// The whole cache agrees with the catalogue, as its own command finds.
    fn verify(&self, cache: &Path, expected: usize) {
        assert_eq!(self.count_whole(cache), expected);
        succeeds(
            self.crds(cache, &["sync", "--check-sha1sum"])
                .spawn()
                .unwrap(),
        );
    }
}

/// The text of a configuration whose catalogue has these files.
fn server_config(files: &BTreeMap<String, Vec<u8>>) -> String {
    let entry = |(name, content): (&String, &Vec<u8>)| {
        let sum = Sha1Sum::of(content).to_string();
        (
            name.clone(),
            json!({"size": content.len().to_string(), "sha1sum": sum}),
        )
    };
    let catalogue = Value::Object(files.iter().map(entry).collect::<Map<_, _>>());
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    write!(packed, "{catalogue}").unwrap();
    let packed = base64::engine::general_purpose::STANDARD.encode(packed.finish().unwrap());
    format!(
        "{{'observatory': 'hst', 'operational_context': '{CONTEXT}', 'edit_context': '{CONTEXT}', \
         'bad_files_list': [], 'context_history': [], 'mappings': ['{CONTEXT}'], \
         'download_metadata': {{'crds_encoded': '1.0', 'crds_payload': '{packed}'}}}}"
    )
}

/// The files below a folder, unfinished ones left out. Folders come and go meanwhile.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let hidden = entry.file_name().to_str().unwrap().starts_with('.');
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => found.extend(files(&entry.path())),
            Ok(kind) if kind.is_file() && !hidden => found.push(entry.path()),
            _ => {}
        }
    }
    found
}

/// What is below a folder under a temporary name.
fn unfinished(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if name.starts_with('.') {
            found.push(path);
        } else if path.is_dir() && !path.is_symlink() {
            found.extend(unfinished(&path));
        }
    }
    found
}

fn succeeds(child: Child) {
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

#[test]
fn sixteen_processes_fetch_every_file_once() {
    let storage = Storage::start();
    let alone = tempfile::tempdir().unwrap();
    succeeds(storage.filling(alone.path()));
    let (files, requests) = (storage.count_whole(alone.path()), storage.requests());
    assert!(files > 60, "{files} files");
    storage.server.reset_counts();
    // So slow that they are at it at the same time.
    let slow = Fault::Slow(Duration::from_millis(30));
    storage.server.set_faults(Faults::always(slow));
    let cache = tempfile::tempdir().unwrap();
    let done = AtomicBool::new(false);
    let looks = std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut looks = 0;
            while !done.load(Ordering::Relaxed) {
                storage.count_whole(cache.path());
                looks += 1;
                std::thread::sleep(Duration::from_millis(2));
            }
            looks
        });
        let children: Vec<Child> = (0..PROCESSES)
            .map(|_| storage.filling(cache.path()))
            .collect();
        children.into_iter().for_each(succeeds);
        done.store(true, Ordering::Relaxed);
        watcher.join().unwrap()
    });
    assert!(looks > 3, "looked {looks} times only");
    // Each asks for the configuration; whatever else there is, only one does.
    assert_eq!(storage.requests(), requests + PROCESSES as u64 - 1);
    storage.server.set_faults(None);
    storage.verify(cache.path(), files);
}

#[test]
fn an_interrupted_process_leaves_nothing_unfinished() {
    let storage = Storage::start();
    let cache = tempfile::tempdir().unwrap();
    let config = tempfile::tempdir().unwrap();
    fs::write(
        config.path().join("server_config"),
        server_config(&storage.originals),
    )
    .unwrap();
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        storage.server.reset_counts();
        // Answers stop in the middle of the file.
        storage.server.set_faults(Faults::always(Fault::Stall));
        let child = storage
            .crds(cache.path(), &["sync", "--files", LARGE[0]])
            .env("CRDS_CONFIG_URI", config.path())
            .spawn()
            .unwrap();
        while storage.requests() < 1 {
            std::thread::sleep(Duration::from_millis(1));
        }
        let process = Pid::from_raw(child.id().try_into().unwrap()).unwrap();
        kill_process(process, signal).unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(
            said.contains("interrupted") && said.contains("hint: "),
            "{said}"
        );
        storage.server.set_faults(None);
        let folder = cache.path().join("references/hst/acs");
        let left = fs::read_dir(&folder).unwrap().count();
        assert_eq!(left, 0, "{left} files in {}", folder.display());
    }
    succeeds(
        storage
            .crds(cache.path(), &["sync", "--files", LARGE[0]])
            .spawn()
            .unwrap(),
    );
    storage.verify(cache.path(), 1);
}

#[test]
fn what_a_killed_run_left_is_cleared_by_the_next_and_what_a_running_one_writes_is_not() {
    let storage = Storage::start();
    let cache = tempfile::tempdir().unwrap();
    storage.server.set_faults(Faults::always(Fault::Stall));
    let config = tempfile::tempdir().unwrap();
    let text = server_config(&storage.originals);
    fs::write(config.path().join("server_config"), text).unwrap();
    let start = |arguments: &[&str]| {
        let mut command = storage.crds(cache.path(), &[&["sync"], arguments].concat());
        let child = command.env("CRDS_CONFIG_URI", config.path()).spawn();
        child.unwrap()
    };
    let stalled = |name: &str| {
        let child = start(&["--files", name]);
        while !unfinished(cache.path())
            .iter()
            .any(|path| path.to_str().unwrap().contains(name))
        {
            std::thread::sleep(Duration::from_millis(1));
        }
        child
    };
    let (mut killed, mut running) = (stalled(LARGE[0]), stalled(LARGE[1]));
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert_eq!(unfinished(cache.path()).len(), 2);
    succeeds(start(&["--check-files"]));
    let left = unfinished(cache.path());
    assert_eq!(left.len(), 1);
    let name = left[0].file_name().unwrap().to_str().unwrap();
    assert!(name.starts_with(&format!(".unfinished-{}-", LARGE[1])) && !name.contains("caldp"));
    running.kill().unwrap();
    running.wait().unwrap();
}

#[test]
fn a_process_that_is_killed_harms_nobody() {
    const TIMES: usize = 20;
    const OTHERS: usize = 3;
    let storage = Storage::start();
    let slow = Fault::Slow(Duration::from_millis(10));
    storage.server.set_faults(Faults::always(slow));
    let run = |delay: Option<Duration>| {
        let cache = tempfile::tempdir().unwrap();
        let mut victim = storage.filling(cache.path());
        let others: Vec<Child> = (0..OTHERS).map(|_| storage.filling(cache.path())).collect();
        let begun = Instant::now();
        if let Some(delay) = delay {
            std::thread::sleep(delay);
            // Fails if it was faster.
            let _ = victim.kill();
        }
        let killed = victim.wait().unwrap().signal() == Some(9);
        let elapsed = begun.elapsed();
        others.into_iter().for_each(succeeds);
        (cache, killed, elapsed)
    };
    let (whole, _, undisturbed) = run(None);
    let files = storage.count_whole(whole.path());
    let seed = fastrand::u64(..);
    println!(
        "seed {seed}, {files} files, {} ms undisturbed",
        undisturbed.as_millis()
    );
    let mut random = fastrand::Rng::with_seed(seed);
    let mut in_the_act = 0;
    for _ in 0..TIMES {
        let (cache, killed, _) = run(Some(undisturbed.mul_f64(random.f64())));
        in_the_act += usize::from(killed);
        storage.verify(cache.path(), files);
        assert_eq!(unfinished(cache.path()), Vec::<PathBuf>::new());
    }
    println!("{in_the_act} of {TIMES} were killed before they were done");
    assert!(
        in_the_act >= TIMES / 4,
        "only {in_the_act} were killed in the act"
    );
}
