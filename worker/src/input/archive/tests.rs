//! Good archives in all the forms people make them, and every hostile one we could think of.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use std::io::Write as _;
use std::process::Command;

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

#[test]
fn a_plain_archive() {
    let bench = Bench::new();
    let bytes = gzip(&tar(&[file("a_raw.fits"), file("b_raw.fits")]));
    let files = bench.unpack(&bytes).unwrap();
    assert_eq!(files, ["a_raw.fits", "b_raw.fits"].map(PathBuf::from));
    assert_eq!(bench.left(), ["a_raw.fits", "b_raw.fits", "before.txt"]);
    let text = std::fs::read(bench.destination().join("a_raw.fits")).unwrap();
    assert_eq!(text, b"a_raw.fits");
}

#[test]
fn dots_members_of_gzip_and_no_gzip() {
    for bytes in [
        tar(&[
            raw_entry(b"./", EntryType::Directory, b""),
            file("./a.fits"),
            file(".//b.fits"),
        ]),
        tar(&[file("a.fits"), pax("path=b.fits"), file("other")]),
        tar(&[
            file("a.fits"),
            raw_entry(b"././@LongLink", EntryType::GNULongName, b"b.fits\0"),
            file("b.fi"),
        ]),
    ] {
        let halves = bytes.split_at(700);
        let members = [gzip(halves.0), gzip(halves.1)].concat();
        for bytes in [&bytes, &gzip(&bytes), &members] {
            let bench = Bench::new();
            bench.unpack(bytes).unwrap();
            assert_eq!(bench.left(), ["a.fits", "b.fits", "before.txt"]);
        }
    }
}

#[test]
fn archives_of_gnu_tar_and_of_the_fixtures() {
    let bench = Bench::new();
    let source = bench.0.path().join("source");
    std::fs::create_dir_all(source.join("deep")).unwrap();
    let long = format!("{}.txt", "n".repeat(180));
    std::fs::write(source.join("x_raw.fits"), vec![7; 300_000]).unwrap();
    std::fs::write(source.join("deep").join(&long), "deep").unwrap();
    for format in ["gnu", "pax", "ustar"] {
        if format == "ustar" {
            std::fs::rename(source.join("deep").join(&long), source.join("deep/short")).unwrap();
        }
        let status = Command::new("tar")
            .args(["-C", source.to_str().unwrap(), "--format", format, "-czf"])
            .arg(bench.archive())
            .arg(".")
            .status()
            .unwrap();
        assert!(status.success());
        let files = unpack(&bench.archive(), &bench.destination(), &Limits::default()).unwrap();
        assert_eq!(files.len(), 2, "{format}");
        let unpacked = std::fs::read(bench.destination().join("x_raw.fits")).unwrap();
        assert_eq!(unpacked, vec![7; 300_000]);
    }
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/raw");
    let bench = Bench::new();
    let archive = fixtures.join("lcxv13040.tar.gz");
    let files = unpack(&archive, &bench.destination(), &Limits::default()).unwrap();
    let names = [
        "lcxv13040_asn.fits",
        "lcxv13f1q_rawtag_a.fits",
        "lcxv13f1q_rawtag_b.fits",
    ];
    assert_eq!(files, names.map(PathBuf::from));
}

