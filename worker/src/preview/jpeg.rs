//! JPEG files: written row by row as rows are painted, and looked at to see whether there is
//! anything in them. What is painted is left to the caller.

use jpeg_encoder::{Encoder, EncodingError, ImageBuffer, JpegColorType, rgb_to_ycbcr};
use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};
use std::path::Path;
use tokio_util::sync::CancellationToken;

/// The quality that the institute's `fitscut` uses.
const QUALITY: u8 = 75;

/// What gives the rows of a picture.
pub(super) trait Paint {
    /// Adds the tones of row `row`, 0 being the uppermost, to `tones`: one for each pixel of a grey
    /// picture, three of a colour picture. Says whether that succeeded.
    fn paint(&mut self, row: usize, tones: &mut Vec<u8>) -> bool;
}

/// Writes a picture that appears under its name only complete.
pub(super) fn write(
    path: &Path,
    (width, height): (u16, u16),
    colour: bool,
    paint: &mut dyn Paint,
    cancel: &CancellationToken,
) -> io::Result<()> {
    let part = path.with_added_extension("part");
    let stopped = Cell::new(false);
    let file = Stoppable {
        file: BufWriter::new(File::create(&part)?),
        stopped: &stopped,
    };
    let rows = Painted {
        width,
        height,
        colour,
        source: RefCell::new((paint, Vec::new())),
        stopped: &stopped,
        cancel,
    };
    let mut file = file;
    let written = Encoder::new(&mut file, QUALITY)
        .encode_image(rows)
        .map_err(|error| match error {
            EncodingError::IoError(error) => error,
            other => io::Error::other(other),
        })
        .and_then(|()| file.flush())
        .and_then(|()| std::fs::rename(&part, path));
    if written.is_err() {
        let _ = std::fs::remove_file(&part);
    }
    written
}

/// A picture for the encoder, which asks for its rows from the uppermost on, the last perhaps
/// several times.
struct Painted<'a> {
    width: u16,
    height: u16,
    colour: bool,
    /// Who paints, and the row's tones.
    source: RefCell<(&'a mut dyn Paint, Vec<u8>)>,
    stopped: &'a Cell<bool>,
    cancel: &'a CancellationToken,
}

impl ImageBuffer for Painted<'_> {
    fn get_jpeg_color_type(&self) -> JpegColorType {
        if self.colour {
            JpegColorType::Ycbcr
        } else {
            JpegColorType::Luma
        }
    }

    fn width(&self) -> u16 {
        self.width
    }

    fn height(&self) -> u16 {
        self.height
    }

    fn fill_buffers(&self, row: u16, buffers: &mut [Vec<u8>; 4]) {
        let (paint, tones) = &mut *self.source.borrow_mut();
        tones.clear();
        if self.stopped.get() || self.cancel.is_cancelled() || !paint.paint(row.into(), tones) {
            // The encoder cannot be told here, but what it writes next fails.
            self.stopped.set(true);
            tones.clear();
        }
        let channels = if self.colour { 3 } else { 1 };
        tones.resize(usize::from(self.width) * channels, 0);
        let [luma, blue, red, _] = buffers;
        if self.colour {
            for pixel in tones.as_chunks::<3>().0 {
                let (y, cb, cr) = rgb_to_ycbcr(pixel[0], pixel[1], pixel[2]);
                luma.push(y);
                blue.push(cb);
                red.push(cr);
            }
        } else {
            luma.extend_from_slice(tones);
        }
    }
}

/// A file that nothing can be written to any more once painting has stopped.
struct Stoppable<'a> {
    file: BufWriter<File>,
    stopped: &'a Cell<bool>,
}

impl Write for Stoppable<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.stopped.get() {
            return Err(io::Error::other("the picture was given up"));
        }
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Whether a JPEG file is of one tone only. The picture is decoded to an eighth of its size, where
/// each pixel is the mean of 64, so that a large one takes little memory; what cannot be decoded
/// in that way is not judged.
pub(super) fn is_one_tone(path: &Path) -> bool {
    let Ok(file) = File::open(path) else {
        return false;
    };
    let mut decoder = jpeg_decoder::Decoder::new(BufReader::new(file));
    let small = decoder.read_info().ok().and_then(|()| {
        let info = decoder.info()?;
        // Progressive pictures would be kept whole; `fitscut` writes none.
        if info.coding_process != jpeg_decoder::CodingProcess::DctSequential {
            return None;
        }
        decoder.scale(1, 1).ok()?;
        let pixels = decoder.decode().ok()?;
        Some((info.pixel_format.pixel_bytes(), pixels))
    });
    let Some((length, pixels)) = small else {
        return false;
    };
    let mut pixels = pixels.chunks_exact(length);
    let first = pixels.next();
    pixels.all(|pixel| Some(pixel) == first)
}
