//! Pictures of images by the program `fitscut`, as the institute builds it. The one that Debian
//! ships is another, older dialect that draws some images in black: it is only recognised here, and
//! pictures are then left to `picture`.

use super::picture::Subject;
use super::{Job, PreviewWarning};
use crate::process::metrics::Metrics;
use crate::process::program::{Output, Program, ProgramError};
use crate::run_log::{Console, RunLog};
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
            Self::Zooming => {
                "the dialect of Debian (--zoom), which is not used: caldp draws pictures itself"
            }
        }
    }
}

/// An installed `fitscut` and the run it works for.
pub(super) struct Fitscut<'a> {
    job: &'a Job<'a>,
    pub(super) version: Option<String>,
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
async fn ask(job: &Job<'_>, argument: &str, scratch: &Path) -> Result<String, PreviewWarning> {
    let answer = scratch.join("answer");
    let mut program = Program::new("fitscut", job.folder.to_owned(), job.environment.clone());
    program.arguments = vec![argument.into()];
    program.timeout = Some(TIMEOUT);
    program.grace = GRACE;
    let quiet =
        RunLog::create(&answer, Console::Quiet).map_err(|source| PreviewWarning::Write {
            path: answer.clone(),
            source,
        })?;
    program.run(&quiet, job.cancel).await?;
    let text = std::fs::read(&answer).unwrap_or_default();
    Ok(String::from_utf8_lossy(&text).into_owned())
}

impl<'a> Fitscut<'a> {
    /// The institute's program, where it is installed.
    pub(super) async fn installed(job: &'a Job<'a>) -> Option<Self> {
        match Self::look(job).await {
            Ok(found) => found,
            Err(PreviewWarning::Program(ProgramError::Missing(_))) => None,
            Err(warning) => {
                tracing::warn!("fitscut is not used: {warning}");
                None
            }
        }
    }

    async fn look(job: &'a Job<'a>) -> Result<Option<Self>, PreviewWarning> {
        // Among the run's own files: those go with it, however it ends.
        let scratch = tempfile::Builder::new()
            .prefix(".fitscut.")
            .tempdir_in(job.output)
            .map_err(|source| PreviewWarning::Write {
                path: job.output.to_owned(),
                source,
            })?;
        let help = ask(job, "--help", scratch.path()).await?;
        if Dialect::of_help(&help) != Dialect::Sized {
            return Ok(None);
        }
        let version = ask(job, "--version", scratch.path()).await?;
        Ok(Some(Self {
            job,
            // `fitscut 1.4.4 (Tue Oct 31 16:43:46 EST 2006)`
            version: version.split_whitespace().nth(1).map(str::to_owned),
            metrics: Vec::new(),
        }))
    }

    /// Draws one picture; returns its path.
    pub(super) async fn picture(
        &mut self,
        subject: &Subject,
        size: Size,
        picture: &str,
    ) -> Result<PathBuf, PreviewWarning> {
        let channel = |option: &str, file: &Path| {
            let mut argument = OsString::from(option);
            argument.push(file);
            argument
        };
        let inputs = match subject {
            Subject::Grey(file) => vec![channel("", file)],
            Subject::Colour { red, green, blue } => {
                let mut inputs = vec![channel("--red=", red), channel("--blue=", blue)];
                inputs.extend(green.as_ref().map(|green| channel("--green=", green)));
                inputs
            }
        };
        self.draw(&subject.name(), inputs, size, picture).await
    }

    async fn draw(
        &mut self,
        file: &str,
        inputs: Vec<OsString>,
        size: Size,
        picture: &str,
    ) -> Result<PathBuf, PreviewWarning> {
        let mut arguments: Vec<OsString> = ["--all", "--jpg", "--autoscale=99.5", "--asinh-scale"]
            .map(OsString::from)
            .into();
        let size = match size {
            Size::Longest(pixels) => pixels.to_string(),
            Size::Full => "-1".to_owned(),
        };
        arguments.extend([format!("--output-size={size}").into(), "--badpix".into()]);
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
                    std::fs::rename(&part, &place).map_err(|source| PreviewWarning::Write {
                        path: place.clone(),
                        source,
                    })
                } else {
                    Err(PreviewWarning::Fitscut {
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

fn create(path: &Path) -> Result<File, PreviewWarning> {
    File::create(path).map_err(|source| PreviewWarning::Write {
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
