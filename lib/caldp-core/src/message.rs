//! The state of datasets, kept as messages in a [`Store`].
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

use std::collections::BTreeMap;

use bytes::Bytes;
use futures_util::future::try_join_all;

use crate::dataset::Dataset;
use crate::layout::{KeyKind, Layout};
use crate::state::State;
use storage::s3::{ErrorKind, Precondition};
use storage::store::{Store, StoreError};

/// The longest body of a message that is read, in bytes.
const MAX_BODY: usize = 4 * 1024 * 1024;

/// How often a reader looks that sees nothing.
const LOOKS: u32 = 2;

/// The messages of one output path or bucket; cheap to clone.
#[derive(Debug, Clone)]
pub struct Messages {
    store: Store,
    layout: Layout,
}

/// A failed change or look at a state.
#[derive(Debug, thiserror::Error)]
pub enum MessageError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The rules of [`State::may_follow`] forbid it.
    #[error("{dataset} is {from} and cannot become {to}{}", hint(*from))]
    NotAllowed {
        /// Which dataset.
        dataset: Dataset,
        /// Its state.
        from: State,
        /// The state it was to get.
        to: State,
    },
}

fn hint(from: State) -> &'static str {
    match from {
        State::Terminated => "\nhint: a terminated dataset is revived by a rescue request",
        _ => "",
    }
}

/// One step of a change of state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Write(State),
    Delete(State),
}

/// The steps from the states seen to one state.
fn steps(seen: &[State], to: State) -> impl Iterator<Item = Step> {
    let old = seen.iter().filter(move |state| **state != to);
    std::iter::once(Step::Write(to)).chain(old.map(|state| Step::Delete(*state)))
}

impl Messages {
    /// The messages below the root of `store`.
    pub fn new(store: Store, layout: Layout) -> Self {
        Self { store, layout }
    }

