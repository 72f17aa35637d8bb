//! Files of any size: the result is correct, and the worker's own memory stays small.

use super::host::{Host, Origin, assert_code};
use caldp_core::layout::Layout;
use caldp_tests::{long_variants, unpack_fixture};
use std::fs;
use std::io::Cursor;
use std::path::Path;
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
    let host = Host::with(dataset).in_layout(layout);
    let header = host.world.path().join("header");
    let cards = [
        format!("{:<80}", "SIMPLE  =                    T"),
        format!("{:<80}", "BITPIX  =                    8"),
        format!("{:<80}", "NAXIS   =                    1"),
        format!("{:<80}", format!("NAXIS1  = {:>20}", bytes - 2880)),
        format!("{:<80}", "END"),
    ];
    fs::write(&header, format!("{:<2880}", cards.concat())).unwrap();
    host.programs.replace(
        "calcos",
        &format!(
            "for s in flt counts x1d; do cp {dataset}_rawtag.fits {dataset}_$s.fits; done; \
             echo done > {dataset}.tra; cp '{}' {dataset}_corrtag.fits; \
             truncate -s {bytes} {dataset}_corrtag.fits",
            header.display()
        ),
    );
    let started = Instant::now();
    let (output, peak) = measured(host.command(dataset, Origin::S3));
    let took = started.elapsed();
    assert_code(&output, 0);
    assert_eq!(host.state(dataset), "processed");
    let record = host.provenance(dataset);
    let outputs = record["outputs"].as_array().unwrap();
    let stored = outputs.iter().find(|file| {
        let name = file["name"].as_str().unwrap();
        name.ends_with(&format!("{dataset}_corrtag.fits"))
    });
    if let Some(stored) = stored {
        assert_eq!(stored["size"], bytes);
    }
    assert!(peak <= 64 * 1024, "{peak} KiB");
    host.assert_clean();
    eprintln!(
        "{} MiB, {layout:?}: {took:?}, the worker held {peak} KiB at most",
        bytes >> 20
    );
}

#[test]
fn a_product_of_any_size_takes_little_memory() {
    enormous(Layout::Tree, 100 * 2880 * 728);
    if long_variants("a product of 20 GiB") {
        enormous(Layout::Calcloud, 20 << 30);
    }
}

/// The size of one of the two detectors of ACS without its virtual overscan.
const FRAME: (usize, usize) = (4120, 2048);

/// The raw file with the first science image as large as those of the archive: overscan, a background
/// with noise, hot columns and a star.
fn full_size(raw: &[u8]) -> Vec<u8> {
    let (width, height) = FRAME;
    let mut noise = fastrand::Rng::with_seed(1);
    let noise: Vec<i16> = (0..65_536)
        .map(|_| (0..4).map(|_| noise.i16(-3..=3)).sum())
        .collect();
    let mut frame = Vec::new();
    let (mut next, mut science) = (0, false);
    for unit in fits::hdus(raw, Path::new("raw")) {
        let unit = unit.unwrap();
        let start = usize::try_from(unit.data_start).unwrap();
        let data = usize::try_from(unit.data_length).unwrap();
        let header = &raw[next..start];
        next = start + data.next_multiple_of(fits::BLOCK);
        if science || unit.header.text("EXTNAME") != Some("SCI") {
            frame.extend_from_slice(header);
            frame.extend_from_slice(&raw[start..next]);
            continue;
        }
        science = true;
        for card in header.chunks(80) {
            match &card[..8] {
                b"NAXIS1  " => frame.extend(format!("NAXIS1  = {width:>20}{:50}", "").bytes()),
                b"NAXIS2  " => frame.extend(format!("NAXIS2  = {height:>20}{:50}", "").bytes()),
                _ => frame.extend_from_slice(card),
            }
        }
        for y in 0..height {
            for x in 0..width {
                let star = x.abs_diff(1000) + y.abs_diff(700) < 30;
                let hot = if x % 97 == 0 { 400 } else { 0 };
                let level = match x {
                    _ if star => 30_000,
                    ..24 => 1000,
                    _ => 2200 + hot,
                };
                let value: i16 = noise[(x * 31 + y * 4099) % noise.len()] + level - 32_767 - 1;
                frame.extend(value.to_be_bytes());
            }
        }
        frame.resize(frame.len().next_multiple_of(fits::BLOCK), 0);
    }
    frame
}

#[test]
fn a_full_size_frame_is_calibrated_in_little_memory_and_its_pictures_show_it() {
    // Of the bundled rules those for the infrared channel do not ask for the size of the image.
    let dataset = "ib8t02a3q";
    let host = Host::new();
    fs::create_dir(host.inputs()).unwrap();
    let raw = unpack_fixture(dataset, &host.inputs()).remove(0);
    fs::write(&raw, full_size(&fs::read(&raw).unwrap())).unwrap();
    let copy = |to| format!("cp {dataset}_raw.fits {dataset}_{to}.fits");
    let calibrate = [copy("flt"), copy("ima")].join("\n");
    host.programs.replace("calwf3.e", &calibrate);
    host.programs.replace("runastrodriz", &copy("drz"));
    let started = Instant::now();
    let (output, peak) = measured(host.command(dataset, Origin::Directory));
    let took = started.elapsed();
    assert_code(&output, 0);
    assert!(peak <= 64 * 1024, "{peak} KiB");
    for suffix in ["raw", "flt", "ima", "drz"] {
        for (ending, size) in [("", (4120, 2048)), ("_thumb", (128, 64))] {
            let name = format!("previews/{dataset}_{suffix}{ending}.jpg");
            let mut picture = jpeg_decoder::Decoder::new(Cursor::new(host.stored(dataset, &name)));
            let mut tones = picture.decode().unwrap();
            let info = picture.info().unwrap();
            assert_eq!((info.width, info.height), size, "{name}");
            tones.sort_unstable();
            let median = tones[tones.len() / 2];
            assert!((20..=160).contains(&median), "{name}: {median}");
            tones.dedup();
            assert!(tones.len() > 16, "{name}: {tones:?}");
        }
    }
    eprintln!("a full-size frame: {took:?}, the worker held {peak} KiB at most");
}
