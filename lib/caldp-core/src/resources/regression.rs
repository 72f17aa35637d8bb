//! Straight lines through measured values that a few far-off values do not bend: the least sum of
//! relative deviations, without negative coefficients, so that more input never asks for less.

/// Terms of a line: constant, files, MB.
pub(super) const TERMS: usize = 3;

/// How often the weights are chosen again; the fit no longer moves well before.
const ROUNDS: usize = 40;

/// Deviations below this part of the value count alike, which keeps the weights finite.
const SMALLEST_DEVIATION: f64 = 1e-3;

/// How strongly the line is drawn to the usual one where values do not say which term it is that
/// counts (all single exposures have as many files).
const DRAWN: f64 = 1e-4;

/// Fits `value = terms . coefficients` to points with values above zero; the median of
/// value over line is one.
pub(super) fn fit(points: &[([f64; TERMS], f64)], usual: [f64; TERMS]) -> [f64; TERMS] {
    let mut line = usual;
    let mut weights = vec![1.0; points.len()];
    for _ in 0..ROUNDS {
        line = weighted(points, &weights, usual);
        for (weight, (terms, value)) in weights.iter_mut().zip(points) {
            *weight = 1.0
                / (at(&line, terms) / value - 1.0)
                    .abs()
                    .max(SMALLEST_DEVIATION);
        }
    }
    let mut ratios: Vec<f64> = points
        .iter()
        .map(|(terms, value)| value / at(&line, terms))
        .filter(|ratio| ratio.is_finite())
        .collect();
    ratios.sort_by(f64::total_cmp);
    let median = super::quantiles::quantile(&ratios, 0.5).unwrap_or(1.0);
    line.map(|coefficient| coefficient * median)
}

/// The value of a line.
pub(super) fn at(line: &[f64; TERMS], terms: &[f64; TERMS]) -> f64 {
    line.iter().zip(terms).map(|(a, b)| a * b).sum()
}

/// Weighted least squares of relative deviations: the best of all choices of terms whose
/// coefficients come out positive.
fn weighted(points: &[([f64; TERMS], f64)], weights: &[f64], usual: [f64; TERMS]) -> [f64; TERMS] {
    let mut products = [[0.0; TERMS]; TERMS];
    let mut right = [0.0; TERMS];
    for ((terms, value), weight) in points.iter().zip(weights) {
        let scaled = terms.map(|term| term / value);
        for ((row, sum), a) in products.iter_mut().zip(&mut right).zip(scaled) {
            *sum += weight * a;
            for (product, b) in row.iter_mut().zip(scaled) {
                *product += weight * a * b;
            }
        }
    }
    for (index, (sum, usual)) in right.iter_mut().zip(usual).enumerate() {
        let diagonal = &mut products[index][index];
        let drawn = DRAWN * *diagonal;
        *diagonal += drawn;
        *sum += drawn * usual;
    }
    (1..1_u8 << TERMS)
        .filter_map(|chosen| solve(products, right, chosen))
        .filter(|line| line.iter().all(|c| c.is_finite() && *c >= 0.0))
        .map(|line| (excess(&products, &right, &line), line))
        .min_by(|(a, _), (b, _)| a.total_cmp(b))
        .map_or(usual, |(_, line)| line)
}

/// The sum of squares of a line, up to a constant that all lines share.
fn excess(products: &[[f64; TERMS]; TERMS], right: &[f64; TERMS], line: &[f64; TERMS]) -> f64 {
    let quadratic: f64 = products
        .iter()
        .zip(line)
        .map(|(row, c)| c * at(row, line))
        .sum();
    quadratic - 2.0 * at(right, line)
}

/// Solves the normal equations for the terms whose bit is set in `chosen`; the others are zero.
fn solve(
    mut left: [[f64; TERMS]; TERMS],
    mut right: [f64; TERMS],
    chosen: u8,
) -> Option<[f64; TERMS]> {
    for index in (0..TERMS).filter(|index| chosen >> index & 1 == 0) {
        left[index] = [0.0; TERMS];
        for row in &mut left {
            row[index] = 0.0;
        }
        left[index][index] = 1.0;
        right[index] = 0.0;
    }
    // The matrix is symmetric and positive: elimination needs no exchange of rows.
    for pivot in 0..TERMS {
        if left[pivot][pivot].abs() < f64::MIN_POSITIVE {
            return None;
        }
        for row in pivot + 1..TERMS {
            let factor = left[row][pivot] / left[pivot][pivot];
            let above = left[pivot];
            for (cell, a) in left[row].iter_mut().zip(above) {
                *cell -= factor * a;
            }
            right[row] -= factor * right[pivot];
        }
    }
    let mut line = [0.0; TERMS];
    for row in (0..TERMS).rev() {
        let known: f64 = at(&left[row], &line);
        line[row] = (right[row] - known) / left[row][row];
    }
    Some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_found_again_though_one_value_in_ten_is_far_off() {
        let points: Vec<_> = (1..=60_u32)
            .map(|i| {
                let (files, mb) = (f64::from(i % 7 + 1), f64::from(i * 3));
                let value = 1.3 + 0.1 * files + 0.02 * mb;
                (
                    [1.0, files, mb],
                    if i % 10 == 0 { value / 4.0 } else { value },
                )
            })
            .collect();
        let line = fit(&points, [0.6, 0.0, 0.01]);
        for (found, real) in line.iter().zip([1.3, 0.1, 0.02]) {
            assert!((found / real - 1.0).abs() < 0.02, "{line:?}");
        }
    }

    #[test]
    fn where_sizes_are_all_alike_the_usual_line_decides_which_term_counts() {
        let points = vec![([1.0, 2.0, 34.0], 2.0); 20];
        let [base, files, mb] = fit(&points, [0.6, 0.0, 0.02]);
        assert!((base + 2.0 * files + 34.0 * mb - 2.0).abs() < 1e-6);
        assert!(mb > 0.01 && base > 0.3 && base < 1.5, "{base} {files} {mb}");
    }
}
