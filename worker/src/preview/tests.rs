//! Spectra in the shapes that COS and STIS write, sane and not, and the pictures made of them.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::spectrum::{Abscissa, Quantity, Sample, Segment};
use super::*;
use crate::run_log::Console;
use caldp_tests::fits_sample::file;
use fits::Table;
use proptest::prelude::*;
use std::process::Command;

/// A row of a spectrum table: segment, then wavelength, flux, error, net and quality of samples.
type Row<'a> = (&'a str, &'a [(f64, f32, f32, f32, i16)]);

fn table(rows: &[Row]) -> Vec<u8> {
    let mut data = Vec::new();
    let samples = rows.iter().map(|(_, samples)| samples.len()).max().unwrap();
    for (segment, row) in rows {
        data.extend_from_slice(format!("{segment:<4}").as_bytes());
        data.extend_from_slice(&i16::try_from(row.len()).unwrap().to_be_bytes());
        let at = |n: usize| row.get(n).copied().unwrap_or((0.0, 9e9, 0.0, 0.0, 0));
        for n in 0..samples {
            data.extend_from_slice(&at(n).0.to_be_bytes());
        }
        for column in 0..3 {
            for n in 0..samples {
                let (_, flux, error, net, _) = at(n);
                data.extend_from_slice(&[flux, error, net][column].to_be_bytes());
            }
        }
        for n in 0..samples {
            data.extend_from_slice(&at(n).4.to_be_bytes());
        }
    }
    let form = |kind| format!("{samples}{kind}");
    file(
        &[
            ("SEGMENT", "4A", &[]),
            ("NELEM", "1I", &[]),
            ("WAVELENGTH", &form('D'), &[]),
            ("FLUX", &form('E'), &[]),
            ("ERROR", &form('E'), &[]),
            ("NET", &form('E'), &[]),
            ("DQ", &form('I'), &[]),
        ],
        rows.len(),
        &data,
    )
}

fn read(name: &str, rows: &[Row]) -> Spectrum {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, table(rows)).unwrap();
    Spectrum::read(&path).unwrap()
}

#[test]
fn segments_come_in_order_of_wavelength_with_flags() {
    let red = [(1300.0, 1.0, 0.1, 1.0, 0), (1301.0, 2.0, 0.1, 1.0, 8)];
    let blue = [(1202.0, 3.0, 0.1, 1.0, 1), (1201.0, 4.0, 0.1, 1.0, 0)];
    let spectrum = read("l_x1d.fits", &[("FUVA", &red), ("FUVB", &blue)]);
    let names: Vec<_> = spectrum.segments.iter().map(|s| &*s.name).collect();
    assert_eq!(names, ["FUVB", "FUVA"]);
    assert_eq!(spectrum.quantity, Quantity::Flux);
    let samples: Vec<_> = spectrum.segments.iter().flat_map(|s| &s.samples).collect();
    let found: Vec<_> = samples.iter().map(|s| (s.wavelength, s.masked)).collect();
    // Flag 8 is serious by default, 1 is not.
    let expected = [
        (1201.0, false),
        (1202.0, false),
        (1300.0, false),
        (1301.0, true),
    ];
    assert_eq!(found, expected);
}

#[test]
fn samples_beyond_nelem_are_not_read() {
    let long = [(1.0, 1.0, 0.0, 0.0, 0), (2.0, 1.0, 0.0, 0.0, 0)];
    let spectrum = read("l_x1d.fits", &[("NUVA", &long), ("NUVB", &long[..1])]);
    assert_eq!(
        spectrum
            .segments
            .iter()
            .map(|s| s.samples.len())
            .sum::<usize>(),
        3
    );
}

#[test]
fn without_flux_counts_are_shown_and_without_wavelengths_samples() {
    let spectrum = read(
        "o_x1d.fits",
        &[("", &[(0.0, 0.0, 0.0, 5.0, 0), (0.0, 0.0, 0.0, 6.0, 0)])],
    );
    assert_eq!(spectrum.quantity, Quantity::NetCounts);
    assert_eq!(spectrum.abscissa, Abscissa::Sample);
    let found: Vec<_> = spectrum.segments[0]
        .samples
        .iter()
        .map(|s| (s.wavelength, s.value))
        .collect();
    assert_eq!(found, [(0.0, 5.0), (1.0, 6.0)]);
}

fn order(wavelengths: std::ops::Range<u32>) -> Segment {
    let sample = |wavelength| Sample {
        wavelength: f64::from(wavelength),
        value: 1.0,
        error: 0.1,
        weight: 1.0,
        masked: false,
    };
    Segment {
        name: String::new(),
        samples: wavelengths.map(sample).collect(),
    }
}

