use std::cell::Cell;

use anyhow::bail;

use super::*;

fn generation(number: i32, state: State, position: u64) -> GenerationStatus {
    GenerationStatus {
        number,
        version: 1,
        state,
        held: false,
        reason: None,
        position: Some(position),
        skipped: Some(0),
        changed_at: "2026-01-31T12:00:00Z".to_owned(),
    }
}

/// A generation that is built beside a live one, which is always a little ahead.
fn status(position: u64) -> Status {
    let generations =
        vec![generation(1, State::Live, position + 1), generation(2, State::Building, position)];
    Status { name: "articles".to_owned(), version: 1, last_position: position + 1, generations }
}

#[tokio::test(start_paused = true)]
async fn one_that_is_held_under_load_is_not_waited_for() {
    for reason in [None, Some("an event would be lost")] {
        let asked = Cell::new(10);
        let last = watch(2, status(10), || async {
            asked.set(asked.get() + 1);
            let mut status = status(asked.get());
            status.generations[1].held = true;
            status.generations[1].reason = reason.map(str::to_owned);
            Ok(status)
        });
        let last = tokio::time::timeout(PATIENCE, last).await.expect("an end").expect("a status");
        assert!(last.generations[1].position < last.generations[0].position);
        assert_eq!(last.generations[1].reason.as_deref(), reason);
    }
}

#[tokio::test(start_paused = true)]
async fn one_of_which_there_is_no_word_is_given_up_in_the_end() {
    let begin = Instant::now();
    let result = watch(2, status(10), || async { bail!("projection is not running") }).await;
    let error = format!("{:#}", result.expect_err("nobody answers"));
    assert!(error.contains("no word") && error.contains("is not running"), "{error}");
    assert!((PATIENCE..PATIENCE * 2).contains(&begin.elapsed()), "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_service_that_restarts_is_waited_for() {
    let asked = Cell::new(0);
    let last = watch(2, status(10), || async {
        asked.set(asked.get() + 1);
        if asked.get() < 40 || asked.get() % 2 == 0 {
            bail!("projection is not running");
        }
        let mut status = status(20);
        status.generations[1].state = if asked.get() < 100 { State::Building } else { State::Live };
        Ok(status)
    });
    let last = last.await.expect("a status");
    assert_eq!(last.generations[1].state, State::Live);
}
