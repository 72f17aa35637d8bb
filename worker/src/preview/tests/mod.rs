//! Previews: spectra in the shapes that COS and STIS write, images drawn here and by `fitscut`.
#![allow(clippy::unwrap_used, reason = "tests")]

mod fitscut;
mod pictures;
mod spectra;

use super::*;
use crate::run_log::Console;

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

/// Width, height, bytes a pixel and the pixels of a JPEG file.
fn picture(path: &Path) -> (u16, u16, usize, Vec<u8>) {
    let file = std::fs::File::open(path).unwrap();
    let mut decoder = jpeg_decoder::Decoder::new(io::BufReader::new(file));
    let pixels = decoder.decode().unwrap();
    let info = decoder.info().unwrap();
    let bytes = info.pixel_format.pixel_bytes();
    (info.width, info.height, bytes, pixels)
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

/// A frame as ACS writes it: overscan, a background with noise, hot columns, a star.
fn full_size(path: &Path) {
    let mut noise = fastrand::Rng::with_seed(1);
    let noise: Vec<i16> = (0..65_536)
        .map(|_| (0..4).map(|_| noise.i16(-3..=3)).sum())
        .collect();
    frame(path, 4120, 2048, |x, y| {
        let star = x.abs_diff(1000) + y.abs_diff(700) < 30;
        let level = if x < 24 { 1000 } else { 2200 } + if x % 97 == 0 { 400 } else { 0 };
        let level = if star { 30_000 } else { level };
        noise[(x * 31 + y * 4099) % noise.len()] + level - 32_767 - 1
    });
}
