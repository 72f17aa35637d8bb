//! Archives that mean harm or are damaged: nothing of them stays behind.

use super::*;
use proptest::prelude::*;

/// Names that lead elsewhere, and kinds that are no files.
fn places_and_kinds() -> Vec<(Vec<u8>, EntryError)> {
    let device = |kind| raw_entry(b"dev", kind, b"");
    vec![
        (file("/etc/cron.d/x"), EntryError::Absolute),
        (file("../outside"), EntryError::Parent),
        (file("a/../../outside"), EntryError::Parent),
        (file("a/.."), EntryError::Parent),
        (
            [pax("path=/abs.fits"), file("ok")].concat(),
            EntryError::Absolute,
        ),
        (
            [
                raw_entry(b"L", EntryType::GNULongName, b"../up\0"),
                file("ok"),
            ]
            .concat(),
            EntryError::Parent,
        ),
        (
            device(EntryType::Symlink),
            EntryError::NotAFile("symbolic link"),
        ),
        (device(EntryType::Link), EntryError::NotAFile("hard link")),
        (device(EntryType::Char), EntryError::NotAFile("device")),
        (device(EntryType::Block), EntryError::NotAFile("device")),
        (device(EntryType::Fifo), EntryError::NotAFile("named pipe")),
        (device(EntryType::new(b'M')), EntryError::OtherVolume),
        (
            device(EntryType::new(b'?')),
            EntryError::NotAFile("thing of an unknown type"),
        ),
    ]
}

/// Names that are none or there twice, and headers that cannot be used.
fn names_and_headers() -> Vec<(Vec<u8>, EntryError)> {
    let long = "x/".repeat(3000);
    vec![
        (
            [file("X_raw.fits"), file("x_RAW.fits")].concat(),
            EntryError::Duplicate("x_raw.fits".into()),
        ),
        (
            [file("x.fits"), file("./x.fits")].concat(),
            EntryError::Duplicate("x.fits".into()),
        ),
        (
            [file("x"), file("x/y")].concat(),
            EntryError::Duplicate("x".into()),
        ),
        (
            [file("d/y"), file("D/z")].concat(),
            EntryError::Duplicate("d".into()),
        ),
        (raw_entry(b"", EntryType::Regular, b""), EntryError::BadName),
        (
            raw_entry(b".", EntryType::Regular, b""),
            EntryError::BadName,
        ),
        (
            raw_entry(b"a\nb", EntryType::Regular, b""),
            EntryError::BadName,
        ),
        (
            raw_entry(b"a\xffb", EntryType::Regular, b""),
            EntryError::BadName,
        ),
        (
            [
                raw_entry(b"L", EntryType::GNULongName, long.as_bytes()),
                file("ok"),
            ]
            .concat(),
            EntryError::TooLong,
        ),
        (
            raw_entry(b"pax", EntryType::XHeader, &vec![b'x'; (1 << 20) + 1]),
            EntryError::TooLong,
        ),
        (
            [pax("size=x"), file("ok")].concat(),
            EntryError::Unsupported("an extended header that is not one"),
        ),
        (
            [pax("GNU.sparse.major=1"), file("ok")].concat(),
            EntryError::Unsupported("holes that are not told as they should be"),
        ),
        (
            [
                pax("GNU.sparse.size=1"),
                pax("GNU.sparse.map=0,1,0,1"),
                file("ok"),
            ]
            .concat(),
            EntryError::Unsupported("holes that are not told as they should be"),
        ),
        (
            [
                pax("GNU.sparse.size=9"),
                pax("GNU.sparse.map=0,1"),
                file("ok"),
            ]
            .concat(),
            EntryError::Unsupported("holes that do not agree with its size"),
        ),
        (file("C:\\x_raw.fits"), EntryError::Absolute),
        (file("\\\\host\\x_raw.fits"), EntryError::Absolute),
        (file("a\\..\\..\\outside"), EntryError::Parent),
        (
            [file("a/x_raw.fits"), file("b/x_raw.fits")].concat(),
            EntryError::Duplicate("x_raw.fits".into()),
        ),
    ]
}

#[test]
fn hostile_entries_are_refused_and_leave_nothing() {
    let cases = places_and_kinds().into_iter().chain(names_and_headers());
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
    for name in ["folder/x.txt", "a.fits"] {
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
