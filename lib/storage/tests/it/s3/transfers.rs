//! Files that come and go whole, whatever their size, or not at all.

use std::time::{Duration, Instant};

use caldp_tests::{Fault, Faults, S3Server};
use storage::checksum::Sha1Sum;
use storage::hint::explain;
use storage::s3::{ErrorKind, Expected, Length};

use super::{BUCKET, MIB, PART, all, client, noise, uri};

#[tokio::test]
async fn files_of_every_size_arrive_whole() {
    let server = S3Server::start(&[BUCKET]);
    let s3 = client(&server).await;
    let dir = tempfile::tempdir().unwrap();
    for size in [0, 1, 8 * MIB - 1, 8 * MIB, 17 * MIB + 5] {
        let body = noise(size);
        server.put(BUCKET, "file", body.clone());
        server.reset_counts();
        let target = dir.path().join("deep/down/file");
        let expected = Expected {
            size: Some(size as u64),
            sha1: Some(Sha1Sum::of(&body)),
            ..Expected::default()
        };
        let done = s3
            .get_to_file(&uri("file"), &target, &expected)
            .await
            .unwrap();
        assert_eq!(done.size, size as u64);
        assert_eq!(done.sha1, Some(Sha1Sum::of(&body)));
        assert!(std::fs::read(&target).unwrap() == body, "{size}");
        let ranges = (size as u64).div_ceil(8 * MIB as u64).max(1);
        assert_eq!(server.count("GetObject"), ranges, "{size}");
    }
}

#[tokio::test]
async fn a_file_that_is_not_what_it_should_be_does_not_appear() {
    let server = S3Server::start(&[BUCKET]);
    let s3 = client(&server).await;
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("file");
    server.put(BUCKET, "file", "damaged");
    let expectations = [
        Expected {
            size: Some(8),
            ..Expected::default()
        },
        Expected {
            size: None,
            sha1: Some(Sha1Sum::of(b"sound")),
            ..Expected::default()
        },
    ];
    for expected in expectations {
        let error = s3
            .get_to_file(&uri("file"), &target, &expected)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Damaged);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "{error}");
    }
}

#[tokio::test]
async fn a_file_that_changes_while_it_is_read_is_noticed() {
    let server = S3Server::start(&[BUCKET]);
    let s3 = client(&server).await;
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("file");
    server.put(BUCKET, "file", noise(20 * MIB));
    server.set_faults(Faults::always(Fault::Slow(Duration::from_secs(1))));
    let (key, expected) = (uri("file"), Expected::default());
    let (result, ()) = tokio::join!(s3.get_to_file(&key, &target, &expected), async {
        // the first range is answered once the others are asked for; they wait at the server
        while server.count("GetObject") < 2 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        server.put(BUCKET, "file", "other");
    });
    assert_eq!(result.unwrap_err().kind(), ErrorKind::Changed);
    assert!(!target.exists());
}

#[tokio::test]
async fn uploads_of_every_size_are_stored_whole() {
    let server = S3Server::start(&[BUCKET]);
    let s3 = client(&server).await;
    for size in [0, 1, PART - 1, PART, 17 * MIB + 3] {
        let body = noise(size);
        server.reset_counts();
        let stored = s3
            .put_stream(&uri("up"), &body[..], all(&body))
            .await
            .unwrap();
        assert_eq!(stored.size, size as u64);
        assert!(server.get(BUCKET, "up").unwrap() == body, "{size}");
        assert_eq!(server.count("PutObject"), u64::from(size < PART));
        assert_eq!(server.open_uploads(), 0);
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), noise(20 * MIB)).unwrap();
    s3.put_file(&uri("file"), file.path()).await.unwrap();
    assert!(server.get(BUCKET, "file").unwrap() == noise(20 * MIB));
    let error = s3
        .put_file(&uri("file"), std::path::Path::new("/nowhere/at/all"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LocalFile);
}

/// S3 takes no more than 10,000 parts: what may be large is cut into larger ones, whatever comes.
#[tokio::test]
async fn what_may_need_too_many_parts_is_sent_in_larger_ones() {
    const GIB: u64 = 1 << 30;
    let server = S3Server::start(&[BUCKET]);
    let s3 = client(&server).await;
    let body = noise(30 * MIB);
    for (most, parts) in [(GIB, 5), (100 * GIB, 3), (1024 * GIB, 0)] {
        server.reset_counts();
        let most = Length::AtMost(most);
        s3.put_stream(&uri("up"), &body[..], most).await.unwrap();
        assert!(server.get(BUCKET, "up").unwrap() == body);
        assert_eq!(server.count("UploadPart"), parts, "{most:?}");
        assert_eq!(server.open_uploads(), 0);
    }
    server.reset_counts();
    let most = Length::AtMost(6000 * GIB);
    let error = s3.put_stream(&uri("up"), &body[..], most).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::TooLarge);
    assert!(server.requests().is_empty());
    // More than was said is not what was meant to be stored.
    let less = Length::AtMost(29 << 20);
    let error = s3.put_stream(&uri("new"), &body[..], less).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::LocalFile);
    assert_eq!(server.keys(BUCKET), ["up"]);
    assert_eq!(server.open_uploads(), 0);
}

/// Gives some bytes and then fails.
fn breaking_off(size: usize) -> impl tokio::io::AsyncRead + Unpin {
    use tokio::io::AsyncReadExt;
    let failing = failing::Failing;
    std::io::Cursor::new(vec![0; size]).chain(failing)
}

mod failing {
    use std::io;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use tokio::io::{AsyncRead, ReadBuf};

    pub(super) struct Failing;

    impl AsyncRead for Failing {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            Poll::Ready(Err(io::Error::other("the disk is gone")))
        }
    }
}

#[tokio::test]
async fn an_upload_that_fails_or_is_given_up_leaves_nothing() {
    let server = S3Server::start(&[BUCKET]);
    let s3 = client(&server).await;
    for size in [MIB, 30 * MIB] {
        let error = s3
            .put_stream(
                &uri("up"),
                breaking_off(size),
                Length::AtMost(size as u64 + 1),
            )
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LocalFile);
        assert!(explain(&error).to_string().contains("the disk is gone"));
        assert_eq!(server.open_uploads(), 0);
    }
    server.set_faults(Faults::always(Fault::Slow(Duration::from_millis(100))));
    let body = noise(40 * MIB);
    let key = uri("up");
    let upload = s3.put_stream(&key, &body[..], all(&body));
    assert!(
        tokio::time::timeout(Duration::from_millis(350), upload)
            .await
            .is_err()
    );
    let start = Instant::now();
    while server.open_uploads() > 0 {
        assert!(start.elapsed() < Duration::from_secs(10), "never aborted");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(server.keys(BUCKET), [""; 0]);
}
