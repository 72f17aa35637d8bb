//! Products of any size: the result is correct, and the worker's own memory stays small.

use super::world::{Layout, Origin, World, assert_code, long_variants};
use std::fs;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Runs to the end, and the most memory the worker itself held meanwhile, in KiB. What it maps of
/// its own binary is not counted: unoptimised, that is many times what is shipped.
fn measured(mut command: Command) -> (Output, u64) {
    let child = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", child.id());
    let watcher = std::thread::spawn(move || {
        let mut most = 0;
        while let Ok(text) = fs::read_to_string(&status) {
            let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:"));
            let Some(line) = line else { break };
            most = most.max(line.trim().trim_end_matches(" kB").parse().unwrap());
            std::thread::sleep(Duration::from_millis(5));
        }
        most
    });
    let output = child.wait_with_output().unwrap();
    (output, watcher.join().unwrap())
}

/// A product of zeros with a true FITS header; the file system keeps none of them.
fn enormous(layout: Layout, bytes: u64) {
    let dataset = "lbgu17qnq";
    let world = World::with(dataset).in_layout(layout);
    let header = world.home.path().join("header");
    let cards = [
        format!("{:<80}", "SIMPLE  =                    T"),
        format!("{:<80}", "BITPIX  =                    8"),
        format!("{:<80}", "NAXIS   =                    1"),
        format!("{:<80}", format!("NAXIS1  = {:>20}", bytes - 2880)),
        format!("{:<80}", "END"),
    ];
    fs::write(&header, format!("{:<2880}", cards.concat())).unwrap();
    world.programs.replace(
        "calcos",
        &format!(
            "for s in flt counts x1d; do cp {dataset}_rawtag.fits {dataset}_$s.fits; done; \
             echo done > {dataset}.tra; cp '{}' {dataset}_corrtag.fits; \
             truncate -s {bytes} {dataset}_corrtag.fits",
            header.display()
        ),
    );
    let started = Instant::now();
    let (output, peak) = measured(world.command(dataset, Origin::S3));
    let took = started.elapsed();
    assert_code(&output, 0);
    assert_eq!(world.state(dataset), "processed");
    let record = world.provenance(dataset);
    let outputs = record["outputs"].as_array().unwrap();
    let stored = outputs.iter().find(|file| {
        let name = file["name"].as_str().unwrap();
        name.ends_with(&format!("{dataset}_corrtag.fits"))
    });
    if let Some(stored) = stored {
        assert_eq!(stored["size"], bytes);
    }
    assert!(peak <= 64 * 1024, "{peak} KiB");
    world.assert_clean();
    eprintln!(
        "{} MiB, {layout:?}: {took:?}, the worker held {peak} KiB at most",
        bytes >> 20
    );
}

#[test]
fn a_product_of_any_size_takes_little_memory() {
    enormous(Layout::Tree, 100 * 2880 * 728);
    if long_variants() {
        enormous(Layout::Calcloud, 20 << 30);
    }
}
