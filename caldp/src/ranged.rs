//! Files in a store read in parts: what reads at offsets, such as headers of FITS files, brings no
//! more of them here than it looks at. For threads that may block.

use std::cell::RefCell;
use std::io::{self, Read};
use std::sync::Arc;

use fits::ReadAt;
use storage::object::{Part, Version};
use storage::store::{ErrorKind, Store, StoreError};
use tokio::runtime::Handle;

/// A file in a store, of which one part at a time is held.
#[derive(Debug)]
pub(crate) struct RangedFile {
    store: Arc<dyn Store>,
    key: String,
    handle: Handle,
    /// How much is asked for at once, in bytes.
    piece: u64,
    size: u64,
    version: Option<Version>,
    held: RefCell<HeldPart>,
}

#[derive(Debug)]
struct HeldPart {
    offset: u64,
    part: Part,
}

impl RangedFile {
    /// Reads the first piece.
    ///
    /// # Errors
    /// When the store cannot give it.
    pub(crate) fn open(
        store: Arc<dyn Store>,
        key: String,
        handle: Handle,
        piece: u64,
    ) -> Result<Self, StoreError> {
        let part = handle.block_on(store.get_range(&key, 0..piece))?;
        Ok(Self {
            size: part.size,
            version: part.version.clone(),
            held: RefCell::new(HeldPart { offset: 0, part }),
            store,
            key,
            handle,
            piece,
        })
    }

    /// What there is from an offset on, at most a piece, in one request if it is not held.
    fn fetch(&self, offset: u64) -> io::Result<Part> {
        let range = offset..offset.saturating_add(self.piece);
        let part = self.handle.block_on(self.store.get_range(&self.key, range));
        let part = part.map_err(|error| match error.kind() {
            ErrorKind::NotFound => io::Error::new(io::ErrorKind::NotFound, error),
            _ => io::Error::other(error),
        })?;
        if part.size != self.size || part.version != self.version {
            return Err(io::Error::other("it changed while it was read"));
        }
        Ok(part)
    }
}

impl ReadAt for RangedFile {
    fn size(&self) -> io::Result<u64> {
        Ok(self.size)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            let at = offset.saturating_add(filled as u64);
            if at >= self.size {
                break;
            }
            let mut held = self.held.borrow_mut();
            let within = |held: &HeldPart| {
                let skip = usize::try_from(at.checked_sub(held.offset)?).ok()?;
                held.part
                    .bytes
                    .get(skip..)
                    .filter(|rest| !rest.is_empty())?;
                Some(skip)
            };
            if within(&held).is_none() {
                *held = HeldPart {
                    offset: at,
                    part: self.fetch(at)?,
                };
            }
            let skip = within(&held).ok_or(io::ErrorKind::UnexpectedEof)?;
            let from = held.part.bytes.get(skip..).unwrap_or_default();
            let to = buffer.get_mut(filled..).unwrap_or_default();
            let count = from.len().min(to.len());
            if let (Some(to), Some(from)) = (to.get_mut(..count), from.get(..count)) {
                to.copy_from_slice(from);
            }
            filled += count;
        }
        Ok(filled)
    }
}

/// A file read from its beginning to its end.
#[derive(Debug)]
pub(crate) struct Sequential {
    file: RangedFile,
    offset: u64,
}

impl Sequential {
    pub(crate) const fn new(file: RangedFile) -> Self {
        Self { file, offset: 0 }
    }
}

impl Read for Sequential {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.offset)?;
        self.offset += read as u64;
        Ok(read)
    }
}

/// What can only be read on and on, for headers, which are read in their order.
pub(crate) struct Forward<R> {
    inner: RefCell<(u64, R)>,
    size: u64,
}

impl<R: Read> Forward<R> {
    pub(crate) const fn new(size: u64, inner: R) -> Self {
        Self {
            inner: RefCell::new((0, inner)),
            size,
        }
    }
}

impl<R: Read> ReadAt for Forward<R> {
    fn size(&self) -> io::Result<u64> {
        Ok(self.size)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut inner = self.inner.borrow_mut();
        let (at, reader) = &mut *inner;
        let Some(skip) = offset.checked_sub(*at) else {
            return Err(io::Error::other("what was passed over cannot be read"));
        };
        *at += io::copy(&mut reader.by_ref().take(skip), &mut io::sink())?;
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..)
            && !rest.is_empty()
        {
            match reader.read(rest) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        *at += filled as u64;
        Ok(filled)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use storage::object::Precondition;
    use storage::store::Memory;

    use super::*;

    #[test]
    fn any_part_is_what_the_file_has_there_until_it_changes() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let store = Arc::new(Memory::new());
        let put = |bytes: Vec<u8>| {
            let put = store.put_bytes("a", bytes.into(), &Precondition::None);
            runtime.block_on(put).unwrap();
        };
        let content: Vec<u8> = (0..250).collect();
        put(content.clone());
        let open = || {
            let store: Arc<dyn Store> = store.clone();
            RangedFile::open(store, "a".to_owned(), runtime.handle().clone(), 16).unwrap()
        };
        let file = open();
        for (offset, length) in [
            (0, 5),
            (10, 40),
            (12, 3),
            (200, 99),
            (249, 1),
            (250, 4),
            (999, 1),
        ] {
            let mut buffer = vec![0; length];
            let read = file.read_at(&mut buffer, offset).unwrap();
            let start = content.len().min(usize::try_from(offset).unwrap());
            let end = content.len().min(start + length);
            assert_eq!(buffer[..read], content[start..end], "{offset} {length}");
        }
        let mut all = Vec::new();
        Sequential::new(open()).read_to_end(&mut all).unwrap();
        assert_eq!(all, content);
        put(vec![0; 250]);
        assert!(file.read_at(&mut [0; 4], 100).is_err());
    }
}
