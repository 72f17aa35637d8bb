//! Images in extensions, read row by row as numbers, whatever they are stored as. What is made of
//! the numbers is left to the caller; memory is that of the rows asked for.

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::bytes::ReadAt as _;
use crate::error::{FitsError, FitsProblem};
use crate::hdu::{find, open};
use crate::header::Header;

/// An image in an HDU of a file.
#[derive(Debug)]
pub struct Image {
    path: PathBuf,
    file: File,
    index: usize,
    header: Header,
    data_start: u64,
    stored: Stored,
    width: u64,
    height: u64,
    /// `BSCALE` and `BZERO`; `None` where they change nothing.
    scale: Option<(f64, f64)>,
    /// `BLANK`: the integer that stands for no value.
    blank: Option<i64>,
    /// The bytes of the rows read last.
    bytes: Vec<u8>,
}

/// How a pixel is stored (section 4.4.1.1, `BITPIX`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stored {
    U8,
    I16,
    I32,
    I64,
    F32,
    F64,
}

impl Stored {
    fn of(bitpix: i64) -> Option<Self> {
        Some(match bitpix {
            8 => Self::U8,
            16 => Self::I16,
            32 => Self::I32,
            64 => Self::I64,
            -32 => Self::F32,
            -64 => Self::F64,
            _ => return None,
        })
    }

    /// Bytes of a pixel.
    const fn length(self) -> usize {
        match self {
            Self::U8 => 1,
            Self::I16 => 2,
            Self::I32 | Self::F32 => 4,
            Self::I64 | Self::F64 => 8,
        }
    }
}

impl Image {
    /// Opens the image in HDU `index`; of a cube, the first plane.
    pub fn open(path: &Path, index: usize) -> Result<Self, FitsError> {
        let file = open(path)?;
        let hdu = find(&file, path, index)?;
        let header = hdu.header;
        let size = |key: &str| {
            let length = header.integer(key).and_then(|n| u64::try_from(n).ok());
            length.filter(|n| *n > 0)
        };
        let kind = header.text("XTENSION").map_or("IMAGE", str::trim);
        let (Some(stored), "IMAGE", Some(2..), Some(width), Some(height)) = (
            header.integer("BITPIX").and_then(Stored::of),
            kind,
            header.integer("NAXIS"),
            size("NAXIS1"),
            size("NAXIS2"),
        ) else {
            return Err(FitsProblem::NoImage.at(path, index));
        };
        let (scale, zero) = (header.real("BSCALE"), header.real("BZERO"));
        let scale = Some((scale.unwrap_or(1.0), zero.unwrap_or(0.0)));
        Ok(Self {
            path: path.to_owned(),
            file,
            index,
            data_start: hdu.data_start,
            stored,
            width,
            height,
            scale: scale.filter(|scale| *scale != (1.0, 0.0)),
            blank: header.integer("BLANK"),
            header,
            bytes: Vec::new(),
        })
    }

