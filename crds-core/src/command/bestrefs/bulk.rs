//! `crds bestrefs --headers`: many headers in, their references out, one JSON line each, in order.
//!
//! Lines are read, answered and written in batches, so memory is bounded by the batch and by the
//! longest line; lookups in the same rules remember what they learned from one header to the next.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read as _, Write};
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::Args;
use crate::bestrefs::{BestReferences, LookupPath, Lookups, Outcome, Types};
use crate::cache::context::ContextName;
use crate::client::Client;
use crate::command::Failure;
use crate::header::{Header, float_text};
use crate::rules::Context;

/// The longest line that is read, in bytes.
const MAX_LINE: u64 = 16 << 20;

/// How many different contexts lines may name.
const MAX_CONTEXTS: usize = 64;

/// How much is read and written at once, in bytes.
const BUFFER: usize = 1 << 18;

/// One line, but for its header.
#[derive(Default)]
struct Line<'l> {
    id: Option<&'l RawValue>,
    context: Option<Cow<'l, str>>,
    path: Path,
}

/// Reads a line, its header into space that earlier lines have used.
struct LineInto<'h>(&'h mut Header);

impl<'de> DeserializeSeed<'de> for LineInto<'_> {
    type Value = Line<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Line<'de>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for LineInto<'_> {
    type Value = Line<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with `id` and `header`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Line<'de>, A::Error> {
        let mut line = Line::default();
        let mut has_header = false;
        while let Some(field) = map.next_key::<Field>()? {
            match field {
                Field::Id => line.id = Some(map.next_value()?),
                Field::Context => {
                    line.context = map.next_value::<Option<Text<'de>>>()?.map(|text| text.0);
                }
                Field::Path => line.path = map.next_value()?,
                Field::Header => {
                    map.next_value_seed(FieldsInto(&mut *self.0))?;
                    has_header = true;
                }
                Field::Other => {
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
enum Field {
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
#[derive(Deserialize, Clone, Copy, Default)]
#[serde(rename_all = "lowercase")]
enum Path {
    #[default]
    Std,
    Raw,
}

/// Reads a header, its values as Python's `str()` would write them.
struct FieldsInto<'h>(&'h mut Header);

impl<'de> DeserializeSeed<'de> for FieldsInto<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for FieldsInto<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of header keywords")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut entries = self.0.refill();
        loop {
            let (key, value) = entries.next_entry();
            if map.next_key_seed(TextInto(key))?.is_none() {
                entries.finish();
                return Ok(());
            }
            map.next_value_seed(TextInto(value))?;
        }
    }
}

/// Reads a scalar as text.
struct TextInto<'t>(&'t mut String);

impl<'de> DeserializeSeed<'de> for TextInto<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for TextInto<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, a number, true, false or null")
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.0.push_str(text);
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.0.push_str(if value { "True" } else { "False" });
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.0.push_str(&value.to_string());
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.0.push_str(&value.to_string());
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.0.push_str(&float_text(value));
        Ok(())
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        self.0.push_str("None");
        Ok(())
    }
}

/// Reads one line.
fn read<'l>(line: &'l [u8], header: &mut Header) -> serde_json::Result<Line<'l>> {
    let mut json = serde_json::Deserializer::from_slice(line);
    let read = LineInto(header).deserialize(&mut json)?;
    json.end()?;
    Ok(read)
}

/// Contexts that lines name, loaded once each.
struct Contexts<'c> {
    places: &'c [OnceCell<Arc<Context>>],
    /// By the name on the line; what could not be loaded, by its error.
    known: HashMap<String, Result<Lookups<'c>, String>>,
}

