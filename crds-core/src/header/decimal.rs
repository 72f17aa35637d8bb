//! How far a decimal number reaches at the start of a text, and what it consists of. Which of its
//! forms count as numbers differs: rule cells, header values and Python literals each have their own
//! idea of `1.` and `.5`.

/// The longest start of a text that is `[-+]?[0-9]*(\.[0-9]*)?([eE][-+]?[0-9]+)?`, in its parts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Decimal {
    /// Bytes of the sign.
    pub(crate) sign: usize,
    /// Digits before the point.
    pub(crate) whole: usize,
    /// Digits after the point, if there is one.
    pub(crate) fraction: Option<usize>,
    /// Whether there is an exponent.
    pub(crate) exponent: bool,
    /// Where it ends, in bytes.
    pub(crate) end: usize,
}

impl Decimal {
    pub(crate) fn at_start_of(text: &str) -> Self {
        let bytes = text.as_bytes();
        let digits = |from: usize| {
            let rest = bytes.iter().skip(from);
            rest.take_while(|byte| byte.is_ascii_digit()).count()
        };
        let is_sign = |at: usize| matches!(bytes.get(at), Some(b'+' | b'-'));
        let sign = usize::from(is_sign(0));
        let whole = digits(sign);
        let mut end = sign + whole;
        let fraction = (bytes.get(end) == Some(&b'.')).then(|| digits(end + 1));
        end += fraction.map_or(0, |length| 1 + length);
        let mut exponent = false;
        if matches!(bytes.get(end), Some(b'e' | b'E')) {
            let from = end + 1 + usize::from(is_sign(end + 1));
            let length = digits(from);
            if length > 0 {
                exponent = true;
                end = from + length;
            }
        }
        Self {
            sign,
            whole,
            fraction,
            exponent,
            end,
        }
    }
}
