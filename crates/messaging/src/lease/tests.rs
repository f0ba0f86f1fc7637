use super::*;

fn judged(watched: &mut Watched, entry: &Entry, sequence: u64, at: u64) -> Result<u64, Waiting> {
    let (holder, record) = (Uuid::from_u128(1), Uuid::from_u128(9));
    watched.judge(Some((entry.clone(), sequence)), holder, record, Duration::from_millis(at))
}

fn entry(record: u128, is_free: bool) -> Entry {
    Entry { holder: Uuid::from_u128(2), record: Uuid::from_u128(record), is_free }
}

#[test]
fn a_lease_is_taken_when_it_is_new_or_free_or_was_not_renewed_for_long() {
    let mut watched = Watched::default();
    let (holder, record) = (Uuid::from_u128(1), Uuid::from_u128(9));
    assert_eq!(watched.judge(None, holder, record, Duration::ZERO), Ok(0));
    let held = entry(9, false);
    assert_eq!(judged(&mut watched, &held, 5, 0), Err(Waiting::ForTurn));
    assert_eq!(judged(&mut watched, &held, 5, 3400), Err(Waiting::ForTurn));
    assert_eq!(judged(&mut watched, &held, 6, 3500), Err(Waiting::ForTurn), "it was renewed");
    assert_eq!(judged(&mut watched, &held, 6, 6900), Err(Waiting::ForTurn));
    assert_eq!(judged(&mut watched, &held, 6, 7000), Ok(6));
    assert_eq!(judged(&mut watched, &entry(9, true), 7, 7100), Ok(7));
}

#[test]
fn a_holder_with_another_record_is_followed_only_when_it_was_never_seen_alive() {
    let held = entry(8, false);
    let mut watched = Watched::default();
    assert_eq!(judged(&mut watched, &held, 5, 0), Err(Waiting::ForTurn));
    assert_eq!(judged(&mut watched, &held, 5, 3500), Ok(5), "it was dead all the time");
    let mut watched = Watched::default();
    assert_eq!(judged(&mut watched, &held, 5, 0), Err(Waiting::ForTurn));
    assert_eq!(judged(&mut watched, &held, 6, 1000), Err(Waiting::ForeignRecord));
    assert_eq!(judged(&mut watched, &held, 6, 9000), Err(Waiting::ForeignRecord));
    assert_eq!(judged(&mut watched, &entry(8, true), 7, 9100), Err(Waiting::ForeignRecord));
}
