//! A store that fails when it is told to, for tests of everything that stands on stores.

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use super::{Answer, ErrorKind, Listing, Place, Reader, Store, StoreError};
use crate::checksum::Expected;
use crate::error::AttemptError;
use crate::object::{
    Downloaded, Head, Length, Object, OnBytes, Part, Precondition, Stored, Version,
};

/// Any store, until a [`Fault`] is due.
#[derive(Debug)]
pub struct Failing {
    store: Arc<dyn Store>,
    faults: Mutex<Vec<Fault>>,
}

/// What is to fail, and how.
#[derive(Debug, Clone)]
pub struct Fault {
    /// What fails.
    pub operation: Operation,
    /// On every key that starts with this.
    pub prefix: String,
    /// As what.
    pub kind: ErrorKind,
    /// When.
    pub moment: Moment,
    /// How many times; then it works again.
    pub times: u32,
}

/// The operations of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// [`Store::put_bytes`], [`Store::put_file`], [`Store::put_stream`].
    Put,
    /// [`Store::get_bytes`], [`Store::get_range`], [`Store::get_to_file`].
    Get,
    /// [`Store::head`].
    Head,
    /// [`Store::list`], by its prefix.
    List,
    /// [`Store::delete`], [`Store::delete_many`] by any of its keys.
    Delete,
}

/// Whether anything was done before it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Nothing was.
    Before,
    /// It was done, and its answer got lost.
    After,
}

impl Failing {
    /// A store without faults.
    pub fn new(store: Arc<dyn Store>) -> Self {
        let faults = Mutex::default();
        Self { store, faults }
    }

    /// Adds a fault. Of several that are due the one that was added first happens.
    pub fn add(&self, fault: Fault) {
        self.faults().push(fault);
    }

    fn faults(&self) -> std::sync::MutexGuard<'_, Vec<Fault>> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The fault that is due for one of these keys.
    fn due(&self, operation: Operation, keys: &[&str]) -> Option<Fault> {
        let mut faults = self.faults();
        let fault = faults.iter_mut().find(|fault| {
            let hit = |key: &&str| key.starts_with(&fault.prefix);
            fault.times > 0 && fault.operation == operation && keys.iter().any(hit)
        })?;
        fault.times -= 1;
        Some(fault.clone())
    }

    async fn run<T>(
        &self,
        operation: Operation,
        keys: &[&str],
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let Some(fault) = self.due(operation, keys) else {
            return work.await;
        };
        if fault.moment == Moment::After {
            work.await?;
        }
        let action = match operation {
            Operation::Put => "write",
            Operation::Get => "read",
            Operation::Head => "look at",
            Operation::List => "list",
            Operation::Delete => "delete",
        };
        let attempt = AttemptError::new(fault.kind, "it was told to fail");
        Err(StoreError::new(action, keys.join(", "), attempt))
    }
}

impl fmt::Display for Failing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.store.fmt(f)
    }
}

impl Store for Failing {
    fn place(&self, key: &str) -> Result<Place, StoreError> {
        self.store.place(key)
    }

    fn put_bytes<'a>(
        &'a self,
        key: &'a str,
        body: Bytes,
        precondition: &'a Precondition,
    ) -> Answer<'a, Stored> {
        Box::pin(async move {
            let put = self.store.put_bytes(key, body, precondition);
            self.run(Operation::Put, &[key], put).await
        })
    }

    fn put_file<'a>(&'a self, key: &'a str, path: &'a Path) -> Answer<'a, Stored> {
        Box::pin(async move {
            let put = self.store.put_file(key, path);
            self.run(Operation::Put, &[key], put).await
        })
    }

    fn put_stream<'a>(
        &'a self,
        key: &'a str,
        reader: Reader<'a>,
        length: Length,
    ) -> Answer<'a, Stored> {
        Box::pin(async move {
            let put = self.store.put_stream(key, reader, length);
            self.run(Operation::Put, &[key], put).await
        })
    }

    fn get_bytes<'a>(&'a self, key: &'a str, max: usize) -> Answer<'a, (Bytes, Option<Version>)> {
        Box::pin(async move {
            let get = self.store.get_bytes(key, max);
            self.run(Operation::Get, &[key], get).await
        })
    }

    fn get_range<'a>(&'a self, key: &'a str, range: Range<u64>) -> Answer<'a, Part> {
        Box::pin(async move {
            let get = self.store.get_range(key, range);
            self.run(Operation::Get, &[key], get).await
        })
    }

    fn get_to_file<'a>(
        &'a self,
        key: &'a str,
        target: &'a Path,
        expected: Expected,
        on_bytes: OnBytes<'a>,
    ) -> Answer<'a, Downloaded> {
        Box::pin(async move {
            let get = self.store.get_to_file(key, target, expected, on_bytes);
            self.run(Operation::Get, &[key], get).await
        })
    }

    fn head<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Head>> {
        Box::pin(async move {
            let head = self.store.head(key);
            self.run(Operation::Head, &[key], head).await
        })
    }

    fn list(&self, prefix: &str) -> Listing<'_> {
        let prefix = prefix.to_owned();
        Listing::once(async move {
            let list = self.store.list(&prefix).collect();
            let objects: Vec<Object> = self.run(Operation::List, &[&prefix], list).await?;
            Ok(objects)
        })
    }

    fn delete<'a>(&'a self, key: &'a str) -> Answer<'a, ()> {
        Box::pin(async move {
            let delete = self.store.delete(key);
            self.run(Operation::Delete, &[key], delete).await
        })
    }

    fn delete_many<'a>(&'a self, keys: &'a [String]) -> Answer<'a, ()> {
        Box::pin(async move {
            let named: Vec<&str> = keys.iter().map(String::as_str).collect();
            let delete = self.store.delete_many(keys);
            self.run(Operation::Delete, &named, delete).await
        })
    }
}
