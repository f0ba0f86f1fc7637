//! What the frame keeps beside the rows of a model.

use eventsourcing::CommandId;
use messaging::consumer::Rejected;
use test_support::toys::TOY;

use super::toys::{Toys, broken, made, recorded, renamed, step};
use crate::{
    catalog::Database,
    projector::fold,
    tables::{Changes, Tables},
};

pub(super) async fn run<D: Database<Model = Toys>>(database: &D) {
    what_is_heard_is_in_the_rows_and_other_contexts_are_not(database).await;
    what_cannot_be_applied_is_kept_until_it_is_redriven(database).await;
    equal_events_make_equal_tables_however_they_come(database).await;
    tables_know_their_stream_and_their_newest_aggregate(database).await;
}

async fn what_is_heard_is_in_the_rows_and_other_contexts_are_not<D: Database<Model = Toys>>(
    database: &D,
) {
    let tables = super::tables(database).await;
    tables.fence(1).await.expect("the tables");
    let (id, other) = (CommandId::generate().creates(TOY), CommandId::generate().creates("other"));
    let foreign = broken(other, 1, 2);
    let foreign = eventsourcing::RecordedEvent { context: "other".to_owned(), ..foreign };
    let events = [made(id, 1), foreign, renamed(id, 2, 3)];
    let (changes, rejected) = fold(&tables, &events, &[]).await.expect("the tables");
    assert_eq!(rejected, []);
    assert!(tables.commit(&changes, step(0, 3, 1)).await.expect("the tables"));
    let rows = tables.known(&[id.as_uuid(), other.as_uuid()]).await.expect("the tables");
    let [row] = &rows[..] else { panic!("{rows:?}") };
    assert_eq!((row.name.as_str(), row.version, row.created_position), ("toy 3", 2, 1));
    assert_eq!(tables.position().await.expect("the tables"), 3);
    tables.close().await;
}

async fn what_cannot_be_applied_is_kept_until_it_is_redriven<D: Database<Model = Toys>>(
    database: &D,
) {
    let tables = super::tables(database).await;
    tables.fence(1).await.expect("the tables");
    let id = CommandId::generate().creates(TOY);
    let unreadable = [Rejected {
        position: 2,
        subject: "events.toy.x".to_owned(),
        reason: "a\u{0}b".to_owned(),
    }];
    let events = [broken(id, 2, 4)];
    let (changes, rejected) = fold(&tables, &events, &unreadable).await.expect("the tables");
    assert_eq!(rejected.len(), 1);
    assert!(tables.commit(&changes, step(0, 4, 1)).await.expect("the tables"));
    let skipped = tables.skipped(0, 10).await.expect("the tables");
    let positions: Vec<_> = skipped.iter().map(|skipped| skipped.position).collect();
    assert_eq!((positions, skipped[0].reason.as_str()), (vec![2, 4], "ab"));
    assert_eq!(tables.skipped(2, 10).await.expect("the tables").len(), 1);
    assert_eq!(tables.count_skipped().await.expect("the tables"), 2);
    let redriven = Changes { redriven: vec![2, 4], ..Changes::default() };
    assert!(tables.commit(&redriven, step(4, 4, 1)).await.expect("the tables"));
    assert_eq!(tables.count_skipped().await.expect("the tables"), 0);
    tables.close().await;
}

async fn equal_events_make_equal_tables_however_they_come<D: Database<Model = Toys>>(database: &D) {
    let ids: Vec<_> = (0..3).map(|_| CommandId::generate().creates(TOY)).collect();
    let mut events: Vec<_> =
        ids.iter().zip([1, 2, 3]).map(|(id, position)| made(*id, position)).collect();
    events.extend(ids.iter().zip([4, 5, 6]).map(|(id, position)| renamed(*id, 2, position)));
    let mut digests = Vec::new();
    for size in [1, 2, 6] {
        let tables = super::tables(database).await;
        tables.fence(1).await.expect("the tables");
        tables.defer_search(1).await.expect("the tables");
        let mut from = 0;
        for batch in events.chunks(size) {
            let (changes, _) = fold(&tables, batch, &[]).await.expect("the tables");
            let to = batch.last().map_or(from, |event| event.position);
            assert!(tables.commit(&changes, step(from, to, 1)).await.expect("the tables"));
            from = to;
        }
        assert!(tables.index(1).await.expect("the tables"));
        assert!(!tables.index(2).await.expect("the tables"), "the epoch is another");
        digests.push(tables.digest().await.expect("the tables"));
        tables.close().await;
    }
    assert!(digests.iter().all(|digest| *digest == digests[0]), "{digests:?}");
}

async fn tables_know_their_stream_and_their_newest_aggregate<D: Database<Model = Toys>>(
    database: &D,
) {
    let tables = super::tables(database).await;
    tables.fence(1).await.expect("the tables");
    assert_eq!(tables.mark().await.expect("the tables"), None);
    assert!(tables.landmark().await.expect("the tables").is_none());
    let id = CommandId::generate().creates(TOY);
    let (changes, _) = fold(&tables, &[made(id, 7)], &[]).await.expect("the tables");
    let first = step(0, 7, 1);
    assert!(tables.commit(&changes, first).await.expect("the tables"));
    assert_eq!(tables.mark().await.expect("the tables"), Some(first.to));
    let landmark = tables.landmark().await.expect("the tables").expect("there");
    assert_eq!((landmark.position, landmark.subject), (7, format!("events.toy.{id}")));
    let mut other = step(7, 8, 1);
    other.to.stream = eventsourcing::StreamIdentity::new(uuid::Uuid::from_u128(2));
    assert!(
        !tables.commit(&Changes::default(), other).await.expect("the tables"),
        "another stream"
    );
    assert!(tables.adopt(1, &messaging::Mark { position: 7, ..other.to }).await.expect("adopted"));
    assert!(tables.commit(&Changes::default(), other).await.expect("the tables"));
    let unknown = recorded(TOY, id, &test_support::toys::ToyBroken {}.into(), 9, 9);
    let (_, rejected) = fold(&tables, &[unknown], &[]).await.expect("the tables");
    assert_eq!(rejected[0].position, 9);
    tables.close().await;
}
