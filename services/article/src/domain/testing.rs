//! People and events for the tests of commands.

use contracts::article::{ArticleCreated, ArticleDeleted, ArticleEvent, EDITOR};
use eventsourcing::Actor;

use super::bounded::{Bounded, Bounds};

fn actor(name: &str, roles: &[&str]) -> Actor {
    Actor {
        user_id: name.parse().expect("a valid user id"),
        roles: roles.iter().map(ToString::to_string).collect(),
    }
}

/// `command` under the bounds that hold without settings.
pub(crate) fn bounded<C>(command: C) -> Bounded<C> {
    Bounded::new(command, Bounds::default())
}

/// The author.
pub(crate) fn ann() -> Actor {
    actor("ann", &[])
}

/// Somebody else.
pub(crate) fn bob() -> Actor {
    actor("bob", &["reader"])
}

/// Somebody else who may.
pub(crate) fn editor() -> Actor {
    actor("eve", &[EDITOR])
}

/// Ann's article appears.
pub(crate) fn created() -> ArticleEvent {
    ArticleCreated {
        title: "T".to_owned(),
        content: "C".to_owned(),
        author_id: ann().user_id,
        slug: None,
        tags: Vec::new(),
    }
    .into()
}

/// Ann's article disappears.
pub(crate) fn deleted() -> ArticleEvent {
    ArticleDeleted { title: "T".to_owned(), author_id: ann().user_id }.into()
}
