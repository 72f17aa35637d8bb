//! The checksum a rule file carries of itself.

use std::borrow::Cow;

use storage::checksum::Sha1;

/// The text that marks the lines which the checksum leaves out.
const MARK: &str = "sha1sum";

/// SHA-1 in hexadecimal of the text without the lines that mention `sha1sum`.
///
/// Lines end where Python's `str.splitlines` ends them, after `\r\n` and `\r` have become `\n`.
pub(crate) fn of_text(text: &str) -> String {
    let text = if text.contains('\r') {
        Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n"))
    } else {
        Cow::Borrowed(text)
    };
    let mut sha1 = Sha1::new();
    let mut rest: &str = &text;
    while let Some(mark) = rest.find(MARK) {
        let line_start = rest[..mark]
            .char_indices()
            .rev()
            .find(|(_, c)| ends_line(*c))
            .map_or(0, |(at, c)| at + c.len_utf8());
        sha1.update(&rest.as_bytes()[..line_start]);
        let after = &rest[mark..];
        let line_end = after
            .char_indices()
            .find(|(_, c)| ends_line(*c))
            .map_or(after.len(), |(at, c)| at + c.len_utf8());
        rest = &after[line_end..];
    }
    sha1.update(rest.as_bytes());
    sha1.finish().to_string()
}

fn ends_line(c: char) -> bool {
    matches!(
        c,
        '\n' | '\x0b' | '\x0c' | '\x1c'..='\x1e' | '\u{85}' | '\u{2028}' | '\u{2029}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_with_the_mark_do_not_count() {
        let bare = of_text("a\nb\n");
        assert_eq!(bare, of_text("a\n'sha1sum': 'x',\nb\n"));
        assert_eq!(bare, of_text("a\r\nsha1sum\r\nb\r\n"));
        assert_eq!(bare, of_text("a\nb\nthe sha1sum"));
        assert_eq!(of_text("a\x0bb\n"), of_text("a\x0bsha1sum\u{2028}b\n"));
        assert_ne!(bare, of_text("a\nb"));
        assert_eq!(bare, "05dec960e24d918b8a73a1c53bcbbaac2ee5c2e0");
    }
}
