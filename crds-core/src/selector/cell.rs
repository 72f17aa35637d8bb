//! The cells of a Match: what each kind of cell says to a value.

use regex::Regex;

use super::glob::Glob;
use crate::header::decimal::Decimal;
use crate::header::python_float;

/// What a cell says to a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The value is the cell's; it adds to the row's weight.
    Match,
    /// The cell does not mind; it adds nothing.
    DontCare,
    /// The row is out.
    No,
}

/// One compiled cell. `own` is the text that a value may also equal literally.
#[derive(Debug, Clone)]
pub(crate) enum Cell {
    /// `N/A`: any value will do.
    NotApplicable,
    /// The value itself.
    Text(Box<str>),
    /// `(...)`
    Pattern { own: Box<str>, regex: Regex },
    /// `A|B*`
    Globs(Vec<Glob>),
    /// `>5`
    Comparison {
        own: Box<str>,
        operator: Operator,
        bound: f64,
    },
    /// `#>3 AND <5#`, `BETWEEN 3 5`
    Both {
        own: Box<str>,
        cells: Box<[Cell; 2]>,
    },
    /// `#<3 OR >5#`
    Either {
        own: Box<str>,
        cells: Box<[Cell; 2]>,
    },
    /// `NOT ...`
    Not(Box<Cell>),
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Operator {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// How often `NOT`, `#` and the like may nest.
const MAX_DEPTH: usize = 32;

/// The longest regular expression program, in bytes, that a cell may compile to.
const MAX_REGEX: usize = 1 << 20;

impl Cell {
    /// Compiles a conditioned cell, or says what is wrong with it.
    pub(crate) fn new(text: &str) -> Result<Self, String> {
        Self::nested(text, 0)
    }

    fn nested(text: &str, depth: usize) -> Result<Self, String> {
        if depth > MAX_DEPTH {
            return Err(format!("the cell nests more than {MAX_DEPTH} deep"));
        }
        if let Some(pattern) = bracketed(text, '(', ')') {
            return Self::pattern(pattern);
        }
        if let Some(plain) = bracketed(text, '{', '}') {
            return Ok(Self::Text(plain.into()));
        }
        if text.starts_with('#') && text.ends_with('#') {
            let upper = text.to_uppercase();
            let inside = upper
                .get(1..upper.len().saturating_sub(1))
                .unwrap_or_default();
            return if upper.contains(" AND ") {
                Self::binary(&upper, inside, "AND", depth)
            } else if upper.contains(" OR ") {
                Self::binary(&upper, inside, "OR", depth)
            } else {
                Self::nested(inside, depth + 1)
            };
        }
        if starts_with(text, "BETWEEN") {
            return Self::between(text, depth);
        }
        if starts_with(text, "NOT ") {
            let rest = text.get(4..).unwrap_or_default();
            let cell = Self::nested(crate::header::trim(rest), depth + 1)?;
            return Ok(Self::Not(Box::new(cell)));
        }
        if text.contains(['|', '*']) {
            return Ok(Self::Globs(
                or_list(text).into_iter().map(Glob::new).collect(),
            ));
        }
        if text == "N/A" {
            return Ok(Self::NotApplicable);
        }
        if text.starts_with(['>', '<']) {
            return Self::comparison(text);
        }
        Ok(Self::Text(text.into()))
    }

    fn pattern(pattern: &str) -> Result<Self, String> {
        // Python spells the end of the text `\Z`.
        let translated = pattern.replace("\\Z", "\\z");
        let regex = regex::RegexBuilder::new(&format!("\\A(?:{translated})"))
            .size_limit(MAX_REGEX)
            .build()
            .map_err(|error| {
                format!("its regular expression `{pattern}` cannot be used: {error}")
            })?;
        Ok(Self::Pattern {
            own: pattern.into(),
            regex,
        })
    }

    fn binary(own: &str, inside: &str, operator: &str, depth: usize) -> Result<Self, String> {
        let mut parts = inside.split(operator).map(crate::header::trim);
        let mut part = || Self::nested(parts.next().unwrap_or_default(), depth + 1);
        let cells = Box::new([part()?, part()?]);
        let own = own.into();
        Ok(if operator == "AND" {
            Self::Both { own, cells }
        } else {
            Self::Either { own, cells }
        })
    }

    fn between(text: &str, depth: usize) -> Result<Self, String> {
        let words: Vec<&str> = words(text).collect();
        let [_, low, high] = words[..] else {
            return Err(format!("`{text}` is not of the form `BETWEEN low high`"));
        };
        match (python_float(low), python_float(high)) {
            (Some(a), Some(b)) if a <= b => {}
            _ => return Err(format!("`{text}` has no numbers in ascending order")),
        }
        let both = format!(">={low} AND <{high}");
        Self::binary(&both, &both, "AND", depth)
    }

    fn comparison(text: &str) -> Result<Self, String> {
        let (operator, rest) = if let Some(rest) = text.strip_prefix(">=") {
            (Operator::GreaterOrEqual, rest)
        } else if let Some(rest) = text.strip_prefix("<=") {
            (Operator::LessOrEqual, rest)
        } else if let Some(rest) = text.strip_prefix('>') {
            (Operator::Greater, rest)
        } else {
            (Operator::Less, text.get(1..).unwrap_or_default())
        };
        let bound = leading_number(rest.trim_start_matches(crate::header::is_space))
            .ok_or_else(|| format!("`{text}` compares with no number"))?;
        Ok(Self::Comparison {
            own: text.into(),
            operator,
            bound,
        })
    }

    /// What the cell says to a value.
    pub(crate) fn verdict(&self, value: &str) -> Verdict {
        match self {
            Self::NotApplicable => Verdict::DontCare,
            Self::Not(cell) => match cell.verdict(value) {
                Verdict::Match => Verdict::No,
                Verdict::DontCare => Verdict::DontCare,
                Verdict::No => Verdict::Match,
            },
            Self::Text(own) => literally(own, value),
            Self::Pattern { own, regex } => {
                or_else(literally(own, value), || regex.is_match(value))
            }
            Self::Globs(globs) => or_else(literally("*", value), || {
                globs.iter().any(|g| g.matches(value))
            }),
            Self::Comparison {
                own,
                operator,
                bound,
            } => or_else(literally(own, value), || {
                python_float(value).is_some_and(|number| operator.holds(number, *bound))
            }),
            Self::Both { own, cells } => relation(own, value, |value| {
                cells.iter().all(|c| c.verdict(value) == Verdict::Match)
            }),
            Self::Either { own, cells } => relation(own, value, |value| {
                cells.iter().any(|c| c.verdict(value) == Verdict::Match)
            }),
        }
    }
}

impl Operator {
    fn holds(self, value: f64, bound: f64) -> bool {
        match self {
            Self::Less => value < bound,
            Self::LessOrEqual => value <= bound,
            Self::Greater => value > bound,
            Self::GreaterOrEqual => value >= bound,
        }
    }
}

/// What every cell but `N/A` and `NOT` says first.
fn literally(own: &str, value: &str) -> Verdict {
    if value == own || value == "*" {
        Verdict::Match
    } else if value == "N/A" {
        Verdict::DontCare
    } else {
        Verdict::No
    }
}

fn or_else(first: Verdict, matches: impl FnOnce() -> bool) -> Verdict {
    if first == Verdict::No && matches() {
        Verdict::Match
    } else {
        first
    }
}

fn relation(own: &str, value: &str, holds: impl FnOnce(&str) -> bool) -> Verdict {
    let value = value.to_uppercase();
    or_else(literally(own, &value), || holds(&value))
}

/// The parts of a cell that lists alternatives with `|`, in order; any other cell is one part.
pub(crate) fn or_list(text: &str) -> Vec<&str> {
    if !text.contains('|') || is_esoteric(text) {
        return vec![text];
    }
    let mut parts: Vec<&str> = text
        .split('|')
        .map(crate::header::trim)
        .filter(|part| !part.is_empty())
        .collect();
    parts.sort_unstable();
    parts
}

/// Whether a cell or value is of a kind that validation does not look into.
pub(crate) fn is_esoteric(text: &str) -> bool {
    (text.starts_with(['{', '(', '#']) && text.ends_with(['}', ')', '#']))
        || starts_with(text, "BETWEEN")
        || starts_with(text, "NOT")
}

/// Whether the upper-case form of the text starts so; `start` is ASCII.
fn starts_with(text: &str, start: &str) -> bool {
    match text.as_bytes().get(..start.len()) {
        Some(head) if head.is_ascii() => head.eq_ignore_ascii_case(start.as_bytes()),
        // Some letters become ASCII ones in upper case, such as the long s.
        _ => text.to_uppercase().starts_with(start),
    }
}

fn bracketed(text: &str, open: char, close: char) -> Option<&str> {
    text.strip_prefix(open)?.strip_suffix(close)
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(crate::header::is_space)
        .filter(|word| !word.is_empty())
}

/// The longest start of the text that is `[-+]?[0-9]*\.?[0-9]+([eE][-+]?[0-9]+)?`.
fn leading_number(text: &str) -> Option<f64> {
    let number = Decimal::at_start_of(text);
    let end = match number.fraction {
        None | Some(0) if number.whole == 0 => return None,
        // The point does not belong to it, nor what follows.
        Some(0) => number.sign + number.whole,
        _ => number.end,
    };
    text.get(..end)?.parse().ok()
}

#[cfg(test)]
#[path = "cell_tests.rs"]
mod tests;
