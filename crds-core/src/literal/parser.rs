//! The grammar: literals, selector calls, and the assignments of a rule file.

use std::collections::HashMap;

use super::scan::Scan;
use super::{Literal, LiteralError, MAX_DEPTH, RuleText};

/// Whether selector calls may stand where a value stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Calls {
    Refused,
    Selectors,
}

pub(super) struct Parser<'a> {
    scan: Scan<'a>,
    calls: Calls,
    depth: usize,
}

impl<'a> Parser<'a> {
    pub(super) fn new(file: &str, text: &'a str, calls: Calls) -> Result<Self, LiteralError> {
        Ok(Self {
            scan: Scan::new(file, text)?,
            calls,
            depth: 0,
        })
    }

    /// One value and nothing after it.
    pub(super) fn whole(mut self) -> Result<Literal<'a>, LiteralError> {
        self.scan.skip_blanks();
        let value = self.value()?;
        self.scan.skip_blanks();
        match self.scan.peek() {
            None => Ok(value),
            Some(_) => Err(self.scan.unexpected("the end of the text")),
        }
    }

    /// `header = {...}`, `comment = ...`, `selector = ...`; the last of equal names wins.
    pub(super) fn rules(mut self) -> Result<RuleText<'a>, LiteralError> {
        let (mut header, mut selector) = (None, None);
        loop {
            self.scan.skip_blanks();
            while self.scan.eat(b';') {
                self.scan.skip_blanks();
            }
            if self.scan.peek().is_none() {
                break;
            }
            let start = self.scan.at;
            let name = self.scan.word();
            self.scan.skip_blanks();
            if !matches!(name, "header" | "comment" | "selector") || !self.scan.eat(b'=') {
                return Err(self.scan.error(
                    start,
                    "a rule file only assigns `header`, `comment` and `selector`",
                ));
            }
            self.scan.skip_blanks();
            let value = self.value()?;
            match name {
                "header" => header = Some(value),
                "selector" => selector = Some(value),
                _ => {}
            }
        }
        let missing = |name| {
            self.scan
                .error(self.scan.at, format!("the file assigns no `{name}`"))
        };
        Ok(RuleText {
            header: header.ok_or_else(|| missing("header"))?,
            selector: selector.ok_or_else(|| missing("selector"))?,
        })
    }

    fn value(&mut self) -> Result<Literal<'a>, LiteralError> {
        match self.scan.peek() {
            Some(b'\'' | b'"') => self.strings(false),
            Some(b'(') => self.nested(Self::tuple),
            Some(b'[') => self.nested(Self::list),
            Some(b'{') => self.nested(Self::dict),
            Some(b'-' | b'+') => self.signed(),
            Some(b'0'..=b'9' | b'.') => self.scan.number(),
            Some(b) if b.is_ascii_alphabetic() || b == b'_' => self.name(),
            _ => Err(self.scan.unexpected("a value")),
        }
    }

    /// Reads something in brackets; the scan stands on the opening one.
    fn nested(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<Literal<'a>, LiteralError>,
    ) -> Result<Literal<'a>, LiteralError> {
        if self.depth == MAX_DEPTH {
            let problem = format!("brackets nest more than {MAX_DEPTH} deep");
            return Err(self.scan.error(self.scan.at, problem));
        }
        self.depth += 1;
        self.scan.at += 1;
        self.scan.skip_blanks();
        let value = read(self)?;
        self.depth -= 1;
        Ok(value)
    }

    fn tuple(&mut self) -> Result<Literal<'a>, LiteralError> {
        let mut items = Vec::new();
        while !self.scan.eat(b')') {
            items.push(self.value()?);
            self.scan.skip_blanks();
            if !self.scan.eat(b',') {
                if !self.scan.eat(b')') {
                    return Err(self.scan.unexpected("`,` or `)`"));
                }
                // Without a comma the brackets only group.
                return Ok(match items.pop() {
                    Some(only) if items.is_empty() => only,
                    last => {
                        items.extend(last);
                        Literal::Tuple(items)
                    }
                });
            }
            self.scan.skip_blanks();
        }
        Ok(Literal::Tuple(items))
    }

    fn list(&mut self) -> Result<Literal<'a>, LiteralError> {
        let mut items = Vec::new();
        while !self.scan.eat(b']') {
            items.push(self.value()?);
            self.after_item(b']', "`,` or `]`")?;
        }
        Ok(Literal::List(items))
    }

    fn dict(&mut self) -> Result<Literal<'a>, LiteralError> {
        let mut pairs = Vec::new();
        while !self.scan.eat(b'}') {
            let start = self.scan.at;
            let key = self.value()?;
            if !key.is_hashable() {
                let problem = format!("{} cannot be a dictionary key", key.kind());
                return Err(self.scan.error(start, problem));
            }
            self.scan.skip_blanks();
            if !self.scan.eat(b':') {
                return Err(self.scan.unexpected("`:` after a dictionary key"));
            }
            self.scan.skip_blanks();
            pairs.push((key, self.value()?));
            self.after_item(b'}', "`,` or `}`")?;
        }
        Ok(Literal::Dict(without_repeats(pairs)))
    }

    /// A comma, or the closing bracket, which stays.
    fn after_item(&mut self, close: u8, wanted: &str) -> Result<(), LiteralError> {
        self.scan.skip_blanks();
        if self.scan.eat(b',') {
            self.scan.skip_blanks();
            return Ok(());
        }
        if self.scan.peek() == Some(close) {
            return Ok(());
        }
        Err(self.scan.unexpected(wanted))
    }

    fn signed(&mut self) -> Result<Literal<'a>, LiteralError> {
        let negative = self.scan.eat(b'-') || !self.scan.eat(b'+');
        self.scan.skip_blanks();
        if !matches!(self.scan.peek(), Some(b'0'..=b'9' | b'.')) {
            return Err(self.scan.unexpected("a number after the sign"));
        }
        Ok(match self.scan.number()? {
            Literal::Int(value) if negative => Literal::Int(-value),
            Literal::Float(value) if negative => Literal::Float(-value),
            number => number,
        })
    }

    /// `True`, `False`, `None`, a string with a prefix, or a selector call.
    fn name(&mut self) -> Result<Literal<'a>, LiteralError> {
        let start = self.scan.at;
        let word = self.scan.word();
        if matches!(self.scan.peek(), Some(b'\'' | b'"')) {
            return match word {
                "u" | "U" => self.strings(false),
                "r" | "R" => self.strings(true),
                _ => Err(self.scan.error(
                    start,
                    format!("strings with the prefix `{word}` do not occur in rules"),
                )),
            };
        }
        match word {
            "True" => return Ok(Literal::Bool(true)),
            "False" => return Ok(Literal::Bool(false)),
            "None" => return Ok(Literal::None),
            _ => {}
        }
        self.scan.skip_blanks();
        if self.calls == Calls::Refused || self.scan.peek() != Some(b'(') {
            let problem = format!("the name `{word}` is not a value");
            return Err(self.scan.error(start, problem));
        }
        match word {
            "Match" => self.nested(|parser| parser.call("Match")),
            "UseAfter" => self.nested(|parser| parser.call("UseAfter")),
            "VersionAfter" => self.nested(|parser| parser.call("VersionAfter")),
            "SelectVersion" | "ClosestTime" | "GeometricallyNearest" | "Bracket" => {
                let problem = format!(
                    "the selector `{word}` is not supported; no HST, JWST or Roman rule uses it"
                );
                Err(self.scan.error(start, problem))
            }
            _ => Err(self
                .scan
                .error(start, format!("`{word}` is not a selector"))),
        }
    }

    fn call(&mut self, name: &'static str) -> Result<Literal<'a>, LiteralError> {
        if self.scan.peek() != Some(b'{') {
            return Err(self.scan.unexpected("`{` as the selector's argument"));
        }
        let argument = self.value()?;
        self.after_item(b')', "`)` after the selector's argument")?;
        if !self.scan.eat(b')') {
            return Err(self.scan.unexpected("`)` after the selector's argument"));
        }
        Ok(Literal::Call(name, Box::new(argument)))
    }

    /// One string, or several in a row, which are one.
    fn strings(&mut self, raw: bool) -> Result<Literal<'a>, LiteralError> {
        let mut text = self.scan.string(raw)?;
        loop {
            let end = self.scan.at;
            self.scan.skip_blanks();
            if !matches!(self.scan.peek(), Some(b'\'' | b'"')) || self.on_a_new_statement(end) {
                return Ok(Literal::Str(text));
            }
            text.to_mut().push_str(&self.scan.string(false)?);
        }
    }

    /// Outside brackets a line end would end the statement; a string there is no continuation.
    fn on_a_new_statement(&self, end: usize) -> bool {
        self.depth == 0 && self.scan.has_line_end(end)
    }
}

/// What a Python dictionary keeps of these pairs: each key at its first place with its last value.
fn without_repeats<'a>(pairs: Vec<(Literal<'a>, Literal<'a>)>) -> Vec<(Literal<'a>, Literal<'a>)> {
    // Dates and most tables are written in order: then one pass shows that no key repeats.
    let ascending = pairs.windows(2).all(
        |pair| matches!((&pair[0].0, &pair[1].0), (Literal::Str(a), Literal::Str(b)) if a < b),
    );
    if ascending {
        return pairs;
    }
    let mut places: HashMap<&Literal<'a>, usize> = HashMap::with_capacity(pairs.len());
    let mut repeats = Vec::new();
    for (index, (key, _)) in pairs.iter().enumerate() {
        let first = *places.entry(key).or_insert(index);
        if first != index {
            repeats.push((first, index));
        }
    }
    if repeats.is_empty() {
        return pairs;
    }
    let mut slots: Vec<Option<(Literal<'a>, Literal<'a>)>> = pairs.into_iter().map(Some).collect();
    for (first, later) in repeats {
        if let Some((_, value)) = slots[later].take()
            && let Some((_, old)) = slots[first].as_mut()
        {
            *old = value;
        }
    }
    slots.into_iter().flatten().collect()
}
