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
    // None of it is airglow, whatever the quality says.
    assert_eq!(numbers("masked"), [0.0; 4]);
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
fn previews_of_spectra_mask_airglow_and_suggest_the_limits_of_the_flux() {
    // Lyman alpha is a thousand times as bright as the rest, which rises from 1 to 2e-15.
    let rows: Vec<(f64, f32, f32, f32, i16)> = (0..2000_u16)
        .map(|n| {
            let wavelength = 1200.0 + f64::from(n) * 0.02;
            let flux = if (1214.0..=1217.0).contains(&wavelength) {
                1e-12
            } else {
                1e-15 * (1.0 + f32::from(n) / 2000.0)
            };
            (wavelength, flux, 1e-16, 1.0, 8)
        })
        .collect();
    let none: Vec<_> = rows
        .iter()
        .map(|row| (row.0 + 100.0, 0.0, 0.0, 0.0, 0))
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lcxv13f1q_x1d.fits");
    std::fs::write(&path, table(&[("FUVB", &rows), ("FUVA", &none)])).unwrap();
    draw_spectrum(&path, folder.path(), Tables::Written);
    let preview = folder.path().join("lcxv13f1q_x1d_prev.fits");
    let table = Table::open(&preview, 1).unwrap();
    let masked = table.numbers("masked").unwrap().values;
    for (wavelength, masked) in table.numbers("wls").unwrap().values.iter().zip(masked) {
        let inside = (1213.99..=1217.01).contains(wavelength);
        assert_eq!(masked > 0.0, inside, "{wavelength}");
    }
    let limit = |key: &str| table.header().real(key);
    let (low, high) = (limit("FUVBYMIN").unwrap(), limit("FUVBYMAX").unwrap());
    // 30 % beyond the first and the 99th percentile.
    assert!((0.70e-15..0.73e-15).contains(&low), "{low}");
    assert!((2.27e-15..2.30e-15).contains(&high), "{high}");
    // A segment without flux has none.
    assert_eq!((limit("FUVAYMIN"), limit("FUVAYMAX")), (None, None));
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

/// Width, height, bytes a pixel and the pixels of a JPEG file.
fn picture(path: &Path) -> (u16, u16, usize, Vec<u8>) {
    let file = std::fs::File::open(path).unwrap();
    let mut decoder = jpeg_decoder::Decoder::new(io::BufReader::new(file));
    let pixels = decoder.decode().unwrap();
    let info = decoder.info().unwrap();
    let bytes = info.pixel_format.pixel_bytes();
    (info.width, info.height, bytes, pixels)
}

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

/// A product with one image of 16-bit numbers in extension 1.
fn frame(path: &Path, width: usize, height: usize, pixel: impl Fn(usize, usize) -> i16) {
    let card = caldp_tests::fits_sample::card;
    let number = |number: usize| number.to_string();
    let mut bytes = caldp_tests::fits_sample::header(&[
        card("SIMPLE", "T"),
        card("BITPIX", "8"),
        card("NAXIS", "0"),
    ]);
    bytes.extend(caldp_tests::fits_sample::header(&[
        card("XTENSION", "'IMAGE   '"),
        card("BITPIX", "16"),
        card("NAXIS", "2"),
        card("NAXIS1", &number(width)),
        card("NAXIS2", &number(height)),
        card("PCOUNT", "0"),
        card("GCOUNT", "1"),
        card("BZERO", "32768.0"),
    ]));
    for y in 0..height {
        bytes.extend((0..width).flat_map(|x| pixel(x, y).to_be_bytes()));
    }
    bytes.resize(bytes.len().next_multiple_of(2880), 0);
    std::fs::write(path, bytes).unwrap();
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
    let work = bench.folder("work");
    // As ACS writes it: overscan, a background with noise, hot columns, a star.
    let mut noise = fastrand::Rng::with_seed(1);
    let noise: Vec<i16> = (0..65_536)
        .map(|_| (0..4).map(|_| noise.i16(-3..=3)).sum())
        .collect();
    frame(&work.join("j8cb03u4q_raw.fits"), 4120, 2048, |x, y| {
        let star = x.abs_diff(1000) + y.abs_diff(700) < 30;
        let level = if x < 24 { 1000 } else { 2200 } + if x % 97 == 0 { 400 } else { 0 };
        let level = if star { 30_000 } else { level };
        noise[(x * 31 + y * 4099) % noise.len()] + level - 32_767 - 1
    });
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
