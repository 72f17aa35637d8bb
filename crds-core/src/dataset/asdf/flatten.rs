//! A tree as a header: dotted keywords, and values as Python would print them.

use std::collections::HashMap;

use super::AsdfProblem;
use super::tree::{Map, Scalar, YamlKind, YamlNode};
use crate::header::{Header, float_text};
use crate::literal::Literal;

/// Shared nodes could make a small file a huge header.
const MAX_KEYWORDS: usize = 1 << 18;
const MAX_TEXT: usize = 64 << 20;

/// The header of a tree.
pub(super) fn header(tree: &YamlNode) -> Result<Header, AsdfProblem> {
    let mut flat = Flat::default();
    if let YamlNode::Map(map) = tree {
        flat.add_map("", map)?;
        flat.set("HISTORY".into(), history(map))?;
    }
    Ok(flat.pairs.into_iter().collect())
}

/// The header of a tree that is nothing but a header.
pub(super) fn plain(tree: &YamlNode) -> Result<Header, AsdfProblem> {
    let mut flat = Flat::default();
    match tree {
        YamlNode::Map(map) => flat.add_map("", map)?,
        _ => {
            return Err(AsdfProblem::Yaml(
                "it is no mapping of keys to values".into(),
            ));
        }
    }
    Ok(flat.pairs.into_iter().collect())
}

/// Keywords in order; a repeated one keeps its place and takes the later value.
#[derive(Default)]
struct Flat {
    pairs: Vec<(String, String)>,
    places: HashMap<String, usize>,
    size: usize,
}

impl Flat {
    fn add_map(&mut self, prefix: &str, map: &Map) -> Result<(), AsdfProblem> {
        for (key, node) in &map.pairs {
            let Some(key) = key else { continue };
            let keyword = format!("{prefix}{}", key.to_uppercase());
            match &**node {
                // The depth is bounded since the tree was read.
                YamlNode::Map(map) => self.add_map(&format!("{keyword}."), map)?,
                node => self.set(keyword, value(node)?)?,
            }
        }
        Ok(())
    }

    fn set(&mut self, keyword: String, value: String) -> Result<(), AsdfProblem> {
        self.size += keyword.len() + value.len();
        if self.pairs.len() >= MAX_KEYWORDS || self.size > MAX_TEXT {
            return Err(AsdfProblem::TooLarge("a quarter of a million keywords"));
        }
        if let Some(&place) = self.places.get(&keyword) {
            if let Some((_, old)) = self.pairs.get_mut(place) {
                *old = value;
            }
        } else {
            self.places.insert(keyword.clone(), self.pairs.len());
            self.pairs.push((keyword, value));
        }
        Ok(())
    }
}

/// What Python's `str()` would give, after CRDS made simple types of everything.
fn value(node: &YamlNode) -> Result<String, AsdfProblem> {
    let mut budget = MAX_KEYWORDS;
    Ok(match simple(node, &mut budget)? {
        Literal::Str(text) => text.into_owned(),
        other => other.to_string(),
    })
}

/// A text, or a tuple of such.
fn simple(node: &YamlNode, budget: &mut usize) -> Result<Literal<'static>, AsdfProblem> {
    *budget = budget.checked_sub(1).ok_or(AsdfProblem::TooLarge(
        "a quarter of a million items in a list",
    ))?;
    Ok(match node {
        YamlNode::Scalar(scalar) => Literal::Str(scalar.python_text().into()),
        YamlNode::List(items) => Literal::Tuple(
            items
                .iter()
                .map(|item| simple(item, budget))
                .collect::<Result<_, _>>()?,
        ),
        YamlNode::Map(map) => Literal::Str(suppressed(map.python.unwrap_or("dict")).into()),
        YamlNode::Object(name) => Literal::Str(suppressed(name).into()),
    })
}

/// CRDS's own word for values it does not show.
fn suppressed(name: &str) -> String {
    format!("SUPRESSED_NONSTD_TYPE: '{name}'")
}

/// The entries of the history: time and description, one on each line.
fn history(tree: &Map) -> String {
    let entries = match tree.get("history").map(|history| &**history) {
        Some(YamlNode::Map(history)) => history.get("entries").map(|entries| &**entries),
        other => other,
    };
    let Some(YamlNode::List(entries)) = entries else {
        return "UNDEFINED".into();
    };
    let line = |entry: &YamlNode| {
        let YamlNode::Map(entry) = entry else {
            return None;
        };
        let text = |key| match entry.get(key).map(|value| &**value) {
            Some(YamlNode::Scalar(scalar)) => Some(scalar.text.as_str()),
            _ => None,
        };
        let time = text("time")?.replacen('T', " ", 1);
        let time = time.split('.').next()?.to_owned();
        Some(format!("{time} :: {}", text("description")?))
    };
    let lines: Vec<String> = entries.iter().filter_map(|entry| line(entry)).collect();
    if lines.is_empty() {
        "UNDEFINED".into()
    } else {
        lines.join("\n")
    }
}

