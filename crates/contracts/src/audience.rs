//! Who may see an event. Push, guests and documents follow this one place.

use std::borrow::Cow;

use eventsourcing::{AggregateId, DecodeError, EventData, RecordedEvent, UserId};

use crate::{Topic, article::ArticleEvent, comment::CommentEvent};

/// Who may see an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    /// Everybody, on these topics, widest first.
    Everybody(Vec<Topic>),
    /// One user, on the user's own topic.
    User(UserId),
    /// Nobody but services.
    Nobody,
}

impl Audience {
    /// The topics that the event is on.
    #[must_use]
    pub fn topics(self) -> Vec<Topic> {
        match self {
            Self::Everybody(topics) => topics,
            Self::User(user) => vec![Topic::User(user)],
            Self::Nobody => Vec::new(),
        }
    }
}

/// Events that each have an audience. A context says it with a `match` over all of them, so an event without one does not compile.
pub trait Heard: EventData {
    /// Who may see the event, which is about the aggregate `id`.
    fn audience(&self, id: AggregateId) -> Audience;
}

/// An event as its audience sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published<'a> {
    /// Who may see it.
    pub audience: Audience,
    /// Its data as JSON, in today's shape.
    pub data: Cow<'a, [u8]>,
}

/// `event` as its audience sees it, decoded once; `None` for an event that nobody outside may see, and for one whose shape is not known
/// here. A context that is not named here is for services only.
#[must_use]
pub fn published(event: &RecordedEvent) -> Option<Published<'_>> {
    let published = match event.context.as_str() {
        crate::article::CONTEXT => publish::<ArticleEvent>(event),
        crate::comment::CONTEXT => publish::<CommentEvent>(event),
        _ => return None,
    };
    published.ok().filter(|published| published.audience != Audience::Nobody)
}

fn publish<E: Heard>(event: &RecordedEvent) -> Result<Published<'_>, DecodeError> {
    let (today, data) = event.today::<E>()?;
    Ok(Published { audience: today.audience(event.aggregate_id), data })
}

#[cfg(test)]
mod tests {
    use eventsourcing::{
        CommandId, CorrelationId, Fingerprint, Metadata, NewEvent, event::to_json,
    };
    use time::OffsetDateTime;

    use super::*;

    fn recorded(context: &str, event_type: &str, data: &serde_json::Value) -> RecordedEvent {
        let command = CommandId::generate();
        let aggregate_id = command.creates(context);
        let event = NewEvent {
            id: command.event_id(aggregate_id, 0),
            event_type: event_type.to_owned(),
            schema_version: 1,
            version: 1,
            time: OffsetDateTime::UNIX_EPOCH,
            metadata: Metadata {
                correlation_id: CorrelationId::generate(),
                causation_id: command,
                fingerprint: Fingerprint::of("test", b""),
                user_id: "ann".parse().expect("a user"),
                traceparent: None,
            },
            data: to_json(data).expect("JSON"),
        };
        RecordedEvent { context: context.to_owned(), aggregate_id, position: 1, event }
    }

    #[test]
    fn everybody_sees_an_article_on_its_topics_and_in_todays_shape() {
        let data = serde_json::json!({"title": "T", "content": "C", "author_id": "ann"});
        let event = recorded("article", "article.created", &data);
        let Published { audience, data } = published(&event).expect("public");
        let topics: Vec<_> = audience.topics().iter().map(ToString::to_string).collect();
        let article = format!("article:{}", event.aggregate_id);
        assert_eq!(topics, ["articles", &article, "author:ann", "user:ann"]);
        assert!(String::from_utf8_lossy(&data).contains("\"tags\":[]"), "as it is today");
    }

    #[test]
    fn an_event_of_another_context_or_shape_is_for_services_only() {
        let data = serde_json::json!({"secret": 1});
        for (context, event_type) in [
            ("secret", "secret.kept"),
            ("article", "article.unheard"),
            ("comment", "comment.added"),
        ] {
            assert_eq!(published(&recorded(context, event_type, &data)), None, "{event_type}");
        }
    }
}
