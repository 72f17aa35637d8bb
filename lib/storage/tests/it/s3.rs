//! The S3 client against a real server, in good and in bad weather.

use std::time::{Duration, Instant};

use bytes::Bytes;
use caldp_tests::{Fault, Faults, S3Server};
use storage::checksum::Sha1Sum;
use storage::hint::{Hint as _, explain};
use storage::retry::RetryPolicy;
use storage::s3::{
    Access, Delimiter, ErrorKind, Expected, Length, Precondition, S3, S3Options, Timeouts,
};
use storage::uri::S3Uri;

const BUCKET: &str = "hst-test";
const MIB: usize = 1024 * 1024;
/// What is sent with one request is smaller than a part.
const PART: usize = 6 * MIB;

/// Enough tries for weather in which a third of the requests fail, without the waiting.
const STUBBORN: RetryPolicy = RetryPolicy {
    tries: 25,
    total: Duration::from_mins(5),
    base: Duration::from_millis(1),
    cap: Duration::from_millis(20),
};

/// Generous, for a machine that is busy with other things.
const PATIENT: Timeouts = Timeouts {
    connect: Duration::from_secs(10),
    answer: Duration::from_secs(30),
    idle: Duration::from_secs(30),
};

/// For servers that hang on purpose.
const HASTY: Timeouts = Timeouts {
    connect: Duration::from_secs(2),
    answer: Duration::from_secs(4),
    idle: Duration::from_secs(1),
};

async fn client(server: &S3Server) -> S3 {
    client_with(server, STUBBORN, PATIENT).await
}

async fn client_with(server: &S3Server, retry: RetryPolicy, timeouts: Timeouts) -> S3 {
    let (id, secret) = server.credentials();
    S3::new(S3Options {
        access: Access::Key {
            id: id.to_owned(),
            secret: secret.to_owned(),
        },
        endpoint: Some(server.endpoint()),
        retry,
        timeouts,
    })
    .await
}

fn uri(key: &str) -> S3Uri {
    S3Uri::new(BUCKET, key).unwrap()
}

/// Bytes that no two places of share.
fn noise(len: usize) -> Bytes {
    let mut random = fastrand::Rng::with_seed(7);
    let mut bytes = vec![0; len];
    random.fill(&mut bytes);
    bytes.into()
}

#[tokio::test]
async fn what_is_put_is_got() {
    let server = S3Server::start(&[BUCKET]);
    let s3 = client(&server).await;
    let key = uri("a key/with é+&%=");
    s3.put_bytes(&key, Bytes::from("hello"), &Precondition::None)
        .await
        .unwrap();
    let (body, version) = s3.get_bytes(&key, 100).await.unwrap();
    assert_eq!(body, "hello");
    let head = s3.head(&key).await.unwrap();
    assert_eq!((head.size, head.version), (5, version));
    s3.copy(&key, &uri("copy")).await.unwrap();
    assert_eq!(server.get(BUCKET, "copy").unwrap(), "hello");
    s3.delete(&key).await.unwrap();
    s3.delete(&key).await.unwrap();
    assert_eq!(server.keys(BUCKET), ["copy"]);
}