impl<'c> Contexts<'c> {
    async fn lookups(
        &mut self,
        client: &Client,
        name: &str,
    ) -> Result<&mut Lookups<'c>, &mut String> {
        if !self.known.contains_key(name) {
            let loaded = self.load(client, name).await;
            self.known.insert(name.to_owned(), loaded);
        }
        match self.known.get_mut(name) {
            Some(known) => known.as_mut(),
            None => unreachable!("it was put there just now"),
        }
    }

    async fn load(&self, client: &Client, name: &str) -> Result<Lookups<'c>, String> {
        let place = self.places.iter().find(|place| place.get().is_none());
        let Some(place) = place else {
            return Err(format!("the input names more than {MAX_CONTEXTS} contexts"));
        };
        let asked: Option<ContextName> = match name {
            "" => None,
            name => Some(
                name.parse()
                    .map_err(|e: crate::cache::context::ContextNameError| e.to_string())?,
            ),
        };
        let rules = async {
            let file = client.context_file(asked.as_ref()).await?;
            client.rules(&file, None).await
        };
        let rules = rules.await.map_err(|error| error.to_string())?;
        Ok(place.get_or_init(|| rules).lookups())
    }
}

/// Answers every line of the file, or of stdin for `-`.
pub(super) async fn run(args: &Args, client: &Client, file: &str) -> Result<u8, Failure> {
    client.refuse_remote()?;
    let input: Box<dyn io::Read> = if file == "-" {
        Box::new(io::stdin())
    } else {
        let opened = File::open(file);
        Box::new(opened.map_err(|error| Failure::fatal(format!("{file}: {error}")))?)
    };
    let mut input = BufReader::with_capacity(BUFFER, input);
    let mut out = BufWriter::with_capacity(BUFFER, io::stdout().lock());
    let types: Vec<&str> = args.types.iter().map(String::as_str).collect();
    let types = if types.is_empty() {
        Types::All
    } else {
        Types::Only(&types)
    };
    let default = args
        .new_context
        .as_ref()
        .map_or(String::new(), ToString::to_string);
    let places: Vec<OnceCell<Arc<Context>>> = (0..MAX_CONTEXTS).map(|_| OnceCell::new()).collect();
    let mut contexts = Contexts {
        places: &places,
        known: HashMap::new(),
    };
    let mut malformed = 0_u64;
    let mut line = Vec::new();
    let mut header = Header::new();
    let mut number = 0_u64;
    loop {
        line.clear();
        let taken = (&mut input).take(MAX_LINE).read_until(b'\n', &mut line);
        if taken.map_err(|error| Failure::fatal(format!("{file}: {error}")))? == 0 {
            break;
        }
        number += 1;
        if line.len() as u64 == MAX_LINE && line.last() != Some(&b'\n') {
            skip_line(&mut input).map_err(|error| Failure::fatal(format!("{file}: {error}")))?;
            malformed += 1;
            refuse(
                &mut out,
                None,
                &format!("line {number} has more than {MAX_LINE} bytes"),
            )?;
            continue;
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let parsed = match read(&line, &mut header) {
            Ok(parsed) => parsed,
            Err(error) => {
                malformed += 1;
                refuse(
                    &mut out,
                    None,
                    &format!("line {number}: {}", reason(&error)),
                )?;
                continue;
            }
        };
        let name = parsed.context.as_deref().unwrap_or(&default);
        let path = match parsed.path {
            Path::Std => LookupPath::Conditioned,
            Path::Raw => LookupPath::AsGiven,
        };
        match contexts.lookups(client, name).await {
            Ok(lookups) => match lookups.best_references(&header, path, types) {
                Ok(answers) => {
                    let id = parsed.id.map_or("null", RawValue::get);
                    answer(&mut out, id, &answers, &args.skip_types)?;
                }
                Err(error) => refuse(&mut out, parsed.id, &error.to_string())?,
            },
            Err(error) => {
                malformed += 1;
                refuse(&mut out, parsed.id, &format!("line {number}: {error}"))?;
            }
        }
    }
    out.flush()?;
    if malformed > 0 {
        tracing::error!("{malformed} of {number} lines cannot be used");
    }
    Ok(u8::from(malformed > 0))
}

fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    // Its own line number is always 1.
    match text.rsplit_once(" at line 1 column ") {
        Some((text, column)) => format!("column {column}: {text}"),
        None => text,
    }
}

