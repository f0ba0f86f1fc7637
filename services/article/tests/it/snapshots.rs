//! Aggregates are read from their last snapshot and what came after it.

use contracts::article::{Article, UpdateArticle};
use eventsourcing::{CommandEnvelope, StreamId};
use messaging::names;
use serde_json::json;
use test_support::eventually;

use super::{TestService, by_ann, on_each_store, update};

on_each_store! {
    a_repeated_create_finds_its_article_whatever_came_after_it,
    a_new_process_goes_on_from_the_snapshot,
    a_snapshot_of_another_past_misleads_nobody,
}

/// Enough for a snapshot on the way.
const VERSIONS: u64 = 70;

/// An article with a history, and the second command of it.
async fn with_history(service: &TestService) -> (Article, CommandEnvelope<UpdateArticle>) {
    let article = service.create().await;
    let early = by_ann(update(&article, "early"));
    service.accept(early.clone()).await;
    for number in 3..=VERSIONS {
        service.accept(by_ann(update(&article, &number.to_string()))).await;
    }
    (article, early)
}

async fn a_new_process_goes_on_from_the_snapshot(service: TestService) {
    let (article, early) = with_history(&service).await;
    eventually("a snapshot on the way", || async {
        (service.server.messages_in(names::SNAPSHOTS).await == 1).then_some(())
    })
    .await;
    let service = service.replace(async |_| {}).await;
    assert_eq!(service.accept(by_ann(update(&article, "later"))).await.version, VERSIONS + 1);
    let again = service.accept(early).await;
    assert_eq!((again.version, again.repeated, again.state.title.as_str()), (2, true, "early"));
    service.lifecycle.finish().await.expect("an orderly end");
}

async fn a_snapshot_of_another_past_misleads_nobody(service: TestService) {
    let (article, _) = with_history(&service).await;
    let stream = StreamId::new("article", article.id);
    let mut service = service;
    for (version, position) in [(VERSIONS + 9, 999), (VERSIONS, 1), (1, VERSIONS), (3, 2)] {
        let snapshot = json!({
            "format": 1, "schema": 1, "version": version, "position": position, "commands": [],
            "state": { "view": null, "deleted": true },
        });
        // The one before leaves a snapshot when it ends: ours comes after it.
        let (key, snapshot) = (names::snapshot(&stream), snapshot.to_string());
        service = service.replace(async |server| server.store(&key, &[], &snapshot).await).await;
        let accepted = service.accept(by_ann(update(&article, "again"))).await;
        assert_eq!(accepted.state.title, "again", "version {version} at {position}");
    }
    assert_eq!(service.accept(by_ann(update(&article, "end"))).await.version, VERSIONS + 5);
    service.lifecycle.finish().await.expect("an orderly end");
}

async fn a_repeated_create_finds_its_article_whatever_came_after_it(service: TestService) {
    let create = by_ann(super::create());
    let first = service.accept(create.clone()).await;
    // More than an article remembers.
    for number in 0..1030 {
        service.accept(by_ann(update(&first.state, &number.to_string()))).await;
    }
    let again = service.accept(create).await;
    assert_eq!((again.version, again.position, again.repeated), (1, first.position, true));
    service.lifecycle.finish().await.expect("an orderly end");
}
