//! Names for a set of rules: a file name, `hst-operational` and its kin, or a date.
//!
//! Reading a name is here; which rules `hst-operational` stands for today is in the server's
//! configuration.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use storage::hint::Hint;

use crate::observatory::Observatory;

/// A way to say which rules to use, not yet looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContextName {
    /// The file name, or path, of a `.pmap`, `.imap` or `.rmap`.
    File(String),
    /// What the server calls by this name.
    Symbolic {
        /// Absent for plain `latest`.
        observatory: Option<Observatory>,
        /// Which of its contexts.
        tag: ContextTag,
    },
    /// The rules in use at a date.
    Date {
        /// Absent for a plain date.
        observatory: Option<Observatory>,
        /// Narrows the answer to the instrument's rules in `hst-acs-2018-01-21`.
        instrument: Option<String>,
        /// `YYYY-MM-DD HH:MM:SS` with an optional fraction, midnight if no time was given.
        date: String,
    },
}

/// The contexts a server has names for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContextTag {
    /// `latest` or `operational`: in use.
    Operational,
    /// `edit`: the newest, perhaps not in use yet.
    Edit,
    /// `versions`: what chooses calibration software (JWST).
    Versions,
}

/// A text does not name a context.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} does not name a context: {reason}")]
pub struct ContextNameError {
    /// The text.
    pub name: String,
    pub(crate) reason: &'static str,
}

const HINT: &str = "write a rules file such as hst_1008.pmap, or latest, hst-operational, \
                    hst-edit, or a date such as hst-2018-01-21T12:46:05";

impl Hint for ContextNameError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(HINT.into())
    }
}

impl ContextName {
    /// Whether it can name the rules of a whole observatory, as `CRDS_CONTEXT` must.
    pub fn is_complete(&self) -> bool {
        match self {
            Self::File(name) => matches!(name.rsplit_once('.'), Some((_, "pmap"))),
            Self::Symbolic { .. } => true,
            Self::Date { instrument, .. } => instrument.is_none(),
        }
    }

    /// The observatory, if the name says it.
    pub fn observatory(&self) -> Option<Observatory> {
        match self {
            Self::File(path) => Observatory::of_name(path.rsplit('/').next().unwrap_or(path)),
            Self::Symbolic { observatory, .. } | Self::Date { observatory, .. } => *observatory,
        }
    }
}

impl FromStr for ContextName {
    type Err = ContextNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = |reason| ContextNameError {
            name: text.to_owned(),
            reason,
        };
        if let Some((stem, "pmap" | "imap" | "rmap")) = text.rsplit_once('.') {
            let plain = |c: char| c.is_ascii_graphic() && !"'\"\\".contains(c);
            if stem.is_empty() || stem.ends_with('/') || !stem.chars().all(plain) {
                return Err(error(
                    "the name of a rules file has letters, digits, _ and -",
                ));
            }
            return Ok(Self::File(text.to_owned()));
        }
        if text == "latest" {
            return Ok(Self::Symbolic {
                observatory: None,
                tag: ContextTag::Operational,
            });
        }
        if let Some(date) = date(text) {
            return Ok(Self::Date {
                observatory: None,
                instrument: None,
                date,
            });
        }
        let (observatory, rest) = text.split_once('-').ok_or_else(|| error("no such form"))?;
        let observatory: Observatory = observatory
            .parse()
            .map_err(|_| error("it begins with no known observatory"))?;
        let observatory = Some(observatory);
        let tag = match rest {
            "latest" | "operational" => Some(ContextTag::Operational),
            "edit" => Some(ContextTag::Edit),
            "versions" => Some(ContextTag::Versions),
            "build" => return Err(error("only a CRDS server knows the context of a build")),
            _ => None,
        };
        if let Some(tag) = tag {
            return Ok(Self::Symbolic { observatory, tag });
        }
        let (instrument, rest) = match rest.split_once('-') {
            Some((name, rest)) if name.chars().all(|c| c.is_ascii_alphanumeric()) => {
                match rest.chars().filter(|&c| c == '-').count() {
                    2 => (Some(name.to_ascii_lowercase()), rest),
                    _ => (None, text.split_once('-').map_or(text, |(_, rest)| rest)),
                }
            }
            _ => (None, rest),
        };
        let date = date(rest).ok_or_else(|| error("no such form"))?;
        Ok(Self::Date {
            observatory,
            instrument,
            date,
        })
    }
}

impl fmt::Display for ContextName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |observatory: &Option<Observatory>| {
            observatory.map_or(String::new(), |observatory| format!("{observatory}-"))
        };
        match self {
            Self::File(file) => f.write_str(file),
            Self::Symbolic {
                observatory: None, ..
            } => f.write_str("latest"),
            Self::Symbolic { observatory, tag } => {
                f.write_str(&name(observatory))?;
                f.write_str(match tag {
                    ContextTag::Operational => "operational",
                    ContextTag::Edit => "edit",
                    ContextTag::Versions => "versions",
                })
            }
            Self::Date {
                observatory,
                instrument,
                date,
            } => {
                f.write_str(&name(observatory))?;
                if let Some(instrument) = instrument {
                    write!(f, "{instrument}-")?;
                }
                f.write_str(&date.replace(' ', "T"))
            }
        }
    }
}

/// The date in the form of `context_history`, if the text is one.
fn date(text: &str) -> Option<String> {
    let (day, time) = text.split_once('T').unwrap_or((text, "00:00:00"));
    let day: jiff::civil::Date = day.parse().ok().filter(|_| day.len() == 10)?;
    let clock: jiff::civil::Time = time.parse().ok().filter(|_| time.len() >= 8)?;
    let time = if clock.subsec_nanosecond() == 0 {
        time.get(..8)?
    } else {
        time
    };
    Some(format!("{day} {time}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn names_are_read_and_written() {
        for (text, complete, observatory) in [
            ("hst_0729.pmap", true, Some(Observatory::Hst)),
            ("hst_acs_0421.imap", false, Some(Observatory::Hst)),
            ("./mine/jwst_0001.pmap", true, Some(Observatory::Jwst)),
            ("latest", true, None),
            ("hst-operational", true, Some(Observatory::Hst)),
            ("jwst-versions", true, Some(Observatory::Jwst)),
            ("hst-edit", true, Some(Observatory::Hst)),
            ("hst-2018-01-21T12:46:05", true, Some(Observatory::Hst)),
            (
                "hst-acs-2018-01-21T12:46:05.5",
                false,
                Some(Observatory::Hst),
            ),
            ("2018-01-21T00:00:00", true, None),
        ] {
            let name: ContextName = text.parse().unwrap();
            assert_eq!(name.to_string(), text);
            assert_eq!(name.is_complete(), complete, "{text}");
            assert_eq!(name.observatory(), observatory, "{text}");
        }
        let day: ContextName = "2018-01-21".parse().unwrap();
        assert_eq!(day.to_string(), "2018-01-21T00:00:00");
        let latest: ContextName = "hst-latest".parse().unwrap();
        assert_eq!(latest, "hst-operational".parse().unwrap());
    }

    #[test]
    fn other_texts_are_refused_with_the_forms_that_exist() {
        for text in [
            "",
            ".pmap",
            "x.fits",
            "hst",
            "hst-build",
            "foo-edit",
            "hst-2018-13-01",
            "a b.pmap",
            "hst-acs-wfc-2018-01-01",
        ] {
            let error = text.parse::<ContextName>().unwrap_err();
            assert!(error.hint().unwrap().contains("a rules file"), "{error}");
        }
    }
}
