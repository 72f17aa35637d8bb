//! Many processes, one cache: every file is fetched once, none is seen before it is complete, and
//! a process that dies harms nobody.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use caldp_tests::{Fault, Faults, S3Server, fixtures};

const PROCESSES: usize = 16;
const REFERENCES: [&str; 6] = [
    "zz900001j_ccd.fits",
    "zz900002j_osc.fits",
    "zz900003j_bpx.fits",
    "zz900004j_bia.fits",
    "zz900005j_sat.fits",
    "zz900006j_drk.fits",
];

fn storage() -> S3Server {
    let server = S3Server::start(&["hst-crds"]);
    for part in ["config", "references"] {
        let folder = fixtures().join("crds").join(part).join("hst");
        server.put_directory("hst-crds", &format!("{part}/hst"), &folder);
    }
    server
}

fn crds(server: &S3Server, cache: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crds"));
    command
        .args(arguments)
        .env_clear()
        .envs(server.environment())
        .env("CRDS_PATH", cache)
        .env("CRDS_CONFIG_URI", "s3://hst-crds/config/hst")
        .env("CRDS_REFERENCE_URI", "s3://hst-crds/references/hst")
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

fn fetching(server: &S3Server, cache: &Path) -> Child {
    let arguments = [&["sync", "--files"], REFERENCES.as_slice()].concat();
    crds(server, cache, &arguments).spawn().unwrap()
}

fn succeeds(child: Child) {
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Every reference that can be seen under its name is the original, all of it.
fn all_seen_are_whole(cache: &Path) {
    let originals = fixtures().join("crds/references/hst");
    let Ok(entries) = fs::read_dir(cache.join("references/hst/acs")) else {
        return;
    };
    for entry in entries {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if !name.starts_with('.') {
            let seen = fs::read(cache.join("references/hst/acs").join(&name)).unwrap();
            assert!(
                seen == fs::read(originals.join(&name)).unwrap(),
                "{name} is not whole"
            );
        }
    }
}

#[test]
fn sixteen_processes_fetch_every_file_once() {
    let server = storage();
    server.set_faults(Faults::always(Fault::Slow(Duration::from_millis(30))));
    let cache = tempfile::tempdir().unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                all_seen_are_whole(cache.path());
            }
        });
        let children: Vec<Child> = (0..PROCESSES)
            .map(|_| fetching(&server, cache.path()))
            .collect();
        children.into_iter().for_each(succeeds);
        done.store(true, Ordering::Relaxed);
        watcher.join().unwrap();
    });
    all_seen_are_whole(cache.path());
    // One server_config for each process, one request for each reference.
    let requests = usize::try_from(server.count("GetObject")).unwrap();
    assert_eq!(requests, PROCESSES + REFERENCES.len());
}

#[test]
fn a_process_that_is_killed_harms_nobody() {
    const TIMES: u64 = 20;
    let server = storage();
    server.set_faults(Faults::always(Fault::Slow(Duration::from_millis(10))));
    for time in 0..TIMES {
        let cache = tempfile::tempdir().unwrap();
        let mut victim = fetching(&server, cache.path());
        let others = [
            fetching(&server, cache.path()),
            fetching(&server, cache.path()),
        ];
        // Moments spread over the whole run of a process, in no order.
        std::thread::sleep(Duration::from_millis(time * 37 % 151));
        victim.kill().unwrap();
        victim.wait().unwrap();
        others.into_iter().for_each(succeeds);
        all_seen_are_whole(cache.path());
        let checked = crds(&server, cache.path(), &["sync", "--check-sha1sum"])
            .output()
            .unwrap();
        assert!(
            checked.status.success(),
            "{}",
            String::from_utf8_lossy(&checked.stderr)
        );
        let folder = cache.path().join("references/hst/acs");
        let whole = fs::read_dir(folder).unwrap().filter(|entry| {
            let name = entry.as_ref().unwrap().file_name();
            !name.to_str().unwrap().starts_with('.')
        });
        assert_eq!(whole.count(), REFERENCES.len());
    }
}
