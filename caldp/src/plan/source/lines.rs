//! JSON lines: `{"id": ..., "header": {...}}`, perhaps with `context`; read in pieces that threads
//! can work on, each ending with a line.

use std::io::{self, Read};

use super::Questions;

/// How much is worked on at once, in bytes.
const PIECE: usize = 1 << 19;

/// The longest line that is read, in bytes.
const MAX_LINE: usize = 16 << 20;

/// Gives all lines of a reader, in order; `give` says whether more is wanted.
pub(crate) fn read(
    mut reader: impl Read,
    mut give: impl FnMut(Questions) -> bool,
) -> io::Result<()> {
    let mut number = 1;
    let mut rest: Vec<u8> = Vec::new();
    loop {
        let mut piece = std::mem::take(&mut rest);
        piece.reserve(PIECE);
        let wanted = PIECE.max(piece.len() / 2) as u64;
        let read = reader.by_ref().take(wanted).read_to_end(&mut piece)?;
        let end = match piece.iter().rposition(|byte| *byte == b'\n') {
            _ if read == 0 => piece.len(),
            Some(end) => end + 1,
            None if piece.len() > MAX_LINE => {
                let reason = format!("line {number} has more than {MAX_LINE} bytes");
                return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
            }
            None => 0,
        };
        rest = piece.split_off(end);
        if !piece.is_empty() {
            let lines = piece.split_inclusive(|byte| *byte == b'\n').count() as u64;
            if !give(Questions::Lines(number, piece)) {
                return Ok(());
            }
            number += lines;
        }
        if read == 0 {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// The pieces as texts, with the number of the first line of each.
    fn pieces(text: &str) -> Vec<(u64, String)> {
        let mut all = Vec::new();
        read(text.as_bytes(), |batch| {
            if let Questions::Lines(number, bytes) = batch {
                all.push((number, String::from_utf8(bytes).unwrap()));
            }
            true
        })
        .unwrap();
        all
    }

    #[test]
    fn pieces_end_with_lines_and_lose_nothing() {
        assert_eq!(pieces(""), []);
        assert_eq!(pieces("a\nb"), [(1, "a\n".into()), (2, "b".into())]);
        let text = "a line of twenty one.\n".repeat(100_000);
        let pieces = pieces(&text);
        assert!(pieces.len() > 1);
        let mut number = 1;
        for (first, piece) in &pieces {
            assert_eq!(*first, number);
            assert!(piece.ends_with('\n'));
            number += piece.lines().count() as u64;
        }
        let joined: String = pieces.into_iter().map(|(_, piece)| piece).collect();
        assert_eq!(joined, text);
    }

    #[test]
    fn a_line_without_end_is_an_error() {
        let endless = io::repeat(b'x');
        assert!(read(endless, |_| true).is_err());
    }
}
