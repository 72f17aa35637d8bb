#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use proptest::prelude::*;
use storage::hint::explain;
use storage::store::Dir;

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
        let messages = Messages::new(Arc::new(Dir::new(dir.path())), layout);
        let d = dataset();
        block_on(async {
            let mut model = None;
            for (to, interrupted_after) in changes {
                let seen = messages.look(&d).await.unwrap();
                prop_assert_eq!(seen.current(), model);
                let allowed = to.may_follow(model);
                if !allowed {
                    let refused = messages.enter(&d, to, b"").await;
                    let is_refusal = matches!(refused, Err(MessageError::NotAllowed { .. }));
                    prop_assert!(is_refusal);
                    prop_assert_eq!(messages.look(&d).await.unwrap(), seen);
                    continue;
                }
                let plan: Vec<Step> = seen.steps(to).collect();
                let taken = interrupted_after.min(plan.len());
                let partial = plan.iter().copied().take(taken);
                messages.take(&d, partial, Bytes::from("{}")).await.unwrap();
                let now = messages.look(&d).await.unwrap().current();
                // never nothing once there was something, and only ever the old or the new
                prop_assert!(now == model || now == Some(to));
                if taken > 0 && Some(to) >= model {
                    prop_assert_eq!(now, Some(to));
                }
                if interrupted_after == usize::MAX {
                    prop_assert_eq!(messages.look(&d).await.unwrap(), SeenStates(vec![to]));
                } else if to.may_follow(now) {
                    messages.enter(&d, to, b"").await.unwrap();
                    prop_assert_eq!(messages.look(&d).await.unwrap(), SeenStates(vec![to]));
                }
                model = messages.look(&d).await.unwrap().current();
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
            SeenStates(vec![from]).steps(first).collect::<Vec<_>>().into_iter(),
            SeenStates(vec![from]).steps(second).collect::<Vec<_>>().into_iter(),
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

    /// Whatever others did since a writer left a state, [`Messages::advance`] leaves the dataset in
    /// the state that [`Messages::enter`] would, and refuses as it would, unless a later state of
    /// others holds anyway.
    #[test]
    fn a_writer_that_knows_its_state_ends_where_one_that_looks_does(
        others in prop::collection::vec(any_state(), 0..4),
        kept: bool,
        from in any_state(),
        to in any_state(),
    ) {
        prop_assume!(from != to && to.may_follow(Some(from)));
        let mut there = others;
        if kept {
            there.push(from);
        }
        let d = dataset();
        block_on(async {
            let mut ends = vec![];
            for knows in [false, true] {
                let dir = tempfile::tempdir().unwrap();
                let messages = Messages::new(Arc::new(Dir::new(dir.path())), Layout::Tree);
                for state in &there {
                    messages.write(&d, *state, Bytes::new()).await.unwrap();
                }
                let done = if knows {
                    messages.advance(&d, from, to, b"").await
                } else {
                    messages.enter(&d, to, b"").await
                };
                let refused = matches!(done, Err(MessageError::NotAllowed { .. }));
                prop_assert!(refused || done.is_ok());
                ends.push((messages.look(&d).await.unwrap().current(), refused));
            }
            let later = there.iter().any(|state| *state > to);
            prop_assert_eq!(ends[0].0, ends[1].0);
            prop_assert!(ends[0].1 == ends[1].1 || later);
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn a_life_in_messages() {
    let dir = tempfile::tempdir().unwrap();
    let messages = Messages::new(Arc::new(Dir::new(dir.path())), Layout::Tree);
    let d = dataset();
    assert_eq!(messages.look(&d).await.unwrap().current(), None);
    for state in [State::Submitted, State::Processing, State::Processed] {
        messages.enter(&d, state, b"{\"job_id\":1}").await.unwrap();
        assert_eq!(messages.look(&d).await.unwrap().current(), Some(state));
        assert_eq!(
            messages.list(state).await.unwrap(),
            std::slice::from_ref(&d)
        );
    }
    let messages_of = |state| {
        dir.path()
            .join(format!("messages/dataset-{state}/j8cb010b0"))
    };
    let body = std::fs::read_to_string(messages_of(State::Processed)).unwrap();
    assert_eq!(body, "{\"job_id\":1}");
    assert!(!messages_of(State::Error).exists());
    let other: Dataset = "acs_8ph_01".parse().unwrap();
    messages
        .enter(&other, State::Terminated, b"")
        .await
        .unwrap();
    assert_eq!(
        messages.list(State::Terminated).await.unwrap(),
        std::slice::from_ref(&other)
    );
    let error = messages
        .enter(&other, State::Processing, b"")
        .await
        .unwrap_err();
    assert_eq!(
        explain(&error).to_string(),
        "acs_8ph_01 is terminated and cannot become processing\n\
         hint: a terminated dataset is revived by a rescue request"
    );
}

#[tokio::test]
async fn of_two_messages_the_later_holds() {
    let dir = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(Dir::new(dir.path()));
    let messages = Messages::new(store.clone(), Layout::Calcloud);
    for key in [
        "messages/processed-j8cb010b0.trigger",
        "messages/processing-j8cb010b0",
    ] {
        store
            .put_bytes(key, "".into(), &Precondition::None)
            .await
            .unwrap();
    }
    let seen = messages.look(&dataset()).await.unwrap();
    assert_eq!(seen.current(), Some(State::Processed));
    messages
        .enter(&dataset(), State::Processed, b"")
        .await
        .unwrap();
    assert!(!dir.path().join("messages/processing-j8cb010b0").exists());
}
