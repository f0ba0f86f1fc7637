//! The author of an article is told what others say about it.

use contracts::comment::CommentEvent;
use eventsourcing::{DecodeError, RecordedEvent};

use super::{Letter, one_line};

pub(super) fn letter(event: &RecordedEvent) -> Result<Option<Letter>, DecodeError> {
    let CommentEvent::Added(added) = event.decode()? else { return Ok(None) };
    if added.author_id == added.article_author_id {
        return Ok(None);
    }
    let (title, text) = (one_line(&added.article_title), lines(&added.text));
    let metadata = &event.event.metadata;
    let body = format!(
        "{} commented on your article.\r\n\r\nTitle:   {title}\r\nArticle: {}\r\nNumber:  {}\r\n\
         Request: {}\r\n\r\n{text}\r\n",
        added.author_id, added.article_id, event.position, metadata.correlation_id,
    );
    let subject = format!("{} commented on your article: {title}", added.author_id);
    Ok(Some(Letter { to: added.article_author_id, subject, body }))
}

/// `text` with the line ends of a message (RFC 5322, 2.1), each line without control characters.
fn lines(text: &str) -> String {
    let line = |line: &str| -> String {
        line.chars()
            .map(|char| if char.is_control() && char != '\t' { ' ' } else { char })
            .collect()
    };
    text.lines().map(line).collect::<Vec<_>>().join("\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_as_in_a_message_and_have_no_control_characters() {
        assert_eq!(lines("a\nb\r\nc\u{7}d"), "a\r\nb\r\nc d");
    }
}