#[test]
fn overlapping_orders_meet_in_the_middle_of_the_overlap() {
    let joined = spectrum::joined(&[order(0..100), order(80..180), order(200..250)]);
    let wavelengths: Vec<f64> = joined.samples.iter().map(|s| s.wavelength).collect();
    assert!(
        wavelengths.is_sorted_by(|a, b| a < b),
        "each wavelength once, in order"
    );
    assert_eq!(wavelengths.len(), 180 + 50);
}

fn spectrum_of(samples: Vec<Sample>) -> Spectrum {
    Spectrum {
        file: "octka7040_x1d.fits".to_owned(),
        facts: vec!["NGC 1".to_owned()],
        quantity: Quantity::Flux,
        abscissa: Abscissa::Wavelength,
        segments: vec![Segment {
            name: String::new(),
            samples,
        }],
    }
}

/// Width, height and RGB bytes.
fn decoded(picture: &[u8]) -> (u32, u32, Vec<u8>) {
    let mut reader = png::Decoder::new(io::Cursor::new(picture))
        .read_info()
        .unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    (info.width, info.height, pixels)
}

/// How many pixels are as blue as a line is.
fn line_pixels(pixels: &[u8]) -> usize {
    let blue = |rgb: &&[u8]| rgb[2] > rgb[0].saturating_add(40) && rgb[0] < 120;
    pixels.chunks(3).filter(blue).count()
}

#[test]
fn pages_and_thumbnails_have_their_sizes_and_show_a_line() {
    let mut samples = order(1000..2000).samples;
    for (n, sample) in (0_u32..).zip(&mut samples) {
        sample.value = 1e-15 * (2.0 + (f64::from(n) / 50.0).sin());
        sample.error = 1e-16;
    }
    let spectrum = spectrum_of(samples);
    let (width, height, pixels) = decoded(&plot::page(&spectrum).unwrap());
    assert_eq!((width, height), (1024, 1024));
    assert!(line_pixels(&pixels) > 800);
    let (width, height, pixels) = decoded(&plot::thumbnail(&spectrum).unwrap());
    assert_eq!((width, height), (128, 128));
    assert!(line_pixels(&pixels) > 100);
}

#[test]
fn awkward_data_still_make_pictures() {
    let with = |value: f64, masked: bool| {
        let mut samples = order(1000..1100).samples;
        for sample in &mut samples {
            (sample.value, sample.masked) = (value, masked);
        }
        spectrum_of(samples)
    };
    let mut none = with(0.0, false);
    none.segments.clear();
    for (spectrum, line) in [
        (with(0.0, false), true),
        (with(-3e-17, false), true),
        (with(f64::NAN, false), false),
        (with(f64::INFINITY, false), false),
        (with(1e300, false), false),
        (with(1e99, false), true),
        (with(1e-300, false), true),
        (with(1.0, true), false),
        (none.clone(), false),
    ] {
        let (.., thumbnail) = decoded(&plot::thumbnail(&spectrum).unwrap());
        let value = spectrum.segments.first().map(|s| s.samples[0]);
        assert_eq!(line_pixels(&thumbnail) > 50, line, "{value:?}");
    }
    // Pages take their time to draw; these two go all the ways that differ.
    for (spectrum, line) in [(with(0.0, false), true), (none, false)] {
        let (.., page) = decoded(&plot::page(&spectrum).unwrap());
        assert_eq!(line_pixels(&page) > 500, line);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_numbers_make_a_thumbnail(
        numbers in proptest::collection::vec((any::<f64>(), any::<f64>(), any::<f64>(), any::<bool>()), 0..40),
    ) {
        let samples = numbers.into_iter().map(|(wavelength, value, error, masked)| Sample {
            wavelength, value, error, weight: 1.0, masked,
        });
        plot::thumbnail(&spectrum_of(samples.collect())).unwrap();
    }
}

#[test]
fn the_table_has_the_columns_that_readers_expect() {
    let red = [
        (1300.0, 1e-15, 1e-16, 1.0, 0),
        (1301.0, 2e-15, 1e-16, 1.0, 8),
    ];
    let blue = [
        (1202.0, 3e-15, 1e-16, 1.0, 0),
        (1201.0, 4e-15, 1e-16, 1.0, 0),
    ];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lcxv13f1q_x1d.fits");
    std::fs::write(&path, table(&[("FUVA", &red), ("FUVB", &blue)])).unwrap();
    let results = draw_spectrum(&path, folder.path(), Tables::Written);
    let names: Vec<_> = results
        .into_iter()
        .map(|path| path.unwrap().file_name().unwrap().to_owned())
        .collect();
    let expected = [
        "lcxv13f1q_x1d.png",
        "lcxv13f1q_x1d_thumb.png",
        "lcxv13f1q_x1d_prev.fits",
    ];
    assert_eq!(names, expected);
    let preview = folder.path().join("lcxv13f1q_x1d_prev.fits");
    let primary = fits::read_header(&preview, 0).unwrap();
    assert_eq!(primary.text("ORIGFILE"), Some("lcxv13f1q_x1d.fits"));
    let table = Table::open(&preview, 1).unwrap();
    let numbers = |name| table.numbers(name).unwrap().values;
    assert_eq!(numbers("wls"), [1201.0, 1202.0, 1300.0, 1301.0]);
    assert_eq!(
        numbers("fls"),
        [4e-15_f32, 3e-15, 1e-15, 2e-15].map(f64::from)
    );
    assert_eq!(numbers("masked"), [0.0, 0.0, 0.0, 1.0]);
    assert_eq!(numbers("dq_wgts"), [1.0; 4]);
    assert_eq!(
        table.texts("segment").unwrap(),
        ["FUVB", "FUVB", "FUVA", "FUVA"]
    );
    assert_eq!(table.unit("fls"), Some("erg/s/cm**2/angstrom"));
    match Command::new("fitsverify")
        .args(["-q".as_ref(), preview.as_os_str()])
        .output()
    {
        Ok(verified) => {
            let text = String::from_utf8_lossy(&verified.stdout).into_owned();
            assert!(text.starts_with("verification OK"), "{text}");
        }
        Err(_) => eprintln!("left out: fitsverify is not installed"),
    }
}

#[test]
fn a_file_without_a_spectrum_is_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("l_x1d.fits");
    std::fs::write(&path, b"not FITS").unwrap();
    let results = draw_spectrum(&path, folder.path(), Tables::None);
    let [Err(Warning::Fits(error))] = &results[..] else {
        unreachable!("{results:?}")
    };
    assert!(error.to_string().contains("l_x1d.fits"), "{error}");
}

