//! People and events for the tests of commands.

use contracts::{
    article::EDITOR,
    comment::{CommentAdded, CommentDeleted, CommentEvent},
};
use eventsourcing::{Actor, AggregateId};

fn actor(name: &str, roles: &[&str]) -> Actor {
    Actor {
        user_id: name.parse().expect("a valid user id"),
        roles: roles.iter().map(ToString::to_string).collect(),
    }
}

/// The author of the article.
pub(crate) fn ann() -> Actor {
    actor("ann", &[])
}

/// The author of the comment.
pub(crate) fn bob() -> Actor {
    actor("bob", &[])
}

/// Somebody else who may.
pub(crate) fn editor() -> Actor {
    actor("eve", &[EDITOR])
}

/// The article.
pub(crate) fn article_id() -> AggregateId {
    "0190b3a0-6b2a-7c3e-9d57-2a1f0c6b7e42".parse().expect("an id")
}

/// Bob says something.
pub(crate) fn added() -> CommentEvent {
    CommentAdded {
        article_id: article_id(),
        article_title: "T".to_owned(),
        article_author_id: ann().user_id,
        author_id: bob().user_id,
        text: "Yes".to_owned(),
    }
    .into()
}

/// It is taken back.
pub(crate) fn deleted() -> CommentEvent {
    CommentDeleted { article_id: article_id(), author_id: bob().user_id }.into()
}
