//! An S3 service in process: signatures, conditions, ranges, multipart uploads, checksums and
//! listings as the real one has them, on a free port of 127.0.0.1, with its own storage.
//!
//! The protocol is `s3s`; what is stored is ours ([`objects`]), because the file-system backend
//! that comes with `s3s` (0.14.1) differs from S3 where it matters here: a conditional PUT is
//! checked before the body is read and so lets two writers win; GET ignores `If-Match`; HEAD finds
//! directories; `a` and `a/b` cannot both be keys; an object with a wrong checksum is stored before
//! it is refused; parts are neither checked against their checksums nor against the `ETag`s of the
//! completion; an unknown upload is "access denied"; ranges of a file it did not write itself cost
//! a pass over the whole file each.
//!
//! [`Faults`] make it fail.

mod conditions;
mod faults;
mod listing;
mod objects;
mod operations;
mod parts;
mod receive;
mod regions;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::{Method, Request};
use s3s::S3Result;
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::SimpleAuth;
use s3s::path::S3Path;
use s3s::service::{S3Service, S3ServiceBuilder};

use crate::calls::Calls;
use crate::http::{Bucket, HttpThread, Port, lock};
pub use faults::{Fault, Faults};
use objects::Objects;
use regions::Located;
pub use regions::Refusal;

const ACCESS_KEY: &str = "test-access-key";
const SECRET_KEY: &str = "test-secret-key";
const REGION: &str = "us-east-1";

/// A running S3 service; dropping it stops it and deletes what it stored.
#[derive(Debug)]
pub struct S3Server {
    http: HttpThread,
    shared: Arc<S3Contents>,
}

#[derive(Debug)]
struct S3Contents {
    objects: Arc<Objects>,
    public: Arc<Mutex<BTreeSet<String>>>,
    counts: Mutex<BTreeMap<String, u64>>,
    reads: Mutex<BTreeMap<String, u64>>,
    located: Mutex<BTreeMap<String, Located>>,
    faults: Mutex<Option<Faults>>,
    writes: Mutex<Option<Bucket>>,
    reading_only: AtomicBool,
    keeping_all: AtomicBool,
    calls: Calls,
}

impl S3Server {
    /// Starts a server with the given buckets, empty.
    pub fn start(buckets: &[&str]) -> Self {
        let shared = Arc::new(S3Contents {
            objects: Arc::new(Objects::new(buckets)),
            public: Arc::default(),
            counts: Mutex::default(),
            reads: Mutex::default(),
            located: Mutex::default(),
            faults: Mutex::default(),
            writes: Mutex::default(),
            reading_only: AtomicBool::new(false),
            keeping_all: AtomicBool::new(false),
            calls: Calls::of_this_test(),
        });
        let service = {
            let mut builder = S3ServiceBuilder::new(Backend(Arc::clone(&shared.objects)));
            builder.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
            builder.set_access(Access(Arc::clone(&shared.public)));
            builder.build()
        };
        let served = Arc::clone(&shared);
        let http = Port::bind().serve("s3-server", move |request| {
            answer(service.clone(), Arc::clone(&served), request)
        });
        Self { http, shared }
    }

    /// `http://127.0.0.1:<port>`.
    pub fn endpoint(&self) -> String {
        self.http.url()
    }

    /// The access key id and secret key the server accepts.
    pub fn credentials(&self) -> (&'static str, &'static str) {
        (ACCESS_KEY, SECRET_KEY)
    }

