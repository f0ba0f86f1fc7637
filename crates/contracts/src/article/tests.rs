//! The compatibility alarm: every event's JSON as it is stored, written and read.

use eventsourcing::{Command, CommandId, EventData, Refusal, UserId};

use super::*;

fn ann() -> UserId {
    "ann".parse().expect("a valid user id")
}

/// Every event that was ever written: type, schema version, JSON, and what it means today.
fn stored() -> Vec<(&'static str, u32, &'static str, ArticleEvent)> {
    vec![
        (
            "article.created",
            1,
            r#"{"title":"T","content":"C","author_id":"ann"}"#,
            ArticleCreated { title: "T".into(), content: "C".into(), author_id: ann() }.into(),
        ),
        (
            "article.updated",
            1,
            r#"{"title":"T2","content":"C2","author_id":"ann"}"#,
            ArticleUpdated { title: "T2".into(), content: "C2".into(), author_id: ann() }.into(),
        ),
        (
            "article.deleted",
            1,
            r#"{"title":"T2","author_id":"ann"}"#,
            ArticleDeleted { title: "T2".into(), author_id: ann() }.into(),
        ),
    ]
}

#[test]
fn every_stored_event_can_be_read() {
    for (event_type, version, json, event) in stored() {
        assert_eq!(ArticleEvent::decode(event_type, version, json.as_bytes()), Ok(event));
    }
}

#[test]
fn every_event_is_written_as_it_is_stored() {
    for (event_type, version, json, event) in stored() {
        let written = event.encode().expect("events are plain JSON");
        assert_eq!(String::from_utf8(written).as_deref(), Ok(json));
        assert_eq!((event.event_type(), event.schema_version()), (event_type, version));
    }
}

#[test]
fn a_field_added_later_is_not_in_the_way() {
    let json = br#"{"title":"T","author_id":"ann","reason":"added later"}"#;
    assert!(ArticleEvent::decode("article.deleted", 1, json).is_ok());
}

#[test]
fn a_repeated_create_names_the_same_article() {
    let create = CreateArticle { title: "T".into(), content: "C".into() };
    let (one, other) = (CommandId::generate(), CommandId::generate());
    assert_eq!(create.aggregate_id(one), create.aggregate_id(one));
    assert_ne!(create.aggregate_id(one), create.aggregate_id(other));
}

#[test]
fn refusals_keep_their_codes() {
    let codes = [
        (ArticleRefusal::NotFound, "article-not-found"),
        (ArticleRefusal::Deleted, "article-deleted"),
        (ArticleRefusal::NotTheAuthor, "not-the-author"),
        (ArticleRefusal::AlreadyExists, "article-exists"),
        (ArticleRefusal::Invalid(vec![]), "invalid-input"),
    ];
    for (refusal, code) in codes {
        assert_eq!(Refusal::from(refusal).code, code);
    }
}
