//! Previews: pictures by which a person sees at a glance what a dataset holds. Spectra are drawn
//! here, images by the institute's `fitscut` where it is installed and otherwise here as well. A
//! preview that cannot be made is a warning, never a lost dataset.

mod airglow;
mod axis;
mod canvas;
mod colour;
mod fitscut;
mod images;
mod jpeg;
mod limits;
mod picture;
mod pixels;
mod plot;
mod reduced;
pub mod spectrum;
mod stretch;
mod table;

use crate::process::metrics::Metrics;
use crate::process::program::{Environment, ProgramError};
use crate::run_log::RunLog;
use caldp_core::dataset::{Dataset, Instrument, Kind};
use fits::{FitsError, FitsProblem};
use spectrum::Spectrum;
use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};
use storage::hint::Hint;
use tokio_util::sync::CancellationToken;

pub use canvas::DrawError;
pub(crate) use fitscut::Dialect;
pub use picture::PictureError;

/// What previews are made of and where they go.
#[derive(Debug)]
pub struct Job<'a> {
    /// The dataset.
    pub dataset: &'a Dataset,
    /// The folder with its products.
    pub folder: &'a Path,
    /// The existing folder for the previews.
    pub output: &'a Path,
    /// The whole environment of `fitscut`.
    pub environment: Environment,
    /// Where `fitscut` writes to.
    pub log: &'a RunLog,
    /// Stops the work.
    pub cancel: &'a CancellationToken,
}

/// What became of a dataset's previews.
#[derive(Debug, Default)]
pub struct Previews {
    /// The files made, in the order they were.
    pub made: Vec<PathBuf>,
    /// What could not be made.
    pub warnings: Vec<PreviewWarning>,
    /// What each run of `fitscut` cost.
    pub metrics: Vec<Metrics>,
    /// The version of `fitscut`, where it was used and says.
    pub fitscut: Option<String>,
}

impl Hint for PreviewWarning {
    fn hint(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Program(error) => error.hint(),
            _ => None,
        }
    }
}

