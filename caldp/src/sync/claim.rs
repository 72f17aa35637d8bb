//! Who brings a dataset on site, as the `dataset-syncing` message says: so that a run that was killed is
//! taken up again by the next one for the same directory, and another site's is left alone.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use storage::atomic::{Existing, Pending};
use storage::bounded;

/// In the directory on site: what tells it from others, whichever machine or container uses it.
const IDENTITY: &str = ".caldp-sync/site";

/// No identity is longer, in bytes.
const MOST_IDENTITY: usize = 100;

/// What is done about datasets that another site has begun with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Others {
    /// They are the other's.
    LeaveAlone,
    /// They are brought here.
    TakeOver,
}

/// The body of the message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Claim {
    /// What tells the directory from others.
    pub(super) site: String,
    /// The name of the machine, for people.
    #[serde(default)]
    pub(super) host: String,
    /// The directory, for people.
    #[serde(default)]
    pub(super) directory: String,
    /// Since when.
    pub(super) since: Timestamp,
    /// What the `dataset-processed` message said, for putting it back.
    #[serde(default)]
    pub(super) processed: String,
}

impl Claim {
    /// Of nobody, where nothing is claimed.
    pub(super) fn nobodys() -> Self {
        Self {
            site: String::new(),
            host: String::new(),
            directory: String::new(),
            since: Timestamp::UNIX_EPOCH,
            processed: String::new(),
        }
    }

    /// Of a directory, which gets an identity when it has none. Blocks.
    pub(super) fn of(directory: &Path) -> io::Result<Self> {
        Ok(Self {
            site: identity(directory)?,
            host: fs::read_to_string("/proc/sys/kernel/hostname")
                .unwrap_or_default()
                .trim()
                .to_owned(),
            directory: directory.display().to_string(),
            since: Timestamp::now(),
            processed: String::new(),
        })
    }

    /// The same from now on, of a dataset whose `dataset-processed` message said something.
    pub(super) fn now(&self, processed: String) -> Self {
        Self {
            since: Timestamp::now(),
            processed,
            ..self.clone()
        }
    }

    pub(super) fn body(&self) -> Vec<u8> {
        // texts and times always serialise
        serde_json::to_vec(self).unwrap_or_default()
    }
}

fn identity(directory: &Path) -> io::Result<String> {
    let path = directory.join(IDENTITY);
    match bounded::read_text(&path, MOST_IDENTITY) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        known => return known.map(|text| text.trim().to_owned()),
    }
    let pending = Pending::create(&path)?;
    writeln!(pending.file(), "{:032x}", fastrand::u128(..))?;
    match pending.commit(Existing::Keep) {
        // somebody else was faster
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    bounded::read_text(&path, MOST_IDENTITY).map(|text| text.trim().to_owned())
}
