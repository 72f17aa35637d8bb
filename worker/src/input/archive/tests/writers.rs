//! Archives as real programs write them.

use super::*;
use std::process::Command;

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

/// What an archive must leave, whoever wrote it.
fn unpacks(bytes: &[u8]) {
    for bytes in [bytes, &gzip(bytes)] {
        let bench = Bench::new();
        bench.unpack(bytes).unwrap();
        assert_eq!(bench.left(), ["a_raw.fits", "b_raw.fits", "before.txt"]);
        for name in ["a_raw.fits", "b_raw.fits"] {
            let text = std::fs::read_to_string(bench.destination().join(name)).unwrap();
            assert!(text.ends_with(name), "{text}");
        }
    }
}

#[test]
fn a_folder_around_the_files_is_taken_off() {
    let folder = |name: &str| raw_entry(name.as_bytes(), EntryType::Directory, b"");
    for entries in [
        vec![
            folder("j8cb02u4q/"),
            file("j8cb02u4q/a_raw.fits"),
            file("j8cb02u4q/b_raw.fits"),
        ],
        vec![
            file("home/me/data/a_raw.fits"),
            file("home/me/data/b_raw.fits"),
        ],
        // As astroquery lays them out.
        vec![
            file("mastDownload/HST/a/a_raw.fits"),
            file("mastDownload/HST/b/b_raw.fits"),
        ],
        vec![file("j8cb02u4q\\a_raw.fits"), file("j8cb02u4q\\b_raw.fits")],
        vec![
            file("J8CB02U4Q/a_raw.fits"),
            file("b_raw.fits"),
            folder("empty/"),
        ],
    ] {
        unpacks(&tar(&entries));
    }
    // What does not count for a dataset stays where it was.
    let bench = Bench::new();
    let preview = "j8cb02u4q/previews/j8cb02u4q_raw.jpg";
    let entries = [file("j8cb02u4q/j8cb02u4q_raw.fits"), file(preview)];
    let files = bench.unpack(&tar(&entries)).unwrap();
    assert_eq!(files, [preview, "j8cb02u4q_raw.fits"].map(PathBuf::from));
    // DOS names are in capitals.
    let bench = Bench::new();
    let files = bench.unpack(&tar(&[file("J8CB02U4Q_RAW.FITS")])).unwrap();
    assert_eq!(files, ["j8cb02u4q_raw.fits"].map(PathBuf::from));
}

#[test]
fn what_file_managers_and_archivers_add_is_left_out() {
    let added = [
        "._a_raw.fits",
        "./._b_raw.fits",
        "j8cb02u4q/._a_raw.fits",
        "__MACOSX/a_raw.fits",
        ".DS_Store",
        "PaxHeader/a_raw.fits",
        "PaxHeaders.4711/a_raw.fits",
        "Thumbs.db",
        "desktop.ini",
        "@eaDir/a_raw.fits",
    ];
    let mut entries = vec![file("a_raw.fits")];
    entries.extend(added.map(file));
    entries.push(file("b_raw.fits"));
    unpacks(&tar(&entries));
}

#[test]
fn extended_headers_of_every_writer_are_read() {
    let xattr = format!(
        "LIBARCHIVE.xattr.com.apple.quarantine={}",
        "QUJD".repeat(20_000)
    );
    let record = |text: &str| {
        let length =
            (text.len() + 2..text.len() + 9).find(|l| l.to_string().len() + text.len() + 2 == *l);
        format!("{} {text}\n", length.unwrap())
    };
    let header = |kind: EntryType, text: &str| raw_entry(b"x", kind, record(text).as_bytes());
    let label = raw_entry(b"a label", EntryType::new(b'V'), b"");
    unpacks(&tar(&[
        label,
        header(EntryType::XGlobalHeader, "comment=5f3c6a"),
        header(EntryType::XHeader, &xattr),
        file("a_raw.fits"),
        header(EntryType::new(b'X'), "SCHILY.dev=1"),
        header(EntryType::XHeader, "uid=99999999999"),
        file("b_raw.fits"),
    ]));
    // A size that the header cannot hold.
    let mut entry = file("a_raw.fits");
    let mut old = tar::Header::from_byte_slice(&entry[..512]).clone();
    old.set_size(0);
    old.set_cksum();
    entry[..512].copy_from_slice(old.as_bytes());
    unpacks(&tar(&[
        header(EntryType::XHeader, "size=10"),
        entry,
        file("b_raw.fits"),
    ]));
}

#[test]
fn tapes_and_programs_for_them_fill_the_last_record() {
    let mut bytes = tar(&[file("a_raw.fits"), file("b_raw.fits")]);
    bytes.resize(bytes.len().next_multiple_of(64 * 1024), 0);
    unpacks(&bytes);
    // With what was in their memory.
    bytes.extend_from_slice(&[b'x'; 700]);
    unpacks(&bytes);
    // Behind gzip as well.
    let bench = Bench::new();
    let mut packed = gzip(&bytes);
    packed.resize(packed.len().next_multiple_of(10_240), 0);
    bench.unpack(&packed).unwrap();
    assert_eq!(bench.left(), ["a_raw.fits", "b_raw.fits", "before.txt"]);
    packed.push(b'x');
    let error = bench.unpack(&packed).unwrap_err().to_string();
    assert!(
        error.contains("is damaged at entry \"b_raw.fits\": "),
        "{error}"
    );
}

