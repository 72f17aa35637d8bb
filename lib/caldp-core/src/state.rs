//! The states a dataset goes through, and which may follow which.
//!
//! Pure rules; [`crate::messages`] keeps the state on S3 or on disk and [`crate::layout`] spells
//! the keys.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use storage::hint::Hint;

/// The state of one dataset.
///
/// The order is the order of life: of two states seen at once, the greater is the one that holds.
/// An error outranks `processed` so that a contradiction is never reported as success, and
/// `terminated` outranks everything because only an explicit rescue ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// A job was submitted and has not started.
    Submitted,
    /// A worker is at it.
    Processing,
    /// Every product is stored and verified.
    Processed,
    /// Processing or downloading failed.
    Error,
    /// The products are being brought on site.
    Syncing,
    /// The products are on site.
    Synced,
    /// The archive has the products.
    Archived,
    /// An operator stopped it.
    Terminated,
}

impl State {
    /// Every state, in order.
    pub const ALL: [Self; 8] = [
        Self::Submitted,
        Self::Processing,
        Self::Processed,
        Self::Error,
        Self::Syncing,
        Self::Synced,
        Self::Archived,
        Self::Terminated,
    ];

    /// The lower-case name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Submitted => "submitted",
            Self::Processing => "processing",
            Self::Processed => "processed",
            Self::Error => "error",
            Self::Syncing => "syncing",
            Self::Synced => "synced",
            Self::Archived => "archived",
            Self::Terminated => "terminated",
        }
    }

    /// Whether a dataset may go from `from` to `self`; `None` is a dataset never heard of.
    ///
    /// Staying in a state is always allowed: that is what repeating an interrupted step does.
    /// A dataset may always be processed again, except a terminated one, which only a new
    /// submission revives. A finished dataset is not failed or terminated by late news.
    pub const fn may_follow(self, from: Option<Self>) -> bool {
        use State::{
            Archived, Error, Processed, Processing, Submitted, Synced, Syncing, Terminated,
        };
        let Some(from) = from else {
            return true;
        };
        matches!(
            (from, self),
            (_, Submitted)
                | (
                    Submitted | Processing | Processed | Error | Syncing | Synced | Archived,
                    Processing
                )
                | (Processing, Processed)
                | (Submitted | Processing | Syncing, Error)
                | (Processed | Error, Syncing)
                | (Syncing, Synced | Processed)
                | (Synced, Archived)
                | (Submitted | Processing | Error, Terminated)
        ) || from as u8 == self as u8
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for State {
    type Err = UnknownState;

    fn from_str(text: &str) -> Result<Self, UnknownState> {
        Self::ALL
            .into_iter()
            .find(|state| state.name() == text)
            .ok_or_else(|| UnknownState(text.to_owned()))
    }
}

/// A text that names no state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a state")]
pub struct UnknownState(String);

impl Hint for UnknownState {
    fn hint(&self) -> Option<Cow<'_, str>> {
        let names = State::ALL.map(State::name).join(", ");
        Some(format!("the states are {names}").into())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn names_round_trip_and_order_is_the_order_of_life() {
        for state in State::ALL {
            assert_eq!(state.name().parse::<State>().unwrap(), state);
            assert_eq!(
                serde_json::to_string(&state).unwrap(),
                format!("\"{state}\"")
            );
        }
        assert!(State::ALL.is_sorted());
        assert!("Processed".parse::<State>().is_err());
    }

    #[test]
    fn the_ordinary_life_is_allowed() {
        let life = [
            State::Submitted,
            State::Processing,
            State::Processed,
            State::Syncing,
            State::Synced,
            State::Archived,
        ];
        let mut from = None;
        for state in life {
            assert!(state.may_follow(from), "{from:?} -> {state}");
            from = Some(state);
        }
    }

    #[test]
    fn terminated_ends_only_by_a_new_submission() {
        for state in State::ALL {
            let revives = matches!(state, State::Submitted | State::Terminated);
            assert_eq!(
                state.may_follow(Some(State::Terminated)),
                revives,
                "{state}"
            );
        }
    }

    #[test]
    fn late_news_does_not_undo_success() {
        for done in [State::Processed, State::Synced, State::Archived] {
            assert!(!State::Error.may_follow(Some(done)));
            assert!(!State::Terminated.may_follow(Some(done)));
        }
        assert!(!State::Processed.may_follow(Some(State::Submitted)));
    }
}
