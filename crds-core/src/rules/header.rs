//! The header of a rule file: what applies to the whole table.

use crate::literal::Literal;

/// What a rule file says about itself, strings as they are in the file.
///
/// Python CRDS sees top-level strings in lower case unless they are in parentheses; the accessors
/// do the same. Fields without effect on lookups are kept but have no accessor of their own.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleHeader {
    fields: Vec<(Box<str>, Literal<'static>)>,
}

impl RuleHeader {
    /// Takes a dictionary whose keys are strings, or says what is wrong with it.
    pub(crate) fn new(literal: &Literal<'_>) -> Result<Self, String> {
        let Some(pairs) = literal.as_dict() else {
            return Err(format!(
                "its `header` is {}, not a dictionary",
                literal.kind()
            ));
        };
        let mut fields = Vec::with_capacity(pairs.len());
        for (key, value) in pairs {
            let Some(key) = key.as_str() else {
                return Err(format!("the header key {key} is not a string"));
            };
            fields.push((Box::from(key), value.to_static()));
        }
        let header = Self { fields };
        for required in ["mapping", "parkey", "name", "derived_from"] {
            if header.get(required).is_none() {
                return Err(format!("its header has no `{required}`"));
            }
        }
        Ok(header)
    }

    /// The value of a field as it is in the file.
    pub fn get(&self, field: &str) -> Option<&Literal<'static>> {
        self.fields
            .iter()
            .find(|(name, _)| &**name == field)
            .map(|(_, value)| value)
    }

    /// All fields, in file order.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&str, &Literal<'static>)> {
        self.fields.iter().map(|(name, value)| (&**name, value))
    }

    /// A text field as Python CRDS sees it: in lower case unless in parentheses.
    pub fn text(&self, field: &str) -> Option<String> {
        self.get(field)?.as_str().map(|text| {
            if text.starts_with('(') && text.ends_with(')') {
                text.to_owned()
            } else {
                text.to_lowercase()
            }
        })
    }

    /// A required text field.
    pub(crate) fn required(&self, field: &str) -> Result<String, String> {
        self.text(field)
            .ok_or_else(|| format!("its header has no text `{field}`"))
    }

    /// The sha1sum the file claims to have.
    pub(crate) fn checksum(&self) -> Option<&str> {
        self.get("sha1sum")?.as_str()
    }

    /// The parameters of each selector level; a bare name is a level of one.
    pub(crate) fn parameters(&self) -> Result<Vec<Vec<Box<str>>>, String> {
        let wrong = || "its `parkey` is not a tuple of tuples of names".to_owned();
        let levels = self
            .get("parkey")
            .and_then(Literal::as_sequence)
            .ok_or_else(wrong)?;
        levels
            .iter()
            .map(|level| match level {
                Literal::Str(name) => Ok(vec![Box::from(&**name)]),
                other => names(other).ok_or_else(wrong),
            })
            .collect()
    }

    /// A field that is a sequence of names; absent means none.
    pub(crate) fn names(&self, field: &str) -> Result<Vec<Box<str>>, String> {
        match self.get(field) {
            None => Ok(Vec::new()),
            Some(value) => {
                names(value).ok_or_else(|| format!("its `{field}` is not a tuple of names"))
            }
        }
    }

    /// The header key whose value says whether this type's calibration step runs.
    pub(crate) fn switch(&self) -> Option<String> {
        let name = self.text("reffile_switch")?.to_uppercase();
        (name != "NONE").then_some(name)
    }

    /// The header keys that the table looks at: those it matches, level by level, its switch, and
    /// others, as they are written.
    pub(crate) fn keys(&self) -> Vec<String> {
        let levels = self.parameters().unwrap_or_default();
        let matched = levels.into_iter().flatten();
        let extra = self.names("extra_keys").unwrap_or_default();
        let switch = self.switch();
        let named = matched.map(String::from).chain(switch);
        named.chain(extra.into_iter().map(String::from)).collect()
    }

    /// Whether a failed lookup stays a failure.
    pub(crate) fn is_required(&self) -> bool {
        self.text("reffile_required")
            .is_none_or(|text| matches!(text.to_uppercase().as_str(), "YES" | "NONE"))
    }

    /// Whether equally good rows are merged.
    pub(crate) fn merges_overlaps(&self) -> bool {
        match self.get("merge_overlaps") {
            None => true,
            Some(value) => {
                matches!(value.plain_text().to_uppercase().as_str(), "TRUE" | "1")
            }
        }
    }

    /// A field that is a dictionary of texts.
    pub(crate) fn texts(&self, field: &str) -> Result<Vec<(&str, &str)>, String> {
        let wrong = || format!("its `{field}` is not a dictionary of texts");
        let Some(value) = self.get(field) else {
            return Ok(Vec::new());
        };
        let pairs = value.as_dict().ok_or_else(wrong)?;
        pairs
            .iter()
            .map(|(key, value)| Some((key.as_str()?, value.as_str()?)))
            .collect::<Option<_>>()
            .ok_or_else(wrong)
    }
}

fn names(literal: &Literal<'_>) -> Option<Vec<Box<str>>> {
    literal
        .as_sequence()?
        .iter()
        .map(|name| name.as_str().map(Box::from))
        .collect()
}
