//! The environment of calibration programs: where their references are, and what a dataset's
//! `<dataset>_cal_env.txt` adds. That file is data from outside: names that would change what is
//! executed, loaded or trusted are refused. The rest of the environment is left to the caller.

use super::recipe::Recipe;
use crate::error::LocalError;
use crate::process::program::Environment;
use caldp_core::dataset::Dataset;
use std::borrow::Cow;
use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use storage::hint::Hint;

/// The variables that point calibration programs to their references, and the instrument's
/// folder in a cache that has one for each.
const REFERENCE_VARIABLES: &[(&str, &str)] = &[
    ("iref", "wfc3"),
    ("jref", "acs"),
    ("oref", "stis"),
    ("lref", "cos"),
    ("nref", "nicmos"),
    ("uref", "wfpc2"),
    ("uref_linux", "wfpc2"),
];

/// The reference variables, each path ending with a slash because HSTCAL joins it with names as it
/// stands. `folder_of` tells where the cache has an instrument's references, if it has a place.
pub fn reference_variables(folder_of: impl Fn(&str) -> Option<PathBuf>) -> Environment {
    REFERENCE_VARIABLES
        .iter()
        .filter_map(|(variable, instrument)| {
            let mut path = folder_of(instrument)?.into_os_string();
            path.push("/");
            Some(((*variable).into(), path))
        })
        .collect()
}

/// A reference path that would make the calibration program abort.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the path of reference {path} has {length} characters; `{program}` aborts beyond {limit}")]
pub struct ReferencePathTooLong {
    /// The program.
    pub program: &'static str,
    /// The reference, as the program would see it.
    pub path: String,
    /// Its length in bytes.
    pub length: usize,
    /// The longest that works.
    pub limit: usize,
}

impl Hint for ReferencePathTooLong {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some("set CRDS_PATH to a cache with a shorter path".into())
    }
}

/// Whether the recipe's programs can bear the paths of all these reference files, named without
/// their folder; `variables` come from [`reference_variables`].
pub fn check_reference_paths<'a>(
    recipe: &Recipe,
    variables: &Environment,
    files: impl IntoIterator<Item = &'a str>,
) -> Result<(), ReferencePathTooLong> {
    let folder = recipe
        .reference_variable
        .and_then(|name| variables.get(std::ffi::OsStr::new(name)));
    let (Some(limit), Some(folder)) = (recipe.longest_reference, folder) else {
        return Ok(());
    };
    for file in files {
        let length = folder.len() + file.len();
        if length > limit {
            return Err(ReferencePathTooLong {
                program: recipe.stage1.program,
                path: format!("{}{file}", folder.to_string_lossy()),
                length,
                limit,
            });
        }
    }
    Ok(())
}

/// What a dataset's own environment file asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DatasetEnvironment {
    /// Accepted names and values; of a name given twice the last.
    pub variables: Environment,
    /// What was not accepted, to be shown as warnings.
    pub refused: Vec<RefusedVariable>,
}

/// A line of an environment file that was not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedVariable {
    /// Counted from 1.
    pub line: usize,
    /// The name, or the start of the line when there is none.
    pub name: String,
    /// Why.
    pub reason: &'static str,
}

impl fmt::Display for RefusedVariable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "line {}: {} is ignored: {}",
            self.line, self.name, self.reason
        )
    }
}

/// A file larger than this holds no environment.
const LARGEST_FILE: usize = 64 * 1024;

impl DatasetEnvironment {
    /// Reads the dataset's environment file in `folder`; without one nothing is asked for.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn read(dataset: &Dataset, folder: &Path) -> Result<Self, LocalError> {
        let path = folder.join(dataset.environment_file());
        let mut bytes = Vec::new();
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(LocalError::read(&path)(error)),
        };
        file.take(LARGEST_FILE as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(LocalError::read(&path))?;
        Ok(Self::parse(&bytes))
    }

    /// Parses `KEY=VALUE` lines. Empty lines and lines that start with `#` say nothing.
    pub fn parse(bytes: &[u8]) -> Self {
        let mut result = Self::default();
        if bytes.len() > LARGEST_FILE {
            result.refused.push(RefusedVariable {
                line: 1,
                name: "the whole file".to_owned(),
                reason: "it is larger than 64 KiB",
            });
            return result;
        }
        let text = String::from_utf8_lossy(bytes);
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            match accept(line) {
                Ok((name, value)) => {
                    result.variables.insert(name.into(), value.into());
                }
                Err((name, reason)) => result.refused.push(RefusedVariable {
                    line: index + 1,
                    name: name.chars().take(40).collect(),
                    reason,
                }),
            }
        }
        result
    }
}

fn accept(line: &str) -> Result<(&str, &str), (&str, &'static str)> {
    let Some((name, value)) = line.split_once('=') else {
        return Err((line, "it is not a KEY=VALUE pair"));
    };
    let (name, value) = (name.trim(), value.trim());
    let valid = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if name.is_empty() || !valid || name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err((name, "it is not the name of a variable"));
    }
    if value.contains('\0') {
        return Err((name, "its value has a NUL byte"));
    }
    if let Some(reason) = refusal(name) {
        return Err((name, reason));
    }
    Ok((name, value))
}

