//! Files and S3 objects behind one set of operations.
//!
//! URIs and keys, the S3 client, a store that is a directory or an S3 prefix, the one policy of
//! trying again, files that appear complete or not at all, and checksums. Nothing here knows HST.

pub mod atomic;
pub mod blocking;
pub mod bounded;
pub mod checksum;
pub mod hint;
pub mod lock;
pub mod retry;
pub mod s3;
pub mod store;
pub mod uri;
