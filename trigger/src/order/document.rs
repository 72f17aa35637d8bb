//! Documents people write, as fields: JSON or YAML read with bounds, every field known and of its
//! type, errors that list what is allowed. Which fields there are is for `order`.

use std::borrow::Cow;

use serde_json::{Map, Value};
use storage::hint::Hint;

use super::dataset_list::{DatasetListError, MAX_LIST_BYTES};

/// The largest request body or order read, in bytes.
pub const MAX_BODY_BYTES: usize = MAX_LIST_BYTES;

/// One accepted field and its type, in words.
pub(crate) type Field = (&'static str, &'static str);

/// Fields that cannot be accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// A field nobody knows.
    #[error("unknown field {field:?} in {what}")]
    Unknown {
        /// The field.
        field: String,
        /// What it is in.
        what: &'static str,
        /// Every allowed field with its type.
        allowed: String,
    },
    /// A field of the wrong type or value.
    #[error("field {field:?} of {what} is {found}, not {expected}")]
    Wrong {
        /// The field.
        field: String,
        /// What it is in.
        what: &'static str,
        /// What was found.
        found: String,
        /// What is accepted.
        expected: String,
        /// Every allowed field with its type.
        allowed: String,
    },
    /// Not a set of fields at all.
    #[error("{what} is {found}, not a set of fields")]
    NotFields {
        /// What was read.
        what: &'static str,
        /// What was found.
        found: String,
        /// Every allowed field with its type.
        allowed: String,
    },
    /// Text that is neither JSON nor YAML.
    #[error("{what} cannot be read as JSON or YAML: {reason}")]
    Syntax {
        /// What was read.
        what: &'static str,
        /// Where and why.
        reason: String,
    },
    /// The names.
    #[error(transparent)]
    Names(#[from] DatasetListError),
}

impl Hint for OrderError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Unknown { allowed, .. }
            | Self::Wrong { allowed, .. }
            | Self::NotFields { allowed, .. } => Some(format!("allowed are {allowed}").into()),
            Self::Names(error) => error.hint(),
            Self::Syntax { .. } => None,
        }
    }
}

/// The JSON or YAML in `bytes`; `what` it is goes into errors.
pub(crate) fn document(bytes: &[u8], what: &'static str) -> Result<Value, OrderError> {
    let syntax = |reason: String| OrderError::Syntax { what, reason };
    if bytes.len() > MAX_BODY_BYTES {
        return Err(syntax(format!(
            "it has {} bytes, at most {MAX_BODY_BYTES} are read",
            bytes.len()
        )));
    }
    let text = std::str::from_utf8(bytes).map_err(|e| syntax(e.to_string()))?;
    // JSON first: it is what programs write, and its parser is quicker on ten thousand names.
    match serde_json::from_str(text) {
        Ok(value) => Ok(value),
        Err(json) => serde_saphyr::from_str(text).map_err(|yaml| {
            let yaml = yaml.to_string();
            let yaml = yaml.lines().next().unwrap_or_default();
            syntax(if text.trim_start().starts_with('{') {
                json.to_string()
            } else {
                yaml.to_owned()
            })
        }),
    }
}

/// The fields of a document, all of them known.
pub(crate) struct Fields<'a> {
    map: &'a Map<String, Value>,
    what: &'static str,
    known: &'static [Field],
}

impl<'a> Fields<'a> {
    pub(crate) fn new(
        value: &'a Value,
        what: &'static str,
        known: &'static [Field],
    ) -> Result<Self, OrderError> {
        let Value::Object(map) = value else {
            return Err(OrderError::NotFields {
                what,
                found: describe(value),
                allowed: allowed(known),
            });
        };
        if let Some(field) = map.keys().find(|k| !known.iter().any(|(n, _)| n == k)) {
            return Err(OrderError::Unknown {
                field: field.chars().take(60).collect(),
                what,
                allowed: allowed(known),
            });
        }
        Ok(Self { map, what, known })
    }

    /// The field's value; `null` is as good as absent.
    pub(crate) fn get(&self, name: &str) -> Option<&'a Value> {
        self.map.get(name).filter(|v| !v.is_null())
    }

    pub(crate) fn wrong(&self, field: &str, found: &Value) -> OrderError {
        let expected = self.known.iter().find(|(n, _)| *n == field);
        OrderError::Wrong {
            field: field.to_owned(),
            what: self.what,
            found: describe(found),
            expected: expected.map_or("", |(_, kind)| kind).to_owned(),
            allowed: allowed(self.known),
        }
    }

    pub(crate) fn text(
        &self,
        name: &str,
        ok: fn(&str) -> bool,
    ) -> Result<Option<String>, OrderError> {
        self.get(name)
            .map(|value| match value {
                Value::String(text) if ok(text) => Ok(text.clone()),
                other => Err(self.wrong(name, other)),
            })
            .transpose()
    }

    pub(crate) fn parsed<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, OrderError> {
        self.get(name)
            .map(|value| {
                let parsed = value.as_str().and_then(|text| text.parse().ok());
                parsed.ok_or_else(|| self.wrong(name, value))
            })
            .transpose()
    }

    pub(crate) fn flag(&self, name: &str) -> Result<bool, OrderError> {
        match self.get(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(other) => Err(self.wrong(name, other)),
        }
    }

    pub(crate) fn count(&self, name: &str) -> Result<Option<u32>, OrderError> {
        self.get(name)
            .map(|value| {
                let count = value.as_u64().and_then(|n| u32::try_from(n).ok());
                count.ok_or_else(|| self.wrong(name, value))
            })
            .transpose()
    }
}

fn allowed(known: &[Field]) -> String {
    let items = known.iter().map(|(name, kind)| format!("{name} ({kind})"));
    items.collect::<Vec<_>>().join(", ")
}

fn describe(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => format!("{:?}", text.chars().take(60).collect::<String>()),
        Value::Array(items) => format!("a list of {}", items.len()),
        Value::Object(map) => format!("a set of {} fields", map.len()),
    }
}