#[test]
fn hostile_entries_are_refused_and_leave_nothing() {
    let long = "x/".repeat(3000);
    let device = |kind| raw_entry(b"dev", kind, b"");
    let cases: Vec<(Vec<u8>, Reason)> = vec![
        (file("/etc/cron.d/x"), Reason::Absolute),
        (file("../outside"), Reason::Parent),
        (file("a/../../outside"), Reason::Parent),
        (file("a/.."), Reason::Parent),
        (
            [pax("path=/abs.fits"), file("ok")].concat(),
            Reason::Absolute,
        ),
        (
            [
                raw_entry(b"L", EntryType::GNULongName, b"../up\0"),
                file("ok"),
            ]
            .concat(),
            Reason::Parent,
        ),
        (
            device(EntryType::Symlink),
            Reason::NotAFile("symbolic link"),
        ),
        (device(EntryType::Link), Reason::NotAFile("hard link")),
        (device(EntryType::Char), Reason::NotAFile("device")),
        (device(EntryType::Block), Reason::NotAFile("device")),
        (device(EntryType::Fifo), Reason::NotAFile("named pipe")),
        (
            device(EntryType::GNUSparse),
            Reason::Unsupported("sparse files"),
        ),
        (
            device(EntryType::new(b'?')),
            Reason::NotAFile("thing of an unknown type"),
        ),
        (
            [file("X_raw.fits"), file("x_RAW.fits")].concat(),
            Reason::Duplicate("X_raw.fits".into()),
        ),
        (
            [file("x.fits"), file("./x.fits")].concat(),
            Reason::Duplicate("x.fits".into()),
        ),
        (
            [file("x"), file("x/y")].concat(),
            Reason::Duplicate("x".into()),
        ),
        (
            [file("d/y"), file("D/z")].concat(),
            Reason::Duplicate("d".into()),
        ),
        (raw_entry(b"", EntryType::Regular, b""), Reason::BadName),
        (raw_entry(b".", EntryType::Regular, b""), Reason::BadName),
        (raw_entry(b"a\nb", EntryType::Regular, b""), Reason::BadName),
        (
            raw_entry(b"a\xffb", EntryType::Regular, b""),
            Reason::BadName,
        ),
        (
            [
                raw_entry(b"L", EntryType::GNULongName, long.as_bytes()),
                file("ok"),
            ]
            .concat(),
            Reason::TooLong,
        ),
        (
            raw_entry(b"pax", EntryType::XHeader, &vec![b'x'; 70_000]),
            Reason::TooLong,
        ),
        (
            [pax("size=99999"), file("ok")].concat(),
            Reason::Unsupported("a size in an extended header"),
        ),
        (
            [pax("GNU.sparse.major=1"), file("ok")].concat(),
            Reason::Unsupported("sparse files"),
        ),
    ];
    for (entries, expected) in cases {
        let bench = Bench::new();
        let bytes = gzip(&tar(&[
            file("innocent.fits"),
            file("folder/more.fits"),
            entries,
        ]));
        match bench.unpack(&bytes).unwrap_err() {
            ArchiveError::Refused {
                archive, reason, ..
            } => {
                assert_eq!(reason, expected);
                assert_eq!(archive, bench.archive());
            }
            error => unreachable!("{expected:?}: {error}"),
        }
        assert_eq!(bench.left(), ["before.txt"], "{expected:?}");
        assert!(!bench.0.path().join("outside").exists());
    }
}

#[test]
fn the_message_names_archive_entry_and_reason() {
    let bench = Bench::new();
    let error = bench.unpack(&tar(&[file("../x\u{7f}y")])).unwrap_err();
    let message = error.to_string();
    assert!(
        message.contains("j8cb010b0.tar.gz is refused: entry \"../x\\u{7f}y\""),
        "{message}"
    );
}

#[test]
fn sizes_are_limited() {
    let limits = Limits {
        total_bytes: 1000,
        entries: 3,
    };
    let large = |size| raw_entry(b"large", EntryType::Regular, &vec![0; size]);
    for (bytes, fits) in [
        (tar(&[file("a"), large(999)]), true),
        (tar(&[file("a"), large(1000)]), false),
        (tar(&[file("a"), file("b"), file("c")]), true),
        (tar(&[file("a"), file("b"), file("c"), file("d")]), false),
    ] {
        let bench = Bench::new();
        let result = bench.unpack_with(&gzip(&bytes), &limits);
        assert_eq!(result.is_ok(), fits, "{result:?}");
        if let Err(error) = result {
            assert!(matches!(error, ArchiveError::TooLarge { .. }), "{error}");
            assert_eq!(bench.left(), ["before.txt"]);
        }
    }
}

