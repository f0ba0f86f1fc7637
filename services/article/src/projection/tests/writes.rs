//! What events change.

use contracts::article::ArticleEvent;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use read_model::testing::{Changes, Skipped, Tables, fold};
use uuid::Uuid;

use super::{
    Articled, Asked,
    story::{Story, created, deleted, recorded, step, updated},
};
use crate::projection::rows;

pub(super) async fn run<D: Articled>(database: &D) {
    text_comes_back_byte_for_byte(database).await;
    an_event_that_is_there_already_changes_nothing(database).await;
    what_does_not_follow_is_rejected(database).await;
    what_no_database_can_hold_is_rejected(database).await;
    batches_of_every_size_make_the_same_rows(database).await;
    what_was_skipped_is_kept(database).await;
    what_comes_late_leaves_the_rows_of_a_rebuild(database).await;
}

async fn text_comes_back_byte_for_byte<D: Articled>(database: &D) {
    let tables = super::tables(database).await;
    let mut story = Story::default();
    let (title, content) =
        ("“naïve” \u{1}\u{202e}'; DROP TABLE articles; --", "a\r\n\t\\ 🦀 \u{fffd}");
    let id = story.create("ann+x@example.org", title, content, &["ß", "c++"]);
    assert_eq!(story.tell(&tables, 10).await, []);
    let seen = tables.get(id).await.expect("the tables");
    let row = seen.data.expect("there");
    assert_eq!((seen.position, row.created_position), (2, 2));
    assert_eq!((row.title.as_str(), row.content.as_str()), (title, content));
    assert_eq!((row.author_id.as_str(), row.version), ("ann+x@example.org", 1));
    assert_eq!(row.tags.0, ["ß", "c++"]);
    assert_eq!(row.created_at, "2024-02-29T01:59:59.123456789Z");
    tables.close().await;
}

async fn an_event_that_is_there_already_changes_nothing<D: Articled>(database: &D) {
    let tables = super::tables(database).await;
    let mut story = Story::default();
    let id = story.create("ann", "one", "C", &["x"]);
    story.push(id, &updated("two", "C", None));
    story.tell(&tables, 10).await;
    let before = tables.digest().await.expect("the tables");
    let (changes, rejected) = fold(&tables, &story.events, &[]).await.expect("the tables");
    assert_eq!(
        (changes.model, changes.skipped, rejected),
        (rows::Changes::default(), vec![], vec![])
    );
    assert_eq!(tables.digest().await.expect("the tables"), before);
    tables.close().await;
}

async fn what_does_not_follow_is_rejected<D: Articled>(database: &D) {
    let tables = super::tables(database).await;
    let mut story = Story::default();
    let id = story.create("ann", "one", "C", &[]);
    let lost = story.push(id, &updated("lost", "C", None));
    let behind = story.push(id, &updated("behind it", "C", None));
    story.create("bob", "fine", "C", &[]);
    story.events.retain(|event| event.position != lost);
    story.events.push(recorded(Uuid::now_v7(), &updated("of nothing", "C", None), 2, 20));
    let rejected = story.tell(&tables, 10).await;
    let positions: Vec<_> = rejected.iter().map(|rejected| rejected.position).collect();
    assert_eq!(positions, [behind, 20]);
    let row = tables.get(id).await.expect("the tables").data.expect("there");
    assert_eq!((row.version, row.title.as_str()), (1, "one"));
    assert_eq!(tables.position().await.expect("the tables"), 20);
    tables.close().await;
}

async fn what_no_database_can_hold_is_rejected<D: Articled>(database: &D) {
    let tables = super::tables(database).await;
    let mut story = Story::default();
    story.create("ann", "a\0b", "C", &[]);
    story.create("ann", "T", "C", &["a\0b"]);
    let id = story.create("ann", "T", "C", &[]);
    story.push(id, &updated("T", "\0", None));
    story.events.push(recorded(id, &updated("T", "C", None), u64::MAX, 20));
    assert_eq!(story.tell(&tables, 2).await.len(), 4);
    tables.close().await;
}

