//! Ranges, ticks and labels of plot axes: arithmetic only, for values of any size.

/// A range of values with room for what lies in it; `low < high`, both finite.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Range {
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Range {
    /// The range from `low` to `high`, widened when it is too narrow to have ticks in it.
    pub(super) fn new(low: f64, high: f64) -> Self {
        let (low, high) = if low <= high {
            (low, high)
        } else {
            (high, low)
        };
        let scale = low.abs().max(high.abs());
        if scale == 0.0 {
            return Self {
                low: -1.0,
                high: 1.0,
            };
        }
        if high - low < scale * 1e-6 {
            return Self {
                low: low - scale * 0.1,
                high: high + scale * 0.1,
            };
        }
        Self { low, high }
    }

    /// The range with a margin of a fraction of its length at both ends.
    pub(super) fn widened(self, fraction: f64) -> Self {
        let margin = (self.high - self.low) * fraction;
        Self {
            low: self.low - margin,
            high: self.high + margin,
        }
    }

    /// Where a value lies: 0 at `low`, 1 at `high`.
    pub(super) fn place(self, value: f64) -> f64 {
        (value - self.low) / (self.high - self.low)
    }

    /// Round values within the range, about `wanted` of them, and the decimals to write them with.
    pub(super) fn ticks(self, wanted: u32) -> (Vec<f64>, usize) {
        let rough = (self.high - self.low) / f64::from(wanted.max(1));
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 2.5, 5.0, 10.0]
            .into_iter()
            .map(|factor| factor * power)
            .find(|step| *step >= rough * 0.999)
            .unwrap_or(power * 10.0);
        let first = (self.low / step).ceil();
        let ticks = (0..100_u32)
            .map(|n| (first + f64::from(n)) * step)
            .take_while(|tick| *tick <= self.high + step * 1e-9)
            // Minus zero would be written as such.
            .map(|tick| if tick.abs() < step * 1e-9 { 0.0 } else { tick })
            .collect();
        let decimals = (0..12)
            .find(|decimals| {
                let scaled = step * 10_f64.powi(*decimals);
                (scaled - scaled.round()).abs() < 1e-6 * scaled
            })
            .unwrap_or(12);
        (ticks, usize::try_from(decimals).unwrap_or(0))
    }
}

/// The exponent that leaves the larger end of the range between 1 and 10 (0 for moderate values).
#[allow(
    clippy::cast_possible_truncation,
    reason = "the logarithm of a finite double is within ±324"
)]
pub(super) fn exponent(ranges: impl Iterator<Item = Range>) -> i32 {
    let largest = ranges
        .map(|range| range.low.abs().max(range.high.abs()))
        .fold(0.0, f64::max);
    if largest == 0.0 {
        return 0;
    }
    let exponent = largest.log10().floor() as i32;
    if (-2..4).contains(&exponent) {
        0
    } else {
        exponent
    }
}

/// A number in superscript digits.
pub(super) fn superscript(number: i32) -> String {
    number
        .to_string()
        .chars()
        .map(|c| match c {
            '-' => '⁻',
            '1' => '¹',
            '2' => '²',
            '3' => '³',
            digit => char::from_u32(0x2070 + digit.to_digit(10).unwrap_or(0)).unwrap_or(digit),
        })
        .collect()
}

/// A range that shows nearly all of the values, without letting a few spikes flatten the rest:
/// `None` without values.
pub(super) fn robust(mut values: Vec<f64>) -> Option<Range> {
    values.sort_unstable_by(f64::total_cmp);
    let (first, last) = (*values.first()?, *values.last()?);
    let at = |per_mille: usize| values.get((values.len() - 1) * per_mille / 1000).copied();
    let (low, high) = (at(5)?, at(995)?);
    // Lines up to a few times the usual level are shown whole.
    let room = (high - low) * 1.5;
    let mut low = first.max(low - room * 0.2);
    let high = last.min(high + room);
    if low > 0.0 && low < high * 0.4 {
        low = 0.0;
    }
    Some(Range::new(low, high).widened(0.05))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ticks_are_round_and_inside() {
        let (ticks, decimals) = Range::new(1301.2, 1797.4).ticks(5);
        assert_eq!(ticks, [1400.0, 1500.0, 1600.0, 1700.0]);
        assert_eq!(decimals, 0);
        let (ticks, decimals) = Range::new(-0.3, 0.3).ticks(5);
        assert_eq!((ticks, decimals), (vec![-0.2, 0.0, 0.2], 1));
    }

    #[test]
    fn superscripts() {
        assert_eq!(superscript(-16), "⁻¹⁶");
        assert_eq!(superscript(203), "²⁰³");
    }

    #[test]
    fn one_spike_does_not_flatten_the_rest() {
        let mut values = vec![1.0; 1000];
        values.extend((0..1000).map(|n| 1.0 + f64::from(n) / 1000.0));
        values.push(1e6);
        let range = robust(values).unwrap();
        assert!(range.high < 5.0 && range.low <= 1.0, "{range:?}");
        assert_eq!(robust(Vec::new()), None);
    }

    proptest! {
        #[test]
        fn any_two_values_make_a_range_with_ticks(a in -1e100..1e100_f64, b in -1e100..1e100_f64, power in -200..1) {
            let scale = 10_f64.powi(power);
            let range = Range::new(a * scale, b * scale).widened(0.05);
            prop_assert!(range.low < range.high);
            let (ticks, decimals) = range.ticks(6);
            prop_assert!((1..=15).contains(&ticks.len()), "{ticks:?}");
            prop_assert!(decimals <= 12);
            for tick in ticks {
                prop_assert!((-0.01..=1.01).contains(&range.place(tick)));
            }
        }
    }
}
