//! Images in extensions, copied to files of their own for programs that only look at the
//! primary HDU.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::error::{FitsError, FitsProblem};
use crate::hdu::{BLOCK, find, open};

/// An image in an HDU of a file.
#[derive(Debug)]
pub struct Image {
    path: PathBuf,
    file: File,
    index: usize,
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
        let file = open(path)?;
        let hdu = find(&file, path, index)?;
        let header = &hdu.header;
        let size = |key: &str| {
            let length = header.integer(key).and_then(|n| u64::try_from(n).ok());
            length.filter(|n| *n > 0)
        };
        let kind = header.text("XTENSION").map_or("IMAGE", str::trim);
        let (Some(bits), "IMAGE", Some(2..), Some(width), Some(height)) = (
            header.integer("BITPIX"),
            kind,
            header.integer("NAXIS"),
            size("NAXIS1"),
            size("NAXIS2"),
        ) else {
            return Err(FitsProblem::NoImage.at(path, index));
        };
        let meaning = ["BSCALE", "BZERO"]
            .into_iter()
            .filter_map(|key| Some((key, header.real(key)?.to_string())))
            .chain(header.integer("BLANK").map(|n| ("BLANK", n.to_string())))
            .collect();
        Ok(Self {
            path: path.to_owned(),
            index,
            data_start: hdu.data_start,
            file,
            bits,
            width,
            height,
            meaning,
        })
    }

    /// The longer side, in pixels.
    pub fn longest_side(&self) -> u64 {
        self.width.max(self.height)
    }

    /// Writes the image as the primary HDU of a new file.
    pub fn copy_to(&mut self, path: &Path) -> Result<(), FitsError> {
        self.copy(path).map_err(|error| {
            if path.exists() {
                FitsProblem::Read(error).at(&self.path, self.index)
            } else {
                FitsProblem::Read(error).at(path, 0)
            }
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
        let padded = header.len().next_multiple_of(BLOCK);
        to.write_all(format!("{header:<padded$}").as_bytes())?;
        // The sizes were checked against the file's when the HDU was found.
        let length = self.width * self.height * (self.bits.unsigned_abs() / 8);
        self.file.seek(SeekFrom::Start(self.data_start))?;
        let copied = std::io::copy(&mut Read::by_ref(&mut self.file).take(length), &mut to)?;
        let padding = length.next_multiple_of(BLOCK as u64) - copied;
        std::io::copy(&mut std::io::repeat(0).take(padding), &mut to)?;
        to.flush()
    }
}
