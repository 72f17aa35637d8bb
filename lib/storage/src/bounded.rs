//! Reading whole files that anybody may have put there: never more than such a file has.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// The whole content of a file, or an error if it has more than `most` bytes; then no more than
/// that is read. Errors do not name the file.
pub fn read(path: &Path, most: usize) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    let too_large = |size: u64| {
        let reason = format!("it has {size} bytes, more than the {most} that are read");
        io::Error::new(io::ErrorKind::FileTooLarge, reason)
    };
    let expected = usize::try_from(size).unwrap_or(usize::MAX);
    if expected > most {
        return Err(too_large(size));
    }
    let mut content = Vec::with_capacity(expected);
    // Devices and growing files have more than they say.
    file.take(most as u64 + 1).read_to_end(&mut content)?;
    if content.len() > most {
        return Err(too_large(content.len() as u64));
    }
    Ok(content)
}

/// Like [`read`], for text.
pub fn read_text(path: &Path, most: usize) -> io::Result<String> {
    let not_text = |_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8 text");
    String::from_utf8(read(path, most)?).map_err(not_text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn no_more_is_read_than_such_a_file_has() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        std::fs::write(&path, "abc").unwrap();
        assert_eq!(read(&path, 3).unwrap(), b"abc");
        let refused = read(&path, 2).unwrap_err();
        assert!(refused.to_string().contains("3 bytes"), "{refused}");
        File::create(&path).unwrap().set_len(2 << 30).unwrap();
        assert!(read(&path, 1 << 20).is_err());
        // Says it has nothing, and never ends.
        assert!(read(Path::new("/dev/zero"), 1 << 20).is_err());
        std::fs::write(&path, b"\xff").unwrap();
        assert!(read_text(&path, 3).is_err());
    }
}
