//! Where everything in a cache is.
//!
//! Below `CRDS_PATH` there are `mappings`, `references`, `config` and `pickles`, each with a folder
//! for the observatory; every part can be elsewhere, and a cache for a single observatory has no
//! such folders. References may be sorted by instrument: [`References`] knows.

use std::borrow::Cow;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use storage::hint::Hint;

use storage::atomic;

use crate::config::{Config, Locations, Part, SubdirMode};
use crate::names::{FileName, FileNameError};
use crate::observatory::{Observatory, hst};
use storage::bounded;

/// The cache that is there if nobody says otherwise: the one at the institute.
const DEFAULT_CACHE: &str = "/grp/crds/cache";

/// More entries than this in the folder of references, and it is taken for a flat one.
const FLAT_FROM: usize = 20;

/// The file that says how references are sorted has one word.
const MAX_MODE: usize = 1 << 12;

/// The folders of one observatory's cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheLayout {
    /// Whose files these are.
    pub observatory: Observatory,
    /// Rules.
    pub mappings: PathBuf,
    /// References, perhaps in folders by instrument.
    pub references: PathBuf,
    /// What the server said.
    pub config: PathBuf,
    /// Pickled contexts.
    pub pickles: PathBuf,
}

impl CacheLayout {
    /// The folders that the settings say.
    pub fn new(locations: &Locations, observatory: Observatory) -> Self {
        let folder = |part: &Part, name: &str| {
            let cache = &locations.cache;
            let observed = |folder: &PathBuf| folder.join(observatory.name());
            part.single
                .clone()
                .or_else(|| part.all.as_ref().map(observed))
                .or_else(|| cache.single.as_ref().map(|cache| cache.join(name)))
                .or_else(|| cache.all.as_ref().map(|cache| observed(&cache.join(name))))
                .unwrap_or_else(|| observed(&Path::new(DEFAULT_CACHE).join(name)))
        };
        Self {
            observatory,
            mappings: folder(&locations.mappings, "mappings"),
            references: folder(&locations.references, "references"),
            config: folder(&locations.config, "config"),
            pickles: folder(&locations.pickles, "pickles"),
        }
    }

    /// Where a rules file is. A name with a folder is used as it is.
    pub fn mapping(&self, name: &str) -> PathBuf {
        in_folder(&self.mappings, name)
    }

    /// Where the pickle of a context such as `hst_0729.pmap` is.
    pub fn pickle(&self, context: &str) -> PathBuf {
        self.pickles.join(format!("{context}.pkl"))
    }

    /// Where what the server said is.
    pub fn server_config(&self) -> PathBuf {
        self.config.join("server_config")
    }

    /// The list of bad files, for people.
    pub fn bad_files(&self) -> PathBuf {
        self.config.join("bad_files.txt")
    }

    /// The file that says how references are sorted.
    pub fn subdir_mode(&self) -> PathBuf {
        self.config.join("ref_cache_subdir_mode")
    }

    /// Where locks are, unless `CRDS_LOCK_PATH` says otherwise.
    pub fn locks(&self) -> PathBuf {
        self.config.join("locks")
    }
}

fn in_folder(folder: &Path, name: &str) -> PathBuf {
    if name.contains('/') {
        PathBuf::from(name)
    } else {
        folder.join(name)
    }
}

/// A cache's references, and how they are sorted into folders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct References {
    observatory: Observatory,
    folder: PathBuf,
    mode: SubdirMode,
    /// What `$jref` and so on were, for the legacy mode: variable and folder.
    legacy: Vec<(String, PathBuf)>,
}

/// The place of a reference cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum ReferenceError {
    /// It is not a plain file name.
    #[error(transparent)]
    Name(#[from] FileNameError),
    /// The name does not say the instrument.
    #[error(
        "the name of reference {0} does not tell its instrument, and this cache sorts references by instrument"
    )]
    Instrument(FileName),
    /// The legacy variable is not set.
    #[error(
        "references of {instrument} are where ${variable} says, in this cache, and it is not set"
    )]
    Legacy {
        /// The instrument.
        instrument: String,
        /// `jref` and so on.
        variable: &'static str,
    },
    /// The file `ref_cache_subdir_mode` makes no sense.
    #[error("{path} says {text:?}; it should say flat, instrument or legacy")]
    Mode {
        /// The file.
        path: String,
        /// What it says.
        text: String,
    },
    /// The operating system refused.
    #[error("{path} cannot be used")]
    Io {
        /// Where.
        path: String,
        /// Why.
        source: io::Error,
    },
}

impl Hint for ReferenceError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Name(error) => error.hint(),
            Self::Instrument(_) => {
                Some("`crds sync --organize flat` makes it a cache that does not".into())
            }
            Self::Legacy { variable, .. } => Some(
                format!("set {variable}, or sort the cache anew with `crds sync --organize`")
                    .into(),
            ),
            Self::Mode { .. } | Self::Io { .. } => None,
        }
    }
}

impl ReferenceError {
    fn io(path: &Path, source: io::Error) -> Self {
        Self::Io {
            path: path.display().to_string(),
            source,
        }
    }
}

