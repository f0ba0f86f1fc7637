//! An author is told what happens to an article, whoever does it.

use contracts::article::ArticleEvent;
use eventsourcing::{DecodeError, RecordedEvent};

use super::{Letter, one_line};

pub(super) fn letter(event: &RecordedEvent) -> Result<Letter, DecodeError> {
    let article: ArticleEvent = event.decode()?;
    let (what, title) = match &article {
        ArticleEvent::Created(article) => ("published", &article.title),
        ArticleEvent::Updated(article) => ("changed", &article.title),
        ArticleEvent::Deleted(article) => ("deleted", &article.title),
    };
    let title = one_line(title);
    let metadata = &event.event.metadata;
    let body = format!(
        "Your article was {what}.\r\n\r\nTitle:   {title}\r\nArticle: {}\r\nVersion: {}\r\n\
         By:      {}\r\nRequest: {}\r\n",
        event.aggregate_id, event.event.version, metadata.user_id, metadata.correlation_id,
    );
    let subject = format!("Your article was {what}: {title}");
    Ok(Letter { to: article.author_id().clone(), subject, body })
}
