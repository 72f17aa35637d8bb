//! From measured values to tones: the range that is shown is found from a histogram
//! (`--autoscale=99.5`), and within it an inverse hyperbolic sine shows faint and bright at once
//! (`--asinh-scale`). The recipe's numbers are those of the institute's `fitscut`.

/// The share of values below and above the range.
const OUTSIDE: f64 = 0.005;
/// How strongly faint values are lifted.
const NONLINEARITY: f64 = 3.0;
/// What bad pixels are shown as.
const BLANK: u8 = 255;

/// Bits of a value by which it is counted: sign, exponent and 13 bits of the mantissa, so that
/// whole numbers up to 16384 are told apart and others to within a part in 8192.
const BITS: u32 = 22;

/// Bits of a bin's number that tell it from others on its page.
const PAGE_BITS: u32 = 10;
/// The counts of bins side by side.
type CountPage = [u32; 1 << PAGE_BITS];

/// A histogram of good values of any size, 16 MiB at most; there is memory only where values are,
/// for most images less than 1 MiB.
pub(super) struct Histogram {
    pages: Vec<Option<Box<CountPage>>>,
    total: u64,
    least: f32,
    most: f32,
}

impl Histogram {
    pub(super) fn new() -> Self {
        Self {
            pages: vec![None; 1 << (BITS - PAGE_BITS)],
            total: 0,
            least: f32::INFINITY,
            most: f32::NEG_INFINITY,
        }
    }

    /// Counts the values that are not NaN.
    pub(super) fn add(&mut self, values: impl IntoIterator<Item = f32>) {
        for value in values {
            if value.is_nan() {
                continue;
            }
            self.least = self.least.min(value);
            self.most = self.most.max(value);
            self.total += 1;
            let bin = bin(value);
            let Some(page) = self.pages.get_mut(bin >> PAGE_BITS) else {
                continue;
            };
            let page = page.get_or_insert_with(|| Box::new([0; 1 << PAGE_BITS]));
            if let Some(count) = page.get_mut(bin & ((1 << PAGE_BITS) - 1)) {
                *count = count.saturating_add(1);
            }
        }
    }

    /// The value that has `below` others below it.
    fn nth(&self, below: u64) -> f64 {
        let mut before = 0;
        let pages = (0_u32..).zip(&self.pages);
        let counts = pages.filter_map(|(number, page)| Some((number << PAGE_BITS, page.as_ref()?)));
        for (bin, count) in counts.flat_map(|(first, page)| (first..).zip(page.iter())) {
            let count = u64::from(*count);
            if before + count > below {
                let value = lower_end(bin).clamp(self.least, self.most);
                return f64::from(value);
            }
            before += count;
        }
        f64::from(self.most)
    }

    /// The range to show.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "a share of a count of pixels"
    )]
    pub(super) fn stretch(&self) -> Stretch {
        if self.total == 0 {
            return Stretch {
                low: 0.0,
                high: 1.0,
            };
        }
        let outside = (self.total as f64 * OUTSIDE) as u64;
        let low = self.nth(outside);
        let median = self.nth(self.total / 2);
        // What is mostly noise would be drawn too harshly.
        let high = self
            .nth(self.total - 1 - outside)
            .max(median + 5.0 * (median - low));
        if low < high {
            Stretch { low, high }
        } else {
            // Nearly all pixels are the same: what differs is what there is to see.
            Stretch {
                low: f64::from(self.least),
                high: f64::from(self.most),
            }
        }
    }
}

/// The bin of a value: in the order of values.
fn bin(value: f32) -> usize {
    let bits = value.to_bits();
    let ordered = if value.is_sign_negative() {
        !bits
    } else {
        bits | 1 << 31
    };
    (ordered >> (32 - BITS)) as usize
}

/// The value in a bin that is nearest to zero for positive, farthest for negative ones.
fn lower_end(bin: u32) -> f32 {
    let ordered = bin << (32 - BITS);
    f32::from_bits(if ordered >> 31 == 1 {
        ordered & !(1 << 31)
    } else {
        !ordered
    })
}

/// The range that is shown: `low` becomes black; above `high` there is room for some more.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Stretch {
    low: f64,
    high: f64,
}

impl Stretch {
    /// 0 at `low`, 1 at `high`.
    fn part(self, value: f32) -> f64 {
        let range = self.high - self.low;
        if range > 0.0 {
            (f64::from(value) - self.low) / range
        } else {
            0.0
        }
    }
}

/// As exact as tones need it, and several times faster than the standard library's.
#[allow(clippy::cast_possible_truncation, reason = "for tones of a picture")]
fn asinh(value: f64) -> f64 {
    let positive = value.abs() as f32;
    f64::from((positive + (positive * positive + 1.0).sqrt()).ln()).copysign(value)
}

/// Tones of one image, from a table of the curve.
pub(super) struct Grey {
    low: f64,
    factor: f64,
    table: Vec<u8>,
}

impl Grey {
    /// Steps of the curve, several for each tone where it is steepest.
    const STEPS: u32 = 4096;
    /// The white of one image.
    const WHITE: f64 = 0.7;

