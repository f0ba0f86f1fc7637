//! The compatibility alarm: every event's JSON as it is stored, written and read.

use eventsourcing::{AggregateId, EventData, Refusal};

use super::*;

const ARTICLE: &str = "0190b3a0-6b2a-7c3e-9d57-2a1f0c6b7e42";

fn article() -> AggregateId {
    ARTICLE.parse().expect("an id")
}

/// Every event that was ever written: type, schema version, JSON, and what it means today.
fn stored() -> Vec<(&'static str, u32, &'static str, CommentEvent)> {
    let user = |name: &str| name.parse().expect("a user id");
    vec![
        (
            "comment.added",
            1,
            r#"{"article_id":"0190b3a0-6b2a-7c3e-9d57-2a1f0c6b7e42","article_title":"T","article_author_id":"ann","author_id":"bob","text":"Yes"}"#,
            CommentAdded {
                article_id: article(),
                article_title: "T".into(),
                article_author_id: user("ann"),
                author_id: user("bob"),
                text: "Yes".into(),
            }
            .into(),
        ),
        (
            "comment.deleted",
            1,
            r#"{"article_id":"0190b3a0-6b2a-7c3e-9d57-2a1f0c6b7e42","author_id":"bob"}"#,
            CommentDeleted { article_id: article(), author_id: user("bob") }.into(),
        ),
    ]
}

#[test]
fn every_event_is_written_and_read_as_it_is_stored() {
    let mut known = Vec::new();
    for (event_type, version, json, meaning) in stored() {
        let read = CommentEvent::decode(event_type, version, json.as_bytes());
        assert_eq!(read.expect(event_type), meaning);
        if version == meaning.schema_version() {
            let written = meaning.encode().expect("JSON");
            assert_eq!(String::from_utf8_lossy(&written), json);
        }
        known.push((event_type, version));
    }
    for shape in CommentEvent::shapes() {
        assert!(known.contains(&shape), "{shape:?} has no entry");
    }
}

#[test]
fn codes_of_refusals_are_stable() {
    let code = |refusal| Refusal::from(refusal).code;
    assert_eq!(code(CommentRefusal::NotFound), "comment-not-found");
    assert_eq!(code(CommentRefusal::Deleted), "comment-deleted");
    assert_eq!(code(CommentRefusal::NotTheAuthor), "not-the-author");
    assert_eq!(code(CommentRefusal::AlreadyExists), "comment-exists");
}
