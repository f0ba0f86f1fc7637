//! A stream of articles with words in them.

use std::time::Duration;

use anyhow::Context as _;
use contracts::article::{ArticleCreated, ArticleEvent, ArticleUpdated, CONTEXT};
use eventsourcing::{AggregateId, CommandId, NewEvent, StreamId};
use messaging::{event_codec, names::EventSubject};
use test_support::{NatsServer, user};

use crate::event::decided;

/// How many events are on their way at once while the stream is filled.
const WINDOW: u64 = 2000;
/// How many articles are between the two events of one.
const DISTANCE: usize = 10_000;
/// How many authors there are, and how many words.
const AUTHORS: u64 = 100;
const WORDS: u64 = 5000;
/// How many words an article has: about 400 bytes.
const LENGTH: u64 = 60;

/// The word `number`.
pub(super) fn word(number: u64) -> String {
    format!("w{:x}", number.wrapping_mul(0x9E37_79B9) % WORDS)
}

/// The event of the version `version`, 1 or 2, of the article `id`, which is the `number`th.
pub(super) fn event(id: AggregateId, number: u64, version: u64) -> anyhow::Result<NewEvent> {
    let author_id = user(&format!("author{}", number % AUTHORS));
    let words = (0..LENGTH).map(|at| word(number * 7 + at * at + version));
    let (title, content) = (format!("Article {number}"), words.collect::<Vec<_>>().join(" "));
    let data = if version == 1 {
        let (slug, tags) = (None, vec![format!("tag{}", number % 50)]);
        ArticleEvent::from(ArticleCreated {
            title,
            content,
            author_id: author_id.clone(),
            slug,
            tags,
        })
    } else {
        let (slug, tags) = (None, None);
        ArticleEvent::from(ArticleUpdated {
            title,
            content,
            author_id: author_id.clone(),
            slug,
            tags,
        })
    };
    decided(id, version, &author_id, &data)
}

/// Fills the stream with `events` events: every article is created and, long after, updated. Gives an article's id.
pub(super) async fn tell(server: &NatsServer, events: u64) -> anyhow::Result<String> {
    let client = server.client("article").await;
    let jetstream = async_nats::jetstream::new(client.clone());
    let distance = DISTANCE.min(usize::try_from(events / 4)?);
    let (mut ids, mut updated): (Vec<AggregateId>, usize) = (Vec::new(), 0);
    for sent in 0..events {
        let (number, version) = if sent % 2 == 1 && updated + distance < ids.len() {
            updated += 1;
            (updated - 1, 2)
        } else {
            ids.push(CommandId::generate().creates(CONTEXT));
            (ids.len() - 1, 1)
        };
        let (id, number) = (ids[number], number as u64);
        let event = event(id, number, version)?;
        let stream = StreamId::new(CONTEXT, id);
        let headers = event_codec::headers(&stream, &event);
        let subject = EventSubject(stream).to_string();
        if (sent + 1) % WINDOW == 0 || sent + 1 == events {
            // An answer to one says that those before it are stored.
            let ack = jetstream.publish_with_headers(subject, headers, event.data.into()).await?;
            tokio::time::timeout(Duration::from_secs(30), ack).await.context("no answer")??;
        } else {
            client.publish_with_headers(subject, headers, event.data.into()).await?;
        }
    }
    Ok(ids[0].to_string())
}
