//! Images in extensions, copied to files of their own for programs that only look at the
//! primary HDU.

use super::{FitsError, Problem, find};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// An image in an HDU of a file.
#[derive(Debug)]
pub struct Image {
    path: PathBuf,
    file: File,
    data_start: u64,
    bits: i64,
    width: u64,
    height: u64,
    /// Cards that say what the stored numbers mean, ready to be copied.
    meaning: Vec<(&'static str, String)>,
}

impl Image {
    /// Opens the image in HDU `index`; of a cube, the first plane.
    pub fn open(path: &Path, index: usize) -> Result<Self, FitsError> {
        let open = || -> Result<Self, Problem> {
            let file = File::open(path)?;
            let hdu = find(&file, index)?;
            let header = &hdu.header;
            let size = |key: &str| {
                header
                    .integer(key)
                    .and_then(|n| u64::try_from(n).ok())
                    .filter(|n| *n > 0)
            };
            let kind = header.text("XTENSION").map_or("IMAGE", str::trim);
            let (Some(bits), "IMAGE", Some(2..), Some(width), Some(height)) = (
                header.integer("BITPIX"),
                kind,
                header.integer("NAXIS"),
                size("NAXIS1"),
                size("NAXIS2"),
            ) else {
                return Problem::malformed(format!("there is no image in HDU {index}"));
            };
            let meaning = ["BSCALE", "BZERO"]
                .into_iter()
                .filter_map(|key| Some((key, header.real(key)?.to_string())))
                .chain(header.integer("BLANK").map(|n| ("BLANK", n.to_string())))
                .collect();
            Ok(Self {
                path: path.to_owned(),
                data_start: hdu.data_start,
                file,
                bits,
                width,
                height,
                meaning,
            })
        };
        open().map_err(|problem| problem.in_file(path))
    }

    /// The longer side, in pixels.
    pub fn longest_side(&self) -> u64 {
        self.width.max(self.height)
    }

    /// Writes the image as the primary HDU of a new file.
    pub fn copy_to(&mut self, path: &Path) -> Result<(), FitsError> {
        self.copy(path).map_err(|error| {
            let at_fault = if path.exists() { &self.path } else { path };
            Problem::from(error).in_file(at_fault)
        })
    }

    fn copy(&mut self, path: &Path) -> std::io::Result<()> {
        let mut to = BufWriter::new(File::create(path)?);
        let mut header = format!(
            "{:<80}{:<80}{:<80}{:<80}{:<80}",
            "SIMPLE  =                    T",
            format!("BITPIX  = {:>20}", self.bits),
            "NAXIS   =                    2",
            format!("NAXIS1  = {:>20}", self.width),
            format!("NAXIS2  = {:>20}", self.height),
        );
        for (key, value) in &self.meaning {
            let card = format!("{key:<8}= {value:>20}");
            let _ = write!(header, "{card:<80.80}");
        }
        let _ = write!(header, "{:<80}", "END");
        let padded = header.len().next_multiple_of(2880);
        to.write_all(format!("{header:<padded$}").as_bytes())?;
        // The sizes were checked against the file's when the HDU was found.
        let length = self.width * self.height * (self.bits.unsigned_abs() / 8);
        self.file.seek(SeekFrom::Start(self.data_start))?;
        let copied = std::io::copy(&mut Read::by_ref(&mut self.file).take(length), &mut to)?;
        let padding = length.next_multiple_of(2880) - copied;
        std::io::copy(&mut std::io::repeat(0).take(padding), &mut to)?;
        to.flush()
    }
}
