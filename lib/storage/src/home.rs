//! Paths that begin with `~`, as people write them where no shell reads them: in files of variables,
//! in containers, in notebooks, after an option's equals sign.

use std::borrow::Cow;
use std::env;
use std::path::{Path, PathBuf};

use crate::hint::Hint;

/// A path whose `~` stands for no known directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.reason())]
pub enum HomeError {
    /// `HOME` is not set.
    Unknown,
    /// `~name`.
    OtherUser,
}

impl HomeError {
    /// What is wrong with the path.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Unknown => "it begins with ~, and HOME is not set",
            Self::OtherUser => "it begins with the home directory of another user",
        }
    }
}

impl Hint for HomeError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(match self {
            Self::Unknown => "write the whole path",
            Self::OtherUser => "write the whole path, or ./~name for what is really called so",
        }))
    }
}

/// The path, with `home` in the place of a leading `~`.
///
/// # Errors
/// When there is no `home`, or the directory of another user is meant.
pub fn expand(text: &str, home: Option<&Path>) -> Result<PathBuf, HomeError> {
    let Some(rest) = text.strip_prefix('~') else {
        return Ok(text.into());
    };
    let below = match rest.strip_prefix('/') {
        Some(below) => below.trim_start_matches('/'),
        None if rest.is_empty() => "",
        None => return Err(HomeError::OtherUser),
    };
    let home = home.filter(|home| *home != Path::new(""));
    let home = home.ok_or(HomeError::Unknown)?;
    if below.is_empty() {
        return Ok(home.to_owned());
    }
    Ok(home.join(below))
}

/// Like [`expand`], with the `HOME` of the process: for what stands on a command line.
///
/// # Errors
/// As for [`expand`].
pub fn path(text: &str) -> Result<PathBuf, HomeError> {
    let home = env::var_os("HOME").map(PathBuf::from);
    expand(text, home.as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leading_tilde_is_the_home_directory() {
        let home = Some(Path::new("/home/user"));
        let expanded = |text| expand(text, home).map(|path| path.display().to_string());
        for (text, path) in [
            ("~/crds_cache", "/home/user/crds_cache"),
            ("~", "/home/user"),
            ("~/", "/home/user"),
            ("~//x/", "/home/user/x/"),
            ("/x/~/y", "/x/~/y"),
            ("./~x", "./~x"),
            ("", ""),
        ] {
            assert_eq!(expanded(text), Ok(path.to_owned()), "{text}");
        }
        assert_eq!(expanded("~other/x"), Err(HomeError::OtherUser));
        for unknown in [None, Some(Path::new(""))] {
            assert_eq!(expand("~/x", unknown), Err(HomeError::Unknown));
        }
    }
}
