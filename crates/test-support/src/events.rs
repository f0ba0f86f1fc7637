use contracts::article::{ArticleCreated, ArticleDeleted, ArticleEvent, ArticleUpdated};
use eventsourcing::{
    AggregateId, CommandId, CorrelationId, EventData, EventStore, Fingerprint, Head, Metadata,
    NewEvent, StreamId, UserId,
};
use messaging::JetStreamEventStore;
use time::OffsetDateTime;

use crate::NatsServer;

/// The user id `name`.
#[must_use]
pub fn user(name: &str) -> UserId {
    name.parse().expect("a valid user id")
}

/// Writes article events into the stream, as the article service would.
#[derive(Debug)]
pub struct ArticleWriter {
    store: JetStreamEventStore,
}

/// An article that an [`ArticleWriter`] wrote.
#[derive(Debug, Clone)]
pub struct Written {
    /// The article.
    pub id: AggregateId,
    /// Its author.
    pub author: UserId,
    /// Its last event.
    pub head: Head,
}

impl ArticleWriter {
    /// A writer on `server`.
    pub async fn new(server: &NatsServer) -> Self {
        Self { store: JetStreamEventStore::new(server.connect("article").await).persistent() }
    }

    /// Creates an article of `author`.
    pub async fn create(&self, author: &str, title: &str, content: &str) -> Written {
        let author = user(author);
        let id = CommandId::generate().creates("article");
        let event = ArticleCreated {
            title: title.to_owned(),
            content: content.to_owned(),
            author_id: author.clone(),
            slug: None,
            tags: Vec::new(),
        };
        let mut article = Written { id, author, head: Head::default() };
        self.append(&mut article, event.into()).await;
        article
    }

    /// Replaces its title and content.
    pub async fn update(&self, article: &mut Written, title: &str, content: &str) {
        let event = ArticleUpdated {
            title: title.to_owned(),
            content: content.to_owned(),
            author_id: article.author.clone(),
            slug: None,
            tags: None,
        };
        self.append(article, event.into()).await;
    }

    /// Takes it down.
    pub async fn delete(&self, article: &mut Written) {
        let event = ArticleDeleted { title: "T".to_owned(), author_id: article.author.clone() };
        self.append(article, event.into()).await;
    }

    /// Writes an event of a type that nobody knows.
    pub async fn unknown(&self, article: &mut Written) {
        let event = ArticleDeleted { title: "T".to_owned(), author_id: article.author.clone() };
        let mut event = envelop(article, &event.into());
        event.schema_version = 99;
        self.store_event(article, event).await;
    }

    async fn append(&self, article: &mut Written, event: ArticleEvent) {
        let event = envelop(article, &event);
        self.store_event(article, event).await;
    }

    async fn store_event(&self, article: &mut Written, event: NewEvent) {
        let stream = StreamId::new("article", article.id);
        article.head =
            self.store.append(&stream, article.head, vec![event].into()).await.expect("appended");
    }
}

fn envelop(article: &Written, event: &ArticleEvent) -> NewEvent {
    let command = CommandId::generate();
    NewEvent {
        id: command.event_id(article.id, 0),
        event_type: event.event_type().to_owned(),
        schema_version: event.schema_version(),
        version: article.head.version + 1,
        time: OffsetDateTime::now_utc(),
        metadata: Metadata {
            correlation_id: CorrelationId::generate(),
            causation_id: command,
            fingerprint: Fingerprint::of("test", b""),
            user_id: article.author.clone(),
            traceparent: None,
        },
        data: event.encode().expect("events are plain JSON"),
    }
}
