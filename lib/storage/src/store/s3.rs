//! A prefix on S3 as a store. Requests are left to the client.

use std::fmt;
use std::ops::Range;
use std::path::Path;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _};

use super::{Answer, Listing, Place, Reader, Store, StoreError, found, refused};
use crate::checksum::Expected;
use crate::object::{
    Content, Downloaded, Head, Length, Object, OnBytes, Part, Precondition, Stored, Version,
};
use crate::s3::{Delimiter, S3};
use crate::uri::S3Uri;

/// A bucket, or what is below a prefix in it; cheap to clone.
#[derive(Debug, Clone)]
pub struct S3Prefix {
    client: S3,
    root: S3Uri,
}

impl S3Prefix {
    /// What is below `root`.
    pub fn new(client: S3, root: S3Uri) -> Self {
        Self { client, root }
    }

    fn uri(&self, key: &str) -> Result<S3Uri, StoreError> {
        let joined = self.root.join(key);
        joined.map_err(|error| refused(error.input(), error.reason()))
    }
}

impl fmt::Display for S3Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.root.fmt(f)
    }
}

impl Store for S3Prefix {
    fn place(&self, key: &str) -> Result<Place, StoreError> {
        self.uri(key).map(Place::S3)
    }

    fn put_bytes<'a>(
        &'a self,
        key: &'a str,
        body: Bytes,
        precondition: &'a Precondition,
    ) -> Answer<'a, Stored> {
        Box::pin(async move {
            let uri = self.uri(key)?;
            self.client.put_bytes(&uri, body, precondition).await
        })
    }

    fn put_file<'a>(&'a self, key: &'a str, path: &'a Path) -> Answer<'a, Stored> {
        Box::pin(async move { self.client.put_file(&self.uri(key)?, path).await })
    }

    fn put_stream<'a>(
        &'a self,
        key: &'a str,
        reader: Reader<'a>,
        length: Length,
    ) -> Answer<'a, Stored> {
        Box::pin(async move {
            let uri = self.uri(key)?;
            self.client.put_stream(&uri, reader, length).await
        })
    }

    fn get_bytes<'a>(&'a self, key: &'a str, max: usize) -> Answer<'a, (Bytes, Option<Version>)> {
        Box::pin(async move { self.client.get_bytes(&self.uri(key)?, max).await })
    }

    fn get_content<'a>(&'a self, key: &'a str, max: usize) -> Answer<'a, Content> {
        Box::pin(async move { self.client.get_content(&self.uri(key)?, max).await })
    }

    fn get_range<'a>(&'a self, key: &'a str, range: Range<u64>) -> Answer<'a, Part> {
        Box::pin(async move { self.client.get_range(&self.uri(key)?, range).await })
    }

    fn get_to_file<'a>(
        &'a self,
        key: &'a str,
        target: &'a Path,
        expected: Expected,
        on_bytes: OnBytes<'a>,
    ) -> Answer<'a, Downloaded> {
        Box::pin(async move {
            let uri = self.uri(key)?;
            self.client
                .download(&uri, target, &expected, on_bytes)
                .await
        })
    }

    fn head<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Head>> {
        Box::pin(async move { found(self.client.head(&self.uri(key)?).await) })
    }

    fn list(&self, prefix: &str) -> Listing<'_> {
        let start = match self.root.key() {
            "" => String::new(),
            key => format!("{key}/"),
        };
        let all = format!("{start}{prefix}");
        let lister = self.client.list(self.root.bucket(), &all, Delimiter::None);
        let pages = stream::unfold(lister, move |mut lister| async move {
            let page = lister.next_page().await.transpose()?;
            Some((page.map(|page| page.objects), lister))
        });
        // A server that lists what it was not asked for is not believed.
        let relative = move |mut object: Object| {
            object.key = object.key.strip_prefix(&start)?.to_owned();
            Some(object)
        };
        Listing(
            pages
                .map(move |page| page.map(|page| page.into_iter().filter_map(&relative).collect()))
                .boxed(),
        )
    }

    fn delete<'a>(&'a self, key: &'a str) -> Answer<'a, ()> {
        Box::pin(async move { self.client.delete(&self.uri(key)?).await })
    }

    fn delete_many<'a>(&'a self, keys: &'a [String]) -> Answer<'a, ()> {
        Box::pin(async move {
            let absolute = |key: &String| Ok(self.uri(key)?.key().to_owned());
            let keys: Result<Vec<String>, StoreError> = keys.iter().map(absolute).collect();
            self.client.delete_many(self.root.bucket(), &keys?).await
        })
    }
}
