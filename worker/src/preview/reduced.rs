//! A small image made of a large one that passes by row after row. The steps are those of the
//! institute's `fitscut`: the means of the good pixels in squares of whole pixels, NaN where there is
//! none, and of these the nearest for each pixel of the size wanted.

use super::pixels::Rows;
use fits::FitsError;

/// An image whose longer side has a given length.
#[derive(Debug)]
pub(super) struct Reduced {
    /// The side of the squares.
    factor: usize,
    /// Squares in a row, and rows of them.
    squares: (usize, usize),
    /// The size that is shown.
    shown: (usize, usize),
    sums: Vec<f64>,
    counts: Vec<u32>,
    row: Vec<f32>,
}

impl Reduced {
    /// Of an image of this size, with so many pixels on the longer side.
    pub(super) fn new(width: usize, height: usize, longest: usize) -> Self {
        let factor = (width.max(height) / longest).max(1);
        let squares = (width.div_ceil(factor), height.div_ceil(factor));
        Self {
            factor,
            squares,
            shown: shaped(squares, longest),
            sums: vec![0.0; squares.0 * squares.1],
            counts: vec![0; squares.0 * squares.1],
            row: Vec::new(),
        }
    }

    /// Adds row `number` of the large image.
    pub(super) fn add(&mut self, number: usize, pixels: &[f32]) {
        let start = number / self.factor * self.squares.0;
        let sums = self.sums.iter_mut().skip(start);
        let counts = self.counts.iter_mut().skip(start);
        for ((sum, count), square) in sums.zip(counts).zip(pixels.chunks(self.factor)) {
            for pixel in square.iter().filter(|pixel| !pixel.is_nan()) {
                *sum += f64::from(*pixel);
                *count += 1;
            }
        }
    }

    /// The means of all squares.
    pub(super) fn values(&self) -> impl Iterator<Item = f32> {
        self.sums.iter().zip(&self.counts).map(mean)
    }
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "of values in single precision"
)]
fn mean((sum, count): (&f64, &u32)) -> f32 {
    // Without pixels 0/0, which is NaN.
    (sum / f64::from(*count)) as f32
}

/// The size of this shape with so many pixels on the longer side.
fn shaped((width, height): (usize, usize), longest: usize) -> (usize, usize) {
    let other = |short: usize, long: usize| ((2 * longest * short + long) / (2 * long)).max(1);
    if width > height {
        (longest, other(height, width))
    } else {
        (other(width, height), longest)
    }
}

/// Of `from` things in place of `to`, the one nearest to number `number`.
fn nearest(number: usize, from: usize, to: usize) -> usize {
    ((2 * number + 1) * from / (2 * to)).min(from - 1)
}

impl Rows for Reduced {
    fn width(&self) -> usize {
        self.shown.0
    }

    fn height(&self) -> usize {
        self.shown.1
    }

    fn row(&mut self, number: usize) -> Result<&[f32], FitsError> {
        let start = nearest(number, self.squares.1, self.shown.1) * self.squares.0;
        self.row.clear();
        for x in 0..self.shown.0 {
            let at = start + nearest(x, self.squares.0, self.shown.0);
            let square = self.sums.get(at).zip(self.counts.get(at));
            self.row.push(square.map_or(f32::NAN, mean));
        }
        Ok(&self.row)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn reduced(width: usize, height: usize, longest: usize) -> Reduced {
        let mut reduced = Reduced::new(width, height, longest);
        let row: Vec<f32> = (0_u16..).map(f32::from).take(width).collect();
        for number in 0..height {
            reduced.add(number, &row);
        }
        reduced
    }

    #[test]
    fn the_longer_side_has_the_length_whatever_the_shape() {
        for (width, height, size) in [
            (4144, 2068, (128, 64)),
            (2068, 4144, (64, 128)),
            (64, 48, (128, 96)),
            (1060, 1, (128, 1)),
            (128, 128, (128, 128)),
        ] {
            let small = Reduced::new(width, height, 128);
            assert_eq!((small.width(), small.height()), size);
        }
    }

    #[test]
    fn pixels_are_means_of_the_good_ones() {
        let mut small = reduced(8, 4, 4);
        assert_eq!(small.row(0).unwrap(), [0.5, 2.5, 4.5, 6.5]);
        small = Reduced::new(8, 4, 4);
        small.add(0, &[f32::NAN, 3.0, f32::NAN, f32::NAN, 1.0, 1.0, 1.0, 1.0]);
        let row = format!("{:?}", small.row(0).unwrap());
        assert_eq!(row, "[3.0, NaN, 1.0, 1.0]");
    }
}