    /// The environment with which a child process talks to this server and to no other.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", self.endpoint()),
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY.to_owned()),
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_CONFIG_FILE", "/dev/null".to_owned()),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null".to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ]
    }

    /// Lets anyone read a bucket without a signature.
    pub fn make_public(&self, bucket: &str) {
        lock(&self.shared.public).insert(bucket.to_owned());
    }

    /// Moves a bucket to a region, and refuses requests that come to another one.
    pub fn locate(&self, bucket: &str, region: &str, refusal: Refusal) {
        let located = Located {
            region: region.to_owned(),
            refusal,
        };
        lock(&self.shared.located).insert(bucket.to_owned(), located);
    }

    /// The address of the server with a folder for the region.
    pub fn regional_endpoint(&self) -> String {
        format!("{}/{{region}}/", self.endpoint())
    }

    /// Makes requests fail from now on, or with `None` no longer.
    pub fn set_faults(&self, faults: impl Into<Option<Faults>>) {
        *lock(&self.shared.faults) = faults.into();
    }

    /// Answers `SlowDown` to more requests a second that write or delete; AWS documents 3,500 for
    /// each prefix of keys.
    pub fn limit_writes(&self, per_second: u32) {
        *lock(&self.shared.writes) = Some(Bucket::new(per_second));
    }

    /// Refuses everything that writes or deletes from now on, as a policy does that allows reading.
    pub fn allow_reading_only(&self) {
        self.shared.reading_only.store(true, Ordering::Relaxed);
    }

    /// Refuses to delete anything from now on, as a policy does that allows reading and writing.
    pub fn allow_no_deleting(&self) {
        self.shared.keeping_all.store(true, Ordering::Relaxed);
    }

    /// How many requests arrived, failed ones included, by operation (`GetObject`, ...).
    pub fn requests(&self) -> BTreeMap<String, u64> {
        lock(&self.shared.counts).clone()
    }

    /// How many requests of one operation arrived.
    pub fn count(&self, operation: &str) -> u64 {
        self.requests().get(operation).copied().unwrap_or_default()
    }

    /// How many requests read each object, as `<bucket>/<key>`, from the start; a large one is read in
    /// several ranges.
    pub fn reads(&self) -> BTreeMap<String, u64> {
        lock(&self.shared.reads).clone()
    }

    /// Starts counting operations anew.
    pub fn reset_counts(&self) {
        lock(&self.shared.counts).clear();
    }

    /// Stores an object without a request.
    pub fn put(&self, bucket: &str, key: &str, body: impl Into<Bytes>) {
        self.shared.objects.put_bytes(bucket, key, body.into());
    }

    /// Deletes an object without a request.
    pub fn remove(&self, bucket: &str, key: &str) {
        self.shared.objects.remove(bucket, key);
    }

    /// Stores every file below `directory` under `prefix`, without requests.
    pub fn put_directory(&self, bucket: &str, prefix: &str, directory: &std::path::Path) {
        for entry in std::fs::read_dir(directory).expect("the directory can be read") {
            let path = entry.expect("the directory can be read").path();
            let name = path
                .file_name()
                .expect("an entry has a name")
                .to_string_lossy();
            let key = if prefix.is_empty() {
                name.into_owned()
            } else {
                format!("{prefix}/{name}")
            };
            if path.is_dir() {
                self.put_directory(bucket, &key, &path);
            } else {
                self.put(
                    bucket,
                    &key,
                    std::fs::read(&path).expect("the file can be read"),
                );
            }
        }
    }

    /// The body of an object, if it exists.
    pub fn get(&self, bucket: &str, key: &str) -> Option<Bytes> {
        self.shared.objects.read(bucket, key)
    }

    /// Every key of a bucket, sorted.
    pub fn keys(&self, bucket: &str) -> Vec<String> {
        self.shared.objects.keys(bucket)
    }

    /// Multipart uploads that were begun and neither completed nor aborted.
    pub fn open_uploads(&self) -> usize {
        self.shared.objects.open_uploads()
    }
}

/// What `s3s` calls; the operations are in [`operations`].
struct Backend(Arc<Objects>);

impl std::ops::Deref for Backend {
    type Target = Objects;

    fn deref(&self) -> &Objects {
        &self.0
    }
}

fn internal(error: impl std::error::Error + Send + Sync + 'static) -> s3s::S3Error {
    s3s::S3Error::internal_error(error)
}

