//! One line of many headers in a file (JSON lines): an id, a context, the way of the lookup, and a
//! header.
//!
//! Texts stay where they are in the line; only what is escaped, or no text at all, is written anew.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{Field, LookupPath, float_text};

/// One line of headers, but for its header.
#[derive(Debug, Default)]
pub struct HeaderLine<'l> {
    id: Option<&'l RawValue>,
    context: Option<Cow<'l, str>>,
    path: Path,
}

impl<'l> HeaderLine<'l> {
    /// Reads a line, its header into `fields`, which must be empty. What is wrong with a line is
    /// told with its column.
    ///
    /// # Errors
    /// For what is not one JSON object with `id` and `header`.
    pub fn read(line: &'l [u8], fields: &mut Vec<Field<'l>>) -> Result<Self, String> {
        // Checked as a whole, which is faster than text by text.
        let text = std::str::from_utf8(line).map_err(|error| {
            let column = error.valid_up_to() + 1;
            format!("column {column}: this is not UTF-8")
        })?;
        let mut json = serde_json::Deserializer::from_str(text);
        let read = LineSeed(fields).deserialize(&mut json);
        read.and_then(|line| json.end().map(|()| line))
            .map_err(|error| reason(&error))
    }

    /// The id, as JSON.
    pub fn id(&self) -> Option<&'l str> {
        self.id.map(RawValue::get)
    }

    /// The context that the line names.
    pub fn context(&self) -> Option<&str> {
        self.context.as_deref()
    }

    /// How the header is looked up.
    pub fn path(&self) -> LookupPath {
        match self.path {
            Path::Std => LookupPath::Conditioned,
            Path::Raw => LookupPath::AsGiven,
        }
    }
}

struct LineSeed<'f, 'l>(&'f mut Vec<Field<'l>>);

impl<'l> DeserializeSeed<'l> for LineSeed<'_, 'l> {
    type Value = HeaderLine<'l>;

    fn deserialize<D: Deserializer<'l>>(self, deserializer: D) -> Result<HeaderLine<'l>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'l> Visitor<'l> for LineSeed<'_, 'l> {
    type Value = HeaderLine<'l>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with `id` and `header`")
    }

    fn visit_map<A: MapAccess<'l>>(self, mut map: A) -> Result<HeaderLine<'l>, A::Error> {
        let mut line = HeaderLine::default();
        let mut has_header = false;
        while let Some(key) = map.next_key::<LineKey>()? {
            match key {
                LineKey::Id => line.id = Some(map.next_value()?),
                LineKey::Context => {
                    line.context = map.next_value::<Option<Text<'l>>>()?.map(|text| text.0);
                }
                LineKey::Path => line.path = map.next_value()?,
                LineKey::Header => {
                    // Of two headers the last one counts.
                    self.0.clear();
                    map.next_value_seed(FieldsSeed(&mut *self.0))?;
                    has_header = true;
                }
                LineKey::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        if line.id.is_none() {
            return Err(serde::de::Error::missing_field("id"));
        }
        if !has_header {
            return Err(serde::de::Error::missing_field("header"));
        }
        Ok(line)
    }
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum LineKey {
    Id,
    Context,
    Path,
    Header,
    #[serde(other)]
    Other,
}

/// A text, borrowed where nothing in it is escaped.
#[derive(Deserialize)]
struct Text<'t>(#[serde(borrow)] Cow<'t, str>);

/// How a header is looked up.
#[derive(Debug, Deserialize, Clone, Copy, Default)]
#[serde(rename_all = "lowercase")]
enum Path {
    #[default]
    Std,
    Raw,
}

/// Reads a header, its values as Python's `str()` would write them.
struct FieldsSeed<'f, 'l>(&'f mut Vec<Field<'l>>);

impl<'l> DeserializeSeed<'l> for FieldsSeed<'_, 'l> {
    type Value = ();

    fn deserialize<D: Deserializer<'l>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'l> Visitor<'l> for FieldsSeed<'_, 'l> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of header keywords")
    }

    fn visit_map<A: MapAccess<'l>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key_seed(ScalarSeed)? {
            let value = map.next_value_seed(ScalarSeed)?;
            self.0.push((key, value));
        }
        Ok(())
    }
}

/// Reads a scalar as text.
struct ScalarSeed;

impl<'l> DeserializeSeed<'l> for ScalarSeed {
    type Value = Cow<'l, str>;

    fn deserialize<D: Deserializer<'l>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'l> Visitor<'l> for ScalarSeed {
    type Value = Cow<'l, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, a number, true, false or null")
    }

    fn visit_borrowed_str<E>(self, text: &'l str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(if value { "True" } else { "False" }))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Cow::Owned(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Cow::Owned(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Cow::Owned(float_text(value)))
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed("None"))
    }
}

fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    // Its own line number is always 1.
    match text.rsplit_once(" at line 1 column ") {
        Some((text, column)) => format!("column {column}: {text}"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn values_become_the_texts_of_python() {
        let line = br#"{"id": [1], "header": {"a": "x", "b": 1, "c": 1.0, "d": 1e20, "e": true, "f": null, "g": -7, "a": "y\n"}}"#;
        let mut fields = Vec::new();
        let line = HeaderLine::read(line, &mut fields).unwrap();
        let values: Vec<&str> = fields.iter().map(|(_, value)| &**value).collect();
        assert_eq!(
            values,
            ["x", "1", "1.0", "1e+20", "True", "None", "-7", "y\n"]
        );
        assert_eq!(line.id().unwrap(), "[1]");
        for bad in [
            "{}",
            "[]",
            r#"{"id":1}"#,
            r#"{"header":{}}"#,
            r#"{"id":1,"header":{"a":[]}}"#,
            r#"{"id":1,"header":{}} x"#,
            r#"{"id":1,"context":2,"header":{}}"#,
        ] {
            assert!(
                HeaderLine::read(bad.as_bytes(), &mut Vec::new()).is_err(),
                "{bad}"
            );
        }
        let no_text = HeaderLine::read(b"{\"id\":\"\xff", &mut Vec::new()).err();
        assert_eq!(no_text.unwrap(), "column 8: this is not UTF-8");
    }

    #[test]
    fn of_two_headers_the_last_one_counts() {
        let line = br#"{"id":1,"header":{"A":"1"},"header":{"B":"2"}}"#;
        let mut fields = Vec::new();
        HeaderLine::read(line, &mut fields).unwrap();
        assert_eq!(fields, [("B".into(), "2".into())]);
    }
}
