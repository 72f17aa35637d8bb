//! Listing keys, as `ListObjectsV2` has it: pages, prefixes grouped by a delimiter.

use std::collections::BTreeMap;
use std::ops::Bound;

use s3s::dto::{CommonPrefix, ETag, ListObjectsV2Input, ListObjectsV2Output};

use super::objects::Object;

/// The most keys and prefixes of one page.
const MAX_KEYS: i32 = 1000;

pub(super) fn list(
    keys: &BTreeMap<String, Object>,
    input: ListObjectsV2Input,
) -> ListObjectsV2Output {
    let prefix = input.prefix.clone().unwrap_or_default();
    let delimiter = input.delimiter.as_deref().filter(|d| !d.is_empty());
    let max_keys = input.max_keys.unwrap_or(MAX_KEYS).clamp(0, MAX_KEYS);
    let after = input
        .continuation_token
        .clone()
        .or_else(|| input.start_after.clone())
        .unwrap_or_default();
    let (mut contents, mut prefixes) = (Vec::new(), Vec::<String>::new());
    let mut next = None;
    let mut last = String::new();
    let from = if after >= prefix {
        Bound::Excluded(after.clone())
    } else {
        Bound::Included(prefix.clone())
    };
    let found = keys
        .range((from, Bound::Unbounded))
        .take_while(|(key, _)| key.starts_with(&prefix));
    for (key, object) in found {
        let tail = key.get(prefix.len()..).unwrap_or_default();
        let common = delimiter.and_then(|d| tail.find(d).map(|at| at + d.len()));
        let common = common.and_then(|end| key.get(..prefix.len() + end));
        if common.is_some_and(|c| prefixes.last().is_some_and(|p| p == c) || after.starts_with(c)) {
            continue;
        }
        let count = i32::try_from(contents.len() + prefixes.len()).unwrap_or(i32::MAX);
        if count >= max_keys {
            next = Some(last);
            break;
        }
        if let Some(common) = common {
            common.clone_into(&mut last);
            prefixes.push(common.to_owned());
        } else {
            key.clone_into(&mut last);
            contents.push(entry(key, object));
        }
    }
    ListObjectsV2Output {
        key_count: i32::try_from(contents.len() + prefixes.len()).ok(),
        max_keys: Some(max_keys),
        is_truncated: Some(next.is_some()),
        next_continuation_token: next,
        contents: Some(contents),
        common_prefixes: Some(prefixes.into_iter().map(common).collect()),
        name: Some(input.bucket),
        prefix: input.prefix,
        delimiter: input.delimiter,
        continuation_token: input.continuation_token,
        start_after: input.start_after,
        ..ListObjectsV2Output::default()
    }
}

fn entry(key: &str, object: &Object) -> s3s::dto::Object {
    s3s::dto::Object {
        key: Some(key.to_owned()),
        size: i64::try_from(object.size).ok(),
        e_tag: Some(ETag::Strong(object.etag.clone())),
        last_modified: Some(object.modified.into()),
        ..s3s::dto::Object::default()
    }
}

fn common(prefix: String) -> CommonPrefix {
    CommonPrefix {
        prefix: Some(prefix),
    }
}
