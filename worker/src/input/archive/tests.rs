//! Good archives in all the forms people make them, and every hostile one we could think of.
#![allow(clippy::unwrap_used, reason = "tests")]

mod hostile;
mod writers;

use super::*;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write as _;
use tar::EntryType;

/// A destination that already holds a file, and an archive beside it.
struct Bench(tempfile::TempDir);

impl Bench {
    fn new() -> Self {
        let bench = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir(bench.destination()).unwrap();
        std::fs::write(bench.destination().join("before.txt"), "before").unwrap();
        bench
    }

    fn destination(&self) -> PathBuf {
        self.0.path().join("work")
    }

    fn archive(&self) -> PathBuf {
        self.0.path().join("j8cb010b0.tar.gz")
    }

    fn unpack_with(&self, bytes: &[u8], limits: &Limits) -> Result<Vec<PathBuf>, ArchiveError> {
        std::fs::write(self.archive(), bytes).unwrap();
        unpack(&self.archive(), &self.destination(), limits)
    }

    fn unpack(&self, bytes: &[u8]) -> Result<Vec<PathBuf>, ArchiveError> {
        self.unpack_with(bytes, &Limits::default())
    }

    /// Everything in the destination, folders included.
    fn left(&self) -> Vec<String> {
        let mut left = Vec::new();
        let mut folders = vec![self.destination()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let name = path.strip_prefix(self.destination()).unwrap();
                left.push(name.to_str().unwrap().to_owned());
                if path.is_dir() && !path.is_symlink() {
                    folders.push(path);
                }
            }
        }
        left.sort();
        left
    }
}

/// An entry with any name and type, as only a hostile program would write it.
fn raw_entry(name: &[u8], kind: EntryType, data: &[u8]) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.as_old_mut().name[..name.len()].copy_from_slice(name);
    header.set_entry_type(kind);
    header.set_size(data.len() as u64);
    header.set_mode(0o644);
    if matches!(kind, EntryType::Symlink | EntryType::Link) {
        header.as_old_mut().linkname[..11].copy_from_slice(b"/etc/passwd");
    }
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend_from_slice(data);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

fn file(name: &str) -> Vec<u8> {
    raw_entry(name.as_bytes(), EntryType::Regular, name.as_bytes())
}

fn tar(entries: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = entries.concat();
    bytes.extend_from_slice(&[0; 1024]);
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn pax(record: &str) -> Vec<u8> {
    // "<length> <record>\n", where the length counts itself: two digits do here.
    let length = record.len() + 4;
    raw_entry(
        b"pax",
        EntryType::XHeader,
        format!("{length} {record}\n").as_bytes(),
    )
}
