//! What a client subscribes to.

use std::collections::HashMap;

use axum::extract::ws::{Utf8Bytes, WebSocket};
use eventsourcing::UserId;

use super::{
    client::{Client, Complaint},
    end::End,
};
use crate::{frame::ServerFrame, replay::Replay, topic::Topic};

impl Client {
    /// The topics, if all exist, the client may have them, and they are not too many.
    pub(super) fn allowed(&self, topics: &[String]) -> Result<Vec<Topic>, Complaint> {
        let max = self.push.settings.max_topics;
        if topics.is_empty() || self.topics.len() + topics.len() > max {
            let detail = format!("1 to {max} topics were expected, all subscriptions together");
            return Err(Complaint { code: "wrong-number-of-topics", detail });
        }
        let topics = parse(topics)?;
        let own = self.claims.as_ref().and_then(|claims| claims.sub.parse::<UserId>().ok());
        let foreign =
            |topic: &&Topic| matches!(topic, Topic::User(user) if Some(user) != own.as_ref());
        match topics.iter().find(foreign) {
            Some(topic) => {
                let detail = format!("{topic} needs the token of that user");
                Err(Complaint { code: "forbidden-topic", detail })
            }
            None => Ok(topics),
        }
    }

    pub(super) fn unsubscribe(&mut self, topics: &[Topic]) -> Utf8Bytes {
        self.push.hub.unsubscribe(self.id, topics);
        for topic in topics {
            self.topics.remove(topic);
        }
        ServerFrame::Unsubscribed { topics: self.topic_names() }.text()
    }

    /// Registers, tells where live events begin, replays what was before; the queue holds what comes meanwhile.
    pub(super) async fn subscribe(
        &mut self,
        socket: &mut WebSocket,
        mut topics: Vec<Topic>,
        since: Option<u64>,
    ) -> Result<(), End> {
        topics.retain(|topic| !self.topics.contains_key(topic));
        let position = self.push.hub.subscribe(self.id, &topics);
        // A cursor from the future belongs to another stream.
        let recovered = since.is_none_or(|since| since <= position);
        let from = since.filter(|_| recovered).unwrap_or(position);
        let others = self.topics.clone();
        self.topics.extend(topics.iter().map(|topic| (topic.clone(), from)));
        let names = self.topic_names();
        let subscribed = ServerFrame::Subscribed { topics: names, position, recovered };
        self.send(socket, subscribed.text()).await?;
        if from < position && !topics.is_empty() {
            self.replay(socket, topics, others, from, position).await?;
        }
        Ok(())
    }

    async fn replay(
        &self,
        socket: &mut WebSocket,
        topics: Vec<Topic>,
        others: HashMap<Topic, u64>,
        from: u64,
        to: u64,
    ) -> Result<(), End> {
        let stop = self.push.lifecycle.stop_token();
        let replay = async {
            let _permit = self.push.replays.acquire().await.map_err(|_| End::Failed)?;
            let opened = Replay::open(&self.push.feed, topics, others, from, to).await;
            let mut replay = opened.map_err(|error| {
                tracing::warn!(%error, "opening a replay failed");
                End::Failed
            })?;
            while let Some(frames) = replay.next().await {
                for frame in frames {
                    self.send(socket, frame).await?;
                }
            }
            Ok(())
        };
        tokio::select! {
            () = stop.cancelled() => Err(End::Stopping),
            result = replay => result,
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
