//! `crds_s3_get`: one file from object storage, checked; what `CRDS_DOWNLOAD_PLUGIN` calls.

use std::path::{Path, PathBuf};

use storage::checksum::Sha1Sum;
use storage::store::ErrorKind;

use crate::failure::Failure;
use crate::{log, options};
use crds_core::cache::verified_file::{Expected, VerifyError};
use crds_core::config::{Config, FileUri};
use crds_core::names::{FileName, FileNameError};
use crds_core::source::SourceError;
use crds_core::{Client, Reuse};

/// The exit statuses that callers of the script know.
const BAD_SIZE: u8 = 10;
const BAD_SUM: u8 = 11;
/// What an exit status can hold of 404: the rest of its division by 256.
const NOT_FOUND: u8 = 148;

/// Fetches one file from S3 and checks it
///
/// Exit status: 0 done; 2 wrong arguments; 10 wrong size; 11 wrong SHA-1 sum; 404 no such file
/// (shells see 148); 1 anything else. Nothing is left behind unless it is 0.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The file: `s3://bucket/key`, or a name that the `CRDS_*_URI` settings complete
    source: String,
    /// Where to put it: a path that ends in the file's name, or a folder [default: `CRDS_PATH`]
    output: Option<PathBuf>,
    /// The same as OUTPUT
    #[arg(short, long, value_name = "PATH", conflicts_with = "output")]
    destination: Option<PathBuf>,
    /// Its size in bytes
    #[arg(short = 's', long, value_name = "BYTES", value_parser = size)]
    file_size: Option<SizeOption>,
    /// Its SHA-1 sum
    #[arg(short = 'c', long, value_name = "HEX", value_parser = sum)]
    file_sha1sum: Option<SumOption>,
    /// Accepted for older callers; how often is tried is built in
    #[arg(short = 'r', long, value_name = "N")]
    max_retries: Option<u32>,
    /// How much is said: DEBUG, INFO, WARNING or ERROR
    #[arg(long, value_name = "LEVEL")]
    loglevel: Option<String>,
}

/// Empty and `none` are what callers write for "not known".
type SizeOption = Option<u64>;
type SumOption = Option<Sha1Sum>;

#[allow(clippy::unnecessary_wraps, reason = "the form clap asks for")]
fn unknown(text: &str) -> bool {
    matches!(text.to_ascii_lowercase().as_str(), "" | "none")
}

fn size(text: &str) -> Result<SizeOption, String> {
    if unknown(text) {
        return Ok(None);
    }
    let size = text.parse().map_err(|_| "not a number of bytes")?;
    Ok(Some(size))
}

fn sum(text: &str) -> Result<SumOption, String> {
    if unknown(text) {
        return Ok(None);
    }
    let sum = text.parse::<Sha1Sum>().map_err(|error| error.to_string())?;
    Ok(Some(sum))
}

pub(crate) async fn run(args: &Args, config: Config, reuse: Reuse) -> Result<u8, Failure> {
    let client = options::client(config, None, [args.source.as_str()]);
    let (name, uri) = find(&client, &args.source)?;
    let target = target(&client, args, &name)?;
    if reuse == Reuse::Cached && target.exists() {
        tracing::debug!("{} is there already", target.display());
        return Ok(0);
    }
    let folder = target.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)
        .map_err(|error| Failure::said(1, format!("{}: {error}", folder.display()), None))?;
    let expected = Expected {
        size: args.file_size.flatten(),
        sha1: args.file_sha1sum.flatten(),
        ..Expected::default()
    };
    match client
        .fetch_file(&name, uri.as_ref(), &target, expected)
        .await
    {
        Ok(bytes) => {
            tracing::info!("fetched {bytes} bytes into {}", target.display());
            debug_assert_eq!(log::errors(), 0);
            Ok(0)
        }
        Err(error) => Err(Failure::new(status(&error), error)),
    }
}

fn status(error: &SourceError) -> u8 {
    match error {
        SourceError::NotFound { .. } => NOT_FOUND,
        SourceError::Verify {
            problem: VerifyError::Size { .. },
            ..
        } => BAD_SIZE,
        SourceError::Verify {
            problem: VerifyError::Sum { .. },
            ..
        } => BAD_SUM,
        SourceError::Store(error) if error.kind() == ErrorKind::Damaged => BAD_SUM,
        SourceError::Location { .. } => 2,
        _ => 1,
    }
}

/// The file's name, and the folder it is in if that was given.
fn find(client: &Client, given: &str) -> Result<(FileName, Option<FileUri>), Failure> {
    let (folder, name) = match given.rsplit_once('/') {
        Some((folder, name)) => (Some(folder), name),
        None => (None, given),
    };
    let name: FileName = name
        .parse()
        .map_err(|error: FileNameError| Failure::usage(format!("{given}: {error}")))?;
    let folder: Option<FileUri> = folder
        .map(str::parse)
        .transpose()
        .map_err(|reason| Failure::usage(format!("{given}: {reason}")))?;
    if client.file_location(&name, folder.as_ref()).is_none() {
        return Err(Failure::misuse(
            format!("nothing says where {name} is"),
            "give s3://bucket/key, or set CRDS_REFERENCE_URI and the like",
        ));
    }
    Ok((name, folder))
}

fn target(client: &Client, args: &Args, name: &FileName) -> Result<PathBuf, Failure> {
    let given = args.output.as_ref().or(args.destination.as_ref());
    let is_cache = |path: &PathBuf| {
        let cache = client.config().locations.cache.all.as_ref();
        cache.is_some_and(|cache| cache == path)
    };
    match given {
        Some(path) if !is_cache(path) => {
            let names_file = path.file_name().is_some_and(|last| last == name.as_str());
            Ok(if names_file && !path.is_dir() {
                path.clone()
            } else {
                path.join(name.as_str())
            })
        }
        _ => Ok(client.cache_path(name)?),
    }
}
