//! Draws pictures of images as the institute's `fitscut` does: a thumbnail and one of full size,
//! grey, or in colour of up to three images. Each image is read twice, once for the range of tones
//! and the thumbnail, once for the full picture, and only some of its rows are in memory. Which
//! pictures are made is left to the caller, tones to `stretch`.

use super::jpeg::{self, Paint};
use super::pixels::{Pixels, Rows};
use super::reduced::Reduced;
use super::stretch::{Grey, Histogram, Stretch, colours};
use fits::FitsError;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use tokio_util::sync::CancellationToken;

/// The images to draw.
#[derive(Debug, Clone)]
pub(super) enum Subject {
    /// One image, in tones of grey.
    Grey(PathBuf),
    /// One image for each colour; without one for green, green is the mean of the others.
    Colour {
        red: PathBuf,
        green: Option<PathBuf>,
        blue: PathBuf,
    },
}

impl Subject {
    /// The name of the file that stands for it.
    pub(super) fn name(&self) -> String {
        let (Self::Grey(file) | Self::Colour { red: file, .. }) = self;
        let name = file.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }
}

/// Which file gives which colour, for the log.
impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |path: &PathBuf| path.file_name().unwrap_or_default().to_os_string();
        match self {
            Self::Grey(file) => write!(f, "{}", name(file).display()),
            Self::Colour { red, green, blue } => {
                write!(f, "red={}", name(red).display())?;
                if let Some(green) = green {
                    write!(f, " green={}", name(green).display())?;
                }
                write!(f, " blue={}", name(blue).display())
            }
        }
    }
}

/// Where the pictures go.
#[derive(Debug, Clone)]
pub(super) struct Targets {
    /// Of the full size.
    pub(super) full: PathBuf,
    /// The small one.
    pub(super) thumbnail: PathBuf,
    /// Its longer side in pixels.
    pub(super) longest: u32,
}

/// Why a picture could not be drawn.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// An image cannot be read.
    #[error(transparent)]
    Fits(#[from] FitsError),
    /// The picture cannot be written.
    #[error("the picture could not be written: {0}")]
    Write(#[source] io::Error),
    /// JPEG has no pictures of this size.
    #[error("an image of {0} x {1} pixels is larger than a JPEG picture can be")]
    TooLarge(usize, usize),
    /// The images of a colour picture are not of one size.
    #[error("its images differ in size")]
    Sizes,
    /// The run was stopped.
    #[error("the run was stopped")]
    Stopped,
}

/// Draws both pictures; they appear under their names only complete.
pub(super) fn draw(
    subject: &Subject,
    targets: &Targets,
    cancel: &CancellationToken,
) -> Result<(), PictureError> {
    let paths: Vec<&Path> = match subject {
        Subject::Grey(path) => vec![path],
        Subject::Colour { red, green, blue } => {
            let all = [Some(red), green.as_ref(), Some(blue)];
            all.into_iter().flatten().map(PathBuf::as_path).collect()
        }
    };
    let longest = usize::try_from(targets.longest).unwrap_or(usize::MAX);
    let (mut full, mut small) = (Vec::new(), Vec::new());
    for path in paths {
        let mut pixels = Pixels::open(path)?;
        let (stretch, reduced) = stretched_and_reduced(&mut pixels, longest, cancel)?;
        let mut histogram = Histogram::new();
        histogram.add(reduced.values());
        small.push((reduced, histogram.stretch()));
        full.push((pixels, stretch));
    }
    Picture::new(small)?.write(&targets.thumbnail, cancel)?;
    Picture::new(full)?.write(&targets.full, cancel)
}

/// One look at all pixels: their range, and the small image.
fn stretched_and_reduced(
    pixels: &mut Pixels,
    longest: usize,
    cancel: &CancellationToken,
) -> Result<(Stretch, Reduced), PictureError> {
    let mut reduced = Reduced::new(pixels.width(), pixels.height(), longest);
    let mut histogram = Histogram::new();
    for number in 0..pixels.height() {
        if cancel.is_cancelled() {
            return Err(PictureError::Stopped);
        }
        let row = pixels.row(number)?;
        histogram.add(row.iter().copied());
        reduced.add(number, row);
    }
    Ok((histogram.stretch(), reduced))
}

/// A picture of one to three images.
struct Picture<R> {
    images: Vec<R>,
    stretches: Vec<Stretch>,
    grey: Option<Grey>,
    width: usize,
    height: usize,
    /// One row of each image, one after the other.
    values: Vec<f32>,
    failure: Option<FitsError>,
}

impl<R: Rows> Picture<R> {
    fn new(images: Vec<(R, Stretch)>) -> Result<Self, PictureError> {
        let mut sizes = images
            .iter()
            .map(|(image, _)| (image.width(), image.height()));
        let Some((width, height)) = sizes.next() else {
            return Err(PictureError::Sizes);
        };
        if sizes.any(|size| size != (width, height)) {
            return Err(PictureError::Sizes);
        }
        let (images, stretches): (Vec<R>, Vec<Stretch>) = images.into_iter().unzip();
        let grey = match stretches[..] {
            [stretch] => Some(Grey::new(stretch)),
            _ => None,
        };
        Ok(Self {
            images,
            stretches,
            grey,
            width,
            height,
            values: Vec::new(),
            failure: None,
        })
    }

    fn write(mut self, path: &Path, cancel: &CancellationToken) -> Result<(), PictureError> {
        let size = u16::try_from(self.width)
            .ok()
            .zip(u16::try_from(self.height).ok());
        let Some(size) = size else {
            return Err(PictureError::TooLarge(self.width, self.height));
        };
        let written = jpeg::write(path, size, self.grey.is_none(), &mut self, cancel);
        match (self.failure, written) {
            (Some(error), _) => Err(error.into()),
            (None, Err(_)) if cancel.is_cancelled() => Err(PictureError::Stopped),
            (None, result) => result.map_err(PictureError::Write),
        }
    }

    fn paint_grey(&mut self, number: usize, tones: &mut Vec<u8>) -> Result<(), FitsError> {
        if let (Some(grey), [image]) = (&self.grey, &mut self.images[..]) {
            tones.extend(image.row(number)?.iter().map(|value| grey.tone(*value)));
        }
        Ok(())
    }

    fn paint_colour(&mut self, number: usize, tones: &mut Vec<u8>) -> Result<(), FitsError> {
        self.values.clear();
        for image in &mut self.images {
            self.values.extend_from_slice(image.row(number)?);
        }
        let (mut values, mut found) = ([f32::NAN; 3], [0; 3]);
        let count = self.images.len();
        for x in 0..self.width {
            for (channel, value) in values.iter_mut().enumerate().take(count) {
                *value = self
                    .values
                    .get(channel * self.width + x)
                    .copied()
                    .unwrap_or(f32::NAN);
            }
            let (values, _) = values.split_at(count);
            colours(&self.stretches, values, &mut found);
            let [red, second, third] = found;
            tones.extend(match count {
                2 => [red, red / 2 + second / 2 + (red & second & 1), second],
                _ => [red, second, third],
            });
        }
        Ok(())
    }
}

impl<R: Rows> Paint for Picture<R> {
    fn paint(&mut self, row: usize, tones: &mut Vec<u8>) -> bool {
        // The first row of a picture is its uppermost, that of FITS the lowest.
        let number = self.height - 1 - row;
        let painted = if self.grey.is_some() {
            self.paint_grey(number, tones)
        } else {
            self.paint_colour(number, tones)
        };
        self.failure = painted.err();
        self.failure.is_none()
    }
}