    /// The state of a dataset, or none when it was never heard of.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn state_of(&self, dataset: &Dataset) -> Result<Option<State>, StoreError> {
        Ok(self.seen(dataset).await?.last().copied())
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
        let body = Bytes::copy_from_slice(body);
        let seen = self.seen(dataset).await?;
        match seen.last() {
            Some(&from) if !to.may_follow(Some(from)) => {
                let dataset = dataset.clone();
                Err(MessageError::NotAllowed { dataset, from, to })
            }
            _ => Ok(self.take(dataset, steps(&seen, to), body).await?),
        }
    }

    /// The body of the message that says a dataset is in `state`, if there is one.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn body(&self, dataset: &Dataset, state: State) -> Result<Option<Bytes>, StoreError> {
        let key = self.layout.message(state, dataset);
        match self.store.get_bytes(&key, MAX_BODY).await {
            Ok((body, _)) => Ok(Some(body)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The datasets with a message of `state`, in order. One that is changing may have a message
    /// of a later state too.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn list(&self, state: State) -> Result<Vec<Dataset>, StoreError> {
        let mut found = Vec::new();
        let prefix = self.layout.state_prefix(state);
        let mut listing = self.store.list(&prefix).await?;
        while let Some(page) = listing.next_page().await? {
            for object in page {
                if let Ok(KeyKind::State(of, dataset)) = self.layout.parse(&object.key)
                    && of == state
                {
                    found.push(dataset);
                }
            }
        }
        found.sort_unstable();
        Ok(found)
    }

    /// The state of every dataset. One that changes meanwhile may be missed.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn overview(&self) -> Result<BTreeMap<Dataset, State>, StoreError> {
        let mut states = BTreeMap::new();
        for state in State::ALL {
            // in their order, so that a later state replaces an earlier one
            states.extend(self.list(state).await?.into_iter().map(|d| (d, state)));
        }
        Ok(states)
    }

    /// The states a dataset has messages of, in order; more than one while it changes.
    async fn seen(&self, dataset: &Dataset) -> Result<Vec<State>, StoreError> {
        for _ in 0..LOOKS {
            let look = State::ALL.map(async |state| {
                let head = self
                    .store
                    .head(&self.layout.message(state, dataset))
                    .await?;
                Ok::<_, StoreError>(head.map(|_| state))
            });
            let seen: Vec<_> = try_join_all(look).await?.into_iter().flatten().collect();
            if !seen.is_empty() {
                return Ok(seen);
            }
        }
        Ok(Vec::new())
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
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;

    fn dataset() -> Dataset {
        "j8cb010b0".parse().unwrap()
    }

    fn any_state() -> impl Strategy<Value = State> {
        prop::sample::select(State::ALL.to_vec())
    }

    /// A change that is carried out up to a step, the rest being lost.
    fn any_change() -> impl Strategy<Value = (State, usize)> {
        (
            any_state(),
            prop_oneof![3 => Just(usize::MAX), 2 => 0..4_usize],
        )
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(future)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// Against a model that changes state at once, or at the last step when going back.
        #[test]
        fn interrupted_changes_leave_one_state_and_repeating_ends_them(
            changes in prop::collection::vec(any_change(), 1..12),
            calcloud: bool,
        ) {
            let layout = if calcloud { Layout::Calcloud } else { Layout::Tree };
            let dir = tempfile::tempdir().unwrap();
            let messages = Messages::new(Store::dir(dir.path()), layout);
            let d = dataset();
            block_on(async {
                let mut model = None;
                for (to, interrupted_after) in changes {
                    let seen = messages.seen(&d).await.unwrap();
                    prop_assert_eq!(seen.last().copied(), model);
                    let allowed = to.may_follow(model);
                    if !allowed {
                        let refused = messages.enter(&d, to, b"").await;
                        let is_refusal = matches!(refused, Err(MessageError::NotAllowed { .. }));
                        prop_assert!(is_refusal);
                        prop_assert_eq!(messages.seen(&d).await.unwrap(), seen);
                        continue;
                    }
                    let plan: Vec<Step> = steps(&seen, to).collect();
                    let taken = interrupted_after.min(plan.len());
                    let partial = plan.iter().copied().take(taken);
                    messages.take(&d, partial, Bytes::from("{}")).await.unwrap();
                    let now = messages.state_of(&d).await.unwrap();
                    // never nothing once there was something, and only ever the old or the new
                    prop_assert!(now == model || now == Some(to));
                    if taken > 0 && Some(to) >= model {
                        prop_assert_eq!(now, Some(to));
                    }
                    if interrupted_after == usize::MAX {
                        prop_assert_eq!(messages.seen(&d).await.unwrap(), vec![to]);
                    } else if to.may_follow(now) {
                        messages.enter(&d, to, b"").await.unwrap();
                        prop_assert_eq!(messages.seen(&d).await.unwrap(), vec![to]);
                    }
                    model = messages.state_of(&d).await.unwrap();
                }
                Ok(())
            })?;
        }

        /// Two changes whose steps interleave in any way: a state is left, and it is one of theirs.
        #[test]
        fn two_writers_leave_a_state(
            from in any_state(),
            first in any_state(),
            second in any_state(),
            order in prop::collection::vec(any::<bool>(), 8),
        ) {
            prop_assume!(first != from && second != from);
            let mut kept = vec![from];
            let (mut one, mut two) = (
                steps(&[from], first).collect::<Vec<_>>().into_iter(),
                steps(&[from], second).collect::<Vec<_>>().into_iter(),
            );
            for turn in order {
                let step = if turn { one.next().or_else(|| two.next()) } else { two.next().or_else(|| one.next()) };
                match step {
                    Some(Step::Write(state)) => kept.push(state),
                    Some(Step::Delete(state)) => kept.retain(|s| *s != state),
                    None => {}
                }
                prop_assert!(!kept.is_empty());
            }
            prop_assert_eq!(kept.into_iter().max(), Some(first.max(second)));
        }
    }

    #[tokio::test]
    async fn a_life_in_messages() {
        let dir = tempfile::tempdir().unwrap();
        let messages = Messages::new(Store::dir(dir.path()), Layout::Tree);
        let d = dataset();
        assert_eq!(messages.state_of(&d).await.unwrap(), None);
        for state in [State::Submitted, State::Processing, State::Processed] {
            messages.enter(&d, state, b"{\"job_id\":1}").await.unwrap();
            assert_eq!(messages.state_of(&d).await.unwrap(), Some(state));
            assert_eq!(
                messages.list(state).await.unwrap(),
                std::slice::from_ref(&d)
            );
        }
        let body = messages.body(&d, State::Processed).await.unwrap().unwrap();
        assert_eq!(body, "{\"job_id\":1}");
        assert_eq!(messages.body(&d, State::Error).await.unwrap(), None);
        assert!(
            dir.path()
                .join("messages/dataset-processed/j8cb010b0")
                .is_file()
        );
        let other: Dataset = "acs_8ph_01".parse().unwrap();
        messages
            .enter(&other, State::Terminated, b"")
            .await
            .unwrap();
        let overview = messages.overview().await.unwrap();
        assert_eq!(overview.get(&d), Some(&State::Processed));
        assert_eq!(overview.get(&other), Some(&State::Terminated));
        let error = messages
            .enter(&other, State::Processing, b"")
            .await
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "acs_8ph_01 is terminated and cannot become processing\n\
             hint: a terminated dataset is revived by a rescue request"
        );
    }

    #[tokio::test]
    async fn of_two_messages_the_later_holds() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::dir(dir.path());
        let messages = Messages::new(store.clone(), Layout::Calcloud);
        for key in [
            "messages/processed-j8cb010b0.trigger",
            "messages/processing-j8cb010b0",
        ] {
            store.put_bytes(key, "", &Precondition::None).await.unwrap();
        }
        let state = messages.state_of(&dataset()).await.unwrap();
        assert_eq!(state, Some(State::Processed));
        let overview = messages.overview().await.unwrap();
        assert_eq!(overview.get(&dataset()), Some(&State::Processed));
        messages
            .enter(&dataset(), State::Processed, b"")
            .await
            .unwrap();
        assert!(!dir.path().join("messages/processing-j8cb010b0").exists());
    }
}