/// Why a dataset may not set this variable, if it may not.
fn refusal(name: &str) -> Option<&'static str> {
    const EXECUTED: &[&str] = &[
        "PATH", "SHELL", "IFS", "ENV", "CDPATH", "HOME", "PWD", "USER", "LOGNAME", "EDITOR",
        "PAGER",
    ];
    const EXECUTED_PREFIXES: &[&str] = &[
        "LD_",
        "DYLD_",
        "PYTHON",
        "BASH",
        "CONDA",
        "VIRTUAL_ENV",
        "PERL",
        "RUBY",
        "JAVA",
        "GCONV",
        "GLIBC",
        "LOCPATH",
        "NLSPATH",
        "MALLOC_",
        "TMP",
        "TEMP",
        "XDG_",
        "GIT_",
        "NUMBA_",
        "MPL",
    ];
    const TRUST_PREFIXES: &[&str] = &[
        "AWS_",
        "CRDS_",
        "CALDP_",
        "MAST_",
        "SSL_",
        "CURL_",
        "REQUESTS_",
        "OPENSSL",
        "KRB5",
        "RESOLV_",
        "HOSTALIASES",
    ];
    let upper = name.to_ascii_uppercase();
    let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| upper.starts_with(prefix));
    if EXECUTED.contains(&&*upper) || starts(EXECUTED_PREFIXES) {
        Some("it changes what is executed or loaded")
    } else if starts(TRUST_PREFIXES) || upper.ends_with("_PROXY") {
        Some("it changes whom this run talks to or trusts")
    } else if REFERENCE_VARIABLES
        .iter()
        .any(|(variable, _)| *variable == name)
        || upper.starts_with("CRREFER")
    {
        Some("references come from the CRDS cache")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn get<'a>(environment: &'a Environment, name: &str) -> Option<&'a str> {
        environment
            .get(std::ffi::OsStr::new(name))
            .map(|value| value.to_str().unwrap())
    }

    #[test]
    fn references_are_found_with_a_trailing_slash() {
        let flat = reference_variables(|_| Some("/grp/crds/cache/references/hst".into()));
        assert_eq!(get(&flat, "jref"), Some("/grp/crds/cache/references/hst/"));
        assert_eq!(flat.len(), 7);
        let deep = reference_variables(|instrument| Some(PathBuf::from("/refs").join(instrument)));
        assert_eq!(get(&deep, "uref_linux"), Some("/refs/wfpc2/"));
    }

    #[test]
    fn a_path_too_long_for_hstcal_is_refused_by_its_exact_length() {
        let file = "zz900004j_bia.fits";
        for (cache_length, fits) in [(243 - 16 - 18, true), (244 - 16 - 18, false)] {
            let cache = format!("/{}", "c".repeat(cache_length - 1));
            let folder = PathBuf::from(&cache).join("references/hst");
            let variables = reference_variables(|_| Some(folder.clone()));
            let check = |dataset: &str| {
                let dataset = Dataset::parse(dataset).unwrap();
                check_reference_paths(Recipe::of(&dataset), &variables, [file])
            };
            assert_eq!(check("j8cb010b0").is_ok(), fits, "{cache_length}");
            assert!(check("lbgu17qnq").is_ok(), "calcos has no such limit");
            if let Err(error) = check("octka6030") {
                assert_eq!(error.length, 244);
                assert!(error.hint().unwrap().contains("CRDS_PATH"));
            }
        }
    }

    #[test]
    fn harmless_variables_are_taken() {
        let parsed = DatasetEnvironment::parse(
            b"# a comment\n\nASTROMETRY_STEP_CONTROL=OFF\n KEY = a=b \nKEY=last\r\n",
        );
        assert_eq!(parsed.refused, []);
        assert_eq!(
            get(&parsed.variables, "ASTROMETRY_STEP_CONTROL"),
            Some("OFF")
        );
        assert_eq!(get(&parsed.variables, "KEY"), Some("last"));
        assert_eq!(parsed.variables.len(), 2);
    }

    #[test]
    fn what_changes_programs_or_trust_is_refused() {
        for name in [
            "PATH",
            "path",
            "LD_PRELOAD",
            "LD_LIBRARY_PATH",
            "PYTHONPATH",
            "PYTHONSTARTUP",
            "AWS_ACCESS_KEY_ID",
            "CRDS_PATH",
            "CRDS_SERVER_URL",
            "https_proxy",
            "jref",
            "oref",
            "BASH_ENV",
            "IFS",
            "HOME",
            "CALDP_LAYOUT",
            "GCONV_PATH",
            "SSL_CERT_FILE",
        ] {
            let parsed = DatasetEnvironment::parse(format!("{name}=x\n").as_bytes());
            assert_eq!(parsed.variables.len(), 0, "{name}");
            assert_eq!(parsed.refused.len(), 1, "{name}");
        }
    }

    #[test]
    fn lines_that_are_no_pairs_are_named() {
        let parsed = DatasetEnvironment::parse(b"BadKey|Value\n1A=x\nA B=x\n=x\nA=x\0y\n\xff=1\n");
        assert_eq!(parsed.variables.len(), 0);
        assert_eq!(parsed.refused.len(), 6);
        assert_eq!(
            parsed.refused[0].to_string(),
            "line 1: BadKey|Value is ignored: it is not a KEY=VALUE pair"
        );
        let huge = DatasetEnvironment::parse(&vec![b'A'; 70_000]);
        assert_eq!(huge.refused.len(), 1);
    }
}
