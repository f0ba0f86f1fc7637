//! What a message says.

use contracts::article::ArticleEvent;
use eventsourcing::{RecordedEvent, UserId};
use lettre::{
    Message,
    message::{
        Mailbox,
        header::{HeaderName, HeaderValue},
    },
};
use service_kit::settings::SettingsError;

/// Writes messages.
#[derive(Debug, Clone)]
pub(crate) struct Composer {
    from: Mailbox,
    domain: String,
}

/// A message cannot be written, whatever is tried.
pub(crate) type ComposeError = Box<dyn std::error::Error + Send + Sync>;

impl Composer {
    /// A composer that sends as `from`, to addresses in `domain`.
    pub(crate) fn new(from: &str, domain: &str) -> Result<Self, SettingsError> {
        let from = from.parse().map_err(|error| {
            let expected = format!("a mailbox such as \"Name <user@host>\" was expected ({error})");
            SettingsError::wrong("notification.from", expected)
        })?;
        if let Err(error) = format!("user@{domain}").parse::<Mailbox>() {
            let expected = format!("a domain such as example.org was expected ({error})");
            return Err(SettingsError::wrong("notification.mail_domain", expected));
        }
        Ok(Self { from, domain: domain.to_owned() })
    }

    /// The message to the author about `event`. The same event gives the same message.
    pub(crate) fn compose(
        &self,
        event: &RecordedEvent,
        article: &ArticleEvent,
    ) -> Result<Message, ComposeError> {
        let (what, title) = match article {
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
        let id = event.event.id;
        Ok(Message::builder()
            .message_id(Some(format!("<{id}@newswire>")))
            .date(event.event.time.into())
            .from(self.from.clone())
            .to(self.address(article.author_id())?)
            .subject(format!("Your article was {what}: {title}"))
            .raw_header(header("X-Newswire-Event-Id", id.to_string()))
            .raw_header(header("X-Correlation-Id", metadata.correlation_id.to_string()))
            .body(body)?)
    }

    /// The address of `user`: the id itself when it is one.
    fn address(&self, user: &UserId) -> Result<Mailbox, ComposeError> {
        let address = if user.as_str().contains('@') {
            user.to_string()
        } else {
            format!("{user}@{}", self.domain)
        };
        Ok(address.parse()?)
    }
}

fn header(name: &'static str, value: String) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value)
}

/// A title on one line, without control characters: it stands in a header.
fn one_line(title: &str) -> String {
    let spaced: String =
        title.chars().map(|char| if char.is_control() { ' ' } else { char }).collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}
