//! The state of datasets, kept as messages in a [`Store`]: the one implementation of the protocol.
//!
//! A dataset is in exactly one state, and its state is an object or file whose key names it
//! ([`Layout::message`]). There is no transaction over several keys, on S3 or on disk, so a change of
//! state is two steps: the message of the new state is written, then those of the states seen before are
//! deleted. From that follows:
//!
//! - Interrupted anywhere, the dataset has at least one message. A reader that sees two takes
//!   the later state.
//! - Repeated, an interrupted change ends where it would have ended. Going forward, it is
//!   visible from its first step; going back (a rescue), from its last.
//! - Of two writers at the same time neither deletes what the other wrote, since each deletes only what
//!   it saw before it wrote; what is left over goes with the next change.
//! - A reader never finds a dataset without a state because it looked while the state changed: when it
//!   sees nothing it looks again.
//!
//! A look asks for a message of each of the eight states. A writer that knows the state it left
//! ([`Messages::advance`]) asks for fewer: a later state that others wrote meanwhile, and that the new one
//! may not follow, outranks what is written whether or not it was seen. Where the state that was left no
//! longer is the last of the others, somebody has moved the dataset on, and everything is looked at.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::try_join_all;
use jiff::Timestamp;

use crate::dataset::Dataset;
use crate::layout::{KeyKind, Layout};
use crate::state::State;
use storage::hint::Hint;
use storage::s3::Precondition;
use storage::store::{Store, StoreError};

/// How often a reader looks that sees nothing.
const LOOKS: u32 = 2;

/// The messages of one output path or bucket; cheap to clone.
#[derive(Debug, Clone)]
pub struct Messages {
    store: Arc<dyn Store>,
    layout: Layout,
}

/// The states a dataset had messages of when it was looked at, in order; more than one while its
/// state changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SeenStates(Vec<State>);

/// A failed change of a state.
#[derive(Debug, thiserror::Error)]
pub enum MessageError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The rules of [`State::may_follow`] forbid it.
    #[error("{dataset} is {from} and cannot become {to}")]
    NotAllowed {
        /// Which dataset.
        dataset: Dataset,
        /// Its state.
        from: State,
        /// The state it was to get.
        to: State,
    },
}

impl Hint for MessageError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Store(error) => error.hint(),
            Self::NotAllowed {
                from: State::Terminated,
                ..
            } => Some("a terminated dataset is revived by a rescue request".into()),
            Self::NotAllowed { .. } => None,
        }
    }
}

/// One step of a change of state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Write(State),
    Delete(State),
}

impl SeenStates {
    /// One state alone: what a writer knows that has just written it.
    pub fn only(state: State) -> Self {
        Self(vec![state])
    }

    /// The state that holds: the last of those seen.
    pub fn current(&self) -> Option<State> {
        self.0.last().copied()
    }

    /// Whether there were messages of several states: the state changes, or a change was interrupted.
    pub fn is_changing(&self) -> bool {
        self.0.len() > 1
    }

    /// Whether there was a message of a state.
    pub fn contains(&self, state: State) -> bool {
        self.0.contains(&state)
    }

    /// The steps from what was seen to one state.
    fn steps(&self, to: State) -> impl Iterator<Item = Step> {
        let old = self.0.iter().filter(move |state| **state != to);
        std::iter::once(Step::Write(to)).chain(old.map(|state| Step::Delete(*state)))
    }
}

impl Messages {
    /// The messages below the root of `store`.
    pub fn new(store: Arc<dyn Store>, layout: Layout) -> Self {
        Self { store, layout }
    }

