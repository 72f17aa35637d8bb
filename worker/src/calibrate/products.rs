//! A product that a program must leave, and whether it is there and complete. Which products those
//! are is left to [`super::expected`].

use fits::FitsProblem;
use std::fmt;
use std::path::Path;

/// Something a program must leave in the working directory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ExpectedProduct {
    /// At least one of these files.
    OneOf(Vec<String>),
    /// At least one FITS file whose name starts with `hst_` and contains this text.
    Mosaic(String),
    /// Every FITS file listed in this text file.
    ListedIn(String),
}

/// A product that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProductError {
    /// It is not there.
    #[error("the product {0} is missing")]
    Missing(ExpectedProduct),
    /// It is there, but not a complete FITS file.
    #[error("the product {name} is not complete: {reason}")]
    Incomplete {
        /// The file.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl fmt::Display for ExpectedProduct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OneOf(names) => f
                .write_str(&names.join(" (or "))
                .and_then(|()| f.write_str(&")".repeat(names.len().saturating_sub(1)))),
            Self::Mosaic(part) => write!(f, "hst_*{part}*.fits"),
            Self::ListedIn(list) => write!(f, "listed in {list}"),
        }
    }
}

impl ExpectedProduct {
    /// Looks for the product in `folder` and whether it is complete.
    pub fn check(&self, folder: &Path) -> Result<(), ProductError> {
        let missing = || ProductError::Missing(self.clone());
        match self {
            Self::OneOf(names) => {
                let name = names
                    .iter()
                    .find(|name| folder.join(name).is_file())
                    .ok_or_else(missing)?;
                check_complete(folder, name)
            }
            Self::Mosaic(part) => {
                let entries = std::fs::read_dir(folder).map_err(|_| missing())?;
                let mut found = false;
                for entry in entries.flatten() {
                    let name = entry.file_name();
                    let Some(name) = name.to_str() else { continue };
                    if name.starts_with("hst_") && name.contains(part) && is_fits(name) {
                        check_complete(folder, name)?;
                        found = true;
                    }
                }
                if found { Ok(()) } else { Err(missing()) }
            }
            Self::ListedIn(list) => {
                let text = std::fs::read_to_string(folder.join(list)).map_err(|_| missing())?;
                for name in text.lines().map(str::trim).filter(|name| is_fits(name)) {
                    // The list is the program's; a name with a folder is none of ours.
                    if name.contains('/') {
                        continue;
                    }
                    Self::OneOf(vec![name.to_owned()]).check(folder)?;
                }
                Ok(())
            }
        }
    }
}

/// Whether the file `name` in `folder` is complete: not empty and, if it is FITS, with all its
/// headers and data.
pub fn check_complete(folder: &Path, name: &str) -> Result<(), ProductError> {
    let path = folder.join(name);
    let reason = if is_fits(name) {
        let error = fits::check(&path).err();
        error.map(|error| match error.problem {
            FitsProblem::Read(_) => error.to_string(),
            problem => problem.to_string(),
        })
    } else {
        match path.metadata() {
            Ok(metadata) if metadata.len() > 0 => None,
            Ok(_) => Some("it is empty".to_owned()),
            Err(error) => Some(error.to_string()),
        }
    };
    match reason {
        None => Ok(()),
        Some(reason) => Err(ProductError::Incomplete {
            name: name.to_owned(),
            reason,
        }),
    }
}

fn is_fits(name: &str) -> bool {
    Path::new(name).extension() == Some("fits".as_ref())
}
