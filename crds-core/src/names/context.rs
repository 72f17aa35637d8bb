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
        /// Which part of the rules is meant.
        part: RulesPart,
        /// Which of its contexts.
        tag: ContextTag,
    },
    /// The rules in use at a date.
    Date {
        /// Absent for a plain date.
        observatory: Option<Observatory>,
        /// Which part of the rules is meant.
        part: RulesPart,
        /// `YYYY-MM-DD` as it was given, perhaps with ` HH:MM:SS` and a fraction; without, midnight.
        date: String,
    },
}

/// A part of a context: all of it, an instrument's rules as in `hst-acs-2018-01-21`, or those of
/// one type as in `hst-acs-darkfile-edit`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RulesPart {
    /// Lower case; all instruments without.
    pub instrument: Option<String>,
    /// Lower case, only with an instrument; all types without.
    pub reference_type: Option<String>,
}

/// The contexts a server has names for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContextTag {
    /// `latest`: in use.
    Latest,
    /// `operational`: the same.
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
                    hst-edit, or a date such as hst-2018-01-21T12:46:05; hst-acs-edit and \
                    hst-acs-darkfile-edit are the rules of one instrument or type";

impl Hint for ContextNameError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(HINT.into())
    }
}

impl ContextTag {
    fn name(self) -> &'static str {
        match self {
            Self::Latest => "latest",
            Self::Operational => "operational",
            Self::Edit => "edit",
            Self::Versions => "versions",
        }
    }

    fn named(name: &str) -> Option<Self> {
        let mut all = [Self::Latest, Self::Operational, Self::Edit, Self::Versions].into_iter();
        all.find(|tag| tag.name() == name)
    }
}

impl ContextName {
    /// Whether it can name the rules of a whole observatory, as `CRDS_CONTEXT` must.
    pub fn is_complete(&self) -> bool {
        match self {
            Self::File(name) => matches!(name.rsplit_once('.'), Some((_, "pmap"))),
            Self::Symbolic { part, .. } | Self::Date { part, .. } => part.instrument.is_none(),
        }
    }

    /// Which part of the rules is meant; nothing for a file, which is what it is.
    pub fn part(&self) -> Option<&RulesPart> {
        match self {
            Self::File(_) => None,
            Self::Symbolic { part, .. } | Self::Date { part, .. } => Some(part),
        }
    }

    /// The same context, of another part; a file stays as it is.
    #[must_use]
    pub fn with_part(mut self, new: RulesPart) -> Self {
        if let Self::Symbolic { part, .. } | Self::Date { part, .. } = &mut self {
            *part = new;
        }
        self
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
                part: RulesPart::default(),
                tag: ContextTag::Latest,
            });
        }
        if let Some(date) = date(text) {
            return Ok(Self::Date {
                observatory: None,
                part: RulesPart::default(),
                date,
            });
        }
        if let Some((stem, day)) = before_date(text) {
            let (observatory, part) = stem_of(stem).map_err(error)?;
            return Ok(Self::Date {
                observatory,
                part,
                date: date(day).ok_or_else(|| error("no such form"))?,
            });
        }
        let (stem, last) = text.rsplit_once('-').ok_or_else(|| error("no such form"))?;
        let (observatory, part) = stem_of(stem).map_err(error)?;
        if last == "build" {
            return Err(error("only a CRDS server knows the context of a build"));
        }
        let tag = ContextTag::named(last).ok_or_else(|| error("no such form"))?;
        Ok(Self::Symbolic {
            observatory,
            part,
            tag,
        })
    }
}

impl fmt::Display for ContextName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (observatory, part) = match self {
            Self::File(file) => return f.write_str(file),
            Self::Symbolic {
                observatory, part, ..
            }
            | Self::Date {
                observatory, part, ..
            } => (observatory, part),
        };
        if let Some(observatory) = observatory {
            write!(f, "{observatory}-")?;
        }
        for name in part.instrument.iter().chain(&part.reference_type) {
            write!(f, "{name}-")?;
        }
        match self {
            Self::File(_) => Ok(()),
            Self::Symbolic { tag, .. } => f.write_str(tag.name()),
            Self::Date { date, .. } => f.write_str(&date.replace(' ', "T")),
        }
    }
}

/// What stands before the tag or date: `hst`, `hst-acs`, `jwst-miri-pars-darkpipeline`.
fn stem_of(stem: &str) -> Result<(Option<Observatory>, RulesPart), &'static str> {
    let mut names = stem.splitn(3, '-');
    let observatory: Observatory = names
        .next()
        .unwrap_or_default()
        .parse()
        .map_err(|_| "it begins with no known observatory")?;
    let plain = |name: &&str| {
        let mut rest = name.chars();
        rest.next().is_some_and(|c| c.is_ascii_alphabetic())
            && rest.all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    let mut name = || match names.next() {
        Some(name) if plain(&name) => Ok(Some(name.to_ascii_lowercase())),
        Some(_) => Err("no such form"),
        None => Ok(None),
    };
    let part = RulesPart {
        instrument: name()?,
        reference_type: name()?,
    };
    Ok((Some(observatory), part))
}

/// Divides `hst-acs-2018-01-21T12:00:00` before the date, if it ends in what may be one.
fn before_date(text: &str) -> Option<(&str, &str)> {
    let mut dashes = text.rmatch_indices('-').map(|(at, _)| at);
    let at = dashes.nth(2)?;
    let (stem, day) = (text.get(..at)?, text.get(at + 1..)?);
    day.starts_with(|c: char| c.is_ascii_digit())
        .then_some((stem, day))
}

/// The date in the form of `context_history`, perhaps without the time, if the text is one.
fn date(text: &str) -> Option<String> {
    let (day, time) = match text.split_once('T') {
        Some((day, time)) => (day, Some(time)),
        None => (text, None),
    };
    let _: jiff::civil::Date = day.parse().ok().filter(|_| day.len() == 10)?;
    let Some(time) = time else {
        return Some(day.to_owned());
    };
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
            ("2018-01-21", true, None),
            ("hst-latest", true, Some(Observatory::Hst)),
            ("hst-acs-operational", false, Some(Observatory::Hst)),
            ("hst-cos-deadtab-2014-11-11", false, Some(Observatory::Hst)),
            (
                "jwst-miri-pars-darkpipeline-edit",
                false,
                Some(Observatory::Jwst),
            ),
        ] {
            let name: ContextName = text.parse().unwrap();
            assert_eq!(name.to_string(), text);
            assert_eq!(name.is_complete(), complete, "{text}");
            assert_eq!(name.observatory(), observatory, "{text}");
        }
        let dead: ContextName = "hst-COS-deadtab-2014-11-11".parse().unwrap();
        let part = RulesPart {
            instrument: Some("cos".to_owned()),
            reference_type: Some("deadtab".to_owned()),
        };
        let is_it = matches!(dead, ContextName::Date { part: p, date, .. } if p == part && date == "2014-11-11");
        assert!(is_it);
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
            "hst-1-2018-01-01",
            "hst--edit",
            "hst-acs-2018-01-01T1",
        ] {
            let error = text.parse::<ContextName>().unwrap_err();
            assert!(error.hint().unwrap().contains("a rules file"), "{error}");
        }
    }
}
