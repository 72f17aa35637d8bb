//! Draws extracted spectra: a page with axes, units, error band and one panel for each segment,
//! and a thumbnail drawn for its size. Any data give a readable picture, also none.
//!
//! `plotters` only sets pixels here; its own charts were tried on a COS spectrum of two segments. They
//! take a third of the time, 0.2 s, but write every tick of a flux of 1e-15 as `0.0` and of wavelengths as
//! `1140.0`, cannot share an axis label or a power of ten among panels, cover the plot with grid lines,
//! have no smooth lines, and fit no title and no ticks into a thumbnail of 128 pixels. Ticks (`axis`) and
//! smooth lines (`canvas`) would be ours all the same, so that only the frame around them would go.

use super::axis::{Range, exponent, robust, superscript};
use super::canvas::{Anchor, Canvas, DrawError, Point};
use super::spectrum::{Abscissa, Quantity, Sample, Segment, Spectrum};
use plotters::style::{RGBColor, WHITE};

const INK: RGBColor = RGBColor(30, 30, 30);
const FAINT: RGBColor = RGBColor(110, 110, 110);
const GRID: RGBColor = RGBColor(232, 232, 232);
const BAND: RGBColor = RGBColor(200, 219, 238);
const FLAGGED: RGBColor = RGBColor(190, 190, 190);
const LINES: [RGBColor; 3] = [
    RGBColor(24, 74, 126),
    RGBColor(158, 54, 38),
    RGBColor(36, 110, 62),
];

/// More segments than this share one panel.
const MOST_PANELS: usize = 6;

const PAGE: u32 = 1024;
const THUMBNAIL: u32 = 128;

/// Points of a line on the page: two for each pixel.
const PAGE_BINS: usize = 1788;
/// On the thumbnail noise would hide the rest: one for each pixel, shared by the segments.
const THUMBNAIL_BINS: usize = 122;

/// What is drawn at one place along a line: samples averaged.
#[derive(Debug, Clone, Copy)]
struct Bin {
    x: f64,
    y: f64,
    /// NaN if unknown.
    error: f64,
}

/// The page, 1024 pixels square, as a PNG file.
pub(super) fn page(spectrum: &Spectrum) -> Result<Vec<u8>, DrawError> {
    let mut canvas = Canvas::new(PAGE, PAGE);
    let middle = f64::from(PAGE) / 2.0;
    canvas.text(&spectrum.file, (middle, 30.0), 26.0, INK, Anchor::Center)?;
    let facts = spectrum.facts.join("  ·  ");
    canvas.text(&facts, (middle, 62.0), 16.0, FAINT, Anchor::Center)?;

    let panels: Vec<&[Segment]> = match spectrum.segments.len() {
        0 => vec![&[]],
        1..=MOST_PANELS => spectrum.segments.chunks(1).collect(),
        _ => vec![&spectrum.segments],
    };
    let (left, right) = (104.0, 998.0);
    let ranges: Vec<(Range, Range)> = panels
        .iter()
        .map(|panel| ranges(panel, PAGE_BINS))
        .collect();
    let power = exponent(ranges.iter().map(|(_, y)| *y));
    canvas.text(
        &value_label(spectrum.quantity, power),
        (34.0, 515.0),
        19.0,
        INK,
        Anchor::Upwards,
    )?;
    canvas.text(
        match spectrum.abscissa {
            Abscissa::Wavelength => "Wavelength (Å)",
            Abscissa::Sample => "Sample (no wavelengths in the file)",
        },
        (middle, 984.0),
        19.0,
        INK,
        Anchor::Center,
    )?;

    let (top, bottom, gap) = (90.0, 938.0, 46.0);
    let count = u32::try_from(panels.len()).unwrap_or(1);
    let height = (bottom - top + gap) / f64::from(count) - gap;
    let mut averaged = 1;
    for (number, (segments, (x, y))) in (0_u32..).zip(panels.iter().zip(&ranges)) {
        let panel_top = top + (height + gap) * f64::from(number);
        let frame = Frame {
            left,
            right,
            top: panel_top,
            bottom: panel_top + height,
            x: *x,
            y: *y,
            bins: PAGE_BINS,
        };
        averaged = averaged.max(frame.panel(&mut canvas, segments, power)?);
    }
    let note = match averaged {
        1 => "band: ±1σ error; grey: samples flagged by data quality".to_owned(),
        n => format!(
            "line: mean of {n} samples; band: ±1σ error of it; grey: flagged by data quality"
        ),
    };
    canvas.text(&note, (998.0, 1010.0), 13.0, FAINT, Anchor::Right)?;
    canvas.into_png()
}

