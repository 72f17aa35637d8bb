//! Files and S3 objects behind one set of operations. Nothing here knows HST.
//!
//! A [`Store`](store::Store) keeps things by their keys, in a directory, below a prefix on S3 or in
//! memory. Keys appear with their whole content or not at all, and can be written only if nobody
//! else wrote them meanwhile:
//!
//! ```
//! use storage::object::Precondition;
//! use storage::store::{self, ErrorKind, Store as _};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
//! # let folder = tempfile::tempdir()?;
//! # let location = format!("file:{}", folder.path().display());
//! # runtime.block_on(async {
//! // `file:some/directory` or `s3://bucket/prefix`
//! let store = store::open(&location.parse()?).await;
//! store.put_bytes("messages/first", "hello".into(), &Precondition::IfAbsent).await?;
//!
//! let again = store.put_bytes("messages/first", "other".into(), &Precondition::IfAbsent).await;
//! assert_eq!(again.unwrap_err().kind(), ErrorKind::AlreadyExists);
//!
//! let (body, version) = store.get_bytes("messages/first", 1024).await?;
//! assert_eq!(body, "hello");
//! if let Some(version) = version {
//!     let unchanged = Precondition::IfVersion(version);
//!     store.put_bytes("messages/first", "changed".into(), &unchanged).await?;
//! }
//! let listed = store.list("messages/").collect().await?;
//! assert_eq!(listed[0].key, "messages/first");
//! # Ok(())
//! # })
//! # }
//! ```
//!
//! From the bottom up: [`hint`] (errors as people read them), [`blocking`] and [`bounded`] (work in an
//! asynchronous program), [`home`] (paths with a `~`), [`lock`] (files that processes lock), [`retry`]
//! (the one policy of trying again), [`uri`], [`checksum`], [`unfinished`] (files being written, and what
//! killed processes left of them), [`atomic`] (files that appear complete or not at all), [`object`] and
//! [`error`] (what is said of stored things), [`s3`] (the client) and [`store`] (the trait and what
//! implements it).

pub mod atomic;
pub mod blocking;
pub mod bounded;
pub mod checksum;
pub mod error;
pub mod hint;
pub mod home;
pub mod lock;
pub mod object;
pub mod retry;
pub mod s3;
pub mod store;
pub mod unfinished;
pub mod uri;
