//! A selector as its rule file wrote it: raw cells, file order, nothing compiled.

use std::sync::Arc;

use crate::literal::Literal;

/// One selector call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Selector {
    /// Rows of parameter values; a row's key is a tuple, or a bare value meaning a tuple of one.
    Match(Vec<(Literal<'static>, RawChoice)>),
    /// Dates, verbatim.
    UseAfter(Vec<(Box<str>, RawChoice)>),
    /// Versions, verbatim.
    VersionAfter(Vec<(Box<str>, RawChoice)>),
}

/// What a selector gives.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum RawChoice {
    /// A file name or a special value; answers share its text.
    File(Arc<str>),
    /// Several names in one value. No real rule has any.
    Several(Vec<Box<str>>),
    /// Another selector decides.
    Nested(Selector),
}

impl Selector {
    /// Takes a selector call, or says what is wrong with it.
    pub(crate) fn new(literal: &Literal<'_>) -> Result<Self, String> {
        let Literal::Call(name, argument) = literal else {
            return Err(format!(
                "its `selector` is {}, not Match, UseAfter or VersionAfter",
                literal.kind()
            ));
        };
        let pairs = argument.as_dict().unwrap_or_default();
        match *name {
            "Match" => pairs
                .iter()
                .map(|(key, value)| Ok((key.to_static(), RawChoice::new(value)?)))
                .collect::<Result<_, String>>()
                .map(Self::Match),
            "UseAfter" => keyed(pairs, name).map(Self::UseAfter),
            _ => keyed(pairs, name).map(Self::VersionAfter),
        }
    }

    /// All names the selector can give, special values included, in tree order with repeats.
    pub(crate) fn each_name<'s>(&'s self, visit: &mut impl FnMut(&'s str)) {
        match self {
            Self::Match(rows) => {
                for (_, choice) in rows {
                    choice.each_name(visit);
                }
            }
            Self::UseAfter(entries) | Self::VersionAfter(entries) => {
                for (_, choice) in entries {
                    choice.each_name(visit);
                }
            }
        }
    }
}

impl RawChoice {
    pub(crate) fn new(literal: &Literal<'_>) -> Result<Self, String> {
        let wrong = || {
            let kind = literal.kind();
            format!("a selector gives {kind}; it can only give names or another selector")
        };
        let texts = |items: &mut dyn Iterator<Item = &Literal<'_>>| {
            items
                .map(|item| item.as_str().map(Box::from).ok_or_else(wrong))
                .collect::<Result<Vec<Box<str>>, String>>()
        };
        match literal {
            Literal::Str(name) => Ok(Self::File(Arc::from(&**name))),
            Literal::Tuple(items) => texts(&mut items.iter()).map(Self::Several),
            Literal::Dict(pairs) => texts(&mut pairs.iter().map(|(_, v)| v)).map(Self::Several),
            Literal::Call(..) => Selector::new(literal).map(Self::Nested),
            _ => Err(wrong()),
        }
    }

    fn each_name<'s>(&'s self, visit: &mut impl FnMut(&'s str)) {
        match self {
            Self::File(name) => visit(name),
            Self::Several(names) => {
                for name in names {
                    visit(name);
                }
            }
            Self::Nested(selector) => selector.each_name(visit),
        }
    }
}

fn keyed(
    pairs: &[(Literal<'_>, Literal<'_>)],
    selector: &str,
) -> Result<Vec<(Box<str>, RawChoice)>, String> {
    pairs
        .iter()
        .map(|(key, value)| {
            let text = key
                .as_str()
                .ok_or_else(|| format!("the {selector} key {key} is not a string"))?;
            Ok((Box::from(text), RawChoice::new(value)?))
        })
        .collect()
}
