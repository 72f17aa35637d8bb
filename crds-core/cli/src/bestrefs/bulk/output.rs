//! One line of output: an id, and the answers or what is wrong.

use crds_core::bestrefs::Outcome;

use crds_core::names::ReferenceType;

/// A line of answers that is being written.
pub(super) struct Answers<'o> {
    out: &'o mut Vec<u8>,
    /// Where it begins.
    start: usize,
    before: &'static [u8],
}

impl<'o> Answers<'o> {
    /// Begins with the id, as it was given.
    pub(super) fn begin(out: &'o mut Vec<u8>, id: Option<&str>) -> Self {
        let start = out.len();
        put_id(out, id);
        out.extend_from_slice(b",\"bestrefs\":{");
        Self {
            out,
            start,
            before: b"",
        }
    }

    /// Adds the answer for a type.
    pub(super) fn add(&mut self, name: &ReferenceType, outcome: &Outcome) {
        let out = &mut *self.out;
        out.extend_from_slice(self.before);
        self.before = b",";
        string(out, name.as_str());
        match outcome {
            Outcome::File(name) => {
                out.extend_from_slice(b":{\"file\":");
                string(out, name.as_str());
                out.push(b'}');
            }
            Outcome::NotApplicable => out.extend_from_slice(b":{\"na\":true}"),
            Outcome::NoMatch => out.extend_from_slice(b":{\"no_match\":true}"),
            Outcome::Ambiguous(names) => {
                out.extend_from_slice(b":{\"ambiguous\":[");
                for (index, name) in names.iter().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    string(out, name);
                }
                out.extend_from_slice(b"]}");
            }
            Outcome::Error(failure) => {
                out.extend_from_slice(b":{\"error\":");
                string(out, &failure.to_string());
                out.push(b'}');
            }
        }
    }

    /// Ends the line, with what is withdrawn of it.
    pub(super) fn end(self, withdrawn: &[String]) {
        self.out.push(b'}');
        if !withdrawn.is_empty() {
            self.out.extend_from_slice(b",\"withdrawn\":");
            let names = serde_json::Value::from(withdrawn);
            self.out.extend_from_slice(names.to_string().as_bytes());
        }
        self.out.extend_from_slice(b"}\n");
    }

    /// Takes the line back.
    pub(super) fn cancel(self) {
        self.out.truncate(self.start);
    }
}

/// A line that says what is wrong with the question.
pub(super) fn refuse(out: &mut Vec<u8>, id: Option<&str>, error: &str) {
    put_id(out, id);
    out.extend_from_slice(b",\"error\":");
    string(out, error);
    out.extend_from_slice(b"}\n");
}

fn put_id(out: &mut Vec<u8>, id: Option<&str>) {
    out.extend_from_slice(b"{\"id\":");
    out.extend_from_slice(id.unwrap_or("null").as_bytes());
}

/// A text in quotes. Most have nothing that must be escaped.
fn string(out: &mut Vec<u8>, text: &str) {
    let odd = |byte: u8| {
        u8::from(byte < b' ')
            | u8::from(byte > b'~')
            | u8::from(byte == b'"')
            | u8::from(byte == b'\\')
    };
    // To the end in any case: then several bytes are looked at at a time.
    if text.bytes().fold(0, |found, byte| found | odd(byte)) != 0 {
        out.extend_from_slice(serde_json::Value::from(text).to_string().as_bytes());
    } else {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn texts_are_escaped_where_they_must_be() {
        for text in ["plain", "q\"b\\", "né\n", "\u{7f}", ""] {
            let mut out = Vec::new();
            string(&mut out, text);
            assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        }
    }
}