/// The thumbnail, 128 pixels square, as a PNG file.
pub(super) fn thumbnail(spectrum: &Spectrum) -> Result<Vec<u8>, DrawError> {
    let mut canvas = Canvas::new(THUMBNAIL, THUMBNAIL);
    let (left, right) = (3.0, 125.0);
    let parts = spectrum.segments.len().clamp(1, 4);
    let bins = THUMBNAIL_BINS / parts;
    let (x, y) = ranges(&spectrum.segments, bins);
    let frame = Frame {
        left,
        right,
        top: 19.0,
        bottom: 109.0,
        x,
        y,
        bins,
    };
    let root = spectrum.file.trim_end_matches(".fits");
    canvas.text(root, (64.0, 9.0), 11.0, INK, Anchor::Center)?;
    // Flagged samples would only be specks, unless there is nothing else.
    let shown = frame.good(&mut canvas, &spectrum.segments)?
        || frame.flagged(&mut canvas, &spectrum.segments)?;
    let span = span(&spectrum.segments);
    if !shown {
        canvas.text("no valid data", (64.0, 64.0), 12.0, FAINT, Anchor::Center)?;
    } else if let (Abscissa::Wavelength, Some((low, high))) = (spectrum.abscissa, span) {
        let span = format!("{low:.0}–{high:.0} Å");
        canvas.text(&span, (64.0, 118.0), 11.0, INK, Anchor::Center)?;
    }
    frame.outline(&mut canvas)?;
    canvas.into_png()
}

fn value_label(quantity: Quantity, power: i32) -> String {
    let factor = match power {
        0 => String::new(),
        _ => format!("10{} ", superscript(power)),
    };
    match quantity {
        Quantity::Flux => format!("Flux ({factor}erg s⁻¹ cm⁻² Å⁻¹)"),
        Quantity::NetCounts => format!("Net count rate ({factor}counts s⁻¹), not flux-calibrated"),
    }
}

/// The ranges that show the good samples of the segments, or all usable ones if none is good,
/// in lines of so many points.
fn ranges(segments: &[Segment], bins: usize) -> (Range, Range) {
    let values = |wanted: fn(&Sample) -> bool| -> Vec<f64> {
        let runs = segments
            .iter()
            .flat_map(|segment| runs(segment, bins, wanted));
        runs.flatten().map(|bin| bin.y).collect()
    };
    let y = robust(values(Sample::good))
        .or_else(|| robust(values(Sample::usable)))
        .unwrap_or(Range::new(0.0, 1.0));
    let x = span(segments).map_or(Range::new(0.0, 1.0), |(low, high)| {
        Range::new(low, high).widened(0.01)
    });
    (x, y)
}

/// The shortest and longest wavelength shown.
fn span(segments: &[Segment]) -> Option<(f64, f64)> {
    let spans = segments.iter().filter_map(Segment::span);
    spans.reduce(|(low, high), (a, b)| (low.min(a), high.max(b)))
}

/// How many samples make a point of a line of so many.
fn per_bin(segment: &Segment, bins: usize) -> usize {
    segment.samples.len().div_ceil(bins).max(1)
}

/// Runs of averaged samples without gaps.
fn runs(segment: &Segment, bins: usize, wanted: fn(&Sample) -> bool) -> Vec<Vec<Bin>> {
    let mut runs = vec![Vec::new()];
    for samples in segment.samples.chunks(per_bin(segment, bins)) {
        match (bin(samples, wanted), runs.last_mut()) {
            (Some(bin), Some(run)) => run.push(bin),
            (None, Some(run)) if !run.is_empty() => runs.push(Vec::new()),
            _ => {}
        }
    }
    runs
}

/// A rectangle of the picture with the ranges that it shows.
struct Frame {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    x: Range,
    y: Range,
    /// The most points along a line.
    bins: usize,
}

impl Frame {
    fn place(&self, x: f64, y: f64) -> Point {
        let along = self.left + self.x.place(x) * (self.right - self.left);
        let up = self.bottom - self.y.place(y) * (self.bottom - self.top);
        // Values beyond the range run along the edge.
        (along, up.clamp(self.top, self.bottom))
    }

