//! What the first release stored, under today's service.

use contracts::article::{DeleteArticle, UpdateArticle};
use eventsourcing::{AggregateId, Reply};
use serde_json::Value;
use test_support::NatsServer;

use super::{TestService, by_ann};

/// Puts the stored messages into the stream as they were; tells which articles they are about.
async fn restore(server: &NatsServer) -> Vec<AggregateId> {
    let mut ids = Vec::new();
    for line in include_str!("../../../../crates/contracts/stored/article-v1.jsonl").lines() {
        let message: Value = serde_json::from_str(line).expect("a message a line");
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        let headers = message["headers"].as_object().expect("headers").iter();
        let headers: Vec<_> = headers.map(|(name, value)| (name.clone(), text(value))).collect();
        let subject = text(&message["subject"]);
        server.store(&subject, &headers, &text(&message["data"])).await;
        let id = subject.rsplit('.').next().and_then(|id| id.parse().ok()).expect("an id");
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    ids
}

fn update(id: AggregateId) -> UpdateArticle {
    let (title, content) = ("today".to_owned(), "C".to_owned());
    UpdateArticle { id, title, content, slug: None, tags: None }
}

#[tokio::test]
async fn articles_of_the_first_release_live_on() {
    let service = TestService::on_jetstream().await;
    let ids = restore(&service.server).await;
    let changed = service.accept(by_ann(update(ids[0]))).await;
    assert_eq!((changed.version, changed.state.title.as_str()), (3, "today"));
    assert_eq!((changed.state.slug, changed.state.tags.len()), (None, 0));
    let deleted = service.accept(by_ann(DeleteArticle { id: ids[1] })).await;
    assert_eq!((deleted.version, deleted.state.title.as_str()), (3, "Größe, corrected"));
    let Reply::Refused(refusal) = service.send(by_ann(update(ids[2]))).await else {
        panic!("a deleted article was changed")
    };
    assert_eq!(refusal.code, "article-deleted");
    service.lifecycle.finish().await.expect("an orderly end");
}