#[test]
fn archives_that_were_joined_are_not_half_read() {
    let first = tar(&[file("a_raw.fits")]);
    let second = tar(&[file("b_raw.fits")]);
    let joined = [gzip(&first), gzip(&second)].concat();
    for bytes in [[first, second].concat(), joined] {
        let error = Bench::new().unpack(&bytes).unwrap_err().to_string();
        assert!(
            error.contains("entry \"b_raw.fits\" stands behind the end"),
            "{error}"
        );
    }
}

#[test]
fn an_archive_that_is_not_compressed_says_where_it_ends() {
    let whole = tar(&[file("a_raw.fits"), file("b_raw.fits")]);
    // Nothing else would tell that there were more.
    let error = Bench::new().unpack(&whole[..1024]).unwrap_err().to_string();
    assert!(
        error.ends_with("is damaged at entry \"a_raw.fits\": it is cut short"),
        "{error}"
    );
    Bench::new().unpack(&gzip(&whole[..1024])).unwrap();
    Bench::new().unpack(&whole[..whole.len() - 512]).unwrap();
}

#[test]
fn other_formats_are_called_by_their_names() {
    for (bytes, name) in [(&b"PK\x03\x04...."[..], "zip"), (b"\xfd7zXZ\0...", "xz")] {
        let error = Bench::new().unpack(bytes).unwrap_err().to_string();
        assert!(
            error.ends_with(&format!("it is of {name}, not a tar archive of gzip")),
            "{error}"
        );
    }
}

/// A file with a hole at its beginning, in its middle and at its end.
fn with_holes(path: &Path) -> Vec<u8> {
    let mut content = vec![0; 4 << 20];
    content[1 << 20..(1 << 20) + 5000].fill(7);
    content[3 << 20..(3 << 20) + 100].fill(9);
    let mut file = File::create(path).unwrap();
    for (offset, length) in [(1 << 20, 5000), (3 << 20, 100)] {
        file.seek(SeekFrom::Start(offset)).unwrap();
        let from = usize::try_from(offset).unwrap();
        file.write_all(&content[from..from + length]).unwrap();
    }
    file.set_len(4 << 20).unwrap();
    content
}

#[test]
fn files_with_holes_come_out_whole() {
    let bench = Bench::new();
    let source = bench.0.path().join("source");
    std::fs::create_dir(&source).unwrap();
    let content = with_holes(&source.join("x_raw.fits"));
    std::fs::write(source.join("y_raw.fits"), "behind").unwrap();
    for arguments in [
        &["--format=gnu"][..],
        &["--format=pax", "--sparse-version=0.0"],
        &["--format=pax", "--sparse-version=0.1"],
        &["--format=pax", "--sparse-version=1.0"],
    ] {
        let status = Command::new("tar")
            .arg("-C")
            .arg(&source)
            .args(["--sparse", "-czf"])
            .arg(bench.archive())
            .args(arguments)
            .arg(".")
            .status()
            .unwrap();
        assert!(status.success());
        unpack(&bench.archive(), &bench.destination(), &Limits::default()).unwrap();
        assert_eq!(
            std::fs::read(bench.destination().join("x_raw.fits")).unwrap(),
            content
        );
        assert_eq!(
            std::fs::read(bench.destination().join("y_raw.fits")).unwrap(),
            b"behind"
        );
        let limits = Limits {
            total_bytes: 1 << 20,
            entries: 10,
        };
        let error = unpack(&bench.archive(), &bench.destination(), &limits).unwrap_err();
        assert!(matches!(error, ArchiveError::TooLarge { .. }), "{error}");
    }
}

#[test]
fn owners_and_modes_of_others_do_not_matter() {
    let bench = Bench::new();
    let source = bench.0.path().join("source");
    std::fs::create_dir(&source).unwrap();
    std::fs::write(source.join("a_raw.fits"), "a").unwrap();
    for format in ["gnu", "pax"] {
        let status = Command::new("tar")
            .arg("-C")
            .arg(&source)
            .args([
                "--owner=somebody.else@example.org:3000000000",
                "--group=:4000000000",
            ])
            .args([
                "--mode=0",
                "--mtime=@-1",
                "--label=tape",
                "--format",
                format,
                "-czf",
            ])
            .arg(bench.archive())
            .arg("a_raw.fits")
            .status()
            .unwrap();
        if !status.success() {
            // PAX has no labels in some versions of tar.
            continue;
        }
        unpack(&bench.archive(), &bench.destination(), &Limits::default()).unwrap();
        assert_eq!(
            std::fs::read(bench.destination().join("a_raw.fits")).unwrap(),
            b"a"
        );
    }
}
