//! A picture to draw lines, areas and text on, in final pixels with fractions. Everything is
//! drawn at twice the size and averaged, which makes lines smooth; the font is built in, so
//! that nothing depends on what is installed. What is drawn is left to `plot`.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontTransform, register_font};
use std::sync::Once;

/// How much larger than the picture everything is drawn.
const SCALE: u32 = 2;

const FONT: &[u8] = include_bytes!("../../assets/DejaVuSans.ttf");
const FONT_NAME: &str = "caldp";

/// A point in final pixels from the top left corner.
pub(super) type Point = (f64, f64);

/// Where a text lies relative to its point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Center,
    Right,
    /// Centred, reading upwards.
    Upwards,
}

/// A picture that could not be drawn.
#[derive(Debug, thiserror::Error)]
#[error("the picture could not be drawn: {0}")]
pub struct DrawError(String);

/// A picture being drawn.
pub(super) struct Canvas {
    width: u32,
    height: u32,
    /// RGB, [`SCALE`] times the size.
    pixels: Vec<u8>,
}

impl Canvas {
    /// A white picture.
    pub(super) fn new(width: u32, height: u32) -> Self {
        static REGISTERED: Once = Once::new();
        REGISTERED.call_once(|| {
            // It only fails for a damaged font, which the tests would show.
            let _ = register_font(FONT_NAME, FontStyle::Normal, FONT);
        });
        let size = (width * SCALE) as usize * (height * SCALE) as usize * 3;
        Self {
            width,
            height,
            pixels: vec![255; size],
        }
    }

    /// A connected line, one pixel thick.
    pub(super) fn line(&mut self, points: &[Point], color: RGBColor) -> Result<(), DrawError> {
        let points: Vec<(i32, i32)> = points.iter().copied().map(scaled).collect();
        self.draw(|area| {
            // Thick lines of the library have long spikes at sharp turns; parallel ones do not.
            for (dx, dy) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                let shift = |(x, y): &(i32, i32)| (x + dx, y + dy);
                let path: Vec<_> = points.iter().map(shift).collect();
                area.draw(&PathElement::new(path, color))?;
            }
            Ok(())
        })
    }

    /// A filled area.
    pub(super) fn fill(&mut self, outline: &[Point], color: RGBColor) -> Result<(), DrawError> {
        let outline: Vec<(i32, i32)> = outline.iter().copied().map(scaled).collect();
        self.draw(|area| area.draw(&Polygon::new(outline, color.filled())))
    }

    /// A filled rectangle.
    pub(super) fn rectangle(
        &mut self,
        from: Point,
        to: Point,
        color: RGBColor,
    ) -> Result<(), DrawError> {
        let corners = [scaled(from), scaled(to)];
        self.draw(|area| area.draw(&Rectangle::new(corners, color.filled())))
    }

    /// A text whose middle is at the height of `at`.
    pub(super) fn text(
        &mut self,
        text: &str,
        at: Point,
        size: f64,
        color: RGBColor,
        anchor: Anchor,
    ) -> Result<(), DrawError> {
        let horizontal = match anchor {
            Anchor::Center | Anchor::Upwards => HPos::Center,
            Anchor::Right => HPos::Right,
        };
        let mut font = (FONT_NAME, size * f64::from(SCALE)).into_font();
        if anchor == Anchor::Upwards {
            font = font.transform(FontTransform::Rotate270);
        }
        let style = TextStyle::from(font)
            .color(&color)
            .pos(Pos::new(horizontal, VPos::Center));
        self.draw(|area| area.draw_text(text, &style, scaled(at)))
    }

    fn draw<E: std::error::Error + Send + Sync>(
        &mut self,
        draw: impl FnOnce(
            &DrawingArea<BitMapBackend, plotters::coord::Shift>,
        ) -> Result<(), DrawingAreaErrorKind<E>>,
    ) -> Result<(), DrawError> {
        let size = (self.width * SCALE, self.height * SCALE);
        let area = BitMapBackend::with_buffer(&mut self.pixels, size).into_drawing_area();
        draw(&area).map_err(|error| DrawError(error.to_string()))
    }

    /// The finished picture as a PNG file.
    pub(super) fn into_png(self) -> Result<Vec<u8>, DrawError> {
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, self.width, self.height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        encoder
            .write_header()
            .and_then(|mut writer| writer.write_image_data(&self.averaged()))
            .map_err(|error| DrawError(error.to_string()))?;
        Ok(file)
    }

    fn averaged(&self) -> Vec<u8> {
        let row_length = (self.width * SCALE) as usize * 3;
        let mut averaged = Vec::with_capacity(self.pixels.len() / 4);
        for rows in self.pixels.chunks_exact(row_length * 2) {
            let (upper, lower) = rows.split_at(row_length);
            for (upper, lower) in upper.chunks_exact(6).zip(lower.chunks_exact(6)) {
                for (left, right) in [(0, 3), (1, 4), (2, 5)] {
                    let four = [upper, lower].map(|row| {
                        row.get(left).copied().map_or(0, u16::from)
                            + row.get(right).copied().map_or(0, u16::from)
                    });
                    // A quarter of four bytes is a byte.
                    averaged.push(u8::try_from((four[0] + four[1] + 2) / 4).unwrap_or(255));
                }
            }
        }
        averaged
    }
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "a cast to an integer saturates, and points far outside are not drawn"
)]
fn scaled((x, y): Point) -> (i32, i32) {
    let place = |value: f64| (value * f64::from(SCALE)).round().clamp(-1e5, 1e5) as i32;
    (place(x), place(y))
}