    /// The states a dataset has messages of; none when it was never heard of.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn look(&self, dataset: &Dataset) -> Result<SeenStates, StoreError> {
        let mut seen = SeenStates::default();
        for _ in 0..LOOKS {
            seen = self.look_for(dataset, &State::ALL).await?;
            if seen.current().is_some() {
                break;
            }
        }
        Ok(seen)
    }

    /// Changes the state of a dataset, if it may go there from where it is. `body` is JSON or empty.
    ///
    /// Safe to repeat. Between writers at the same time the later state wins.
    ///
    /// # Errors
    /// [`MessageError::NotAllowed`], with nothing changed.
    pub async fn enter(
        &self,
        dataset: &Dataset,
        to: State,
        body: &[u8],
    ) -> Result<(), MessageError> {
        let seen = self.look(dataset).await?;
        self.enter_from(&seen, dataset, to, body).await
    }

    /// Changes the state of a dataset from the state that this writer left it in, as [`Self::enter`]
    /// would, without looking at states that do not matter then.
    ///
    /// # Errors
    /// As for [`Self::enter`].
    pub async fn advance(
        &self,
        dataset: &Dataset,
        from: State,
        to: State,
        body: &[u8],
    ) -> Result<(), MessageError> {
        let matters = |s: &State| *s < from.max(to) || to.may_follow(Some(*s));
        let states: Vec<State> = State::ALL.into_iter().filter(matters).collect();
        let seen = self.look_for(dataset, &states).await?;
        if seen.current() == Some(from) {
            self.enter_from(&seen, dataset, to, body).await
        } else {
            self.enter(dataset, to, body).await
        }
    }

    /// Changes the state of a dataset as [`Self::enter`] would, from what was seen of it before, perhaps by
    /// [`Self::all`]. Only the state that held then is looked at again; where it no longer is there,
    /// somebody has moved the dataset on, and everything is.
    ///
    /// # Errors
    /// As for [`Self::enter`].
    pub async fn enter_seen(
        &self,
        seen: &SeenStates,
        dataset: &Dataset,
        to: State,
        body: &[u8],
    ) -> Result<(), MessageError> {
        let Some(current) = seen.current() else {
            return self.enter(dataset, to, body).await;
        };
        let key = self.layout.message(current, dataset);
        if self.store.head(&key).await?.is_some() {
            self.enter_from(seen, dataset, to, body).await
        } else {
            self.enter(dataset, to, body).await
        }
    }

    /// Makes a state the only one of those seen, whether or not the rules allow it: for the owner of a
    /// dataset's record, which decides what its state is.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn replace(
        &self,
        seen: &SeenStates,
        dataset: &Dataset,
        to: State,
        body: Bytes,
    ) -> Result<(), StoreError> {
        self.take(dataset, seen.steps(to), body).await
    }

    /// Deletes the messages of all states seen but one, which is there.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn keep_only(
        &self,
        seen: &SeenStates,
        dataset: &Dataset,
        state: State,
    ) -> Result<(), StoreError> {
        let steps = seen.steps(state).skip(1);
        self.take(dataset, steps, Bytes::new()).await
    }

    /// Writes the message of a state beside those that are there.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn write(
        &self,
        dataset: &Dataset,
        state: State,
        body: Bytes,
    ) -> Result<(), StoreError> {
        self.take(dataset, [Step::Write(state)].into_iter(), body)
            .await
    }

    /// Deletes the message of a state.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn delete(&self, dataset: &Dataset, state: State) -> Result<(), StoreError> {
        self.store
            .delete(&self.layout.message(state, dataset))
            .await
    }

    /// The datasets with a message of `state`, in order. One that is changing may have a message
    /// of a later state too.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn list(&self, state: State) -> Result<Vec<Dataset>, StoreError> {
        let listed = self.listed(state).await?;
        Ok(listed.into_iter().map(|(dataset, _)| dataset).collect())
    }

    /// As [`Self::list`], with the time each message was written, where the store knows it.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn listed(
        &self,
        state: State,
    ) -> Result<Vec<(Dataset, Option<Timestamp>)>, StoreError> {
        let mut found = Vec::new();
        let prefix = self.layout.state_prefix(state);
        let mut listing = self.store.list(&prefix);
        while let Some(page) = listing.next_page().await? {
            for object in page {
                if let Ok(KeyKind::State(of, dataset)) = self.layout.parse(&object.key)
                    && of == state
                {
                    found.push((dataset, object.modified));
                }
            }
        }
        found.sort_unstable();
        Ok(found)
    }

    /// The messages of all datasets in any order, with the time each was written: one listing, which costs the
    /// fewest requests. A dataset that goes on meanwhile may be missed, unlike by [`Self::all`].
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn listed_at_once(
        &self,
    ) -> Result<Vec<(Dataset, State, Option<Timestamp>)>, StoreError> {
        let mut found = Vec::new();
        let mut listing = self.store.list(self.layout.states_prefix());
        while let Some(page) = listing.next_page().await? {
            for object in page {
                if let Ok(KeyKind::State(state, dataset)) = self.layout.parse(&object.key) {
                    found.push((dataset, state, object.modified));
                }
            }
        }
        Ok(found)
    }

    /// Every dataset that has a message, with its states: one listing of each state, in order of life, so
    /// that a dataset that goes on meanwhile is not missed.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn all(&self) -> Result<BTreeMap<Dataset, SeenStates>, StoreError> {
        let mut all: BTreeMap<Dataset, SeenStates> = BTreeMap::new();
        for state in State::ALL {
            for (dataset, _) in self.listed(state).await? {
                all.entry(dataset).or_default().0.push(state);
            }
        }
        Ok(all)
    }

    async fn look_for(
        &self,
        dataset: &Dataset,
        states: &[State],
    ) -> Result<SeenStates, StoreError> {
        let look = states.iter().map(async |state| {
            let head = self
                .store
                .head(&self.layout.message(*state, dataset))
                .await?;
            Ok::<_, StoreError>(head.map(|_| *state))
        });
        let seen = try_join_all(look).await?;
        Ok(SeenStates(seen.into_iter().flatten().collect()))
    }

    async fn enter_from(
        &self,
        seen: &SeenStates,
        dataset: &Dataset,
        to: State,
        body: &[u8],
    ) -> Result<(), MessageError> {
        match seen.current() {
            Some(from) if !to.may_follow(Some(from)) => {
                let dataset = dataset.clone();
                Err(MessageError::NotAllowed { dataset, from, to })
            }
            _ => Ok(self
                .take(dataset, seen.steps(to), Bytes::copy_from_slice(body))
                .await?),
        }
    }

    async fn take(
        &self,
        dataset: &Dataset,
        steps: impl Iterator<Item = Step>,
        body: Bytes,
    ) -> Result<(), StoreError> {
        for step in steps {
            match step {
                Step::Write(state) => {
                    let key = self.layout.message(state, dataset);
                    self.store
                        .put_bytes(&key, body.clone(), &Precondition::None)
                        .await?;
                }
                Step::Delete(state) => {
                    self.store
                        .delete(&self.layout.message(state, dataset))
                        .await?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "messages_tests.rs"]
mod tests;
