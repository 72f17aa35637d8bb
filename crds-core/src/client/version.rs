//! What this client calls itself in headers and logs.

/// The value of `CRDS_VER` in headers this client updates.
///
/// A text of more than 68 characters would not fit one FITS card (FITS standard 4.0, section
/// 4.2.1), and `CONTINUE` cards surprise other programs.
pub const VERSION_TEXT: &str = concat!("crds-core ", env!("CARGO_PKG_VERSION"));

const _: () = assert!(VERSION_TEXT.len() <= 68);
