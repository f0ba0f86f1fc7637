//! Ways to store one new event, and to read.

use std::{future::Future, pin::Pin};

use async_nats::{HeaderMap, header, jetstream::message::PublishMessage};
use contracts::article::CreateArticle;
use eventsourcing::{
    Actor, AggregateId, Command as _, CommandEnvelope, CommandId, CorrelationId, Fingerprint,
    Metadata, NewEvent, Reply, StreamId,
};
use messaging::{RequestClient, event_codec, names::EventSubject};
use serde_json::json;

use crate::http::Repeater;

/// The content of every article: with its headers, an event of about 1 KiB.
pub const CONTENT_LENGTH: usize = 400;

/// What comes of it.
pub type Done<'a> = Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send + 'a>>;

/// A way to store one new event, or to read something.
pub trait Way: Send + Sync {
    /// Does it once and returns when it is acknowledged or answered.
    fn once(&self) -> Done<'_>;
}

fn create() -> CreateArticle {
    CreateArticle {
        title: "A title".to_owned(),
        content: "x".repeat(CONTENT_LENGTH),
        ..CreateArticle::default()
    }
}

/// The bare client, with the expectation that the subject is new and the headers that an event has.
pub struct Raw {
    pub jetstream: async_nats::jetstream::Context,
    pub actor: Actor,
}

impl Raw {
    fn event(&self) -> (StreamId, NewEvent) {
        let command = CommandEnvelope::new(self.actor.clone(), create());
        let id: AggregateId = command.data.aggregate_id(command.id);
        let event = NewEvent {
            id: command.id.event_id(id, 0),
            event_type: "article.created".to_owned(),
            schema_version: 1,
            version: 1,
            time: command.issued_at,
            metadata: Metadata {
                correlation_id: CorrelationId::generate(),
                causation_id: command.id,
                fingerprint: Fingerprint::of("bench", b""),
                user_id: self.actor.user_id.clone(),
                traceparent: None,
            },
            data:
                json!({ "title": "A title", "content": command.data.content, "author_id": "ann" })
                    .to_string()
                    .into_bytes(),
        };
        (StreamId::new("article", id), event)
    }
}

impl Way for Raw {
    fn once(&self) -> Done<'_> {
        Box::pin(async {
            let (stream, event) = self.event();
            let mut headers: HeaderMap = event_codec::headers(&stream, &event);
            headers.insert(header::NATS_MESSAGE_ID, event.id.to_string());
            headers.insert(header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, "0");
            let message = PublishMessage::build().headers(headers).payload(event.data.into());
            let subject = EventSubject(stream).to_string();
            self.jetstream.send_publish(subject, message).await?.await?;
            Ok(())
        })
    }
}

/// A command over NATS.
pub struct OverNats {
    pub client: RequestClient,
    pub actor: Actor,
    /// Whether it claims a slug, so that it is an atomic batch.
    pub claims: bool,
}

impl Way for OverNats {
    fn once(&self) -> Done<'_> {
        Box::pin(async {
            let slug = self.claims.then(|| CommandId::generate().to_string());
            let data = CreateArticle { slug, ..create() };
            let command = CommandEnvelope::new(self.actor.clone(), data);
            match self.client.send(command).await? {
                Reply::Accepted(_) => Ok(()),
                Reply::Refused(refusal) => Err(refusal.into()),
            }
        })
    }
}

/// A POST through the gateway.
pub struct OverHttp(pub Repeater);

impl OverHttp {
    /// Posts to the gateway at `address` with `token`.
    pub fn new(address: &str, token: &str) -> anyhow::Result<Self> {
        let body = serde_json::to_string(&create())?;
        Ok(Self(Repeater::post(address, "/api/articles", token, &body)))
    }
}

impl Way for OverHttp {
    fn once(&self) -> Done<'_> {
        Box::pin(self.0.send(201))
    }
}

/// A GET of anything.
pub struct Get(pub Repeater);

impl Way for Get {
    fn once(&self) -> Done<'_> {
        Box::pin(self.0.send(200))
    }
}