/// A `fitscut` of the first dialect: says what it was called with, in a picture.
const SIZED: &str = r#"#!/bin/sh
case "$*" in
*--help*) echo "  --output-size=N" ;;
*_bad_*) echo broken >&2; exit 3 ;;
*) printf '\377\330\377%s' "$*" ;;
esac
"#;

/// A folder with bundled raw files, one for previews, and a search path.
struct Bench(tempfile::TempDir);

impl Bench {
    fn new(dataset: &str) -> Self {
        let bench = Self(tempfile::tempdir().unwrap());
        for folder in ["work", "previews", "bin"] {
            std::fs::create_dir(bench.folder(folder)).unwrap();
        }
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/raw");
        let archive = fixtures.join(format!("{dataset}.tar.gz"));
        let limits = crate::input::archive::Limits::default();
        crate::input::archive::unpack(&archive, &bench.folder("work"), &limits).unwrap();
        bench
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn install(&self, script: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.folder("bin").join("fitscut");
        std::fs::write(&path, script).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    async fn make(&self, dataset: &str, path: &str) -> Previews {
        let log = RunLog::create(&self.folder("preview.txt"), Console::Quiet).unwrap();
        let (folder, output) = (self.folder("work"), self.folder("previews"));
        let path = format!("{}:{path}", self.folder("bin").display());
        let job = Job {
            dataset: &Dataset::parse(dataset).unwrap(),
            folder: &folder,
            output: &output,
            environment: Environment::from([("PATH".into(), path.into())]),
            log: &log,
            cancel: &CancellationToken::new(),
        };
        make(&job).await
    }

    fn previews(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.folder("previews"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

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
    let [Warning::Fitscut { file, reason }] = &previews.warnings[..] else {
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

#[tokio::test]
async fn a_missing_fitscut_is_one_warning_that_says_how_to_get_it() {
    let bench = Bench::new("j8cb02u4q");
    let previews = bench.make("j8cb02u4q", "/nowhere").await;
    assert_eq!(previews.warnings.len(), 1);
    let text = storage::hint::explain(&previews.warnings[0]).to_string();
    assert!(text.contains("apt-get install fitscut"), "{text}");
    assert!(bench.previews().is_empty());
}

#[tokio::test]
async fn the_installed_fitscut_draws_thumbnails_of_their_size() {
    let bench = Bench::new("j8cb02u4q");
    let previews = bench
        .make("j8cb02u4q", "/usr/bin:/bin:/usr/local/bin")
        .await;
    if let [Warning::Program(ProgramError::Missing(_))] = &previews.warnings[..] {
        eprintln!("left out: fitscut is not installed");
        return;
    }
    assert!(previews.warnings.is_empty(), "{:?}", previews.warnings);
    assert_eq!(
        bench.previews(),
        ["j8cb02u4q_raw.jpg", "j8cb02u4q_raw_thumb.jpg"]
    );
    let bytes = std::fs::read(bench.folder("previews").join("j8cb02u4q_raw_thumb.jpg")).unwrap();
    // Start of frame: marker, length, precision, height, width.
    let frame = bytes.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
    let size = |at: usize| u16::from_be_bytes([bytes[frame + at], bytes[frame + at + 1]]);
    assert_eq!(size(5).max(size(7)), 128);
}