#[test]
fn a_bomb_behind_the_end_is_not_followed() {
    let limits = Limits {
        total_bytes: 1000,
        entries: 3,
    };
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&tar(&[file("a")])).unwrap();
    let zeros = vec![0; 1 << 20];
    for _ in 0..300 {
        encoder.write_all(&zeros).unwrap();
    }
    let bench = Bench::new();
    let error = bench
        .unpack_with(&encoder.finish().unwrap(), &limits)
        .unwrap_err();
    assert!(matches!(error, ArchiveError::TooLarge { .. }), "{error}");
    assert_eq!(bench.left(), ["before.txt"]);
}

#[test]
fn a_cut_archive_is_damaged_wherever_the_cut_is() {
    let mut data = vec![0; 5000];
    for (index, byte) in data.iter_mut().enumerate() {
        *byte = u8::try_from(index * 7 % 251).unwrap();
    }
    let bytes = gzip(&tar(&[
        file("a.fits"),
        raw_entry(b"b.fits", EntryType::Regular, &data),
    ]));
    for length in (0..bytes.len()).step_by(13) {
        let bench = Bench::new();
        let error = bench.unpack(&bytes[..length]).unwrap_err();
        assert!(
            matches!(error, ArchiveError::Damaged { .. }),
            "{length}: {error}"
        );
        assert_eq!(bench.left(), ["before.txt"]);
    }
    let mut flipped = bytes.clone();
    let last = flipped.len() - 6;
    flipped[last] ^= 1;
    let error = Bench::new().unpack(&flipped).unwrap_err();
    assert!(
        matches!(error, ArchiveError::Damaged { .. }),
        "checksum: {error}"
    );
    let error = Bench::new()
        .unpack(b"<html>404 Not Found</html>")
        .unwrap_err();
    assert!(matches!(error, ArchiveError::Damaged { .. }), "{error}");
}

#[test]
fn what_is_already_there_is_not_followed_or_destroyed() {
    let bench = Bench::new();
    let outside = bench.0.path().join("outside");
    std::fs::create_dir(&outside).unwrap();
    let place = bench.destination();
    std::os::unix::fs::symlink(&outside, place.join("folder")).unwrap();
    std::fs::create_dir(place.join("a.fits")).unwrap();
    for name in ["folder/x.fits", "a.fits"] {
        let error = bench
            .unpack(&tar(&[file("good.fits"), file(name)]))
            .unwrap_err();
        assert!(error.to_string().contains("collides"), "{error}");
        assert!(std::fs::read_dir(&outside).unwrap().next().is_none());
        assert!(!place.join("good.fits").exists());
    }
    // A link in a file's place is replaced; a file as well.
    std::os::unix::fs::symlink(bench.0.path().join("target"), place.join("l.fits")).unwrap();
    bench
        .unpack(&tar(&[file("l.fits"), file("before.txt")]))
        .unwrap();
    assert!(!bench.0.path().join("target").exists());
    assert_eq!(
        std::fs::read(place.join("before.txt")).unwrap(),
        b"before.txt"
    );
}

#[test]
fn a_missing_archive_says_so() {
    let bench = Bench::new();
    let error = unpack(&bench.archive(), &bench.destination(), &Limits::default()).unwrap_err();
    assert!(matches!(error, ArchiveError::Read { .. }), "{error}");
}

proptest! {
    #[test]
    fn a_changed_archive_never_panics_and_errors_leave_nothing(
        changes in proptest::collection::vec((0_usize..3000, any::<u8>()), 1..10),
    ) {
        let mut bytes = tar(&[file("a"), pax("path=b.fits"), file("b"), file("d/c")]);
        for (position, byte) in changes {
            if let Some(place) = bytes.get_mut(position) {
                *place = byte;
            }
        }
        let bench = Bench::new();
        if bench.unpack(&bytes).is_err() {
            prop_assert_eq!(bench.left(), ["before.txt"]);
        }
        prop_assert!(!bench.left().iter().any(|name| name.starts_with(".unpacking")));
    }
}