#[tokio::test]
async fn failures_say_what_why_and_what_to_do() {
    let server = S3Server::start(&[BUCKET]);
    let s3 = client(&server).await;
    let error = s3.get_bytes(&uri("nothing"), 10).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(
        error.to_string(),
        "cannot read s3://hst-test/nothing: it does not exist"
    );
    assert_eq!(
        s3.head(&uri("nothing")).await.unwrap_err().kind(),
        ErrorKind::NotFound
    );
    server.put(BUCKET, "long", "0123456789");
    assert_eq!(
        s3.get_bytes(&uri("long"), 9).await.unwrap_err().kind(),
        ErrorKind::TooLarge
    );
    let elsewhere = S3Uri::new("other-bucket", "k").unwrap();
    let error = s3
        .put_bytes(&elsewhere, Bytes::new(), &Precondition::None)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoSuchBucket);
    assert!(error.hint().unwrap().contains("check the bucket's name"));
    let stranger = S3::new(S3Options {
        access: Access::Key {
            id: "stranger".to_owned(),
            secret: "secret".to_owned(),
        },
        endpoint: Some(server.endpoint()),
        ..S3Options::default()
    })
    .await;
    let error = stranger.get_bytes(&uri("long"), 99).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AccessDenied);
    assert_eq!(error.stats().tries, 1);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unreachable() {
    let endpoint = S3Server::start(&[BUCKET]).endpoint();
    let s3 = S3::new(S3Options {
        access: Access::Anonymous,
        endpoint: Some(endpoint),
        retry: RetryPolicy {
            tries: 3,
            ..STUBBORN
        },
        ..S3Options::default()
    })
    .await;
    let error = s3.head(&uri("k")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    let text = explain(&error).to_string();
    assert!(
        text.contains("after 3 tries over") && text.contains("AWS_ENDPOINT_URL"),
        "{text}"
    );
}

#[tokio::test]
async fn a_public_bucket_needs_no_credentials() {
    let server = S3Server::start(&[BUCKET, "stpubdata"]);
    server.make_public("stpubdata");
    server.put("stpubdata", "k", "public");
    server.put(BUCKET, "k", "private");
    let s3 = S3::new(S3Options {
        access: Access::Anonymous,
        endpoint: Some(server.endpoint()),
        ..S3Options::default()
    })
    .await;
    let public = S3Uri::new("stpubdata", "k").unwrap();
    assert_eq!(s3.get_bytes(&public, 10).await.unwrap().0, "public");
    let error = s3.get_bytes(&uri("k"), 10).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AccessDenied);
}

#[tokio::test]
async fn of_many_writers_with_a_condition_one_wins() {
    let server = S3Server::start(&[BUCKET]);
    let s3 = client(&server).await;
    let mut writers = tokio::task::JoinSet::new();
    for n in 0..20 {
        let s3 = s3.clone();
        writers.spawn(async move {
            s3.put_bytes(
                &uri("claim"),
                format!("{n}").into(),
                &Precondition::IfAbsent,
            )
            .await
            .map(|_| n)
        });
    }
    let results = writers.join_all().await;
    let winners: Vec<_> = results.iter().flatten().collect();
    assert_eq!(winners.len(), 1);
    assert_eq!(server.get(BUCKET, "claim").unwrap(), winners[0].to_string());
    assert!(
        results
            .iter()
            .filter_map(|r| r.as_ref().err())
            .all(|e| e.kind() == ErrorKind::AlreadyExists)
    );
}

#[tokio::test]
async fn a_version_guards_against_lost_updates() {
    let server = S3Server::start(&[BUCKET]);
    let s3 = client(&server).await;
    let key = uri("record");
    let first = s3
        .put_bytes(&key, "1".into(), &Precondition::None)
        .await
        .unwrap();
    let mine = Precondition::IfVersion(first.version.unwrap());
    s3.put_bytes(&key, "2".into(), &mine).await.unwrap();
    let error = s3.put_bytes(&key, "3".into(), &mine).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Changed);
    assert_eq!(server.get(BUCKET, "record").unwrap(), "2");
}

#[tokio::test]
async fn a_writer_whose_answer_got_lost_still_knows_it_won() {
    let server = S3Server::start(&[BUCKET]);
    let s3 = client(&server).await;
    server.set_faults(Faults::always(Fault::LostAnswer).at_most(2));
    s3.put_bytes(&uri("claim"), "mine".into(), &Precondition::IfAbsent)
        .await
        .unwrap();
    server.put(BUCKET, "taken", "theirs");
    server.set_faults(Faults::always(Fault::LostAnswer).at_most(2));
    let error = s3
        .put_bytes(&uri("taken"), "mine".into(), &Precondition::IfAbsent)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
}

