//! Spectra in the shapes that COS and STIS write, sane and not, and the pictures made of them.

use super::super::spectrum::{Abscissa, Quantity, Sample, Segment};
use super::*;
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
    let [Err(PreviewWarning::Fits(error))] = &results[..] else {
        unreachable!("{results:?}")
    };
    assert!(error.to_string().contains("l_x1d.fits"), "{error}");
}
