//! `crds_s3_unset`: takes back every setting of CRDS.

use std::io::Write as _;

use crate::failure::Failure;

/// Prints commands that unset all variables that begin with `CRDS_`: `source <(crds_s3_unset)`
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run() -> Result<u8, Failure> {
    let mut out = std::io::stdout().lock();
    for (name, _) in std::env::vars_os() {
        // Other names are no names for a shell, and none that it could have exported.
        if let Some(name) = name.to_str()
            && let Some(rest) = name.strip_prefix("CRDS_")
            && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        {
            writeln!(out, "unset {name}")?;
        }
    }
    Ok(0)
}