    /// The image's header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Pixels in a row.
    pub fn width(&self) -> u64 {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> u64 {
        self.height
    }

    /// Reads `count` rows from row `first` on (0 is the first in the file, which is the lowest of
    /// the picture) in place of what is in `pixels`. Blank pixels are NaN.
    ///
    /// # Errors
    /// [`FitsProblem::Read`] when the file cannot be read there, also when there are not so many
    /// rows.
    pub fn read(&mut self, first: u64, count: u64, pixels: &mut Vec<f32>) -> Result<(), FitsError> {
        let end = first.checked_add(count);
        // The sizes were checked against the file's when the HDU was found.
        let row = self.width * self.stored.length() as u64;
        let length = end
            .filter(|end| *end <= self.height)
            .and_then(|_| usize::try_from(row * count).ok());
        let read = match length {
            Some(length) => {
                self.bytes.resize(length, 0);
                let offset = self.data_start + row * first;
                self.file.read_exact_at(&mut self.bytes, offset)
            }
            None => Err(std::io::ErrorKind::InvalidInput.into()),
        };
        read.map_err(|error| FitsProblem::Read(error).at(&self.path, self.index))?;
        pixels.clear();
        self.decode(pixels);
        Ok(())
    }

    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "pictures need no more than single precision"
    )]
    fn decode(&self, pixels: &mut Vec<f32>) {
        let (scale, zero) = self.scale.unwrap_or((1.0, 0.0));
        let integer = |value: i64| match self.blank {
            Some(blank) if blank == value => f32::NAN,
            _ => (value as f64 * scale + zero) as f32,
        };
        let real = |value: f64| (value * scale + zero) as f32;
        let bytes = &self.bytes;
        match self.stored {
            Stored::U8 => pixels.extend(bytes.iter().map(|byte| integer(i64::from(*byte)))),
            Stored::I16 => {
                pixels.extend(each(bytes).map(|b| integer(i16::from_be_bytes(b).into())));
            }
            Stored::I32 => {
                pixels.extend(each(bytes).map(|b| integer(i32::from_be_bytes(b).into())));
            }
            Stored::I64 => pixels.extend(each(bytes).map(|b| integer(i64::from_be_bytes(b)))),
            Stored::F32 if self.scale.is_none() => {
                pixels.extend(each(bytes).map(f32::from_be_bytes));
            }
            Stored::F32 => pixels.extend(each(bytes).map(|b| real(f32::from_be_bytes(b).into()))),
            Stored::F64 => pixels.extend(each(bytes).map(|b| real(f64::from_be_bytes(b)))),
        }
    }
}

/// The bytes of one pixel after the other.
fn each<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; N]> {
    bytes.as_chunks().0.iter().copied()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn image(bitpix: &str, more: &[&str], data: &[u8]) -> (tempfile::NamedTempFile, Image) {
        let header = |cards: &[String]| {
            let mut cards: Vec<String> = cards.iter().map(|card| format!("{card:<80}")).collect();
            cards.push("END".to_owned());
            format!("{:<2880}", cards.concat())
        };
        let card = |key: &str, value: &str| format!("{key:<8}= {value:>20}");
        let mut file =
            header(&[card("SIMPLE", "T"), card("BITPIX", "8"), card("NAXIS", "0")]).into_bytes();
        let mut cards = vec!["XTENSION= 'IMAGE   '".to_owned(), card("BITPIX", bitpix)];
        cards.extend([card("NAXIS", "2"), card("NAXIS1", "2"), card("NAXIS2", "2")]);
        cards.extend([card("PCOUNT", "0"), card("GCOUNT", "1")]);
        cards.extend(more.iter().map(|card| (*card).to_owned()));
        file.extend(header(&cards).into_bytes());
        file.extend_from_slice(data);
        file.resize(file.len().next_multiple_of(2880), 0);
        let on_disk = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(on_disk.path(), file).unwrap();
        let image = Image::open(on_disk.path(), 1).unwrap();
        (on_disk, image)
    }

    #[test]
    fn rows_are_numbers_scaled_and_without_what_is_blank() {
        let bytes: Vec<u8> = [1_i16, -2, 3, -32768]
            .iter()
            .flat_map(|n| n.to_be_bytes())
            .collect();
        let cards = [
            "BSCALE  =                  2.0",
            "BZERO   =                 10.0",
        ];
        let (_file, mut scaled) = image("16", &[cards[0], cards[1], "BLANK   = -32768"], &bytes);
        let mut pixels = Vec::new();
        scaled.read(0, 1, &mut pixels).unwrap();
        assert_eq!(pixels, [12.0, 6.0]);
        scaled.read(1, 1, &mut pixels).unwrap();
        assert_eq!(format!("{pixels:?}"), "[16.0, NaN]");
        assert!(scaled.read(1, 2, &mut pixels).is_err());
        let bytes: Vec<u8> = [1.5_f64, -2.0, 3.0, 4.0]
            .iter()
            .flat_map(|n| n.to_be_bytes())
            .collect();
        let (_file, mut doubles) = image("-64", &[], &bytes);
        doubles.read(0, 2, &mut pixels).unwrap();
        assert_eq!(pixels, [1.5, -2.0, 3.0, 4.0]);
        let (_file, mut byte) = image("8", &[], &[0, 1, 2, 255]);
        byte.read(1, 1, &mut pixels).unwrap();
        assert_eq!(pixels, [2.0, 255.0]);
    }
}
