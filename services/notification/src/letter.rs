//! What there is to tell, and to whom: one context a file.

mod article;
mod comment;

use eventsourcing::{DecodeError, RecordedEvent, UserId};

/// The contexts that somebody is told about.
pub(crate) const CONTEXTS: &[&str] = &[contracts::article::CONTEXT, contracts::comment::CONTEXT];

/// Something to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Letter {
    /// To whom.
    pub(crate) to: UserId,
    /// In a line, which may have any characters.
    pub(crate) subject: String,
    /// In lines.
    pub(crate) body: String,
}

/// What `event` tells whom; `None` when nobody has to know.
///
/// # Errors
/// The event is of a newer release.
pub(crate) fn letter(event: &RecordedEvent) -> Result<Option<Letter>, DecodeError> {
    match event.context.as_str() {
        contracts::article::CONTEXT => article::letter(event).map(Some),
        contracts::comment::CONTEXT => comment::letter(event),
        _ => Ok(None),
    }
}

/// `text` on one line, without control characters: it stands in a header.
fn one_line(text: &str) -> String {
    let spaced: String =
        text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}