impl Scalar {
    /// Whether Python would see a text here.
    pub(super) fn is_text(&self) -> bool {
        match self.kind {
            YamlKind::Text => true,
            YamlKind::Plain => matches!(resolve(&self.text), Resolved::Text),
            YamlKind::Time | YamlKind::Complex => false,
        }
    }

    fn python_text(&self) -> String {
        let text = || self.text.clone();
        match self.kind {
            YamlKind::Text | YamlKind::Complex => text(),
            YamlKind::Time => moment(&self.text)
                .and_then(|moment| moment.get(..19).map(str::to_owned))
                .unwrap_or_else(text),
            YamlKind::Plain => match resolve(&self.text) {
                Resolved::Text => text(),
                Resolved::Printed(printed) => printed,
                Resolved::Object(name) => suppressed(name),
            },
        }
    }
}

/// What a plain scalar is by the rules of YAML 1.1, as `PyYAML` knows them.
enum Resolved {
    Text,
    /// A bool, number or time, as Python prints it.
    Printed(String),
    Object(&'static str),
}

fn resolve(text: &str) -> Resolved {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Resolved::Object("NoneType"),
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Resolved::Printed("True".into());
        }
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Resolved::Printed("False".into());
        }
        _ => {}
    }
    if let Some(number) = integer(text).or_else(|| float(text)) {
        return Resolved::Printed(number);
    }
    if let Some(moment) = moment(text) {
        return Resolved::Printed(moment);
    }
    let date = |text: &str| text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok();
    if date(text) {
        return Resolved::Object("date");
    }
    Resolved::Text
}

fn integer(text: &str) -> Option<String> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => ("-", text.get(1..)?),
        b'+' => ("", text.get(1..)?),
        _ => ("", text),
    };
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let digits = digits.replace('_', "");
    let based = |digits: &str, base| {
        let number = u64::from_str_radix(digits, base).ok()?;
        Some(format!("{}{number}", if number == 0 { "" } else { sign }))
    };
    if let Some(digits) = digits.strip_prefix("0b") {
        return based(digits, 2);
    }
    if let Some(digits) = digits.strip_prefix("0x") {
        return based(digits, 16);
    }
    if digits.len() > 1 && digits.starts_with('0') {
        return based(&digits, 8);
    }
    let decimal = digits.bytes().all(|byte| byte.is_ascii_digit());
    decimal.then(|| match digits.as_str() {
        "0" => digits,
        _ => format!("{sign}{digits}"),
    })
}

fn float(text: &str) -> Option<String> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    match unsigned {
        ".inf" | ".Inf" | ".INF" => {
            return Some(if text.starts_with('-') { "-inf" } else { "inf" }.into());
        }
        ".nan" | ".NaN" | ".NAN" => return Some("nan".into()),
        _ => {}
    }
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = mantissa.split_once('.')?;
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || b == b'_');
    let begins = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
    let signed = |text: &str| {
        let rest = text.strip_prefix(['-', '+']);
        rest.is_some_and(|rest| begins(rest) && rest.bytes().all(|b| b.is_ascii_digit()))
    };
    let right = digits(whole)
        && digits(fraction)
        && (begins(whole) || (whole.is_empty() && begins(fraction)))
        && exponent.is_none_or(signed);
    if !right {
        return None;
    }
    text.replace('_', "").parse().ok().map(float_text)
}

/// `2020-01-02T03:04:05[.ffffff]` of a date and time in one of the forms YAML knows, time zone
/// left out.
fn moment(text: &str) -> Option<String> {
    let (day, rest) = text.split_at_checked(10)?;
    day.parse::<jiff::civil::Date>().ok()?;
    let rest = rest.strip_prefix(['T', 't', ' '])?.trim_start();
    let zone = rest.find(|c: char| !(c.is_ascii_digit() || ":.".contains(c)));
    let (clock, zone) = rest.split_at_checked(zone.unwrap_or(rest.len()))?;
    let zone = zone.trim_start();
    let offset = zone.strip_prefix(['+', '-']).is_some_and(|offset| {
        offset.starts_with(|c: char| c.is_ascii_digit())
            && offset.bytes().all(|b| b.is_ascii_digit() || b == b':')
    });
    if !(zone.is_empty() || zone == "Z" || offset) {
        return None;
    }
    let (time, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let time = format!("{time:0>8}");
    time.parse::<jiff::civil::Time>()
        .ok()
        .filter(|_| time.len() == 8)?;
    let microseconds = microseconds(time.get(6..)?, fraction)?;
    Some(match microseconds {
        0 => format!("{day}T{time}"),
        _ => format!("{day}T{time}.{microseconds:06}"),
    })
}

/// CRDS takes seconds as a double, and cuts: 5.6 s have 599999 microseconds.
fn microseconds(seconds: &str, fraction: &str) -> Option<u32> {
    let fraction: String = fraction.chars().take(6).collect();
    let seconds: f64 = format!("{seconds}.{fraction:0<6}").parse().ok()?;
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a fraction of a million is in range, and cutting is the rule"
    )]
    let cut = ((seconds - seconds.trunc()) * 1e6) as u32;
    Some(cut)
}
