//! Which program draws the pictures of images: the institute's `fitscut` where it is installed, else
//! the worker itself. Whichever drew it, a picture of an image with more than one value is not left
//! with only one: what `fitscut` drew so is drawn again.

use super::colour;
use super::fitscut::{Fitscut, Size};
use super::jpeg;
use super::picture::{self, PictureError, Subject, Targets};
use super::{Job, PreviewWarning, Previews};
use caldp_core::dataset::Kind;
use std::io;
use std::path::PathBuf;

/// Makes the pictures of these products: of each a small one and one of the full size.
pub(super) async fn make(
    job: &Job<'_>,
    products: &[String],
    longest: u32,
    previews: &mut Previews,
) {
    if products.is_empty() {
        return;
    }
    let mut fitscut = Fitscut::installed(job).await;
    for (root, subject) in subjects(job, products) {
        if job.cancel.is_cancelled() {
            break;
        }
        let targets = Targets {
            full: job.output.join(format!("{root}.jpg")),
            thumbnail: job.output.join(format!("{root}_thumb.jpg")),
            longest,
        };
        match &mut fitscut {
            Some(fitscut) => by_fitscut(fitscut, &root, &subject, &targets, job, previews).await,
            None => here(&subject, &targets, job, previews).await,
        }
    }
    if let Some(fitscut) = fitscut {
        previews.metrics.extend(fitscut.metrics);
        previews.fitscut = fitscut.version;
    }
}

/// What there are pictures of, with their names without endings.
fn subjects(job: &Job<'_>, products: &[String]) -> Vec<(String, Subject)> {
    let path = |file: &str| job.folder.join(file);
    let mut subjects = Vec::new();
    if job.dataset.kind() != Kind::Ipppssoot
        && let Some(colour) = colour::choose(job.dataset, products.iter().map(String::as_str))
    {
        let subject = Subject::Colour {
            red: path(&colour.red),
            green: colour.green.as_deref().map(path),
            blue: path(&colour.blue),
        };
        subjects.push((colour.name, subject));
    }
    subjects.extend(products.iter().map(|product| {
        let root = product.trim_end_matches(".fits").to_owned();
        (root, Subject::Grey(path(product)))
    }));
    subjects
}

async fn by_fitscut(
    fitscut: &mut Fitscut<'_>,
    root: &str,
    subject: &Subject,
    targets: &Targets,
    job: &Job<'_>,
    previews: &mut Previews,
) {
    let wanted = [
        (format!("{root}_thumb.jpg"), Size::Longest(targets.longest)),
        (format!("{root}.jpg"), Size::Full),
    ];
    let mut made = Vec::new();
    for (name, size) in wanted {
        match fitscut.picture(subject, size, &name).await {
            Ok(path) => made.push(path),
            Err(warning) => {
                previews.warnings.push(warning);
                // The other size would fail in the same way.
                break;
            }
        }
    }
    let drawn = made.clone();
    let empty =
        tokio::task::spawn_blocking(move || drawn.iter().any(|path| jpeg::is_one_tone(path)));
    if empty.await.unwrap_or(false) {
        tracing::warn!("fitscut drew {root} in one tone only; its pictures are drawn again");
        here(subject, targets, job, previews).await;
    } else {
        previews.made.append(&mut made);
    }
}

async fn here(subject: &Subject, targets: &Targets, job: &Job<'_>, previews: &mut Previews) {
    let (of, to, cancel) = (subject.clone(), targets.clone(), job.cancel.clone());
    // Drawing takes a moment in which other things may want to happen.
    let drawn = tokio::task::spawn_blocking(move || picture::draw(&of, &to, &cancel)).await;
    let drawn = drawn.unwrap_or_else(|error| Err(PictureError::Write(io::Error::other(error))));
    match drawn {
        Ok(()) => {
            let full = targets.full.file_name().unwrap_or_default();
            tracing::info!("drew {} and its thumbnail of {subject}", full.display());
            previews
                .made
                .extend([&targets.thumbnail, &targets.full].map(PathBuf::clone));
        }
        // Said once, of all previews.
        Err(PictureError::Stopped) => {}
        Err(PictureError::Fits(error)) => previews.warnings.push(error.into()),
        Err(source) => previews.warnings.push(PreviewWarning::Picture {
            file: subject.name(),
            source,
        }),
    }
}
