//! Pictures of images that the worker draws itself.

use super::*;

#[tokio::test]
async fn without_the_institutes_fitscut_the_worker_draws_the_same_pictures() {
    let debian = "#!/bin/sh\necho 'no such option' >&2; exit 64\n";
    for (script, dataset, root, size) in [
        (None, "j8cb02u4q", "j8cb02u4q_raw", (280, 256, 128, 117)),
        (
            Some(debian),
            "ib8t01010",
            "ib8t01a1q_raw",
            (281, 256, 128, 116),
        ),
        (
            Some(debian),
            "ib8t02a3q",
            "ib8t02a3q_raw",
            (74, 74, 128, 128),
        ),
    ] {
        let bench = Bench::new(dataset);
        if let Some(script) = script {
            bench.install(script);
        }
        let previews = bench.make(dataset, "/bin").await;
        assert!(previews.warnings.is_empty(), "{:?}", previews.warnings);
        assert_eq!(previews.fitscut, None);
        let path = |ending: &str| bench.folder("previews").join(format!("{root}{ending}.jpg"));
        let (width, height, bytes, full) = picture(&path(""));
        let (thumb_width, thumb_height, _, thumbnail) = picture(&path("_thumb"));
        assert_eq!((width, height, thumb_width, thumb_height), size);
        assert_eq!(bytes, 1);
        for mut tones in [full, thumbnail] {
            tones.sort_unstable();
            let median = tones[tones.len() / 2];
            // What the institute's own pictures of these files have is 9 to 18.
            assert!((7..=21).contains(&median), "{root}: {median}");
            assert_eq!((tones.first(), tones.last()), (Some(&0), Some(&255)));
        }
    }
}

#[tokio::test]
async fn the_worker_draws_colour_previews_of_a_visit() {
    let bench = Bench::new("j8cb010b0");
    let work = bench.folder("work");
    for (filter, raw) in [
        ("f435w", "j8cb01u2q"),
        ("f606w", "j8cb01u3q"),
        ("f814w", "j8cb01u2q"),
    ] {
        let name = format!("hst_1_01_acs_wfc_{filter}_j8ph01_drc.fits");
        std::fs::copy(work.join(format!("{raw}_raw.fits")), work.join(name)).unwrap();
    }
    let previews = bench.make("acs_8ph_01", "/bin").await;
    assert!(previews.warnings.is_empty(), "{:?}", previews.warnings);
    assert_eq!(previews.made.len(), 8);
    let colour = bench
        .folder("previews")
        .join("hst_1_01_acs_wfc_total_j8ph01_drc_color.jpg");
    let (_, _, bytes, pixels) = picture(&colour);
    assert_eq!(bytes, 3);
    let mean = |channel: usize| {
        let tones = pixels.iter().skip(channel).step_by(3);
        tones.map(|tone| u64::from(*tone)).sum::<u64>() / (pixels.len() as u64 / 3)
    };
    // Red and blue are of the same image here.
    assert!(
        mean(0).abs_diff(mean(2)) <= 2 && mean(0) > 3,
        "{} {}",
        mean(0),
        mean(2)
    );
}

/// The largest resident size of this process so far, in KiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[tokio::test]
async fn a_full_size_frame_is_drawn_in_little_memory() {
    let bench = Bench::new("j8cb02u4q");
    full_size(&bench.folder("work").join("j8cb03u4q_raw.fits"));
    let before = peak();
    let previews = bench.make("j8cb02u4q", "/bin").await;
    assert!(previews.warnings.is_empty(), "{:?}", previews.warnings);
    // The image has 16 MiB as it is stored and 32 as floats; tests that run beside this one count too.
    let grown = (peak() - before) / 1024;
    eprintln!("grown by {grown} MiB");
    assert!(grown < 64, "{grown} MiB");
    let path = |ending: &str| {
        bench
            .folder("previews")
            .join(format!("j8cb03u4q_raw{ending}.jpg"))
    };
    let (width, height, _, full) = picture(&path(""));
    assert_eq!((width, height), (4120, 2048));
    let (width, height, _, mut thumbnail) = picture(&path("_thumb"));
    assert_eq!((width, height), (128, 64));
    let at = |x: usize, row: usize| full[row * 4120 + x];
    // FITS rows go upwards.
    assert!(at(1000, 2047 - 700) > 250 && at(1000, 700) < 150);
    assert!(
        at(10, 5) < 10 && at(2000, 5) > 20,
        "{} {}",
        at(10, 5),
        at(2000, 5)
    );
    let mut tones = full;
    for tones in [&mut tones, &mut thumbnail] {
        tones.sort_unstable();
        let median = tones[tones.len() / 2];
        assert!((20..=160).contains(&median), "{median}");
    }
}

#[test]
fn images_of_two_values_have_two_tones_and_damaged_ones_are_warnings() {
    let folder = tempfile::tempdir().unwrap();
    let (product, picture) = (folder.path().join("a.fits"), folder.path().join("a.jpg"));
    let draw = || {
        let targets = picture::Targets {
            full: picture.clone(),
            thumbnail: folder.path().join("a_thumb.jpg"),
            longest: 128,
        };
        let subject = picture::Subject::Grey(product.clone());
        picture::draw(&subject, &targets, &CancellationToken::new())
    };
    for other in [-32_760, 32_767] {
        // One pixel, a hundredth, half, and nearly all.
        for share in [1, 100, 5000, 9999] {
            frame(&product, 100, 100, |x, y| {
                if y * 100 + x < share { other } else { 5 }
            });
            draw().unwrap();
            assert!(!jpeg::is_one_tone(&picture), "{share} pixels of {other}");
        }
    }
    let bytes = std::fs::read(&product).unwrap();
    std::fs::write(&product, &bytes[..8000]).unwrap();
    assert!(matches!(draw(), Err(PictureError::Fits(_))));
}
