//! What comes from outside and means harm: every run ends with a clear error or a correct result.

use super::host::{Host, Origin, assert_code, files_below};
use std::fs;
use tar::{EntryType, Header};

const DATASET: &str = "j8cb02u4q";

/// An entry with a name that the `tar` crate itself would not write.
fn entry(kind: EntryType, name: &[u8], link: &str, data: &[u8]) -> Vec<u8> {
    let mut header = Header::new_gnu();
    header.as_old_mut().name[..name.len()].copy_from_slice(name);
    header.set_entry_type(kind);
    header.set_size(data.len() as u64);
    header.set_mode(0o644);
    if !link.is_empty() {
        header.set_link_name(link).unwrap();
    }
    if kind == EntryType::Char || kind == EntryType::Block {
        header.set_device_major(1).unwrap();
        header.set_device_minor(3).unwrap();
    }
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend_from_slice(data);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

/// A good file, then what is to be refused.
fn archive(bad: &[Vec<u8>]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let raw = caldp_tests::unpack_fixture(DATASET, folder.path());
    let name = format!("{DATASET}_raw.fits");
    let mut bytes = entry(
        EntryType::Regular,
        name.as_bytes(),
        "",
        &fs::read(&raw[0]).unwrap(),
    );
    bytes.extend(bad.concat());
    bytes.extend([0; 1024]);
    bytes
}

#[test]
fn archives_that_mean_harm_leave_nothing_of_themselves() {
    let file = |name: &[u8]| entry(EntryType::Regular, name, "", b"x");
    let mut endless = entry(EntryType::Regular, b"j8cb02u4q_spt.fits", "", b"");
    let mut header = Header::from_byte_slice(&endless[..512]).clone();
    header.set_size(1 << 40);
    header.set_cksum();
    endless.splice(..512, header.as_bytes().iter().copied());
    let cases: Vec<(&str, Vec<Vec<u8>>)> = vec![
        (
            "an absolute name",
            vec![file(b"/tmp/caldp-was-here_raw.fits")],
        ),
        (
            "a name that leaves",
            vec![file(b"../caldp-was-here_raw.fits")],
        ),
        (
            "one that leaves later",
            vec![file(b"a/../../caldp-was-here.fits")],
        ),
        (
            "a symbolic link",
            vec![entry(
                EntryType::Symlink,
                b"j8cb02u4q_asn.fits",
                "/etc/passwd",
                b"",
            )],
        ),
        (
            "a file through a link",
            vec![
                entry(EntryType::Symlink, b"out", "..", b""),
                file(b"out/caldp-was-here.fits"),
            ],
        ),
        (
            "a hard link",
            vec![entry(
                EntryType::Link,
                b"j8cb02u4q_asn.fits",
                "/etc/passwd",
                b"",
            )],
        ),
        (
            "a character device",
            vec![entry(EntryType::Char, b"j8cb02u4q_asn.fits", "", b"")],
        ),
        (
            "a block device",
            vec![entry(EntryType::Block, b"j8cb02u4q_asn.fits", "", b"")],
        ),
        (
            "a pipe",
            vec![entry(EntryType::Fifo, b"j8cb02u4q_asn.fits", "", b"")],
        ),
        ("a name in another case", vec![file(b"J8CB02U4Q_RAW.FITS")]),
        (
            "a name twice",
            vec![file(b"j8cb02u4q_raw.fits"), file(b"j8cb02u4q_raw.fits/x")],
        ),
        ("more than there may be", vec![endless]),
        (
            "an archive cut short",
            vec![file(b"j8cb02u4q_spt.fits")[..300].to_vec()],
        ),
    ];
    let host = Host::new();
    for (about, bad) in cases {
        let mut bytes = archive(&bad);
        if about.contains("cut short") {
            bytes.truncate(bytes.len() - 1024);
        }
        host.put_archive(DATASET, bytes);
        let output = host.run(DATASET);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(21), "{about}: {text}");
        let last = text.lines().rev().take(2).collect::<Vec<_>>().concat();
        assert!(
            last.contains("j8cb02u4q.tar.gz") && last.contains("hint:"),
            "{last}"
        );
        assert_eq!(host.state(DATASET), "error", "{about}");
        let keys = host.keys(DATASET);
        assert!(
            keys.iter().all(|key| key.starts_with("logs/")),
            "{about}: {keys:?}"
        );
        host.assert_clean();
        let everything = files_below(host.world.path());
        assert!(
            !everything.iter().any(|f| f.contains("was-here")),
            "{about}"
        );
        assert!(!std::path::Path::new("/tmp/caldp-was-here_raw.fits").exists());
    }
}

