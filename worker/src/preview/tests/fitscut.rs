//! Pictures by `fitscut`: how it is called, what becomes of what it draws, and whether the worker draws
//! the same.

use super::*;

/// A `fitscut` of the first dialect: says what it was called with, in a picture.
const SIZED: &str = r#"#!/bin/sh
case "$*" in
*--help*) echo "  --output-size=N" ;;
*_bad_*) echo broken >&2; exit 3 ;;
*) printf '\377\330\377%s' "$*" ;;
esac
"#;

#[tokio::test]
async fn the_dialect_with_sizes_is_spoken() {
    let bench = Bench::new("j8cb010b0");
    bench.install(SIZED);
    let previews = bench.make("j8cb010b0", "/usr/bin:/bin").await;
    assert!(previews.warnings.is_empty(), "{:?}", previews.warnings);
    let names = bench.previews();
    assert_eq!(names.len(), 4, "{names:?}");
    assert_eq!(names[0], "j8cb01u2q_raw.jpg");
    assert_eq!(names[1], "j8cb01u2q_raw_thumb.jpg");
    let call = |name: &str| {
        let bytes = std::fs::read(bench.folder("previews").join(name)).unwrap();
        String::from_utf8_lossy(&bytes[3..]).into_owned()
    };
    let raw = bench.folder("work").join("j8cb01u2q_raw.fits");
    for (name, size) in [
        ("j8cb01u2q_raw.jpg", "-1"),
        ("j8cb01u2q_raw_thumb.jpg", "128"),
    ] {
        let expected = format!(
            "--all --jpg --autoscale=99.5 --asinh-scale --output-size={size} --badpix {}",
            raw.display()
        );
        assert_eq!(call(name), expected);
    }
    assert_eq!(previews.metrics.len(), 4);
}

#[tokio::test]
async fn visits_get_a_colour_preview_and_a_broken_mosaic_a_warning() {
    let bench = Bench::new("j8cb02u4q");
    bench.install(SIZED);
    let work = bench.folder("work");
    let raw = work.join("j8cb02u4q_raw.fits");
    for filter in ["f435w", "f606w", "f814w"] {
        let name = format!("hst_1_01_acs_wfc_{filter}_j8ph01_drc.fits");
        std::fs::copy(&raw, work.join(name)).unwrap();
    }
    std::fs::copy(&raw, work.join("hst_1_01_acs_wfc_bad_j8ph01_drc.fits")).unwrap();
    let previews = bench.make("acs_8ph_01", "/usr/bin:/bin").await;
    let [PreviewWarning::Fitscut { file, reason }] = &previews.warnings[..] else {
        unreachable!("{:?}", previews.warnings)
    };
    assert!(file.contains("_bad_"));
    assert_eq!(reason, "failed with status 3");
    let names = bench.previews();
    assert_eq!(names.len(), 8, "{names:?}");
    let colour = "hst_1_01_acs_wfc_total_j8ph01_drc_color_thumb.jpg";
    let bytes = std::fs::read(bench.folder("previews").join(colour)).unwrap();
    let call = String::from_utf8_lossy(&bytes);
    let order: Vec<_> = ["--red=", "f814w", "--blue=", "f435w", "--green=", "f606w"]
        .map(|word| call.find(word).unwrap())
        .into();
    assert!(order.is_sorted(), "{call}");
}

/// Names the institute's `fitscut`, to compare its pictures with.
const REAL_FITSCUT: &str = "CALDP_TEST_FITSCUT";

#[tokio::test]
async fn pictures_are_those_of_the_institutes_fitscut() {
    let Some(program) = std::env::var_os(REAL_FITSCUT) else {
        eprintln!(
            "left out: pictures are not compared with those of the institute's fitscut: {REAL_FITSCUT} is not set"
        );
        return;
    };
    for dataset in ["j8cb010b0", "j8cb02u4q", "ib8t01010", "ib8t02a3q"] {
        let [ours, theirs] = [Bench::new(dataset), Bench::new(dataset)];
        for bench in [&ours, &theirs] {
            let name = format!("{}03u4q_raw.fits", &dataset[..4]);
            full_size(&bench.folder("work").join(name));
        }
        std::os::unix::fs::symlink(&program, theirs.folder("bin").join("fitscut")).unwrap();
        let drawn = ours.make(dataset, "/bin").await;
        assert!(
            drawn.warnings.is_empty() && drawn.fitscut.is_none(),
            "{:?}",
            drawn.warnings
        );
        let drawn = theirs.make(dataset, "/bin").await;
        assert!(
            drawn.warnings.is_empty() && drawn.fitscut.is_some(),
            "{:?}",
            drawn.warnings
        );
        assert_eq!(ours.previews(), theirs.previews());
        for name in ours.previews() {
            let [
                (width, height, _, our),
                (their_width, their_height, _, their),
            ] = [&ours, &theirs].map(|bench| picture(&bench.folder("previews").join(&name)));
            assert_eq!((width, height), (their_width, their_height), "{name}");
            let mut differences: Vec<u8> = our
                .iter()
                .zip(&their)
                .map(|(a, b)| a.abs_diff(*b))
                .collect();
            differences.sort_unstable();
            let at = |percent: usize| differences[(differences.len() - 1) * percent / 100];
            let found = [at(50), at(90), at(99), at(100)];
            // Of 256 tones. A thumbnail has few pixels, of which one beside bad ones may be anything.
            let allowed = if name.ends_with("_thumb.jpg") {
                [1, 4, 20, 255]
            } else {
                [0, 1, 3, 16]
            };
            let within = found
                .iter()
                .zip(&allowed)
                .all(|(found, most)| found <= most);
            assert!(within, "{name}: {found:?}");
        }
    }
}

#[tokio::test]
async fn what_fitscut_drew_in_one_tone_is_drawn_again() {
    let bench = Bench::new("j8cb02u4q");
    let black = bench.folder("black.jpg");
    jpeg_encoder::Encoder::new_file(&black, 75)
        .unwrap()
        .encode(&[0; 64 * 64], 64, 64, jpeg_encoder::ColorType::Luma)
        .unwrap();
    assert!(jpeg::is_one_tone(&black));
    bench.install(&format!(
        "#!/bin/sh\ncase \"$*\" in --help) echo '--output-size=N';; *) cat {};; esac\n",
        black.display()
    ));
    let previews = bench.make("j8cb02u4q", "/usr/bin:/bin").await;
    assert!(previews.warnings.is_empty(), "{:?}", previews.warnings);
    for name in ["j8cb02u4q_raw.jpg", "j8cb02u4q_raw_thumb.jpg"] {
        assert!(!jpeg::is_one_tone(&bench.folder("previews").join(name)));
    }
    assert_eq!(previews.made.len(), 2);
}
