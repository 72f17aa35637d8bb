//! The S3 client against a real server: objects, versions, listings; whole files; and requests that fail.

mod faults;
mod transfers;

use std::time::Duration;

use bytes::Bytes;
use caldp_tests::{Fault, Faults, S3Server};
use storage::hint::{Hint as _, explain};
use storage::retry::RetryPolicy;
use storage::s3::{Access, Delimiter, ErrorKind, Length, Precondition, S3, S3Options, Timeouts};
use storage::uri::S3Uri;

const BUCKET: &str = "hst-test";
const MIB: usize = 1024 * 1024;
/// What is sent with one request is smaller than a part.
const PART: usize = 6 * MIB;

/// Enough tries where a third of the requests fail, without the waiting.
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

fn all(body: &[u8]) -> Length {
    Length::Exactly(body.len() as u64)
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