async fn answer(
    service: S3Service,
    shared: Arc<S3Contents>,
    mut request: Request<Incoming>,
) -> Result<s3s::HttpResponse, s3s::HttpError> {
    if let Some(refused) = refused(&shared, &mut request) {
        return Ok(refused);
    }
    let operation = operation(
        request.method(),
        request.uri().path(),
        request.uri().query(),
    );
    shared.calls.record("s3", operation, &about(&request));
    *lock(&shared.counts)
        .entry(operation.to_owned())
        .or_default() += 1;
    if operation == "GetObject" {
        let object = request.uri().path().trim_start_matches('/').to_owned();
        *lock(&shared.reads).entry(object).or_default() += 1;
    }
    let mut fault = lock(&shared.faults).as_mut().and_then(Faults::next);
    let writes = !matches!(operation, "GetObject" | "HeadObject" | "ListObjectsV2");
    if writes
        && lock(&shared.writes)
            .as_mut()
            .is_some_and(|limit| !limit.take())
    {
        fault = Some(Fault::SlowDown);
    }
    let refused = match operation {
        "DeleteObject" | "DeleteObjects" => shared.keeping_all.load(Ordering::Relaxed),
        _ => false,
    };
    if refused || writes && shared.reading_only.load(Ordering::Relaxed) {
        fault = Some(Fault::AccessDenied);
    }
    faults::answer(fault, service, request).await
}

/// The refusal of a request for a bucket of another region.
fn refused(shared: &S3Contents, request: &mut Request<Incoming>) -> Option<s3s::HttpResponse> {
    let located = lock(&shared.located);
    let mut known: Vec<String> = located.values().map(|place| place.region.clone()).collect();
    known.push(REGION.to_owned());
    let asked = regions::taken_from_path(request, &known)
        .or_else(|| regions::signed_for(request.headers()))?;
    let path = request.uri().path().trim_start_matches('/');
    let bucket = path.split('/').next().unwrap_or_default();
    let place = located.get(bucket).filter(|place| place.region != asked)?;
    *lock(&shared.counts)
        .entry("refused".to_owned())
        .or_default() += 1;
    Some(regions::refuse(bucket, place, &asked, request.method()))
}

/// What a request is about, for the record of calls: a key in its bucket, or for a listing its prefix.
fn about(request: &Request<Incoming>) -> String {
    let path = request.uri().path().trim_start_matches('/');
    let query = request.uri().query().unwrap_or_default();
    let prefix = url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "prefix");
    let source = request.headers().get("x-amz-copy-source");
    match (prefix, source.and_then(|source| source.to_str().ok())) {
        (Some((_, prefix)), _) => format!("{path}\t{prefix}"),
        (None, Some(source)) => format!("{path}\t{source}"),
        (None, None) => path.to_owned(),
    }
}

/// The name of the operation a request asks for, as far as this server knows it.
fn operation(method: &Method, path: &str, query: Option<&str>) -> &'static str {
    let query = query.unwrap_or_default();
    let has = |name: &str| {
        query
            .split('&')
            .any(|pair| pair.split('=').next() == Some(name))
    };
    let of_object = path
        .trim_start_matches('/')
        .split_once('/')
        .is_some_and(|(_, key)| !key.is_empty());
    match (method.as_str(), of_object) {
        ("GET", true) => "GetObject",
        ("HEAD", true) => "HeadObject",
        ("PUT", true) if has("partNumber") => "UploadPart",
        ("PUT", true) => "PutObject",
        ("POST", true) if has("uploads") => "CreateMultipartUpload",
        ("POST", true) => "CompleteMultipartUpload",
        ("DELETE", true) if has("uploadId") => "AbortMultipartUpload",
        ("DELETE", true) => "DeleteObject",
        ("POST", false) if has("delete") => "DeleteObjects",
        ("GET", false) if has("list-type") => "ListObjectsV2",
        _ => "other",
    }
}

struct Access(Arc<Mutex<BTreeSet<String>>>);

#[async_trait::async_trait]
impl S3Access for Access {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        if context.credentials().is_some() {
            return Ok(());
        }
        let reads = matches!(*context.method(), Method::GET | Method::HEAD);
        let bucket = match context.s3_path() {
            S3Path::Bucket { bucket } | S3Path::Object { bucket, .. } => Some(bucket),
            S3Path::Root => None,
        };
        match bucket {
            Some(bucket) if reads && lock(&self.0).contains(&**bucket) => Ok(()),
            _ => Err(s3s::s3_error!(AccessDenied, "Access Denied")),
        }
    }
}
