//! Cuts a byte stream at line ends without losing, changing or decoding a byte, and remembers
//! the last few kilobytes of it. Writing the lines anywhere is left to the caller.

/// A line longer than this is handed on in pieces, so that a program that never writes a
/// newline cannot fill the memory.
pub(super) const LONGEST_LINE: usize = 64 * 1024;

/// How much of the end of the output is kept as evidence.
const TAIL: usize = 16 * 1024;

/// Collects chunks and gives back whole lines.
#[derive(Debug, Default)]
pub(super) struct Lines {
    partial: Vec<u8>,
    tail: Vec<u8>,
}

impl Lines {
    /// Takes the next chunk and gives `write` zero or more blocks; each ends at a line end, or
    /// is a piece of a line longer than [`LONGEST_LINE`].
    pub(super) fn push(&mut self, chunk: &[u8], mut write: impl FnMut(&[u8])) {
        self.keep_tail(chunk);
        let rest = match chunk.iter().rposition(|byte| *byte == b'\n') {
            Some(end) => {
                let (whole, rest) = chunk.split_at(end + 1);
                if self.partial.is_empty() {
                    write(whole);
                } else {
                    self.partial.extend_from_slice(whole);
                    write(&self.partial);
                    self.partial.clear();
                }
                rest
            }
            None => chunk,
        };
        self.partial.extend_from_slice(rest);
        if self.partial.len() > LONGEST_LINE {
            write(&self.partial);
            self.partial.clear();
        }
    }

    /// Hands on what is left when the stream ends, completed with a newline, and returns the tail.
    pub(super) fn finish(mut self, mut write: impl FnMut(&[u8])) -> Vec<u8> {
        if !self.partial.is_empty() {
            self.partial.push(b'\n');
            write(&self.partial);
        }
        let keep = self.tail.len().saturating_sub(TAIL);
        self.tail.drain(..keep);
        self.tail
    }

    fn keep_tail(&mut self, chunk: &[u8]) {
        self.tail.extend_from_slice(chunk);
        if self.tail.len() > 4 * TAIL {
            let drop = self.tail.len() - TAIL;
            self.tail.drain(..drop);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use proptest::prelude::*;

    fn run(chunks: &[&[u8]]) -> (Vec<Vec<u8>>, Vec<u8>) {
        let mut lines = Lines::default();
        let mut blocks = Vec::new();
        for chunk in chunks {
            lines.push(chunk, |block| blocks.push(block.to_vec()));
        }
        let tail = lines.finish(|block| blocks.push(block.to_vec()));
        (blocks, tail)
    }

    #[test]
    fn blocks_end_at_line_ends() {
        let (blocks, _) = run(&[b"one\ntw", b"o\nthr", b"ee"]);
        assert_eq!(
            blocks,
            [&b"one\n"[..], &b"two\n"[..], &b"three\n"[..]].map(<[u8]>::to_vec)
        );
    }

    #[test]
    fn a_line_without_end_is_handed_on_in_pieces() {
        let piece = vec![b'x'; 40 * 1024];
        let mut lines = Lines::default();
        let mut longest = 0;
        let mut total = 0;
        for _ in 0..100 {
            lines.push(&piece, |block| {
                longest = longest.max(block.len());
                total += block.len();
            });
        }
        assert!(longest <= LONGEST_LINE + piece.len());
        assert!(lines.tail.len() <= 4 * TAIL);
        let tail = lines.finish(|block| total += block.len());
        assert_eq!(
            total,
            100 * piece.len() + usize::from(total % piece.len() != 0)
        );
        assert_eq!(tail.len(), TAIL);
    }

    proptest! {
        #[test]
        fn nothing_is_lost(chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..50), 0..20)) {
            let slices: Vec<&[u8]> = chunks.iter().map(Vec::as_slice).collect();
            let (blocks, tail) = run(&slices);
            let mut whole = chunks.concat();
            prop_assert_eq!(&tail, &whole);
            if whole.last().is_some_and(|byte| *byte != b'\n') {
                whole.push(b'\n');
            }
            prop_assert_eq!(blocks.concat(), whole);
            prop_assert!(blocks.iter().all(|block| block.ends_with(b"\n")));
        }
    }
}
