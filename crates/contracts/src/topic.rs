//! Topics of the live socket.

use std::{fmt, str::FromStr};

use eventsourcing::{AggregateId, UserId};

/// What a client can subscribe to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Topic {
    /// `articles`: every article.
    Articles,
    /// `article:<id>`: one article.
    Article(AggregateId),
    /// `comments:<id>`: the comments on one article.
    Comments(AggregateId),
    /// `author:<id>`: the articles of one author.
    Author(UserId),
    /// `user:<id>`: the articles of the user who is connected.
    User(UserId),
}

/// There is no such topic.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no topic {0:?}: articles, article:<id>, comments:<article id>, author:<id> or user:<id> was expected"
)]
pub struct UnknownTopic(String);

impl FromStr for Topic {
    type Err = UnknownTopic;

    fn from_str(text: &str) -> Result<Self, UnknownTopic> {
        let unknown = || UnknownTopic(text.chars().take(100).collect());
        match text.split_once(':') {
            None if text == "articles" => Ok(Self::Articles),
            Some(("article", id)) => id.parse().map(Self::Article).map_err(|_| unknown()),
            Some(("comments", id)) => id.parse().map(Self::Comments).map_err(|_| unknown()),
            Some(("author", id)) => id.parse().map(Self::Author).map_err(|_| unknown()),
            Some(("user", id)) => id.parse().map(Self::User).map_err(|_| unknown()),
            _ => Err(unknown()),
        }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Articles => f.write_str("articles"),
            Self::Article(id) => write!(f, "article:{id}"),
            Self::Comments(id) => write!(f, "comments:{id}"),
            Self::Author(id) => write!(f, "author:{id}"),
            Self::User(id) => write!(f, "user:{id}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_read_as_it_is_written() {
        let id = "0190b3a0-6b2a-7c3e-9d57-2a1f0c6b7e42";
        let (article, comments) = (format!("article:{id}"), format!("comments:{id}"));
        for text in ["articles", &article, &comments, "author:ann", "user:ann@example.org"] {
            assert_eq!(text.parse::<Topic>().map(|topic| topic.to_string()).as_deref(), Ok(text));
        }
    }

    #[test]
    fn anything_else_is_no_topic() {
        for text in [
            "",
            "article",
            "article:",
            "article:1",
            "articles:",
            "comments",
            "comments:1",
            "author:",
            "user:a b",
            "*",
        ] {
            assert!(text.parse::<Topic>().is_err(), "{text}");
        }
    }
}
