//! An article that was read, or why there is none.

use std::io;

use super::outcome::{Outcome, Reason};

/// An article to post.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Draft {
    pub(crate) title: String,
    pub(crate) content: String,
    pub(crate) slug: Option<String>,
    pub(crate) tags: Vec<String>,
    /// What of the source is not in it.
    pub(crate) losses: Vec<Loss>,
}

/// Something of the source that the article does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Loss {
    /// A slug that cannot be written in a-z, 0-9 and hyphens.
    Slug(String),
    /// Tags that are too many or too long.
    Tags(Vec<String>),
    /// Members of a JSON object that an article does not have.
    Members(Vec<String>),
}

/// What was found at a place.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The line or file.
    pub(crate) place: String,
    /// An article, or what became of it already.
    pub(crate) draft: Result<Draft, Outcome>,
}

impl Entry {
    /// Nothing to post, since the place cannot be read.
    pub(crate) fn unreadable(place: impl Into<String>, error: &io::Error) -> Self {
        let outcome = Outcome::of(Reason::Unreadable, error.to_string());
        Self { place: place.into(), draft: Err(outcome) }
    }
}