/// Why a preview could not be made.
#[derive(Debug, thiserror::Error)]
pub enum PreviewWarning {
    /// A product cannot be read, or holds no image or spectrum.
    #[error("no preview: {0}")]
    Fits(#[from] FitsError),
    /// A plot failed.
    #[error("no preview of {file}: {source}")]
    Draw {
        /// The product.
        file: String,
        /// Why.
        source: DrawError,
    },
    /// A picture of an image could not be drawn.
    #[error("no preview of {file}: {source}")]
    Picture {
        /// The product.
        file: String,
        /// Why.
        source: PictureError,
    },
    /// A preview could not be written.
    #[error("the preview {path} could not be written: {source}")]
    Write {
        /// The preview.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// `fitscut` could not be run.
    #[error("no previews of images: {0}")]
    Program(#[from] ProgramError),
    /// `fitscut` failed.
    #[error("no preview of {file}: `fitscut` {reason}")]
    Fitscut {
        /// The product.
        file: String,
        /// How it ended.
        reason: String,
    },
    /// The folder could not be listed.
    #[error("no previews: {folder} could not be listed: {source}")]
    List {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The run was stopped before all previews were made.
    #[error("previews are incomplete: the run was stopped")]
    Stopped,
}

/// What products a kind of dataset has previews of.
struct Kinds {
    suffixes: &'static [&'static str],
    thumbnail: u32,
    pictures: Pictures,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Pictures {
    Images,
    Spectra,
}

/// Whether a dataset's previews are pictures of images, for which `fitscut` may be used.
pub(crate) fn draws_images(dataset: &Dataset) -> bool {
    kinds(dataset).pictures == Pictures::Images
}

fn kinds(dataset: &Dataset) -> Kinds {
    let (suffixes, thumbnail, pictures): (&[&str], u32, Pictures) =
        match (dataset.kind(), dataset.instrument()) {
            (Kind::Mvm, _) | (_, None) => (&["drc", "drz"], 512, Pictures::Images),
            (Kind::Svm, _) => (&["drc", "drz"], 128, Pictures::Images),
            (_, Some(Instrument::Acs)) => (
                &["crj", "drc", "drz", "raw", "flc", "flt"],
                128,
                Pictures::Images,
            ),
            (_, Some(Instrument::Wfc3)) => (
                &["drc", "drz", "flc", "flt", "ima", "raw"],
                128,
                Pictures::Images,
            ),
            (_, Some(Instrument::Stis)) => (&["x1d", "sx1"], 128, Pictures::Spectra),
            (_, Some(Instrument::Cos)) => (
                &["x1d", "x1dsum", "x1dsum1", "x1dsum2", "x1dsum3", "x1dsum4"],
                128,
                Pictures::Spectra,
            ),
        };
    Kinds {
        suffixes,
        thumbnail,
        pictures,
    }
}

/// The products of which previews are made, sorted.
fn products(dataset: &Dataset, folder: &Path, suffixes: &[&str]) -> io::Result<Vec<String>> {
    let mut products = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name();
        let Some(name) = name.to_str() else { continue };
        let Some(root) = name.strip_suffix(".fits") else {
            continue;
        };
        let suffix = root.rsplit('_').next().unwrap_or("");
        let ours = match dataset.ippps() {
            Some(ippps) if dataset.kind() == Kind::Ipppssoot => name.starts_with(ippps),
            _ => {
                let part = dataset.ipppss().unwrap_or(dataset.name());
                name.starts_with("hst_") && name.contains(part)
            }
        };
        if ours && suffixes.contains(&suffix) {
            products.push(name.to_owned());
        }
    }
    products.sort_unstable();
    Ok(products)
}

/// Makes all previews that can be made.
pub async fn make(job: &Job<'_>) -> Previews {
    let mut previews = Previews::default();
    let kinds = kinds(job.dataset);
    let products = match products(job.dataset, job.folder, kinds.suffixes) {
        Ok(products) => products,
        Err(source) => {
            let folder = job.folder.to_owned();
            previews
                .warnings
                .push(PreviewWarning::List { folder, source });
            return previews;
        }
    };
    match kinds.pictures {
        Pictures::Spectra => spectra(job, &products, &mut previews).await,
        Pictures::Images => images::make(job, &products, kinds.thumbnail, &mut previews).await,
    }
    if job.cancel.is_cancelled() {
        previews.warnings.push(PreviewWarning::Stopped);
    }
    previews
}

async fn spectra(job: &Job<'_>, products: &[String], previews: &mut Previews) {
    for product in products {
        if job.cancel.is_cancelled() {
            return;
        }
        let path = job.folder.join(product);
        let output = job.output.to_owned();
        let cos = job.dataset.instrument() == Some(Instrument::Cos);
        let tables = if cos { Tables::Written } else { Tables::None };
        // Drawing takes a moment in which other things may want to happen.
        let drawn = tokio::task::spawn_blocking(move || draw_spectrum(&path, &output, tables));
        match drawn.await {
            Ok(results) => {
                for result in results {
                    previews.add(result);
                }
            }
            Err(error) => previews.warnings.push(PreviewWarning::Write {
                path: job.output.join(product),
                source: io::Error::other(error),
            }),
        }
    }
}

impl Previews {
    fn add(&mut self, result: Result<PathBuf, PreviewWarning>) {
        match result {
            Ok(path) => self.made.push(path),
            Err(warning) => self.warnings.push(warning),
        }
    }
}

/// Whether a spectrum is also written as a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tables {
    /// `<root>_prev.fits` is written.
    Written,
    /// Only pictures.
    None,
}

/// Draws one spectrum into `output`: `<root>.png`, `<root>_thumb.png` and, if wanted,
/// `<root>_prev.fits`. What could be made is there even if something else could not.
pub fn draw_spectrum(
    path: &Path,
    output: &Path,
    tables: Tables,
) -> Vec<Result<PathBuf, PreviewWarning>> {
    let spectrum = match spectrum_in(path) {
        Ok(spectrum) => spectrum,
        Err(error) => return vec![Err(error.into())],
    };
    let root = spectrum.file.trim_end_matches(".fits").to_owned();
    let drawn = |picture: Result<Vec<u8>, DrawError>, ending: &str| {
        let file = spectrum.file.clone();
        let bytes = picture.map_err(|source| PreviewWarning::Draw { file, source })?;
        write(&output.join(format!("{root}{ending}")), &bytes)
    };
    let mut results = vec![
        drawn(plot::page(&spectrum), ".png"),
        drawn(plot::thumbnail(&spectrum), "_thumb.png"),
    ];
    if tables == Tables::Written {
        let bytes = table::render(&spectrum);
        results.push(write(&output.join(format!("{root}_prev.fits")), &bytes));
    }
    results
}

fn spectrum_in(path: &Path) -> Result<Spectrum, FitsError> {
    let extension = fits::read_header(path, 1)?;
    if spectrum::is_spectrum(&extension) {
        Spectrum::read(path)
    } else {
        Err(FitsProblem::Table("there is no spectrum".to_owned()).at(path, 1))
    }
}

/// Writes a file that appears under its name only complete.
fn write(path: &Path, bytes: &[u8]) -> Result<PathBuf, PreviewWarning> {
    let part = path.with_added_extension("part");
    std::fs::write(&part, bytes)
        .and_then(|()| std::fs::rename(&part, path))
        .map_err(|source| {
            let _ = std::fs::remove_file(&part);
            PreviewWarning::Write {
                path: path.to_owned(),
                source,
            }
        })?;
    Ok(path.to_owned())
}

#[cfg(test)]
mod tests;