    /// Draws a panel with grid, lines and labels; says how many samples make a point.
    fn panel(
        &self,
        canvas: &mut Canvas,
        segments: &[Segment],
        power: i32,
    ) -> Result<usize, DrawError> {
        let wanted = if self.bottom - self.top > 300.0 { 7 } else { 4 };
        let (x_ticks, x_decimals) = self.x.ticks(8);
        let unit = 10_f64.powi(power);
        let scaled = Range {
            low: self.y.low / unit,
            high: self.y.high / unit,
        };
        let (y_ticks, y_decimals) = scaled.ticks(wanted);
        for tick in &y_ticks {
            let (_, y) = self.place(0.0, tick * unit);
            canvas.line(&[(self.left, y), (self.right, y)], GRID)?;
            let label = format!("{tick:.y_decimals$}").replace('-', "−");
            canvas.text(&label, (self.left - 9.0, y), 15.0, INK, Anchor::Right)?;
        }
        for tick in &x_ticks {
            let (x, _) = self.place(*tick, 0.0);
            canvas.line(&[(x, self.top), (x, self.bottom)], GRID)?;
            let label = format!("{tick:.x_decimals$}");
            canvas.text(&label, (x, self.bottom + 15.0), 15.0, INK, Anchor::Center)?;
        }
        if self.y.low < 0.0 && self.y.high > 0.0 {
            let zero = [self.place(self.x.low, 0.0), self.place(self.x.high, 0.0)];
            canvas.line(&zero, FAINT)?;
        }
        self.band(canvas, segments)?;
        let flagged = self.flagged(canvas, segments)?;
        let good = self.good(canvas, segments)?;
        if !(flagged || good) {
            let at = (
                f64::midpoint(self.left, self.right),
                f64::midpoint(self.top, self.bottom),
            );
            canvas.text("no valid data", at, 24.0, FAINT, Anchor::Center)?;
        }
        self.outline(canvas)?;
        if let [segment] = segments {
            let at = (self.right - 14.0, self.top + 20.0);
            if !segment.name.is_empty() {
                let corner = (self.right - 76.0, self.top + 6.0);
                canvas.rectangle(corner, (self.right - 6.0, self.top + 34.0), WHITE)?;
            }
            canvas.text(&segment.name, at, 20.0, INK, Anchor::Right)?;
        }
        let largest = segments
            .iter()
            .map(|segment| per_bin(segment, self.bins))
            .max();
        Ok(largest.unwrap_or(1))
    }

    fn band(&self, canvas: &mut Canvas, segments: &[Segment]) -> Result<(), DrawError> {
        for segment in segments {
            for run in runs(segment, self.bins, Sample::good) {
                for pair in run.windows(2) {
                    let [a, b] = pair else { continue };
                    if !(a.error > 0.0 && b.error > 0.0) {
                        continue;
                    }
                    let corners = [
                        self.place(a.x, a.y + a.error),
                        self.place(b.x, b.y + b.error),
                        self.place(b.x, b.y - b.error),
                        self.place(a.x, a.y - a.error),
                    ];
                    canvas.fill(&corners, BAND)?;
                }
            }
        }
        Ok(())
    }

    /// Draws good samples; says whether there were any.
    fn good(&self, canvas: &mut Canvas, segments: &[Segment]) -> Result<bool, DrawError> {
        let mut shown = false;
        for (segment, color) in segments.iter().zip(LINES.iter().cycle()) {
            for run in runs(segment, self.bins, Sample::good) {
                let points = self.points(&run);
                shown |= !points.is_empty();
                match points[..] {
                    [] => {}
                    // A sample between two gaps would have no length.
                    [at] => dot(canvas, at, *color)?,
                    _ => canvas.line(&points, *color)?,
                }
            }
        }
        Ok(shown)
    }

    /// Draws flagged samples in grey: stretches as lines, few together as dots, so that what
    /// they connect is not taken for a feature. Says whether there were any.
    fn flagged(&self, canvas: &mut Canvas, segments: &[Segment]) -> Result<bool, DrawError> {
        let flagged = |sample: &Sample| sample.usable() && sample.masked;
        let mut shown = false;
        for segment in segments {
            for run in runs(segment, self.bins, flagged) {
                let points = self.points(&run);
                shown |= !points.is_empty();
                if points.len() > 4 {
                    canvas.line(&points, FLAGGED)?;
                } else {
                    for at in points {
                        dot(canvas, at, FLAGGED)?;
                    }
                }
            }
        }
        Ok(shown)
    }

    fn points(&self, run: &[Bin]) -> Vec<Point> {
        run.iter()
            .filter(|bin| (0.0..=1.0).contains(&self.x.place(bin.x)))
            .map(|bin| self.place(bin.x, bin.y))
            .collect()
    }

    fn outline(&self, canvas: &mut Canvas) -> Result<(), DrawError> {
        let corners = [
            (self.left, self.top),
            (self.right, self.top),
            (self.right, self.bottom),
            (self.left, self.bottom),
            (self.left, self.top),
        ];
        canvas.line(&corners, INK)
    }
}

fn dot(canvas: &mut Canvas, (x, y): Point, color: RGBColor) -> Result<(), DrawError> {
    canvas.rectangle((x - 1.0, y - 1.0), (x + 0.5, y + 0.5), color)
}

/// The mean of the wanted samples and its error.
fn bin(samples: &[Sample], wanted: fn(&Sample) -> bool) -> Option<Bin> {
    let mut count = 0.0;
    let (mut x, mut y, mut variance) = (0.0, 0.0, 0.0);
    for sample in samples.iter().filter(|sample| wanted(sample)) {
        count += 1.0;
        x += sample.wavelength;
        y += sample.value;
        variance += sample.error * sample.error;
    }
    (count > 0.0).then(|| Bin {
        x: x / count,
        y: y / count,
        error: variance.sqrt() / count,
    })
}
