//! Pictures of images by the program `fitscut`, which comes in two dialects: that of `STScI` takes the
//! size of the picture and finds the image in a file's first extension; the one that Debian
//! ships only zooms, and only looks at the primary HDU, so that it is given a copy of the image.

use super::colour::Colour;
use super::{Job, Warning};
use crate::process::metrics::Metrics;
use crate::process::program::{Output, Program};
use crate::run_log::{Console, RunLog};
use fits::Image;
use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Longer than the largest mosaic takes.
const TIMEOUT: Duration = Duration::from_mins(15);

/// It has nothing to bring to safety when it is told to end.
const GRACE: Duration = Duration::from_secs(2);

/// What `fitscut` understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// `--output-size` and `--badpix`; extensions.
    Sized,
    /// `--zoom`; primary images.
    Zooming,
}

impl Dialect {
    /// The dialect of a program with this help text.
    pub(crate) fn of_help(text: &str) -> Self {
        if text.contains("--output-size") {
            Self::Sized
        } else {
            Self::Zooming
        }
    }

    /// A word for programs.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Sized => "sized",
            Self::Zooming => "zooming",
        }
    }

    /// A phrase for people.
    pub(crate) const fn description(self) -> &'static str {
        match self {
            Self::Sized => "the dialect of STScI (--output-size, extensions)",
            Self::Zooming => "the dialect of Debian (--zoom, primary images)",
        }
    }
}

/// An installed `fitscut` and the run it works for.
pub(super) struct Fitscut<'a> {
    job: &'a Job<'a>,
    dialect: Dialect,
    pub(super) version: Option<String>,
    /// For copies of images and help texts.
    scratch: tempfile::TempDir,
    pub(super) metrics: Vec<Metrics>,
}

/// How large a picture is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Size {
    /// Its longer side in pixels.
    Longest(u32),
    /// As the image.
    Full,
}

/// What the program answers to one argument; nobody wants to read that in the dataset's log.
async fn ask(job: &Job<'_>, argument: &str, scratch: &Path) -> Result<String, Warning> {
    let answer = scratch.join("answer");
    let mut program = Program::new("fitscut", job.folder.to_owned(), job.environment.clone());
    program.arguments = vec![argument.into()];
    program.timeout = Some(TIMEOUT);
    program.grace = GRACE;
    let quiet = RunLog::create(&answer, Console::Quiet).map_err(|source| Warning::Write {
        path: answer.clone(),
        source,
    })?;
    program.run(&quiet, job.cancel).await?;
    let text = std::fs::read(&answer).unwrap_or_default();
    Ok(String::from_utf8_lossy(&text).into_owned())
}

impl<'a> Fitscut<'a> {
    /// Asks the program for its dialect.
    pub(super) async fn new(job: &'a Job<'a>) -> Result<Self, Warning> {
        // Among the run's own files: those go with it, however it ends.
        let scratch = tempfile::Builder::new()
            .prefix(".fitscut.")
            .tempdir_in(job.output)
            .map_err(|source| Warning::Write {
                path: job.output.to_owned(),
                source,
            })?;
        let help = ask(job, "--help", scratch.path()).await?;
        let dialect = Dialect::of_help(&help);
        let version = ask(job, "--version", scratch.path()).await?;
        Ok(Self {
            job,
            dialect,
            // `fitscut 1.4.4 (Tue Oct 31 16:43:46 EST 2006)`
            version: version.split_whitespace().nth(1).map(str::to_owned),
            scratch,
            metrics: Vec::new(),
        })
    }

    /// Draws the image in extension 1 of a product; returns the picture's path.
    pub(super) async fn image(
        &mut self,
        file: &str,
        size: Size,
        picture: &str,
    ) -> Result<PathBuf, Warning> {
        let (input, longest) = self.input(file)?;
        let arguments = vec![input.into_os_string()];
        self.draw(file, arguments, longest, size, picture).await
    }

