//! Shell-style patterns as Python's `fnmatch` reads them: `*`, `?`, `[seq]`, `[!seq]`.

/// A compiled pattern that must match a whole text.
#[derive(Debug, Clone)]
pub(crate) struct Glob {
    parts: Box<[GlobPart]>,
    /// The pattern itself, when nothing in it is special.
    plain: Option<Box<str>>,
}

#[derive(Debug, Clone, PartialEq)]
enum GlobPart {
    Char(char),
    Any,
    Many,
    Set {
        inverted: bool,
        ranges: Box<[(char, char)]>,
    },
}

impl Glob {
    pub(crate) fn new(pattern: &str) -> Self {
        let chars: Vec<char> = pattern.chars().collect();
        let mut parts = Vec::new();
        let mut at = 0;
        while let Some(&c) = chars.get(at) {
            at += 1;
            parts.push(match c {
                '*' if parts.last() == Some(&GlobPart::Many) => continue,
                '*' => GlobPart::Many,
                '?' => GlobPart::Any,
                '[' => match set(&chars, at) {
                    Some((part, end)) => {
                        at = end;
                        part
                    }
                    None => GlobPart::Char('['),
                },
                c => GlobPart::Char(c),
            });
        }
        let is_plain = parts.iter().all(|part| matches!(part, GlobPart::Char(_)));
        Self {
            parts: parts.into(),
            plain: is_plain.then(|| pattern.into()),
        }
    }

    pub(crate) fn matches(&self, text: &str) -> bool {
        if let Some(plain) = &self.plain {
            return **plain == *text;
        }
        // Where to go on after a mismatch: the last `*` and the text it may swallow one more of.
        let mut retry: Option<(usize, &str)> = None;
        let (mut at, mut rest) = (0, text);
        loop {
            let part = self.parts.get(at);
            if part == Some(&GlobPart::Many) {
                at += 1;
                retry = Some((at, rest));
                continue;
            }
            let next = rest.chars().next();
            match (part, next) {
                (None, None) => return true,
                (Some(part), Some(c)) if part.accepts(c) => {
                    at += 1;
                    rest = &rest[c.len_utf8()..];
                }
                _ => {
                    let Some((resume, from)) = retry else {
                        return false;
                    };
                    let Some(swallowed) = from.chars().next() else {
                        return false;
                    };
                    let from = &from[swallowed.len_utf8()..];
                    retry = Some((resume, from));
                    (at, rest) = (resume, from);
                }
            }
        }
    }
}

impl GlobPart {
    fn accepts(&self, c: char) -> bool {
        match self {
            Self::Char(own) => *own == c,
            Self::Any | Self::Many => true,
            Self::Set { inverted, ranges } => {
                ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) != *inverted
            }
        }
    }
}

/// The set whose content starts at `start`, and where the pattern goes on; nothing if the bracket
/// is never closed.
fn set(chars: &[char], start: usize) -> Option<(GlobPart, usize)> {
    let inverted = chars.get(start) == Some(&'!');
    let first = start + usize::from(inverted);
    // A bracket in the first place is a member, not the end.
    let search = first + usize::from(chars.get(first) == Some(&']'));
    let length = chars.get(search..)?.iter().position(|c| *c == ']')?;
    let end = search + length;
    let members = chars.get(first..end)?;
    let mut ranges = Vec::new();
    let mut at = 0;
    while let Some(&low) = members.get(at) {
        if let (Some('-'), Some(&high)) = (members.get(at + 1), members.get(at + 2)) {
            // An empty range such as `z-a` has no members.
            if low <= high {
                ranges.push((low, high));
            }
            at += 3;
        } else {
            ranges.push((low, low));
            at += 1;
        }
    }
    let part = GlobPart::Set {
        inverted,
        ranges: ranges.into(),
    };
    Some((part, end + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_texts() {
        for (pattern, text, matches) in [
            ("F*W", "F606W", true),
            ("F*W", "F606WX", false),
            ("*", "", true),
            ("**A**", "BAB", true),
            ("a*b*c", "aXbXbXc", true),
            ("a*b*c", "aXc", false),
            ("?", "\u{e9}", true),
            ("[!A]", "B", true),
            ("[]A]", "]", true),
            ("[A-C]", "B", true),
            ("[C-A]", "B", false),
            ("[A-]", "-", true),
            ("[A", "[A", true),
            ("A.C", "ABC", false),
        ] {
            assert_eq!(
                Glob::new(pattern).matches(text),
                matches,
                "{pattern} {text}"
            );
        }
    }
}