#[test]
fn how_much_an_archive_may_hold_can_be_chosen() {
    let host = Host::new();
    let mut large =
        Header::from_byte_slice(&entry(EntryType::Regular, b"j8cb02u4q_spt.fits", "", b"")).clone();
    large.set_size(2 << 30);
    large.set_cksum();
    host.put_archive(DATASET, archive(&[large.as_bytes().to_vec()]));
    let with_limit = |gib: &str| {
        let mut command = host.command(DATASET, Origin::S3);
        command.env("CALDP_ARCHIVE_LIMIT", gib).output().unwrap()
    };
    let output = with_limit("1");
    assert_code(&output, 21);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        text.contains("more than 1073741824 bytes") && text.contains("--archive-limit"),
        "{text}"
    );
    // Within the limit it is what it is: cut short.
    let output = with_limit("3");
    assert_code(&output, 21);
    assert!(String::from_utf8_lossy(&output.stderr).contains("cut short"));
    let output = with_limit("none");
    assert_code(&output, 2);
}

#[test]
fn an_environment_file_sets_harmless_variables_only() {
    let host = Host::new();
    let seen = host.world.path().join("seen");
    let evil = host.world.path().join("evil");
    fs::create_dir(&evil).unwrap();
    host.programs
        .before("calacs.e", &format!("env > '{}'", seen.display()));
    let lines = format!(
        "PATH={evil}\nLD_PRELOAD={evil}/x.so\nPYTHONPATH={evil}\njref={evil}/\nHOME={evil}\n\
         AWS_ENDPOINT_URL=http://127.0.0.1:1\nCRDS_PATH={evil}\nBASH_ENV={evil}/rc\n\
         no pair\n\u{0}=\n=x\nASTROMETRY_STEP_CONTROL=OFF\n",
        evil = evil.display()
    );
    let mut file = lines.into_bytes();
    file.extend(b"\xff\xfe=1\n");
    let name = format!("{DATASET}_cal_env.txt");
    let bad = entry(EntryType::Regular, name.as_bytes(), "", &file);
    host.put_archive(DATASET, archive(&[bad]));
    assert_code(&host.run(DATASET), 0);
    assert_eq!(host.state(DATASET), "processed");
    let seen = String::from_utf8_lossy(&fs::read(&seen).unwrap()).into_owned();
    assert!(seen.contains("ASTROMETRY_STEP_CONTROL=OFF"), "{seen}");
    assert!(
        !seen.contains("evil") && !seen.contains("127.0.0.1:1\n"),
        "{seen}"
    );
    let warnings = host.provenance(DATASET)["warnings"].to_string();
    for name in [
        "PATH",
        "LD_PRELOAD",
        "PYTHONPATH",
        "jref",
        "HOME",
        "AWS_ENDPOINT_URL",
    ] {
        assert!(
            warnings.contains(&format!(" {name} is ignored")),
            "{warnings}"
        );
    }
}

