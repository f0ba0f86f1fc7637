//! The reaction that deletes the comments on a deleted article. It sends commands whose ids derive from the event, so whatever comes
//! again, each comment is deleted once, and the reaction needs no record.
//!
//! An article may be deleted while somebody comments on it. Of the two events one is later in the stream. When that is the article's end,
//! the read model knows the comment by the time it has that position. When that is the comment, the article's last event says that it is
//! gone. So the two halves below leave no comment alive.

use std::{sync::Arc, time::Duration};

use contracts::{
    article::{self, DELETED},
    comment::{self, CommentEvent, CommentRef, DeleteComment, LiveComments},
};
use eventsourcing::{
    Actor, AggregateId, CommandEnvelope, CommandId, EventStore as _, QueryEnvelope, QueryReply,
    RecordedEvent, RefusalKind, Reply, StreamId,
};
use futures_util::{StreamExt as _, TryStreamExt as _};
use messaging::{
    Connection, JetStreamEventStore, RequestClient,
    consumer::{Outcome, Reaction, run_reaction_in_turns},
    lease::{Lease, Waiting},
};
use service_kit::Context;
use uuid::Uuid;

use crate::NAME;

/// How long a command or a query may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many commands are on their way at once.
const AT_ONCE: usize = 8;

/// Sweeps whenever it is the turn of this process, until it is time to stop.
pub(crate) async fn run(connection: &Connection, context: &Context) {
    let ready = context.health.component("comment: sweep");
    let sweep = Arc::new(Sweep {
        client: RequestClient::new(connection.clone(), PATIENCE),
        events: JetStreamEventStore::new(connection.clone()),
    });
    // Nothing is recorded, so every process has the same record: none.
    let lease = Lease::new(connection, NAME, Uuid::nil());
    let stop = context.lifecycle.stop_token();
    let waiting = |why: Option<&Waiting>| match why {
        Some(Waiting::Away(reason)) => {
            ready.not_ready(format!("whose turn it is cannot be read: {reason}"));
        }
        _ => ready.ready(),
    };
    run_reaction_in_turns(connection, &lease, &sweep, stop, waiting).await;
}

/// Deletes comments on deleted articles.
struct Sweep {
    client: RequestClient,
    events: JetStreamEventStore,
}

impl Reaction for Sweep {
    const NAME: &'static str = NAME;
    const CONTEXTS: &'static [&'static str] = &[article::CONTEXT, comment::CONTEXT];

    async fn react(&self, event: &RecordedEvent) -> Outcome {
        let swept = if event.context == article::CONTEXT {
            self.after_article(event).await
        } else {
            self.after_comment(event).await
        };
        swept.err().unwrap_or(Outcome::Done)
    }
}

impl Sweep {
    /// The article may be gone: then so are all comments that it has by now.
    async fn after_article(&self, event: &RecordedEvent) -> Result<(), Outcome> {
        if event.event.event_type != DELETED {
            return Ok(());
        }
        let (article_id, mut after) = (event.aggregate_id, 0);
        loop {
            let page = self.live(article_id, after, event.position).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.number;
            futures_util::stream::iter(page)
                .map(|comment| self.delete(event, comment.id))
                .buffer_unordered(AT_ONCE)
                .try_collect::<()>()
                .await?;
        }
    }

    /// The comment may have come after the end of its article.
    async fn after_comment(&self, event: &RecordedEvent) -> Result<(), Outcome> {
        let decoded = event.decode().map_err(|error| Outcome::GiveUp(error.to_string()))?;
        let CommentEvent::Added(added) = decoded else { return Ok(()) };
        let article = StreamId::new(article::CONTEXT, added.article_id);
        let last = self.events.last(&article).await.map_err(wait)?;
        match last {
            Some(last) if last.event.event_type == DELETED => {
                self.delete(event, event.aggregate_id).await
            }
            _ => Ok(()),
        }
    }

    /// Comments on the article behind the number `after`, as the read model has them once it has the position `min`.
    async fn live(
        &self,
        article_id: AggregateId,
        after: u64,
        min: u64,
    ) -> Result<Vec<CommentRef>, Outcome> {
        let query = QueryEnvelope {
            min_position: Some(min),
            ..QueryEnvelope::new(LiveComments { article_id, after })
        };
        match self.client.ask(&query).await.map_err(wait)? {
            QueryReply::Answered(answer) => Ok(answer.data.items),
            QueryReply::Refused(refusal) => Err(wait(refusal)),
        }
    }

    /// Deletes `comment` because of `event`.
    async fn delete(&self, event: &RecordedEvent, comment: AggregateId) -> Result<(), Outcome> {
        let id = CommandId::caused_by(event.event.id, &format!("delete {comment}"));
        let metadata = &event.event.metadata;
        let command = CommandEnvelope {
            id,
            correlation_id: metadata.correlation_id.clone(),
            traceparent: metadata.traceparent.clone(),
            ..CommandEnvelope::new(Actor::system(NAME), DeleteComment { id: comment })
        };
        match self.client.send(command).await.map_err(wait)? {
            Reply::Accepted(_) => Ok(()),
            // Somebody was faster.
            Reply::Refused(refusal) if refusal.kind == RefusalKind::Gone => Ok(()),
            Reply::Refused(refusal) => Err(Outcome::Retry(refusal.to_string())),
        }
    }
}

fn wait(error: impl std::fmt::Display) -> Outcome {
    Outcome::Wait(error.to_string())
}