#[tokio::test]
async fn listings_have_pages_and_groups() {
    let server = S3Server::start(&[BUCKET]);
    for n in 0..2500 {
        server.put(BUCKET, &format!("messages/processed-{n:04}"), "");
    }
    server.put(BUCKET, "messages/processing-x", "");
    server.put(BUCKET, "data/acs/a/f", "12345");
    server.put(BUCKET, "data/acs/a/g", "");
    server.put(BUCKET, "data/acs/b/f", "");
    server.put(BUCKET, "data/acs/list", "");
    let s3 = client(&server).await;
    let mut lister = s3.list(BUCKET, "messages/processed-", Delimiter::None);
    let mut sizes = Vec::new();
    while let Some(page) = lister.next_page().await.unwrap() {
        sizes.push(page.objects.len());
    }
    assert_eq!(sizes, [1000, 1000, 500]);
    let page = s3
        .list(BUCKET, "data/acs/", Delimiter::Slash)
        .collect()
        .await
        .unwrap();
    assert_eq!(page.prefixes, ["data/acs/a/", "data/acs/b/"]);
    assert_eq!(page.objects[0].key, "data/acs/list");
    let empty = s3.list(BUCKET, "none", Delimiter::None).collect().await;
    assert_eq!(empty.unwrap().objects, []);

    let keys: Vec<String> = server.keys(BUCKET);
    server.reset_counts();
    s3.delete_many(BUCKET, &keys).await.unwrap();
    assert_eq!(server.count("DeleteObjects"), 3);
    assert_eq!(server.keys(BUCKET), [""; 0]);
}

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

fn all(body: &[u8]) -> Length {
    Length::Exactly(body.len() as u64)
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

/// A third of the requests fails in every way there is, and everything still ends well.
#[tokio::test]
async fn bad_weather_is_weathered() {
    let server = S3Server::start(&[BUCKET]);
    let s3 = client_with(&server, STUBBORN, HASTY).await;
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("file");
    let body = noise(17 * MIB);
    for seed in 0..2 {
        let kinds = [
            Fault::InternalError,
            Fault::SlowDown,
            Fault::Reset,
            Fault::LostAnswer,
            Fault::Truncate,
            Fault::Stall,
            Fault::Slow(Duration::from_millis(20)),
        ];
        server.set_faults(Faults::one_in(3, &kinds).seeded(seed));
        let key = uri(&format!("dir/{seed}"));
        s3.put_stream(&key, &body[..], all(&body)).await.unwrap();
        let expected = Expected {
            size: Some(body.len() as u64),
            sha1: Some(Sha1Sum::of(&body)),
            ..Expected::default()
        };
        s3.get_to_file(&key, &target, &expected).await.unwrap();
        s3.put_bytes(
            &uri(&format!("claim/{seed}")),
            format!("{seed}").into(),
            &Precondition::IfAbsent,
        )
        .await
        .unwrap();
        let listed = s3
            .list(BUCKET, "dir/", Delimiter::None)
            .collect()
            .await
            .unwrap();
        assert_eq!(listed.objects.len(), 1);
        s3.delete_many(BUCKET, &[key.key().to_owned()])
            .await
            .unwrap();
        server.set_faults(None);
    }
    assert_eq!(server.keys(BUCKET), ["claim/0", "claim/1"]);
}

/// When nothing works any more, it ends within bounds and says so.
#[tokio::test]
async fn a_storm_ends_within_bounds() {
    let server = S3Server::start(&[BUCKET]);
    server.put(BUCKET, "k", noise(MIB));
    let retry = RetryPolicy {
        tries: 2,
        ..STUBBORN
    };
    let s3 = client_with(&server, retry, HASTY).await;
    let cases = [
        (Fault::InternalError, ErrorKind::Server),
        (Fault::SlowDown, ErrorKind::Throttled),
        (Fault::Reset, ErrorKind::Unreachable),
        (Fault::Truncate, ErrorKind::Unreachable),
        (Fault::Stall, ErrorKind::Unreachable),
        (Fault::Slow(Duration::from_mins(1)), ErrorKind::Unreachable),
    ];
    for (fault, kind) in cases {
        server.set_faults(Faults::always(fault));
        let start = Instant::now();
        let error = s3.get_bytes(&uri("k"), 2 * MIB).await.unwrap_err();
        assert_eq!((error.kind(), error.stats().tries), (kind, 2), "{fault:?}");
        assert!(error.to_string().contains("after 2 tries over"));
        let body = noise(10 * MIB);
        let error = s3
            .put_stream(&uri("up"), &body[..], all(&body))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), kind, "{fault:?}: {error}");
        assert!(start.elapsed() < Duration::from_secs(45), "{fault:?}");
    }
}
