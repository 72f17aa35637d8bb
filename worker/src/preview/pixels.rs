//! The pixels of an image as pictures show them: row after row, bad ones NaN. Which pixels are
//! bad follows what the institute's `fitscut` does with `--badpix`; data-quality extensions are not
//! looked at, as it does not either.

use fits::{FitsError, Header, Image};
use std::path::Path;

/// Pixels read at a time; with their bytes this takes at most 1.5 MiB.
const AT_A_TIME: u64 = 128 << 10;

/// Rows of pixels.
pub(super) trait Rows {
    /// Pixels in a row.
    fn width(&self) -> usize;
    /// Rows.
    fn height(&self) -> usize;
    /// Row `number` from below.
    fn row(&mut self, number: usize) -> Result<&[f32], FitsError>;
}

/// The image in extension 1 of a product.
#[derive(Debug)]
pub(super) struct Pixels {
    image: Image,
    bad: Bad,
    width: usize,
    height: usize,
    /// The first of the rows in memory.
    first: usize,
    /// The rows in memory.
    rows: Vec<f32>,
}

impl Pixels {
    pub(super) fn open(path: &Path) -> Result<Self, FitsError> {
        let image = Image::open(path, 1)?;
        let size = |pixels: u64| usize::try_from(pixels).unwrap_or(usize::MAX);
        Ok(Self {
            bad: Bad::of(image.header()),
            width: size(image.width()),
            height: size(image.height()),
            image,
            first: 0,
            rows: Vec::new(),
        })
    }

    fn at_a_time(&self) -> u64 {
        (AT_A_TIME / self.image.width()).clamp(1, self.image.height())
    }

    fn load(&mut self, first: u64, count: u64) -> Result<(), FitsError> {
        self.image.read(first, count, &mut self.rows)?;
        for pixel in &mut self.rows {
            if self.bad.is(*pixel) {
                *pixel = f32::NAN;
            }
        }
        self.first = usize::try_from(first).unwrap_or(usize::MAX);
        Ok(())
    }

    /// Whether the row is one of those in memory.
    fn held(&self, number: usize) -> bool {
        let from = number.checked_sub(self.first);
        from.is_some_and(|from| (from + 1) * self.width <= self.rows.len())
    }
}

impl Rows for Pixels {
    fn width(&self) -> usize {
        self.width
    }

    fn height(&self) -> usize {
        self.height
    }

    /// Rows are read in stretches, whether they are asked for upwards or downwards.
    fn row(&mut self, number: usize) -> Result<&[f32], FitsError> {
        if !self.held(number) {
            let count = self.at_a_time();
            let first = number as u64 / count * count;
            self.load(first, count.min(self.image.height() - first))?;
        }
        let from = (number - self.first) * self.width;
        Ok(self.rows.get(from..from + self.width).unwrap_or_default())
    }
}

/// Which values are no measurements.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Bad {
    /// `BADPIX`; without it zero, which is what is written where nothing was seen.
    value: f32,
    /// What is below `GOODMIN` or above `GOODMAX`. A `GOODMIN` of zero or more is not believed:
    /// it is a statistic of the image then, not a limit; neither is a `GOODMAX` alone.
    good: Option<(f32, f32)>,
}

impl Bad {
    #[allow(
        clippy::cast_possible_truncation,
        reason = "pixels are in single precision"
    )]
    fn of(header: &Header) -> Self {
        let number = |key: &str| header.real(key).map(|value| value as f32);
        let good = number("GOODMIN")
            .filter(|low| *low < 0.0)
            .map(|low| (low, number("GOODMAX").unwrap_or(f32::INFINITY)));
        // A fraction would be missed by rounding.
        let value = number("BADPIX").filter(|value| value.fract() == 0.0);
        Self {
            value: value.unwrap_or(0.0),
            good,
        }
    }

    #[allow(clippy::float_cmp, reason = "a bad pixel has exactly this value")]
    fn is(self, pixel: f32) -> bool {
        let outside = |(low, high)| pixel < low || pixel > high;
        !pixel.is_finite() || pixel == self.value || self.good.is_some_and(outside)
    }
}
