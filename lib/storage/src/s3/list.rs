//! Listing keys, a page of at most a thousand at a time.

use super::classify::classify;
use super::{Object, S3, Version, timestamp};
use crate::error::StoreError;

/// Whether keys are grouped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delimiter {
    /// Every key is listed.
    None,
    /// Keys with a slash after the prefix are grouped under what leads up to it.
    Slash,
}

/// A listing under way.
#[derive(Debug)]
pub struct Lister<'a> {
    s3: &'a S3,
    bucket: String,
    prefix: String,
    delimiter: Delimiter,
    next: Next,
}

#[derive(Debug)]
enum Next {
    First,
    Token(String),
    Nothing,
}

/// One page of a listing, in the byte order of keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// The objects.
    pub objects: Vec<Object>,
    /// The groups, each ending with a slash.
    pub prefixes: Vec<String>,
}

impl S3 {
    /// Lists the keys of a bucket that start with `prefix`, which may end within a name.
    pub fn list(&self, bucket: &str, prefix: &str, delimiter: Delimiter) -> Lister<'_> {
        Lister {
            s3: self,
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
            delimiter,
            next: Next::First,
        }
    }
}

impl Lister<'_> {
    /// The next page, or none after the last.
    ///
    /// # Errors
    /// As they come; the listing can be continued after an error.
    pub async fn next_page(&mut self) -> Result<Option<Page>, StoreError> {
        let token = match &self.next {
            Next::Nothing => return Ok(None),
            Next::First => None,
            Next::Token(token) => Some(token.clone()),
        };
        let place = format!("s3://{}/{}", self.bucket, self.prefix);
        let answer = self
            .s3
            .retry("list", &self.bucket, &place, |_| {
                let mut request = self
                    .s3
                    .client(&self.bucket)
                    .list_objects_v2()
                    .bucket(&self.bucket)
                    .prefix(&self.prefix)
                    .set_continuation_token(token.clone());
                if self.delimiter == Delimiter::Slash {
                    request = request.delimiter("/");
                }
                async move { request.send().await.map_err(classify) }
            })
            .await?;
        self.next = match answer.next_continuation_token {
            Some(token) if answer.is_truncated == Some(true) => Next::Token(token),
            _ => Next::Nothing,
        };
        let objects = answer.contents.unwrap_or_default();
        let prefixes = answer.common_prefixes.unwrap_or_default();
        Ok(Some(Page {
            objects: objects
                .into_iter()
                .filter_map(|object| {
                    Some(Object {
                        key: object.key?,
                        size: u64::try_from(object.size?).ok()?,
                        version: object.e_tag.map(Version),
                        modified: object.last_modified.and_then(timestamp),
                    })
                })
                .collect(),
            prefixes: prefixes.into_iter().filter_map(|p| p.prefix).collect(),
        }))
    }

    /// Everything that is left, in memory: for listings known to be small.
    ///
    /// # Errors
    /// As they come.
    pub async fn collect(mut self) -> Result<Page, StoreError> {
        let mut all = Page::default();
        while let Some(page) = self.next_page().await? {
            all.objects.extend(page.objects);
            all.prefixes.extend(page.prefixes);
        }
        Ok(all)
    }
}