    /// Draws a colour picture; returns its path.
    pub(super) async fn colour(
        &mut self,
        colour: &Colour,
        size: Size,
        picture: &str,
    ) -> Result<PathBuf, Warning> {
        let channels = [
            ("--red=", Some(&colour.red)),
            ("--blue=", Some(&colour.blue)),
            ("--green=", colour.green.as_ref()),
        ];
        let mut arguments = Vec::new();
        let mut longest = 0;
        for (option, file) in channels {
            let Some(file) = file else { continue };
            let (input, pixels) = self.input(file)?;
            longest = longest.max(pixels);
            let mut argument = OsString::from(option);
            argument.push(input);
            arguments.push(argument);
        }
        self.draw(&colour.red, arguments, longest, size, picture)
            .await
    }

    /// The file to give to the program for a product, and the image's longer side.
    fn input(&self, file: &str) -> Result<(PathBuf, u64), Warning> {
        let path = self.job.folder.join(file);
        let mut image = Image::open(&path, 1)?;
        let longest = image.longest_side();
        if self.dialect == Dialect::Sized {
            return Ok((path, longest));
        }
        let copy = self.scratch.path().join(file);
        if !copy.exists() {
            image.copy_to(&copy)?;
        }
        Ok((copy, longest))
    }

    /// Forgets the copy of a product's image.
    pub(super) fn forget(&self, file: &str) {
        let _ = std::fs::remove_file(self.scratch.path().join(file));
    }

    async fn draw(
        &mut self,
        file: &str,
        inputs: Vec<OsString>,
        longest: u64,
        size: Size,
        picture: &str,
    ) -> Result<PathBuf, Warning> {
        let mut arguments: Vec<OsString> = ["--all", "--jpg", "--autoscale=99.5", "--asinh-scale"]
            .map(OsString::from)
            .into();
        arguments.extend(sizes(self.dialect, size, longest).map(OsString::from));
        arguments.extend(inputs);

        let place = self.job.output.join(picture);
        let part = self.job.output.join(format!(".{picture}.part"));
        let mut program = Program::new(
            "fitscut",
            self.job.folder.to_owned(),
            self.job.environment.clone(),
        );
        program.arguments = arguments;
        program.output = Output::File(create(&part)?);
        program.timeout = Some(TIMEOUT);
        program.grace = GRACE;
        let outcome = program.run(self.job.log, self.job.cancel).await;
        let result = match outcome {
            Err(error) => Err(error.into()),
            Ok(outcome) => {
                let status = outcome.to_string();
                let success = outcome.status.success() && outcome.stopped.is_none();
                self.metrics.push(outcome.metrics);
                if success && is_picture(&part) {
                    std::fs::rename(&part, &place).map_err(|source| Warning::Write {
                        path: place.clone(),
                        source,
                    })
                } else {
                    Err(Warning::Fitscut {
                        file: file.to_owned(),
                        reason: if success {
                            "wrote no picture".to_owned()
                        } else {
                            status
                        },
                    })
                }
            }
        };
        if result.is_err() {
            let _ = std::fs::remove_file(&part);
        }
        result.map(|()| place)
    }
}

/// The options for the picture's size.
fn sizes(dialect: Dialect, size: Size, longest: u64) -> impl Iterator<Item = String> {
    let options = match (dialect, size) {
        (Dialect::Sized, Size::Longest(pixels)) => {
            vec![format!("--output-size={pixels}"), "--badpix".to_owned()]
        }
        (Dialect::Sized, Size::Full) => {
            vec!["--output-size=-1".to_owned(), "--badpix".to_owned()]
        }
        (Dialect::Zooming, Size::Longest(pixels)) if longest > u64::from(pixels) => {
            #[allow(
                clippy::cast_precision_loss,
                reason = "no image has 2^52 pixels on a side"
            )]
            let longest = longest as f64;
            // A little more, because the program cuts fractions of a pixel off.
            vec![format!(
                "--zoom={:.9}",
                (f64::from(pixels) + 0.001) / longest
            )]
        }
        // It does not enlarge.
        (Dialect::Zooming, Size::Longest(_) | Size::Full) => Vec::new(),
    };
    options.into_iter()
}

fn create(path: &Path) -> Result<File, Warning> {
    File::create(path).map_err(|source| Warning::Write {
        path: path.to_owned(),
        source,
    })
}

/// Whether the file starts as a JPEG does.
fn is_picture(path: &Path) -> bool {
    use std::io::Read as _;
    let mut start = [0; 3];
    File::open(path)
        .and_then(|mut file| file.read_exact(&mut start))
        .is_ok_and(|()| start == [0xff, 0xd8, 0xff])
}
