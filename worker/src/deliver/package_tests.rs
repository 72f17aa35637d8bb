//! Packages read back by the programs that people will use.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use std::path::Path;
use std::process::Command;

fn members(folder: &Path, files: &[(&str, Vec<u8>)]) -> Vec<PackedFile> {
    files
        .iter()
        .map(|(name, bytes)| {
            let path = folder.join(name.replace('/', "-"));
            std::fs::write(&path, bytes).unwrap();
            PackedFile {
                name: format!("j8cb010b0/{name}"),
                path,
            }
        })
        .collect()
}

fn noise(size: usize) -> Vec<u8> {
    let mut state: u32 = 1;
    let step = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0] & 0x3f
    };
    std::iter::repeat_with(step).take(size).collect()
}

async fn packed(members: Vec<PackedFile>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut package = package(members);
    while let Some(member) = package.next().await {
        bytes.extend_from_slice(&member.unwrap());
    }
    bytes
}

#[tokio::test]
async fn no_package_is_longer_than_was_foretold() {
    let folder = tempfile::tempdir().unwrap();
    let mut random = fastrand::Rng::with_seed(4);
    let mut incompressible = vec![0; 5 * BLOCK + 1];
    random.fill(&mut incompressible);
    let long = format!("previews/{}.jpg", "n".repeat(200));
    let all = [
        ("a_flt.fits", incompressible),
        ("empty.tra", Vec::new()),
        (&*long, vec![b'x'; 513]),
    ];
    for files in [&all[..], &all[1..], &all[2..], &[]] {
        let members = members(folder.path(), files);
        let most = longest(&members).unwrap();
        let size = packed(members).await.len() as u64;
        assert!(
            size <= most && most < size + size / 100 + 8192,
            "{size} {most}"
        );
    }
    let gone = PackedFile {
        name: "x".to_owned(),
        path: folder.path().join("none"),
    };
    assert!(longest(&[gone]).is_err());
}

#[tokio::test]
async fn everyone_can_read_it() {
    let folder = tempfile::tempdir().unwrap();
    let long = format!("previews/{}.jpg", "n".repeat(150));
    let files = [
        ("a_flt.fits", noise(3 * BLOCK + 12_345)),
        ("empty.tra", Vec::new()),
        ("previews/a_flt.jpg", noise(777)),
        (&*long, b"long".to_vec()),
    ];
    let archive = folder.path().join("j8cb010b0.tar.gz");
    std::fs::write(&archive, packed(members(folder.path(), &files)).await).unwrap();

    let gnu = folder.path().join("gnu");
    let python = folder.path().join("python");
    let gunzip = folder.path().join("gunzip");
    for place in [&gnu, &python, &gunzip] {
        std::fs::create_dir(place).unwrap();
    }
    let script = "import sys, tarfile\nwith tarfile.open(sys.argv[1], 'r:gz') as t: t.extractall(sys.argv[2])";
    let commands = [
        Command::new("tar")
            .arg("-xzf")
            .arg(&archive)
            .arg("-C")
            .arg(&gnu)
            .status(),
        Command::new("python3")
            .args(["-c", script])
            .arg(&archive)
            .arg(&python)
            .status(),
        Command::new("sh")
            .args(["-c", "gunzip -c \"$0\" | tar -xf - -C \"$1\""])
            .arg(&archive)
            .arg(&gunzip)
            .status(),
    ];
    for (status, place) in commands.into_iter().zip([gnu, python, gunzip]) {
        assert!(status.unwrap().success(), "{}", place.display());
        for (name, bytes) in &files {
            let read = std::fs::read(place.join("j8cb010b0").join(name)).unwrap();
            assert!(&read == bytes, "{}: {name}", place.display());
        }
    }
    let test = Command::new("gzip")
        .arg("-t")
        .arg(&archive)
        .status()
        .unwrap();
    assert!(test.success());
    let place = folder.path().join("own");
    std::fs::create_dir(&place).unwrap();
    let limits = crate::input::archive::Limits::default();
    let own = crate::input::archive::unpack(&archive, &place, &limits).unwrap();
    assert_eq!(own.len(), files.len());
}

#[tokio::test]
async fn the_same_files_give_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let members = members(
        folder.path(),
        &[("a.fits", noise(5 * BLOCK)), ("b.fits", noise(100))],
    );
    let first = packed(members.clone()).await;
    assert!(first == packed(members).await);
}

#[tokio::test]
async fn what_was_packed_is_known_by_its_sum() {
    let folder = tempfile::tempdir().unwrap();
    let content = noise(2 * BLOCK + 7);
    let members = members(
        folder.path(),
        &[("a.fits", content.clone()), ("b.tra", vec![])],
    );
    let mut package = package(members);
    while package.next().await.is_some() {}
    let of = |name: &str, content: &[u8]| Packed {
        name: format!("j8cb010b0/{name}"),
        size: content.len() as u64,
        sha1: Sha1Sum::of(content),
    };
    assert_eq!(package.finish(), [of("a.fits", &content), of("b.tra", b"")]);
}

#[tokio::test]
async fn nothing_packs_to_an_empty_archive() {
    let bytes = packed(Vec::new()).await;
    let mut tar = Vec::new();
    flate2::read::MultiGzDecoder::new(&bytes[..])
        .read_to_end(&mut tar)
        .unwrap();
    assert_eq!(tar, [0; 1024]);
}

#[tokio::test]
async fn a_file_that_is_gone_ends_the_stream_with_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let mut members = members(folder.path(), &[("a.fits", noise(2 * BLOCK))]);
    members.push(PackedFile {
        name: "x".to_owned(),
        path: folder.path().join("gone.fits"),
    });
    let results: Vec<_> = package(members).collect().await;
    let (last, before) = results.split_last().unwrap();
    assert!(before.iter().all(Result::is_ok));
    let error = last.as_ref().unwrap_err().to_string();
    assert!(error.contains("gone.fits"), "{error}");
}

#[test]
fn a_file_that_changes_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    std::fs::write(&path, "12345").unwrap();
    let mut file = File::open(&path).unwrap();
    let mut exact = Exact {
        file: &mut file,
        left: 9,
        sum: Sha1::new(),
    };
    io::copy(&mut exact, &mut io::sink()).unwrap();
    assert_eq!(exact.left, 4);
}

#[tokio::test]
async fn dropping_the_stream_stops_the_work() {
    let folder = tempfile::tempdir().unwrap();
    let members = members(folder.path(), &[("a.fits", noise(30 * BLOCK))]);
    let mut stream = package(members);
    assert!(stream.next().await.unwrap().is_ok());
    drop(stream);
    // The runtime waits for its blocking threads: this test ends only if they do.
}
