//! What a terminal can take: texts of foreign origin without characters that move the cursor or turn words
//! around, and lines that are not longer than it is wide.

use std::io;

use terminal_size::{Width, terminal_size_of};

/// Characters that change the direction of writing (Unicode's `Bidi_Control`).
const TURNING: [char; 12] = [
    '\u{61c}', '\u{200e}', '\u{200f}', '\u{202a}', '\u{202b}', '\u{202c}', '\u{202d}', '\u{202e}',
    '\u{2066}', '\u{2067}', '\u{2068}', '\u{2069}',
];

/// A text with its lines, without control characters and those that change the direction of writing.
pub(crate) fn plain(text: &str) -> String {
    let shown = |c: &char| *c == '\n' || !(c.is_control() || TURNING.contains(c));
    text.chars().filter(shown).collect()
}

/// How many columns standard output has, where it is a terminal.
pub(crate) fn width() -> Option<u16> {
    let (Width(columns), _) = terminal_size_of(io::stdout())?;
    Some(columns).filter(|columns| *columns > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_moves_the_cursor() {
        let text = "a\u{1b}[2Jb\u{202e}c\r\nd\u{7}é\t";
        assert_eq!(plain(text), "a[2Jbc\ndé");
    }
}
