//! The raw files that were delivered with an older record, for the header values that the record does
//! not have: their first blocks by ranges, and of those that are packed in an archive only where
//! little has to be unpacked for them.

use std::io;
use std::path::Path;
use std::sync::Arc;

use caldp_core::layout::Area;
use caldp_core::provenance::{FileRecord, Provenance};
use caldp_core::state::State;
use crds_core::dataset::read_fits;
use crds_core::header::Header;
use flate2::read::MultiGzDecoder;
use storage::blocking;
use storage::hint::with_causes;
use storage::store::{ErrorKind, Store, StoreError};
use tokio::runtime::Handle;

use crate::ranged::{Forward, RangedFile, Sequential};

/// How much of a file is asked for at once, in bytes: most headers, with those of the extensions that
/// follow them.
const PIECE: u64 = 64 << 10;

/// How much of an archive is asked for at once, in bytes.
const PIECE_OF_ARCHIVE: u64 = 1 << 20;

/// How far archives are unpacked, in bytes of their contents.
const MOST_UNPACKED: u64 = 256 << 20;

/// What tar puts before each file, and the unit it fills up to, in bytes.
const TAR_BLOCK: u64 = 512;

/// A record, and for each of its raw files of which it does not have the values the header of the
/// delivered file, or why there is none.
#[derive(Debug)]
pub(super) struct WithHeaders {
    pub(super) record: Box<Provenance>,
    pub(super) delivered: Vec<(String, Result<Header, String>)>,
}

/// Reads the headers that a record lacks.
pub(super) async fn complete(store: Arc<dyn Store>, record: Box<Provenance>) -> WithHeaders {
    let asked = record.state == State::Processed && record.context.is_some();
    let lacking = record.headers.iter();
    let lacking = lacking.filter(|raw| asked && raw.parkeys.is_empty());
    let files: Vec<String> = lacking.map(|raw| raw.file.clone()).collect();
    let mut delivered = Vec::with_capacity(files.len());
    for file in files {
        let found = DeliveredRaw::find(&record, &file);
        let (store, handle) = (Arc::clone(&store), Handle::current());
        let header = match found {
            Ok(place) => blocking::run(move || place.header(store, handle)).await,
            Err(reason) => Err(reason),
        };
        delivered.push((file, header));
    }
    WithHeaders { record, delivered }
}

/// Where a raw file is.
struct DeliveredRaw {
    key: String,
    /// The name in the archive that `key` is, if it is one.
    member: Option<String>,
    /// For errors.
    name: String,
}

impl DeliveredRaw {
    /// By what the record says was delivered.
    fn find(record: &Provenance, file: &str) -> Result<Self, String> {
        let output = record.outputs.iter().find(|output| output.name == file);
        let own = |name: &str| {
            let directory = record.layout.data_dir(&record.dataset);
            format!("{directory}{name}")
        };
        let packed = output.and_then(|output| output.archive.as_ref());
        if let Some(archive) = packed {
            let end = end_in_archive(&record.outputs, archive, file);
            if end > MOST_UNPACKED {
                return Err(format!(
                    "it is {} MB deep in {archive}, of which no more than {} MB are unpacked",
                    end >> 20,
                    MOST_UNPACKED >> 20
                ));
            }
        }
        Ok(Self {
            key: match packed {
                Some(archive) => own(archive),
                None => record.layout.file(&record.dataset, Area::Products, file),
            },
            member: packed.map(|_| record.layout.file(&record.dataset, Area::Products, file)),
            name: file.to_owned(),
        })
    }

    fn header(self, store: Arc<dyn Store>, handle: Handle) -> Result<Header, String> {
        let piece = if self.member.is_some() {
            PIECE_OF_ARCHIVE
        } else {
            PIECE
        };
        let place = store.place(&self.key).map(|place| place.to_string());
        let gone = |error: StoreError| match (error.kind(), place) {
            (ErrorKind::NotFound, Ok(place)) => format!("{place} is gone"),
            _ => with_causes(&error).to_string(),
        };
        let file = RangedFile::open(store, self.key, handle, piece).map_err(gone)?;
        let path = Path::new(&self.name);
        let Some(member) = self.member else {
            let header = read_fits(&file, path);
            return header.map_err(|error| with_causes(&error).to_string());
        };
        let mut archive = tar::Archive::new(MultiGzDecoder::new(Sequential::new(file)));
        let unreadable = |error: io::Error| format!("its archive cannot be read: {error}");
        for entry in archive.entries().map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            if entry.path().map_err(unreadable)? == Path::new(&member) {
                let file = Forward::new(entry.size(), entry);
                let header = read_fits(&file, path);
                return header.map_err(|error| with_causes(&error).to_string());
            }
            // The sizes of the record are those of another archive then.
            if entry.raw_file_position() > MOST_UNPACKED {
                break;
            }
        }
        Err(format!("its archive does not have {member}"))
    }
}

/// How much comes before the end of a file in an archive, in bytes.
fn end_in_archive(outputs: &[FileRecord], archive: &str, file: &str) -> u64 {
    let of_archive = |output: &&FileRecord| output.archive.as_deref() == Some(archive);
    let mut end = 0_u64;
    for output in outputs.iter().filter(of_archive) {
        let content = output.size.div_ceil(TAR_BLOCK).saturating_mul(TAR_BLOCK);
        end = end.saturating_add(TAR_BLOCK).saturating_add(content);
        if output.name == file {
            break;
        }
    }
    end
}
