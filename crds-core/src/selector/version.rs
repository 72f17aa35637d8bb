//! Versions as JWST's `VersionAfter` compares them: up to three leading integers.

/// A version's leading numbers, missing ones 0.
pub(crate) type Version = [u32; 3];

/// The longest rest after the numbers.
const MAX_REST: usize = 128;

/// Reads `N[.N[.N]]` of 1 to 8 digits each, followed by up to 128 of `[a-zA-Z0-9_+.-]`.
pub(crate) fn parse(text: &str) -> Option<Version> {
    let bytes = text.as_bytes();
    let digits = |from: usize| {
        bytes
            .iter()
            .skip(from)
            .take(8)
            .take_while(|b| b.is_ascii_digit())
            .count()
    };
    let mut version = [0; 3];
    let mut at = 0;
    for (index, number) in version.iter_mut().enumerate() {
        let start = if index == 0 {
            0
        } else if bytes.get(at) == Some(&b'.') {
            at + 1
        } else {
            break;
        };
        let length = digits(start);
        if length == 0 {
            if index == 0 {
                return None;
            }
            break;
        }
        *number = text.get(start..start + length)?.parse().ok()?;
        at = start + length;
    }
    let rest = bytes.get(at..)?;
    let is_plain = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'+' | b'-' | b'.');
    (rest.len() <= MAX_REST && rest.iter().all(is_plain)).then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_leading_numbers_count() {
        for (text, version) in [
            ("1", Some([1, 0, 0])),
            ("0.13.2a.dev185+gdb49aea9", Some([0, 13, 2])),
            ("0.foo", Some([0, 0, 0])),
            ("50.1rc1", Some([50, 1, 0])),
            ("1.2.3.4", Some([1, 2, 3])),
            ("123456789", Some([12_345_678, 0, 0])),
            ("V1.2", None),
            ("1 2", None),
            ("", None),
        ] {
            assert_eq!(parse(text), version, "{text}");
        }
    }
}