    pub(super) fn new(stretch: Stretch) -> Self {
        let most = (NONLINEARITY * Self::WHITE).sinh() / NONLINEARITY;
        let step = most / f64::from(Self::STEPS);
        let range = stretch.high - stretch.low;
        let middle = |step_number: u32| (f64::from(step_number) + 0.5) * step;
        Self {
            low: stretch.low,
            factor: if range > 0.0 {
                1.0 / (range * step)
            } else {
                0.0
            },
            table: (0..Self::STEPS)
                .map(|n| {
                    tone(
                        (NONLINEARITY * middle(n)).asinh() / NONLINEARITY,
                        Self::WHITE,
                    )
                })
                .collect(),
        }
    }

    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a cast to an integer saturates, and beyond the table is white"
    )]
    pub(super) fn tone(&self, value: f32) -> u8 {
        if value.is_nan() {
            return BLANK;
        }
        let step = ((f64::from(value) - self.low) * self.factor) as usize;
        self.table.get(step).copied().unwrap_or(255)
    }
}

/// The tones of two or three images of which one colour picture is made: their hue is kept, their
/// sum is what the curve is applied to.
pub(super) fn colours(stretches: &[Stretch], values: &[f32], tones: &mut [u8]) {
    let white = if stretches.len() > 2 { 0.33 } else { 0.4 };
    let mut parts = [0.0; 3];
    let (mut sum, mut most) = (0.0, 0.0_f64);
    let mut bad = true;
    for ((part, stretch), value) in parts.iter_mut().zip(stretches).zip(values) {
        if !value.is_nan() {
            *part = stretch.part(*value);
            sum += *part;
            most = most.max(*part);
            bad = false;
        }
    }
    if bad {
        tones.fill(BLANK);
        return;
    }
    let weight = if sum == 0.0 {
        1.0
    } else {
        asinh(sum * NONLINEARITY) / (NONLINEARITY * sum)
    };
    let weight = weight / (most * weight).max(1.0);
    for (to, part) in tones.iter_mut().zip(parts) {
        *to = tone(part * weight, white);
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cast to an integer saturates"
)]
fn tone(value: f64, white: f64) -> u8 {
    (value / white * 255.0) as u8
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use proptest::prelude::*;

    fn stretch(values: impl IntoIterator<Item = f32>) -> Stretch {
        let mut histogram = Histogram::new();
        histogram.add(values);
        histogram.stretch()
    }

    #[test]
    fn half_a_percent_is_left_out_at_both_ends() {
        // Skewed, so that the median does not widen the range.
        let found = stretch((0_u16..1000).map(|n| f32::from(n) * f32::from(n)));
        assert!((24.0..=25.0).contains(&found.low), "{found:?}");
        let expected = 5.0 * 250_000.0 + 250_000.0;
        assert!((found.high / expected - 1.0).abs() < 0.01, "{found:?}");
        let bright = stretch((0_u16..1000).map(|n| if n < 950 { f32::from(n % 5) } else { 1e4 }));
        assert_eq!((bright.low, bright.high), (0.0, 1e4));
    }

    #[test]
    fn bad_values_are_white_and_the_range_goes_from_black_to_white() {
        let grey = Grey::new(Stretch {
            low: 10.0,
            high: 20.0,
        });
        assert_eq!(grey.tone(f32::NAN), 255);
        assert_eq!(grey.tone(-5.0), 0);
        assert_eq!(grey.tone(10.0), 0);
        // asinh(3) / 3 of 0.7
        assert!(
            (219..=221).contains(&grey.tone(20.0)),
            "{}",
            grey.tone(20.0)
        );
        assert_eq!(grey.tone(1e9), 255);
    }

    #[test]
    fn of_a_colour_the_hue_is_kept() {
        let stretches = [Stretch {
            low: 0.0,
            high: 1.0,
        }; 3];
        let mut tones = [0; 3];
        colours(&stretches, &[0.1, 0.2, 0.0], &mut tones);
        assert!(
            tones[1] == 2 * tones[0] || tones[1] == 2 * tones[0] + 1,
            "{tones:?}"
        );
        assert_eq!(tones[2], 0);
        colours(&stretches, &[f32::NAN; 3], &mut tones);
        assert_eq!(tones, [255; 3]);
    }

    proptest! {
        #[test]
        fn bins_are_in_the_order_of_values(a in any::<f32>(), b in any::<f32>()) {
            prop_assume!(!a.is_nan() && !b.is_nan());
            let (a, b) = if a <= b { (a, b) } else { (b, a) };
            prop_assert!(bin(a) <= bin(b) || (a >= b && a.abs() <= 0.0));
            prop_assert_eq!(bin(lower_end(u32::try_from(bin(a)).unwrap())), bin(a));
        }

        #[test]
        fn two_values_are_never_one_tone(
            a in -1e30..1e30_f32, b in -1e30..1e30_f32, share in 1_usize..1000,
        ) {
            prop_assume!(bin(a) != bin(b));
            let values = (0..1000).map(|n| if n < share { a } else { b });
            let grey = Grey::new(stretch(values));
            prop_assert!(grey.tone(a).abs_diff(grey.tone(b)) > 30);
        }
    }
}