impl References {
    /// The references of a cache, sorted as it says. One that does not say is sorted as the
    /// references are that it has; one without, as `CRDS_REF_SUBDIR_MODE` says, or else by
    /// instrument. That is then written down, if the cache may be written.
    ///
    /// `variables` are asked for `jref` and so on where the cache leaves it to them.
    pub fn open(
        layout: &CacheLayout,
        config: &Config,
        variables: impl Fn(&str) -> Option<PathBuf>,
    ) -> Result<Self, ReferenceError> {
        let mode = Self::written_mode(layout)?.unwrap_or_else(|| {
            let evident = evident_mode(&layout.references).or(config.subdir_mode);
            let mode = evident.unwrap_or(SubdirMode::Instrument);
            if !config.readonly_cache {
                // Not being able to write is no reason not to read.
                let _ = write_mode(layout, mode);
            }
            mode
        });
        let legacy = match mode {
            SubdirMode::Legacy => hst::reference_variables()
                .filter_map(|name| Some((name.to_owned(), variables(name)?)))
                .collect(),
            _ => Vec::new(),
        };
        Ok(Self {
            observatory: layout.observatory,
            folder: layout.references.clone(),
            mode,
            legacy,
        })
    }

    /// The references of a cache as they would be if sorted this way.
    pub(super) fn sorted(layout: &CacheLayout, mode: SubdirMode) -> Self {
        Self {
            observatory: layout.observatory,
            folder: layout.references.clone(),
            mode,
            legacy: Vec::new(),
        }
    }

    fn written_mode(layout: &CacheLayout) -> Result<Option<SubdirMode>, ReferenceError> {
        let path = layout.subdir_mode();
        match bounded::read_text(&path, MAX_MODE) {
            Ok(text) => match text.trim().parse() {
                Ok(mode) => Ok(Some(mode)),
                Err(_) => Err(ReferenceError::Mode {
                    path: path.display().to_string(),
                    text: text.trim().chars().take(40).collect(),
                }),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(ReferenceError::io(&path, error)),
        }
    }

    /// How the references are sorted.
    pub fn mode(&self) -> SubdirMode {
        self.mode
    }

    /// The folder of one instrument's references: what `jref` and so on should be. `None` if it
    /// depends on a legacy variable that is not set.
    pub fn instrument_folder(&self, instrument: &str) -> Option<PathBuf> {
        match self.mode {
            SubdirMode::Flat => Some(self.folder.clone()),
            SubdirMode::Instrument => Some(self.folder.join(instrument.to_ascii_lowercase())),
            SubdirMode::Legacy => {
                let variable = hst::reference_variable(instrument)?;
                let mut known = self.legacy.iter();
                let (_, folder) = known.find(|(name, _)| name == variable)?;
                Some(folder.clone())
            }
        }
    }

    /// Where a reference is, or would be.
    pub fn path(&self, name: &FileName) -> Result<PathBuf, ReferenceError> {
        if self.mode == SubdirMode::Flat {
            return Ok(self.folder.join(name.as_str()));
        }
        let instrument = self.instrument(name)?;
        let missing = || ReferenceError::Legacy {
            instrument: instrument.clone(),
            variable: hst::reference_variable(&instrument).unwrap_or("its variable"),
        };
        let folder = self.instrument_folder(&instrument).ok_or_else(missing)?;
        Ok(folder.join(name.as_str()))
    }

    /// Makes the folder for a reference, with the link `jref` to `acs` and so on that old
    /// programs expect beside it, and gives the reference's path.
    pub fn prepare(&self, name: &FileName) -> Result<PathBuf, ReferenceError> {
        let path = self.path(name)?;
        let folder = path.parent().unwrap_or(&self.folder);
        fs::create_dir_all(folder).map_err(|error| ReferenceError::io(folder, error))?;
        if self.mode == SubdirMode::Instrument
            && self.observatory == Observatory::Hst
            && let Ok(instrument) = self.instrument(name)
            && instrument != "synphot"
            && let Some(variable) = hst::reference_variable(&instrument)
        {
            // A convenience: whoever was first made it, and a cache without it works.
            let _ = std::os::unix::fs::symlink(&instrument, self.folder.join(variable));
        }
        Ok(path)
    }

    fn instrument(&self, name: &FileName) -> Result<String, ReferenceError> {
        let found = match self.observatory {
            Observatory::Hst => hst::instrument_of_reference(name.as_str()).map(str::to_owned),
            // jwst_miri_flat_0001.fits
            Observatory::Jwst | Observatory::Roman => {
                let mut parts = name.as_str().split('_');
                let ours = parts.next() == Some(self.observatory.name());
                parts.next().filter(|_| ours).map(str::to_ascii_lowercase)
            }
        };
        found.ok_or_else(|| ReferenceError::Instrument(name.clone()))
    }
}

/// How the references in this folder are sorted, if there are any to tell.
fn evident_mode(references: &Path) -> Option<SubdirMode> {
    let entries = fs::read_dir(references).ok()?.take(FLAT_FROM + 1);
    let is_folder = |entry: io::Result<fs::DirEntry>| {
        let kind = entry.and_then(|entry| entry.file_type());
        kind.is_ok_and(|kind| kind.is_dir())
    };
    let folders: Vec<bool> = entries.map(is_folder).collect();
    if folders.len() > FLAT_FROM {
        Some(SubdirMode::Flat)
    } else {
        folders.contains(&true).then_some(SubdirMode::Instrument)
    }
}

/// Writes down how the references are sorted.
pub(super) fn write_mode(layout: &CacheLayout, mode: SubdirMode) -> io::Result<()> {
    atomic::replace(&layout.subdir_mode(), mode.name().as_bytes())
}

#[cfg(test)]
#[path = "layout_tests.rs"]
mod tests;
