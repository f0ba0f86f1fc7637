//! What a client subscribes to.

use std::time::Duration;

use contracts::Topic;
use messaging::Throttle;

use super::{
    client::{Client, Complaint},
    connection::Outgoing,
    end::End,
};
use crate::{frame::ServerFrame, metrics, replay::Replay};

/// How long a client may take to read a page of the past.
const PAGE_PATIENCE: Duration = Duration::from_secs(10);
/// Held back: what each subscription may be the reason for.
static UNKNOWN_END: Throttle = Throttle::new();
static NO_PAGE: Throttle = Throttle::new();

impl Client {
    /// The topics, if all exist, the client may have them, and they are not too many.
    pub(super) fn allowed(&self, topics: &[String]) -> Result<Vec<Topic>, Complaint> {
        let max = self.push.settings.max_topics.get();
        if topics.is_empty() || self.topics.len() + topics.len() > max {
            let detail = format!("1 to {max} topics were expected, all subscriptions together");
            return Err(Complaint { code: "wrong-number-of-topics", detail });
        }
        let topics = parse(topics)?;
        let own = self.user.as_ref().map(|user| &user.id);
        let foreign = |topic: &&Topic| matches!(topic, Topic::User(user) if Some(user) != own);
        match topics.iter().find(foreign) {
            Some(topic) => {
                let detail = format!("{topic} needs the token of that user");
                Err(Complaint { code: "forbidden-topic", detail })
            }
            None => Ok(topics),
        }
    }

    /// What is queued already is still sent, so that nothing comes after the answer.
    pub(super) async fn unsubscribe(
        &mut self,
        socket: &Outgoing,
        topics: &[Topic],
    ) -> Result<(), End> {
        let position = self.push.hub.unsubscribe(self.id, topics);
        for topic in topics {
            self.topics.remove(topic);
        }
        self.send_queued(socket, position).await?;
        let unsubscribed = ServerFrame::Unsubscribed { topics: self.topic_names() };
        self.send(socket, unsubscribed.text()).await
    }

    /// Registers, sends what was queued until then, tells where live events begin, replays what was before; the
    /// queue holds what comes meanwhile.
    pub(super) async fn subscribe(
        &mut self,
        socket: &Outgoing,
        topics: Vec<Topic>,
        since: Option<u64>,
        stream: Option<&str>,
    ) -> Result<(), End> {
        let known = self.is_of_this_stream(since, stream).await?;
        let (held, wanted): (Vec<Topic>, Vec<Topic>) =
            topics.into_iter().partition(|topic| self.topics.contains_key(topic));
        let position = self.push.hub.subscribe(self.id, &wanted);
        let from = since.filter(|_| known).unwrap_or(position);
        // A topic that the client has already is not replayed again.
        let heard = |topic: &Topic| self.topics.get(topic).is_some_and(|heard| *heard <= from);
        let recovered = known && (since.is_none() || held.iter().all(heard));
        let others = self.topics.clone();
        self.topics.extend(wanted.iter().map(|topic| (topic.clone(), from)));
        self.send_queued(socket, position).await?;
        let names = self.topic_names();
        let subscribed =
            ServerFrame::Subscribed { topics: names, stream: self.stream, position, recovered };
        self.send(socket, subscribed.text()).await?;
        self.replay(
            socket,
            Replay { stream: self.stream, wanted, others, position: from, to: position },
        )
        .await
    }

    /// Whether `since` is a position of this stream; returns when the hub has got there.
    async fn is_of_this_stream(
        &self,
        since: Option<u64>,
        stream: Option<&str>,
    ) -> Result<bool, End> {
        let Some(since) = since else { return Ok(true) };
        let (current, last) = self.push.feed.end().await.map_err(|error| {
            if let Some(held_back) = UNKNOWN_END.pass() {
                tracing::warn!(%error, held_back, "asking for the last position failed");
            }
            End::Failed
        })?;
        if let Some(held_back) = UNKNOWN_END.over() {
            tracing::info!(held_back, "the last position is known again");
        }
        if current != self.stream {
            self.push.feed.stream().nudge();
            return Err(End::Replaced);
        }
        if since > last || stream.is_some_and(|stream| stream != current.to_string()) {
            return Ok(false);
        }
        self.unless_ended(async {
            self.push.hub.reaches(since).await;
            Ok(())
        })
        .await?;
        Ok(true)
    }

    async fn send_queued(&mut self, socket: &Outgoing, position: u64) -> Result<(), End> {
        while let Some(frame) = self.queue.pop_until(position) {
            self.send(socket, frame).await?;
        }
        Ok(())
    }

    async fn replay(&self, socket: &Outgoing, mut replay: Replay) -> Result<(), End> {
        if replay.wanted.is_empty() {
            return Ok(());
        }
        self.unless_ended(async {
            loop {
                // Held until the page is sent, since it is kept until then; a slow client does not keep it for long.
                let _permit = self.push.replays.acquire().await.map_err(|_| End::Failed)?;
                let page = replay.next(&self.push.feed).await.map_err(|error| {
                    if let Some(held_back) = NO_PAGE.pass() {
                        tracing::warn!(%error, held_back, "a replay failed");
                    }
                    End::Failed
                })?;
                if let Some(held_back) = NO_PAGE.over() {
                    tracing::info!(held_back, "the past is replayed again");
                }
                let Some(frames) = page else { return Ok(()) };
                let sent = async {
                    for frame in frames {
                        self.send(socket, frame).await?;
                        metrics::replayed(1);
                    }
                    Ok(())
                };
                tokio::time::timeout(PAGE_PATIENCE, sent).await.map_err(|_| End::TooSlow)??;
            }
        })
        .await
    }

    /// What `work` gives, unless the server stops or the token ends first.
    async fn unless_ended<T>(&self, work: impl Future<Output = Result<T, End>>) -> Result<T, End> {
        tokio::select! {
            result = work => result,
            end = self.ended() => Err(end),
        }
    }

    fn topic_names(&self) -> Vec<String> {
        let mut names: Vec<_> = self.topics.keys().map(ToString::to_string).collect();
        names.sort();
        names
    }
}

pub(super) fn parse(topics: &[String]) -> Result<Vec<Topic>, Complaint> {
    let topics: Result<Vec<Topic>, _> = topics.iter().map(|topic| topic.parse()).collect();
    topics.map_err(|error| Complaint { code: "unknown-topic", detail: error.to_string() })
}