fn skip_line(input: &mut impl BufRead) -> io::Result<()> {
    loop {
        let buffer = input.fill_buf()?;
        if buffer.is_empty() {
            return Ok(());
        }
        let end = buffer.iter().position(|&byte| byte == b'\n');
        let used = end.map_or(buffer.len(), |end| end + 1);
        input.consume(used);
        if end.is_some() {
            return Ok(());
        }
    }
}

fn refuse(out: &mut impl Write, id: Option<&RawValue>, error: &str) -> io::Result<()> {
    write!(
        out,
        "{{\"id\":{},\"error\":",
        id.map_or("null", RawValue::get)
    )?;
    string(out, error)?;
    out.write_all(b"}\n")
}

fn answer(
    out: &mut impl Write,
    id: &str,
    answers: &BestReferences,
    skipped: &[String],
) -> io::Result<()> {
    out.write_all(b"{\"id\":")?;
    out.write_all(id.as_bytes())?;
    out.write_all(b",\"bestrefs\":{")?;
    let mut first = true;
    for (reference_type, outcome) in answers.iter() {
        let name = reference_type.as_str();
        if skipped.iter().any(|skipped| skipped == name) {
            continue;
        }
        if !first {
            out.write_all(b",")?;
        }
        first = false;
        string(out, name)?;
        match outcome {
            Outcome::File(name) => {
                out.write_all(b":{\"file\":")?;
                string(out, name.as_str())?;
                out.write_all(b"}")?;
            }
            Outcome::NotApplicable => out.write_all(b":{\"na\":true}")?,
            Outcome::NoMatch => out.write_all(b":{\"no_match\":true}")?,
            Outcome::Ambiguous(names) => {
                out.write_all(b":{\"ambiguous\":[")?;
                for (index, name) in names.iter().enumerate() {
                    if index > 0 {
                        out.write_all(b",")?;
                    }
                    string(out, name)?;
                }
                out.write_all(b"]}")?;
            }
            Outcome::Error(failure) => {
                out.write_all(b":{\"error\":")?;
                string(out, &failure.to_string())?;
                out.write_all(b"}")?;
            }
        }
    }
    out.write_all(b"}}\n")
}

fn string(out: &mut impl Write, text: &str) -> io::Result<()> {
    let plain = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
    if text.as_bytes().iter().all(plain) {
        out.write_all(b"\"")?;
        out.write_all(text.as_bytes())?;
        return out.write_all(b"\"");
    }
    serde_json::to_writer(out, text).map_err(io::Error::from)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn values_become_the_texts_of_python() {
        let line = br#"{"id": [1], "header": {"a": "x", "b": 1, "c": 1.0, "d": 1e20, "e": true, "f": null, "g": -7, "a": "y"}}"#;
        let mut header: Header = [("k".to_owned(), "v".to_owned())]
            .into_iter()
            .cycle()
            .take(20)
            .collect();
        let line = read(line, &mut header).unwrap();
        let values: Vec<&str> = header.iter().map(|(_, value)| value).collect();
        assert_eq!(
            values,
            ["x", "1", "1.0", "1e+20", "True", "None", "-7", "y"]
        );
        assert_eq!(line.id.unwrap().get(), "[1]");
        for bad in [
            "{}",
            "[]",
            r#"{"id":1}"#,
            r#"{"header":{}}"#,
            r#"{"id":1,"header":{"a":[]}}"#,
            r#"{"id":1,"header":{}} x"#,
            r#"{"id":1,"context":2,"header":{}}"#,
        ] {
            assert!(read(bad.as_bytes(), &mut header).is_err(), "{bad}");
        }
    }

    #[test]
    fn texts_are_escaped_where_they_must_be() {
        for text in ["plain", "q\"b\\", "né\n", ""] {
            let mut out = Vec::new();
            string(&mut out, text).unwrap();
            assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        }
    }
}
