//! The compatibility alarm: every event's JSON as it is stored, written and read.

use eventsourcing::{Command, CommandId, EventData, Refusal, UserId};

use super::*;

fn ann() -> UserId {
    "ann".parse().expect("a valid user id")
}

fn created(slug: Option<&str>, tags: &[&str]) -> ArticleCreated {
    ArticleCreated {
        title: "T".into(),
        content: "C".into(),
        author_id: ann(),
        slug: slug.map(Into::into),
        tags: tags.iter().map(ToString::to_string).collect(),
    }
}

fn updated(slug: Option<&str>, tags: Option<Vec<String>>) -> ArticleUpdated {
    ArticleUpdated {
        title: "T2".into(),
        content: "C2".into(),
        author_id: ann(),
        slug: slug.map(Into::into),
        tags,
    }
}

/// Every event that was ever written: type, schema version, JSON, and what it means today.
fn stored() -> Vec<(&'static str, u32, &'static str, ArticleEvent)> {
    vec![
        (
            "article.created",
            1,
            r#"{"title":"T","content":"C","author_id":"ann"}"#,
            created(None, &[]).into(),
        ),
        (
            "article.created",
            2,
            r#"{"title":"T","content":"C","author_id":"ann","slug":null,"tags":[]}"#,
            created(None, &[]).into(),
        ),
        (
            "article.created",
            2,
            r#"{"title":"T","content":"C","author_id":"ann","slug":"s","tags":["a","b"]}"#,
            created(Some("s"), &["a", "b"]).into(),
        ),
        (
            "article.updated",
            1,
            r#"{"title":"T2","content":"C2","author_id":"ann"}"#,
            updated(None, None).into(),
        ),
        (
            "article.updated",
            1,
            r#"{"title":"T2","content":"C2","author_id":"ann","slug":"s","tags":[]}"#,
            updated(Some("s"), Some(vec![])).into(),
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
    let todays = |stored: &(&str, u32, &str, ArticleEvent)| stored.1 == stored.3.schema_version();
    for (event_type, version, json, event) in stored().into_iter().filter(todays) {
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
    let create =
        CreateArticle { title: "T".into(), content: "C".into(), ..CreateArticle::default() };
    let (one, other) = (CommandId::generate(), CommandId::generate());
    assert_eq!(create.aggregate_id(one), create.aggregate_id(one));
    assert_ne!(create.aggregate_id(one), create.aggregate_id(other));
}

#[test]
fn every_shape_that_was_ever_written_is_among_the_stored_ones() {
    let stored: Vec<_> = stored().into_iter().map(|(name, version, ..)| (name, version)).collect();
    for shape in ArticleEvent::shapes() {
        assert!(stored.contains(&shape), "{shape:?} has no entry");
    }
}

#[test]
fn the_last_event_of_an_article_is_known_by_its_type() {
    let deleted = stored().into_iter().find(|(name, ..)| *name == DELETED).expect("stored");
    assert!(matches!(deleted.3, ArticleEvent::Deleted(_)));
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

/// The messages of the first release, as a stream of its time holds them.
#[test]
fn the_events_of_the_first_release_can_be_read() {
    let stored = include_str!("../../stored/article-v1.jsonl");
    let mut types = Vec::new();
    for line in stored.lines() {
        let message: serde_json::Value = serde_json::from_str(line).expect("a message a line");
        let header = |name: &str| message["headers"][name].as_str().expect("a header").to_owned();
        let (event_type, version) = (header("ce-type"), header("ce-schemaversion"));
        let data = message["data"].as_str().expect("the data as text").as_bytes();
        let event = ArticleEvent::decode(&event_type, version.parse().expect("a number"), data);
        let event = event.unwrap_or_else(|error| panic!("{error}: {line}"));
        if let ArticleEvent::Created(created) = &event {
            assert_eq!((created.slug.as_ref(), created.tags.len()), (None, 0));
        }
        assert_eq!(event.author_id(), &ann());
        types.push(event_type);
    }
    let count = |name: &str| types.iter().filter(|found| *found == name).count();
    assert_eq!(["article.created", "article.updated", "article.deleted"].map(count), [3, 2, 1]);
}

#[test]
fn a_version_from_the_future_or_before_the_first_is_not_guessed_at() {
    for version in [0, 3] {
        let decoded = ArticleEvent::decode("article.created", version, b"{}");
        assert!(matches!(decoded, Err(eventsourcing::DecodeError::UnknownVersion { .. })));
    }
}

#[test]
fn a_command_without_slug_and_tags_looks_as_it_did_in_the_first_release() {
    // Its fingerprint is in stored events: a repeat must not look like another command.
    let create =
        CreateArticle { title: "T".into(), content: "C".into(), ..CreateArticle::default() };
    let json = serde_json::to_string(&create).expect("plain JSON");
    assert_eq!(json, r#"{"title":"T","content":"C"}"#);
}
