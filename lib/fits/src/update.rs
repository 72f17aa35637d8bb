//! New values for the primary header, leaving every other byte of the file as it is.
//!
//! The file is replaced as a whole: the new header and a copy of the rest are written beside it
//! and take its name once they are safely stored, so that whoever reads the file, and whatever
//! interrupts this program, finds the old file or the new one. A file that already says what it
//! should is not touched.
//! Source for where cards go: astropy.

use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt as _, fchown};
use std::path::Path;

use storage::atomic::{Existing, Pending};

use crate::bytes::ReadAt as _;
use crate::card::{Card, ParsedCard};
use crate::checksum::{Sum, ZERO};
use crate::error::{FitsError, FitsProblem};
use crate::hdu::{BLOCK, Hdu, find as find_hdu};
use crate::value::{CardValue, Value};

/// How much is summed at a time, in bytes; whole words.
const PIECE: usize = 1 << 20;

/// One keyword to set in a primary header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardUpdate {
    /// One to eight of `A-Z 0-9 _ -`.
    pub keyword: String,
    /// What it is to be.
    pub value: CardValue,
}

impl CardUpdate {
    /// Sets a keyword to a text.
    pub fn text(keyword: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            keyword: keyword.into(),
            value: CardValue::Text(value.into()),
        }
    }

    /// Sets a keyword to a whole number.
    pub fn integer(keyword: impl Into<String>, value: i64) -> Self {
        Self {
            keyword: keyword.into(),
            value: CardValue::Integer(value),
        }
    }

    fn refusal(&self) -> Option<String> {
        let allowed =
            |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
        let reserved = [
            "COMMENT", "HISTORY", "CONTINUE", "HIERARCH", "END", "CHECKSUM", "DATASUM",
        ];
        if self.keyword.is_empty() || self.keyword.len() > 8 || !self.keyword.chars().all(allowed) {
            return Some("a keyword has one to eight of A-Z, 0-9, _ and -".into());
        }
        if reserved.contains(&self.keyword.as_str()) {
            return Some("it has a meaning of its own in every FITS file".into());
        }
        self.value.refusal()
    }
}

/// What [`update_primary`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UpdateOutcome {
    /// Whether the file was replaced; false if it said everything already.
    pub changed: bool,
    /// What the primary header's `CHECKSUM` was like before.
    pub checksum: ChecksumState,
}

/// Whether a `CHECKSUM` agreed with the bytes of its unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChecksumState {
    /// There is none, or it was not looked at because nothing changed.
    NotLookedAt,
    /// It was right, and is right again after the change.
    Right,
    /// It was wrong already: someone changed the header without it, or the file was damaged. It
    /// is right now; `DATASUM`, where there is one, still tells whether the data are intact.
    WasWrong,
}

/// Sets keywords in the primary header of the FITS file at `path`, all of them or none.
///
/// An existing keyword (its first card) keeps its place and comment. A new one is put before the
/// `COMMENT`, `HISTORY` and blank cards at the end of the header, and uses up one blank card if
/// the last card is blank. `CHECKSUM` is renewed if there is one. Extensions, data and every other
/// card keep their bytes; the header grows by whole blocks. Symbolic links are followed,
/// permissions kept.
pub fn update_primary(path: &Path, updates: &[CardUpdate]) -> Result<UpdateOutcome, FitsError> {
    let fail = |problem: FitsProblem| problem.at(path, 0);
    for update in updates {
        if let Some(reason) = update.refusal() {
            let keyword = update.keyword.clone();
            return Err(fail(FitsProblem::Unwritable { keyword, reason }));
        }
    }
    let read = |error| fail(FitsProblem::Read(error));
    let path_to_replace = fs::canonicalize(path).map_err(read)?;
    let file = File::open(&path_to_replace).map_err(read)?;
    let primary = find_hdu(&file, path, 0)?;
    let header = &primary.header;
    let mut cards = header.cards.clone();
    for update in updates {
        set(&mut cards, update);
    }
    if cards == header.cards {
        return Ok(UpdateOutcome {
            changed: false,
            checksum: ChecksumState::NotLookedAt,
        });
    }
    let checksum = renew_checksum(&mut cards, &primary, &file).map_err(fail)?;
    replace(&path_to_replace, &file, header.length, &image(&cards)).map_err(fail)?;
    Ok(UpdateOutcome {
        changed: true,
        checksum,
    })
}