#[test]
fn a_poller_file_that_means_harm_is_refused() {
    let host = Host::new();
    let pollers = host.world.path().join("pollers");
    fs::create_dir(&pollers).unwrap();
    let large = b"j8ph01g0q_flc.fits\n".repeat(300_000);
    let contents: [&[u8]; 7] = [
        b"../../../etc/passwd_flc.fits\n",
        b"/etc/j8ph01g0q_flc.fits,9774,8PH,01,90.0,F814W,WFC,/etc/x\n",
        b"j8ph01g0q_flc.fits;reboot\n",
        b"$(reboot)_flc.fits\n",
        b"\xff\xfe\x00\x01",
        b"",
        &large,
    ];
    for content in contents {
        fs::write(pollers.join("acs_8ph_01_input.out"), content).unwrap();
        let mut command = host.worker();
        let input = format!("astroquery:{}", pollers.display());
        command.args([
            "process",
            "acs_8ph_01",
            &input,
            "s3://hst",
            "caldp-config-aws",
        ]);
        let output = command.output().unwrap();
        assert_code(&output, 22);
        assert_eq!(host.state("acs_8ph_01"), "error");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(text.contains("acs_8ph_01_input.out"), "{text}");
        assert!(text.lines().last().unwrap().starts_with("hint: "), "{text}");
    }
}

#[test]
fn output_that_is_no_text_is_kept_to_the_last_byte() {
    let host = Host::with(DATASET);
    let bytes = r"printf 'a \377\376\000 b\r\303'; printf '\233[31m\n' >&2; printf 'no end'";
    host.programs.before("calacs.e", bytes);
    assert_code(&host.run(DATASET), 0);
    let log = host.log(DATASET, "process.txt");
    let wanted: [&[u8]; 2] = [b"a \xff\xfe\x00 b\r\xc3", b"\x9b[31m\nno end"];
    for part in wanted {
        assert!(
            log.windows(part.len()).any(|window| window == part),
            "{part:?}"
        );
    }
}

#[test]
fn no_secret_is_written_anywhere() {
    let host = Host::with(DATASET);
    let secrets = [
        ("AWS_SESSION_TOKEN", "sesame-open-1"),
        ("MAST_API_TOKEN", "sesame-open-2"),
        ("DB_PASSWORD", "sesame-open-3"),
        ("SOME_CREDENTIALS", "sesame-open-4"),
        ("GITHUB_PAT_SECRET", "sesame-open-5"),
    ];
    let output = host
        .command(DATASET, Origin::Mast)
        .envs(secrets)
        .env("RUST_LOG", "debug")
        .output()
        .unwrap();
    assert_code(&output, 0);
    let (_, key) = host.world.s3.credentials();
    let mut texts = vec![output.stdout, output.stderr];
    for name in host
        .keys(DATASET)
        .iter()
        .filter(|name| name.starts_with("logs/"))
    {
        texts.push(host.stored(DATASET, name));
    }
    for text in texts {
        let text = String::from_utf8_lossy(&text);
        for secret in ["sesame-open", key] {
            let line = text.lines().find(|line| line.contains(secret));
            assert!(line.is_none(), "{line:?}");
        }
    }
}

/// Everything in a directory with the time it was changed.
fn stamps(directory: &std::path::Path) -> Vec<(String, std::time::SystemTime)> {
    let mut files = files_below(directory);
    files.sort_unstable();
    let stamp = |file: String| {
        let time = fs::metadata(&file).unwrap().modified().unwrap();
        (file, time)
    };
    files.into_iter().map(stamp).collect()
}

#[test]
fn a_read_only_cache_is_used_and_not_touched() {
    let host = Host::with(DATASET);
    let cache = host.world.path().join("cache");
    let references = cache.join("references/hst");
    fs::create_dir_all(&references).unwrap();
    for entry in fs::read_dir(caldp_tests::fixtures().join("crds/references/hst")).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), references.join(entry.file_name())).unwrap();
    }
    let before = stamps(&cache);
    let run = || {
        let mut command = host.command(DATASET, Origin::S3);
        command
            .env("CRDS_PATH", &cache)
            .env("CRDS_READONLY_CACHE", "1");
        command.output().unwrap()
    };
    // Configuration and rules come from S3; nothing of them is kept.
    assert_code(&run(), 0);
    assert_eq!(host.state(DATASET), "processed");
    assert_eq!(stamps(&cache), before);

    fs::remove_file(references.join("zz900006j_drk.fits")).unwrap();
    let output = run();
    assert_code(&output, 27);
    assert!(String::from_utf8_lossy(&output.stderr).contains("zz900006j_drk.fits"));
    assert_eq!(host.state(DATASET), "error");
}
