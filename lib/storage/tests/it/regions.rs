//! Buckets of another region than the client's: found out once, whatever is asked first, signed or not.

use bytes::Bytes;
use caldp_tests::{Refusal, S3Server};
use futures_util::future::join_all;
use storage::retry::RetryPolicy;
use storage::s3::{Access, Delimiter, Expected, Length, Precondition, S3, S3Options};
use storage::uri::S3Uri;

const HOME: &str = "at-home";
const AWAY: &str = "far-away";
const REGION: &str = "ap-southeast-2";
const ALWAYS: Precondition = Precondition::None;

fn server(refusal: Refusal) -> S3Server {
    let server = S3Server::start(&[HOME, AWAY]);
    server.locate(AWAY, REGION, refusal);
    server
}

/// A client that tries once: going elsewhere is no other try.
async fn client(access: Access, endpoint: String) -> S3 {
    S3::new(S3Options {
        access,
        endpoint: Some(endpoint),
        retry: RetryPolicy::ONCE,
        ..S3Options::default()
    })
    .await
}

async fn signed(server: &S3Server) -> S3 {
    let (id, secret) = server.credentials();
    let (id, secret) = (id.to_owned(), secret.to_owned());
    client(Access::Key { id, secret }, server.endpoint()).await
}

fn uri(bucket: &str, key: &str) -> S3Uri {
    S3Uri::new(bucket, key).unwrap()
}

#[tokio::test]
async fn a_signed_client_goes_where_the_bucket_is_and_remembers() {
    for refusal in [Refusal::Redirect, Refusal::Malformed] {
        let server = server(refusal);
        let s3 = signed(&server).await;
        let (key, copied) = (uri(AWAY, "key"), uri(AWAY, "copy"));
        s3.put_bytes(&key, Bytes::from("hello"), &ALWAYS)
            .await
            .unwrap();
        assert_eq!(s3.head(&key).await.unwrap().size, 5);
        assert_eq!(s3.get_bytes(&key, 9).await.unwrap().0, "hello");
        s3.copy(&key, &copied).await.unwrap();
        let target = tempfile::tempdir().unwrap();
        let target = target.path().join("file");
        s3.get_to_file(&key, &target, &Expected::default())
            .await
            .unwrap();
        let mut list = s3.list(AWAY, "", Delimiter::None);
        assert_eq!(list.next_page().await.unwrap().unwrap().objects.len(), 2);
        s3.delete(&copied).await.unwrap();
        s3.delete_many(AWAY, &["key".to_owned()]).await.unwrap();
        assert_eq!(server.keys(AWAY), [""; 0]);
        assert_eq!(server.count("refused"), 1);
        // Others are where they were.
        s3.put_bytes(&uri(HOME, "key"), Bytes::new(), &ALWAYS)
            .await
            .unwrap();
        assert_eq!(server.count("refused"), 1);
    }
}

#[tokio::test]
async fn whatever_comes_first_is_answered() {
    for refusal in [Refusal::Redirect, Refusal::Malformed] {
        let server = server(refusal);
        server.put(AWAY, "key", "hello");
        let key = uri(AWAY, "key");
        assert_eq!(signed(&server).await.head(&key).await.unwrap().size, 5);
        assert!(
            signed(&server)
                .await
                .list(AWAY, "", Delimiter::None)
                .next_page()
                .await
                .is_ok()
        );
        signed(&server).await.delete(&key).await.unwrap();
        let large = vec![7; 9 << 20];
        let stored = signed(&server)
            .await
            .put_stream(&key, &large[..], Length::AtMost(9 << 20))
            .await;
        assert_eq!(stored.unwrap().size, 9 << 20);
    }
}

#[tokio::test]
async fn many_that_ask_first_at_once_are_all_answered() {
    let server = server(Refusal::Redirect);
    server.put(AWAY, "key", "hello");
    let s3 = signed(&server).await;
    let key = uri(AWAY, "key");
    for answer in join_all((0..32).map(|_| s3.get_bytes(&key, 9))).await {
        assert_eq!(answer.unwrap().0, "hello");
    }
}

#[tokio::test]
async fn a_client_without_credentials_asks_the_server_of_the_region() {
    let server = server(Refusal::Redirect);
    server.make_public(AWAY);
    server.put(AWAY, "key", "hello");
    let s3 = client(Access::Anonymous, server.regional_endpoint()).await;
    let key = uri(AWAY, "key");
    assert_eq!(s3.head(&key).await.unwrap().size, 5);
    assert_eq!(s3.get_bytes(&key, 9).await.unwrap().0, "hello");
    assert_eq!(server.count("refused"), 1);
}