/// Sets one keyword among the cards.
fn set(cards: &mut Vec<Card>, update: &CardUpdate) {
    if let Some((card, parsed)) = find(cards, &update.keyword) {
        if !parsed.value.is(&update.value) {
            *card = Card::new(&update.keyword, &update.value, &parsed.comment);
        }
        return;
    }
    let last = cards.iter().rposition(|card| !card.is_commentary());
    let place = last.map_or(0, |last| last + 1);
    cards.insert(place, Card::new(&update.keyword, &update.value, ""));
    if cards.last().is_some_and(Card::is_blank) {
        cards.pop();
    }
}

/// The first card with this keyword.
fn find<'c>(cards: &'c mut [Card], keyword: &str) -> Option<(&'c mut Card, ParsedCard)> {
    let may_be = |card: &&mut Card| {
        let label = card.image().trim_ascii_start().get(..keyword.len());
        label.is_some_and(|label| label.eq_ignore_ascii_case(keyword.as_bytes()))
    };
    cards.iter_mut().filter(may_be).find_map(|card| {
        let parsed = card.parse();
        (parsed.standard && parsed.keyword == keyword).then_some((card, parsed))
    })
}

/// Makes `CHECKSUM` right for the new cards, if it is there and not deliberately empty.
fn renew_checksum(
    cards: &mut [Card],
    old: &Hdu,
    file: &File,
) -> Result<ChecksumState, FitsProblem> {
    let comment = match find(cards, "CHECKSUM") {
        Some((card, parsed)) if parsed.value != Value::Text(String::new()) => {
            *card = Card::new("CHECKSUM", &CardValue::Text(ZERO.into()), &parsed.comment);
            parsed.comment
        }
        _ => return Ok(ChecksumState::NotLookedAt),
    };
    let data = sum_of_data(file, old).map_err(FitsProblem::Read)?;
    let text = data.add(&image(cards)).complement_text();
    if let Some((card, _)) = find(cards, "CHECKSUM") {
        *card = Card::new("CHECKSUM", &CardValue::Text(text), &comment);
    }
    // What fills the last block is not known here to have been blanks, so the old bytes count.
    let mut before = vec![0; old.header.length];
    let filled = file.read_at(&mut before, 0).map_err(FitsProblem::Read)?;
    before.truncate(filled);
    Ok(if data.add(&before).is_zero() {
        ChecksumState::Right
    } else {
        ChecksumState::WasWrong
    })
}

/// The sum of the data blocks of the primary unit.
fn sum_of_data(file: &File, hdu: &Hdu) -> io::Result<Sum> {
    let end = hdu.data_start + hdu.data_length.next_multiple_of(BLOCK as u64);
    let mut sum = Sum::default();
    let mut piece = vec![0; PIECE];
    for offset in (hdu.data_start..end).step_by(PIECE) {
        let most = usize::try_from(end - offset).unwrap_or(PIECE).min(PIECE);
        let piece = piece.get_mut(..most).unwrap_or_default();
        let filled = file.read_at(piece, offset)?;
        sum = sum.add(piece.get(..filled).unwrap_or_default());
    }
    Ok(sum)
}

/// The cards as they are stored: with `END`, filled to whole blocks.
fn image(cards: &[Card]) -> Vec<u8> {
    let mut image: Vec<u8> = cards.iter().flat_map(Card::image).copied().collect();
    image.extend_from_slice(b"END");
    image.resize(image.len().next_multiple_of(BLOCK), b' ');
    image
}

/// Writes `header` and everything after the first `skip` bytes of `file` under its name.
fn replace(path: &Path, mut file: &File, skip: usize, header: &[u8]) -> Result<(), FitsProblem> {
    let before = file.metadata().map_err(FitsProblem::Read)?;
    let new = Pending::create(path).map_err(FitsProblem::Write)?;
    // Only root can give files away; for everyone else the new file is theirs, as it must be.
    let _ = fchown(new.file(), Some(before.uid()), Some(before.gid()));
    let copied = new
        .file()
        .set_permissions(before.permissions())
        .and_then(|()| new.file().write_all(header))
        .and_then(|()| file.seek(SeekFrom::Start(skip as u64)))
        .and_then(|_| io::copy(&mut file, &mut new.file()))
        .map_err(FitsProblem::Write)?;
    let after = file.metadata().map_err(FitsProblem::Read)?;
    // The last block of a header without data may not have been filled.
    let whole = before.len().saturating_sub(skip as u64) == copied;
    if !whole || before.modified().ok() != after.modified().ok() {
        return Err(FitsProblem::Changed);
    }
    new.commit(Existing::Replace).map_err(FitsProblem::Write)
}

#[cfg(test)]
#[path = "update_tests.rs"]
mod tests;
