use contracts::article::{ArticleEvent, ArticleUpdated};
use eventsourcing::{
    AggregateId, CommandId, CorrelationId, EventData as _, Fingerprint, Metadata, NewEvent, UserId,
};
use time::OffsetDateTime;

/// An update to version `version` of an article, which is its title as well.
pub fn event(id: AggregateId, version: u64, author: &UserId) -> anyhow::Result<NewEvent> {
    let data = ArticleEvent::from(ArticleUpdated {
        title: version.to_string(),
        content: "x".repeat(crate::ways::CONTENT_LENGTH),
        author_id: author.clone(),
        slug: None,
        tags: None,
    });
    decided(id, version, author, &data)
}

/// `data` as version `version` of an article, decided now.
pub fn decided(
    id: AggregateId,
    version: u64,
    author: &UserId,
    data: &ArticleEvent,
) -> anyhow::Result<NewEvent> {
    let command = CommandId::generate();
    Ok(NewEvent {
        id: command.event_id(id, 0),
        event_type: data.event_type().to_owned(),
        schema_version: data.schema_version(),
        version,
        time: OffsetDateTime::now_utc(),
        metadata: Metadata {
            correlation_id: CorrelationId::generate(),
            causation_id: command,
            fingerprint: Fingerprint::of("bench", b""),
            user_id: author.clone(),
            traceparent: None,
        },
        data: data.encode()?,
    })
}