/// Deletes and tags included, whether an article changes within a batch or between two.
async fn batches_of_every_size_make_the_same_rows<D: Articled>(database: &D) {
    let story = random_story(&mut StdRng::seed_from_u64(7), 300);
    let mut digests = Vec::new();
    for size in [1, 7, 100, 1000] {
        let tables = super::tables(database).await;
        assert_eq!(story.tell(&tables, size).await, []);
        digests.push(tables.digest().await.expect("the tables"));
        tables.close().await;
    }
    assert_eq!(digests[0].position, story.end());
    assert!(digests.iter().all(|digest| *digest == digests[0]), "{digests:?}");
}

pub(super) fn random_story(random: &mut StdRng, events: usize) -> Story {
    let (mut story, mut live) = (Story::default(), Vec::new());
    for number in 0..events {
        let (title, content) = (format!("title {number}"), format!("words w{} again", number % 10));
        let tags: &[&str] = [&[][..], &["a"], &["a", "b"], &["b", "b"]][random.random_range(0..4)];
        let event: ArticleEvent = match random.random_range(0..10) {
            0..=4 if !live.is_empty() => {
                updated(&title, &content, random.random_bool(0.5).then_some(tags))
            }
            5 if !live.is_empty() => deleted(),
            _ => {
                live.push(Uuid::now_v7());
                let author = ["ann", "bob", "eve"][random.random_range(0..3)];
                story.push(live[live.len() - 1], &created(author, &title, &content, tags));
                continue;
            }
        };
        let chosen = random.random_range(0..live.len());
        story.push(live[chosen], &event);
        if matches!(event, ArticleEvent::Deleted(_)) {
            live.swap_remove(chosen);
        }
    }
    story
}

async fn what_was_skipped_is_kept<D: Articled>(database: &D) {
    let tables = super::tables(database).await;
    tables.fence(1).await.expect("the tables");
    let skipped = |position| Skipped {
        position,
        subject: "events.article.x".to_owned(),
        reason: "because".to_owned(),
    };
    let changes = Changes { skipped: vec![skipped(3), skipped(5)], ..Changes::default() };
    let first = step(0, 5, 1);
    super::story::commit(&tables, &changes, first).await;
    assert_eq!(tables.skipped(0, 10).await.expect("the tables"), [skipped(3), skipped(5)]);
    assert_eq!(tables.skipped(0, 1).await.expect("the tables"), [skipped(3)]);
    assert_eq!(tables.skipped(3, 10).await.expect("the tables"), [skipped(5)]);
    // One of them is redriven.
    let changes = Changes { redriven: vec![3], ..Changes::default() };
    super::story::commit(&tables, &changes, step(5, 5, 1)).await;
    assert_eq!(tables.skipped(0, 10).await.expect("the tables"), [skipped(5)]);
    assert_eq!(tables.count_skipped().await.expect("the tables"), 1);
    tables.close().await;
}

/// An event that was a dead letter and is redriven behind later ones of the same author.
async fn what_comes_late_leaves_the_rows_of_a_rebuild<D: Articled>(database: &D) {
    let mut story = Story::default();
    let late = story.create("ann", "late", "C", &["x"]);
    story.create("ann", "in time", "C", &["x"]);
    let rebuilt = super::tables(database).await;
    story.tell(&rebuilt, 10).await;
    let tables = super::tables(database).await;
    let end = story.end();
    let epoch = 1;
    tables.fence(epoch).await.expect("the tables");
    let (late, rest): (Vec<_>, Vec<_>) =
        story.events.into_iter().partition(|event| event.aggregate_id.as_uuid() == late);
    for (events, from) in [(rest, 0), (late, end)] {
        let (changes, rejected) = fold(&tables, &events, &[]).await.expect("the tables");
        assert_eq!(rejected, []);
        super::story::commit(&tables, &changes, step(from, end, epoch)).await;
    }
    let digests = [&tables, &rebuilt].map(Tables::digest);
    let [redriven, rebuilt] = digests;
    assert_eq!(redriven.await.expect("the tables"), rebuilt.await.expect("the tables"));
    tables.close().await;
}
